//! The queues of the tasks that carry out effects.

use engine::model::{CallError, PageAddress, SourceName};
use engine::{
    Channel, DeliveryFault, Effect, FeedCommand, Input, Notification, PageOutcome, Sample,
    SampleOutcome, Switch, SwitchOutcome,
};
use tokio::sync::mpsc;

/// How many switches may wait to be carried out. The engine has at most 16 under way.
pub const SWITCH_QUEUE: usize = 32;

/// How many summaries may wait to be sent on one channel. The engine has at most one in flight for
/// each route; one that finds no room counts as failed and is retried.
pub const NOTIFY_QUEUE: usize = 64;

/// How many streams may wait to be sampled. The engine has at most `SAMPLE_AT_ONCE` under way.
pub const SAMPLE_QUEUE: usize = 64;

/// How many pages may wait to be checked. The engine has at most 4 under way.
pub const PAGE_QUEUE: usize = 16;

/// How many commands may wait for a feed. One that finds it full is dropped: the engine asks again.
pub const COMMAND_QUEUE: usize = 4;

/// The queue of each kind of effect.
#[derive(Debug)]
pub struct Outlets {
    /// Switches of availability.
    pub switches: mpsc::Sender<Switch>,
    /// Summaries to be mailed.
    pub mails: mpsc::Sender<Notification>,
    /// Summaries for webhooks.
    pub webhooks: mpsc::Sender<Notification>,
    pub samples: mpsc::Sender<Sample>,
    /// Pages to check.
    pub pages: mpsc::Sender<PageAddress>,
    /// Commands to relay's feed.
    pub relay: mpsc::Sender<FeedCommand>,
    /// Commands to jump's feed.
    pub jump: mpsc::Sender<FeedCommand>,
    /// Requests to poll book now.
    pub book: mpsc::Sender<()>,
}

impl Outlets {
    /// Queues an effect for the task that carries it out. Returns a failure as its outcome where
    /// the queue is full.
    pub(super) fn hand_on(&self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Switch(switch) => self.switch(switch),
            Effect::Notify(notification) => self.notify(notification),
            Effect::Sample(sample) => self.sample(sample),
            Effect::CheckPage(page) => self.check_page(page),
            Effect::Ask(source) => self.command(source, FeedCommand::Ask),
            Effect::Reconnect(source) => self.command(source, FeedCommand::Reconnect),
        }
    }

    fn switch(&self, switch: Switch) -> Option<Input> {
        let refused = self.switches.try_send(switch).err()?;
        Some(Input::Switched {
            resource: refused.into_inner().resource,
            outcome: SwitchOutcome::Failed(CallError::Busy),
        })
    }

    fn notify(&self, notification: Notification) -> Option<Input> {
        let id = notification.id;
        let outlet = match notification.channel {
            Channel::Mail => &self.mails,
            Channel::Http(_) => &self.webhooks,
        };
        outlet.try_send(notification).err()?;
        Some(Input::Delivered {
            id,
            outcome: Err(DeliveryFault::passing(CallError::Busy)),
        })
    }

    fn sample(&self, sample: Sample) -> Option<Input> {
        let refused = self.samples.try_send(sample).err()?;
        Some(Input::Sampled {
            topic: refused.into_inner().topic,
            outcome: SampleOutcome::Failed(CallError::Busy),
        })
    }

    fn check_page(&self, page: PageAddress) -> Option<Input> {
        let refused = self.pages.try_send(page).err()?;
        Some(Input::PageChecked {
            page: refused.into_inner(),
            outcome: PageOutcome::Failed(CallError::Busy),
        })
    }

    /// A command that finds no room is dropped: earlier ones are still waiting, and the engine asks
    /// again.
    fn command(&self, source: SourceName, command: FeedCommand) -> Option<Input> {
        let sent = match source {
            SourceName::Relay => self.relay.try_send(command).is_ok(),
            SourceName::Jump => self.jump.try_send(command).is_ok(),
            SourceName::Book => self.book.try_send(()).is_ok(),
        };
        if !sent {
            tracing::debug!(%source, ?command, "a command is dropped, earlier ones are still waiting");
        }
        None
    }
}
