//! The content of a notification, before its words: the difference between what the route was last
//! notified of and what is.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use serde::{Deserialize, Serialize};

use crate::groups::bookings::Affected;
use crate::model::words::words;
use crate::model::{Bookable, Health, RouteName, Stub};
use crate::notifications::route::Channel;
use crate::protocol::{Alert, Counts, Issue, MessageId};

/// One message's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// A number that grows by one with each message, whichever route it goes. All attempts at one
    /// message have the same.
    pub id: u64,
    /// The route that it goes.
    pub route: RouteName,
    /// How that route is told.
    pub channel: Channel,
    /// Why it is sent.
    pub occasion: Occasion,
    /// Which messages it belongs to.
    pub thread: Thread,
    /// When it was put together.
    pub at: Timestamp,
    /// What is new since people were last told: problems first, the soonest booked before others;
    /// then what is well again.
    pub news: Vec<Line>,
    /// Every experiment that is not well, new ones included, in the same order.
    pub problems: Vec<Line>,
    /// What concerns the whole laboratory: sources, book's manifest, our own blindness.
    pub alerts: Vec<AlertLine>,
    /// How many of the experiments that the route hears of are in which state.
    pub counts: Counts,
    /// What is worth knowing beside the problems themselves.
    pub background: Background,
    /// Which reminder it is; `None` when it is none.
    #[serde(default)]
    pub reminder: Option<Reminder>,
}

/// Which reminder a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// 1 for the first since there was news.
    pub number: u32,
    /// When the next one comes if nothing changes.
    pub next: Timestamp,
}

/// Why people are told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Occasion {
    /// Something differs from what they know.
    News,
    /// What they know is still so.
    Reminder,
    /// It is the time of day for it.
    Digest,
    /// An operator wants to see whether it arrives.
    Test,
}

words!(Occasion { News => "news", Reminder => "reminder", Digest => "digest", Test => "test" });

/// Which messages belong together, so that mail programs show them so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The name of this one.
    pub id: MessageId,
    /// Earlier ones about the same incidents, oldest first.
    pub references: Vec<MessageId>,
}

/// One experiment in a mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The experiment.
    pub stub: Stub,
    /// Its health now.
    pub health: Health,
    /// The health that people were last told, or [`Health::Ok`] where they were told nothing.
    pub notified: Health,
    /// Whether it can be booked; `None` when book does not list it or has not told yet.
    pub bookable: Option<Bookable>,
    /// Whether book's manifest lists it.
    pub listed: bool,
    /// What is wrong; empty when it is well.
    pub issues: Vec<Issue>,
    /// Since when it is as it is.
    pub since: Timestamp,
    /// How long it was bad, where it is well again.
    pub lasted: Option<Duration>,
    /// The bookings of it that are under way or to come.
    pub affected: Affected,
    /// What can be done about it, where its symptoms tell.
    pub advice: Option<String>,
    /// What people were last told to be wrong with it.
    #[serde(default)]
    pub notified_issues: Vec<Issue>,
    /// When what it lacks was last reported; `None` where nothing is lacking or that is not known.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
    /// The worst that it was while it was bad, where it is well again.
    #[serde(default)]
    pub worst: Option<Health>,
    /// Whether it comes and goes, where that is said for the first time, or whether it has stopped
    /// to.
    #[serde(default)]
    pub steadiness: Option<Steadiness>,
    /// Who has acknowledged it as bad.
    #[serde(default)]
    pub acknowledged: Option<Acknowledged>,
}

/// What is said of an experiment that comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steadiness {
    /// It was unusable so many times within a day: how it is comes only when it has held.
    Unsteady(u32),
    /// It has held; before that it was unusable so many times.
    Steady(u32),
}

impl Steadiness {
    /// How long an unsteady experiment has to stay usable, or unusable, to be steady.
    pub const HOLDS_AFTER: Duration = Duration::from_secs(2 * 3600);
}

/// An acknowledgement, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who has acknowledged it.
    pub who: String,
    /// What is done about it.
    pub text: String,
}

/// What is worth knowing beside the problems themselves, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Background {
    /// What several new losses have in common.
    pub causes: Vec<String>,
    /// Pools of interchangeable experiments that have less left than is booked within 24 h.
    pub short_pools: Vec<String>,
    /// Resources that people have held for so long that they look forgotten.
    pub forgotten_holds: Vec<String>,
    /// What people have silenced, and until when.
    pub silences: Vec<String>,
    /// What is wrong with labwatch itself.
    #[serde(default)]
    pub own: Vec<String>,
}

impl Background {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.causes.is_empty()
            && self.short_pools.is_empty()
            && self.forgotten_holds.is_empty()
            && self.silences.is_empty()
            && self.own.is_empty()
    }
}

/// Something that concerns the whole laboratory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertLine {
    /// What it is about; `None` for a trial, which is about nothing, and for an experiment that is
    /// not watched any more.
    pub alert: Option<Alert>,
    /// What is wrong and what to do, or that it has ended.
    pub text: String,
    /// Since when it was or is so.
    pub since: Timestamp,
    /// How long it lasted, where it has ended.
    pub ended: Option<Duration>,
    /// Whether people have not been told this yet.
    pub new: bool,
    /// The experiment that is not watched any more, and the health that was told last; `None` for
    /// all else.
    #[serde(default)]
    pub experiment: Option<(Stub, Health)>,
}

impl fmt::Display for Summary {
    /// What is in it, counted, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message #{}", self.id)?;
        if self.route != RouteName::everybody() {
            write!(f, " to {}", self.route)?;
        }
        if let Channel::Http(channel) = self.channel {
            write!(f, " ({})", channel.as_str())?;
        }
        f.write_str(match self.occasion {
            Occasion::News => ":",
            Occasion::Reminder => ": reminder:",
            Occasion::Digest => ": digest:",
            Occasion::Test => ": test:",
        })?;
        let new_alerts = self.alerts.iter().filter(|alert| alert.new).count();
        write!(
            f,
            " {} new, {} open, {} alerts of which {new_alerts} new; {}",
            self.news.len(),
            self.problems.len(),
            self.alerts.len(),
            self.counts
        )
    }
}
