//! The content of a notification, before its text: the difference between what the route was last
//! notified of and the current state.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use serde::{Deserialize, Serialize};

use crate::groups::bookings::Affected;
use crate::model::words::words;
use crate::model::{Bookable, Health, RouteName, Stub};
use crate::notifications::route::Channel;
use crate::protocol::{Alert, Counts, Issue, MessageId};

/// The content of one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// A number that grows by one with each message, across all routes. All attempts at one message
    /// have the same.
    pub id: u64,
    /// Its route.
    pub route: RouteName,
    /// The route's channel.
    pub channel: Channel,
    /// The reason for sending it.
    pub occasion: Occasion,
    /// Its mail thread.
    pub thread: Thread,
    /// When it was composed.
    pub at: Timestamp,
    /// What changed since the last notification: problems first, by the start of their next
    /// booking; then recoveries.
    pub news: Vec<Line>,
    /// Every experiment that is not ok, news included, in the same order.
    pub problems: Vec<Line>,
    /// Alerts of the whole laboratory: sources, book's manifest, labwatch cut off.
    pub alerts: Vec<AlertLine>,
    /// How many of the experiments that the route covers are in which state.
    pub counts: Counts,
    /// Background information besides the problems themselves.
    pub background: Background,
    /// The number of the reminder; `None` when it is none.
    #[serde(default)]
    pub reminder: Option<Reminder>,
}

/// The position of a message in a series of reminders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// 1 for the first since there was news.
    pub number: u32,
    /// When the next one comes if nothing changes.
    pub next: Timestamp,
}

/// The reason of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Occasion {
    /// The state differs from the notified one.
    News,
    /// The notified problems go on.
    Reminder,
    /// It is the time of day for it.
    Digest,
    /// An operator checks whether messages arrive.
    Test,
}

words!(Occasion { News => "news", Reminder => "reminder", Digest => "digest", Test => "test" });

/// The mail thread that a message belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The identity of this message.
    pub id: MessageId,
    /// Earlier ones about the same incidents, oldest first.
    pub references: Vec<MessageId>,
}

/// One experiment in a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The experiment.
    pub stub: Stub,
    /// Its health now.
    pub health: Health,
    /// The last notified health, or [`Health::Ok`] where there was no notification.
    pub notified: Health,
    /// Whether it can be booked; `None` when book does not list it or has not reported yet.
    pub bookable: Option<Bookable>,
    /// Whether book's manifest lists it.
    pub listed: bool,
    /// What is wrong; empty when it is ok.
    pub issues: Vec<Issue>,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// How long it was bad, where it is ok again.
    pub lasted: Option<Duration>,
    /// The bookings of it that are under way or to come.
    pub affected: Affected,
    /// Advice, where its symptoms match one.
    pub advice: Option<String>,
    /// The last notified issues.
    #[serde(default)]
    pub notified_issues: Vec<Issue>,
    /// When what it lacks was last reported; `None` where nothing is lacking or that is not known.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
    /// The worst health of the bad period, where it is ok again.
    #[serde(default)]
    pub worst: Option<Health>,
    /// Whether it is unsteady, where that is notified for the first time, or stable again.
    #[serde(default)]
    pub steadiness: Option<Steadiness>,
    /// Its acknowledgement.
    #[serde(default)]
    pub acknowledged: Option<Acknowledged>,
}

/// The steadiness of an experiment that changes often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steadiness {
    /// It was unusable this many times within a day: its state is notified only once it is stable.
    Unsteady(u32),
    /// It is stable; before that it was unusable this many times.
    Steady(u32),
}

impl Steadiness {
    /// How long an unsteady experiment has to stay usable, or unusable, to be stable.
    pub const HOLDS_AFTER: Duration = Duration::from_secs(2 * 3600);
}

/// An acknowledgement, for readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who has acknowledged it.
    pub who: String,
    /// What is done about it.
    pub text: String,
}

/// Background information besides the problems themselves, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Background {
    /// What several new losses have in common.
    pub causes: Vec<String>,
    /// Pools of interchangeable experiments with less left than is booked within 24 h.
    pub short_pools: Vec<String>,
    /// Resources that have been held for so long that they look forgotten.
    pub forgotten_holds: Vec<String>,
    /// Silences, and until when.
    pub silences: Vec<String>,
    /// labwatch's own problems.
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

/// An alert in a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertLine {
    /// Its subject; `None` for a trial, which has none, and for a closing notification.
    pub alert: Option<Alert>,
    /// The problem and what to do, or that it has ended.
    pub text: String,
    /// Since when it was or is so.
    pub since: Timestamp,
    /// How long it lasted, where it has ended.
    pub ended: Option<Duration>,
    /// Whether it was not notified yet.
    pub new: bool,
    /// The experiment of a closing notification, and its last notified health; `None` for all else.
    #[serde(default)]
    pub experiment: Option<(Stub, Health)>,
}

impl fmt::Display for Summary {
    /// The numbers of its parts, in one line.
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
