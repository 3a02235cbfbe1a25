//! The queues to the tasks that carry out effects.

use engine::model::{CallError, PageAddress, SourceName};
use engine::{
    Channel, DeliveryFault, Effect, FeedCommand, Input, Notification, PageOutcome, Sample,
    SampleOutcome, Switch, SwitchOutcome,
};
use tokio::sync::mpsc;

/// How many switches may wait to be carried out. The engine has at most 16 in flight.
pub const SWITCH_QUEUE: usize = 32;

/// How many notifications may wait to be sent on one channel. The engine has at most one in flight
/// for each route; one that finds no room counts as failed and is retried.
pub const NOTIFY_QUEUE: usize = 64;

/// How many streams may wait to be sampled. The engine has at most `SAMPLE_AT_ONCE` in flight.
pub const SAMPLE_QUEUE: usize = 64;

/// How many pages may wait to be checked. The engine has at most 4 in flight.
pub const PAGE_QUEUE: usize = 16;

/// How many commands may wait for a feed. If the queue is full, one is dropped: the engine repeats
/// it.
pub const COMMAND_QUEUE: usize = 4;

/// Where effects are sent.
#[derive(Debug)]
pub struct Outlets {
    /// Switches of availability.
    pub switches: mpsc::Sender<Switch>,
    /// Notifications by mail.
    pub mails: mpsc::Sender<Notification>,
    /// Notifications by webhook.
    pub webhooks: mpsc::Sender<Notification>,
    /// Streams to sample.
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
    /// Hands an effect to the task that carries it out. If its queue is full, returns the outcome
    /// that the task would have reported for a failed call.
    pub(super) fn hand_on(&self, effect: Effect) -> Option<Input> {
        Some(match effect {
            Effect::Switch(switch) => Input::Switched {
                resource: self.switches.try_send(switch).err()?.into_inner().resource,
                outcome: SwitchOutcome::Failed(CallError::Busy),
            },
            Effect::Notify(notification) => {
                let id = notification.id;
                let outlet = match notification.channel {
                    Channel::Mail => &self.mails,
                    Channel::Http(_) => &self.webhooks,
                };
                outlet.try_send(notification).err()?;
                let outcome = Err(DeliveryFault::passing(CallError::Busy));
                Input::Delivered { id, outcome }
            }
            Effect::Sample(sample) => Input::Sampled {
                topic: self.samples.try_send(sample).err()?.into_inner().topic,
                outcome: SampleOutcome::Failed(CallError::Busy),
            },
            Effect::CheckPage(page) => Input::PageChecked {
                page: self.pages.try_send(page).err()?.into_inner(),
                outcome: PageOutcome::Failed(CallError::Busy),
            },
            Effect::Ask(source) => return self.command(source, FeedCommand::Ask),
            Effect::Reconnect(source) => return self.command(source, FeedCommand::Reconnect),
        })
    }

    /// Sends a command to a feed. If the queue is full, it is dropped: earlier ones are still
    /// waiting, and the engine repeats it.
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
