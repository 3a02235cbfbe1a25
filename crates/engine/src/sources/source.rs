//! A source's own health: evaluated by the age of its last report against its pace, never by its
//! socket.

mod canary;
pub(crate) mod interruptions;
mod note;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::experiments::evaluate::SourceStatus;
use crate::model::{CallError, FaultClass, Moment, SourceHealth, SourceName, earliest};
use crate::protocol::{CanaryView, Forwarding, Link};
use interruptions::Interruptions;

/// How long a source may take for its very first report before it counts as down.
const FIRST_REPORT_WITHIN: Duration = Duration::from_secs(30);

/// How many of the latest intervals between reports make the pace. The longest of them counts, so
/// that a burst of requested reports does not make the next regular one look late.
const PACE_OVER: usize = 8;

/// How often relay and jump report by themselves in production. A quicker pace is only relied on
/// while we ask for reports, because other clients ask too, and stop asking at any time.
const OWN_PACE: Duration = Duration::from_secs(60);

/// A source is late when nothing came for twice its pace and this.
const LATE_MARGIN: Duration = Duration::from_secs(1);

/// A source is down when nothing came for three times its pace and this.
const DOWN_MARGIN: Duration = Duration::from_secs(2);

/// Book is down when every poll has failed for this long.
const BOOK_DOWN_AFTER: Duration = Duration::from_secs(30);

/// How long the connection that follows a mute one may be mute before it is given up too, doubling
/// up to [`RECONNECT_AT_MOST`].
const RECONNECT_AFTER: Duration = Duration::from_secs(30);

/// How long a connection must have been mute to count as mute although it then ended by itself. An
/// answer to a command takes a second.
const MUTE_AFTER: Duration = Duration::from_secs(10);

/// The longest wait between two such attempts.
const RECONNECT_AT_MOST: Duration = Duration::from_secs(300);

/// The state of one source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) name: SourceName,
    pub(crate) health: SourceHealth,
    pub(crate) since: Moment,
    link: Link,
    /// Why the data that came over the open connection since the last report is not a report.
    unreadable: Option<String>,
    /// In how many entries of the last report something could not be read, and why not.
    unreadable_entries: Option<(usize, String)>,
    /// In how many entries of all reports something could not be read.
    pub(crate) unreadable_total: u64,
    /// Whose fault it is that nothing comes, as far as the connection shows.
    class: FaultClass,
    /// Since when it is down, with all evidence that this is its own fault.
    down_by_itself: Option<Moment>,
    /// Whether it has ever reported, in this run or by the durable state.
    is_proven: bool,
    /// When the last report came.
    pub(crate) last: Option<Moment>,
    /// When the server started, in its own format.
    pub(crate) started: Option<String>,
    /// Until when absence means nothing.
    settle_until: Option<Moment>,
    intervals: VecDeque<Duration>,
    /// No pace is taken as quicker than this.
    floor: Duration,
    link_since: Moment,
    reported_on_link: bool,
    interruptions: Interruptions,
    asked: Option<Moment>,
    reconnect_at: Option<Moment>,
    reconnects: u32,
    /// What the canary shows; `None` while it is off.
    pub(crate) canary: Option<Arc<CanaryView>>,
    /// The canary's result, where it makes the health worse than the reports alone do.
    by_canary: Option<Forwarding>,
    /// Since when every poll of book has failed, and how the last one did.
    failing: Option<(Moment, CallError)>,
}

impl Source {
    /// A source without any report yet, which is asked when it reports nothing for `ask_every`.
    pub(crate) fn new(name: SourceName, ask_every: Option<Duration>, now: Moment) -> Self {
        Self {
            name,
            since: now,
            floor: ask_every.unwrap_or(OWN_PACE).min(OWN_PACE),
            link_since: now,
            ..Self::default()
        }
    }

    /// Sets after how long without a report it is asked.
    pub(crate) fn is_asked(&mut self, every: Option<Duration>) {
        self.floor = every.unwrap_or(OWN_PACE).min(OWN_PACE);
    }

    /// Whether its last report counts at this moment.
    pub(crate) fn status(&self, now: Moment) -> SourceStatus {
        SourceStatus {
            is_starting: self.health == SourceHealth::Starting,
            is_current: matches!(self.health, SourceHealth::Live | SourceHealth::Late),
            settling: self.settle_until.is_some_and(|until| now < until),
        }
    }

    /// Until when absence means nothing.
    pub(crate) fn settles_until(&self) -> Option<Moment> {
        self.settle_until
    }

    /// Notes that it reported. `settle` is how long absence is excused after a restart or an
    /// outage.
    pub(crate) fn note_report(&mut self, started: Option<&str>, settle: Duration, now: Moment) {
        let restarted =
            matches!((self.started.as_deref(), started), (Some(old), Some(new)) if old != new);
        if restarted || self.is_mute() {
            self.settle_until = Some(now + settle);
        }
        if let Some(last) = self.last.filter(|_| !self.is_mute()) {
            if self.intervals.len() == PACE_OVER {
                self.intervals.pop_front();
            }
            self.intervals.push_back(now.since(last));
        }
        if self.started.as_deref() != started {
            self.started = started.map(str::to_owned);
        }
        self.last = Some(now);
        self.is_proven = true;
        self.class = FaultClass::Undecided;
        self.unreadable = None;
        self.reported_on_link = true;
        self.reconnect_at = None;
        self.reconnects = 0;
        self.failing = None;
    }

    /// Whether nothing has come for so long that it is down.
    fn is_mute(&self) -> bool {
        self.health == SourceHealth::Down && !self.is_not_forwarding()
    }

    /// Notes the unreadable entries of its newest report.
    pub(crate) fn note_unreadable(&mut self, entries: Option<(usize, &str)>) {
        self.unreadable_entries = entries.map(|(count, why)| (count, why.to_owned()));
        let count = entries.map_or(0, |(count, _)| count as u64);
        self.unreadable_total = self.unreadable_total.saturating_add(count);
    }

    /// Notes that it has reported in an earlier run.
    pub(crate) fn prove(&mut self) {
        self.is_proven = true;
    }

    /// Notes the state of the connection.
    pub(crate) fn linked(&mut self, link: Link, now: Moment) {
        if let Some(class) = self.class_of(&link, now) {
            self.class = class;
        }
        let link = if link == Link::OpenByProxy {
            Link::Open
        } else {
            link
        };
        match link {
            Link::Unreadable(why) => {
                self.opened(now);
                self.unreadable = Some(why);
                self.reconnect_at = self.reconnect_at.map(|_| now + RECONNECT_AFTER);
                return;
            }
            Link::Open | Link::OpenByProxy => {
                self.reported_on_link = false;
                self.unreadable = None;
                self.reconnect_at = self.reconnect_at.map(|_| now + self.reconnect_wait());
            }
            Link::Closed(_) | Link::Broken(_)
                if self.link == Link::Open && self.reported_on_link =>
            {
                self.interruptions.note(now);
            }
            Link::Connecting
            | Link::Failed(_)
            | Link::Closed(_)
            | Link::Broken(_)
            | Link::GivenUp => {}
        }
        // An attempt under way says less than why the last one failed.
        if !(link == Link::Connecting && self.has_ended()) {
            self.link = link;
        }
        self.link_since = now;
    }

    /// Data implies an open connection, also where it overtook the message of its opening.
    fn opened(&mut self, now: Moment) {
        if self.link != Link::Open {
            self.link = Link::Open;
            self.link_since = now;
            self.reported_on_link = false;
        }
    }

    /// Whose fault the silence is by the new state of the connection; `None` when it shows nothing
    /// new.
    fn class_of(&self, link: &Link, now: Moment) -> Option<FaultClass> {
        match link {
            Link::Connecting | Link::GivenUp => None,
            // It accepts the connection; as long as nothing comes it is mute.
            Link::Open => Some(FaultClass::Theirs),
            Link::Unreadable(_) | Link::Broken(_) => Some(FaultClass::Ours),
            Link::Failed(failure) => Some(failure.class()),
            Link::Closed(_) if self.was_mute(now) => None,
            Link::OpenByProxy | Link::Closed(_) => Some(FaultClass::Undecided),
        }
    }

    /// Whether the connection that ends now was as mute as one that we give up.
    fn was_mute(&self, now: Moment) -> bool {
        self.link == Link::Open
            && !self.reported_on_link
            && self.unreadable.is_none()
            && now.since(self.link_since) >= MUTE_AFTER
    }

    /// The state of the connection, for readers.
    pub(crate) fn link(&self) -> Link {
        match (&self.link, &self.unreadable) {
            (Link::Open, Some(why)) if self.health != SourceHealth::Live => {
                Link::Unreadable(why.clone())
            }
            (link, _) => link.clone(),
        }
    }

    fn has_ended(&self) -> bool {
        match &self.link {
            Link::Failed(_) | Link::Closed(_) | Link::Broken(_) | Link::GivenUp => true,
            Link::Connecting | Link::Open | Link::OpenByProxy | Link::Unreadable(_) => false,
        }
    }

    /// Whose fault the silence is. A source that has never reported shows nothing of itself: a
    /// wrong address looks the same.
    pub(crate) fn class(&self) -> FaultClass {
        match self.class {
            FaultClass::Theirs if !self.is_proven || self.is_not_forwarding() => {
                FaultClass::Undecided
            }
            class @ (FaultClass::Theirs | FaultClass::Ours | FaultClass::Undecided) => class,
        }
    }

    /// Whether it has ever reported, in this run or by the durable state.
    pub(crate) fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Since when it is down by its own fault alone.
    pub(crate) fn down_by_itself(&self) -> Option<Moment> {
        self.down_by_itself
    }

    /// Notes that a poll failed.
    pub(crate) fn failed(&mut self, fault: CallError, now: Moment) {
        let since = self.failing.as_ref().map_or(now, |(since, _)| *since);
        self.failing = Some((since, fault));
    }

    /// The longest of the latest intervals between reports.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.intervals.iter().max().copied()
    }

    /// Updates the health. Returns whether it changed.
    pub(crate) fn evaluate(&mut self, now: Moment) -> bool {
        if self.settle_until.is_some_and(|until| now >= until) {
            self.settle_until = None;
        }
        self.interruptions.forget(now);
        let health = self.with_canary(now);
        let changed = health != self.health;
        if changed {
            self.since = now;
            self.health = health;
            // Where reports come, a new connection for them does not help.
            self.reconnect_at = self.is_mute().then(|| self.first_reconnect(now));
        }
        self.down_by_itself = (health == SourceHealth::Down && self.class() == FaultClass::Theirs)
            .then(|| self.down_by_itself.unwrap_or(now));
        changed
    }

    fn health_at(&self, now: Moment) -> SourceHealth {
        let (late, down) = self.bounds();
        match (late, down) {
            (_, Some(down)) if now >= down => SourceHealth::Down,
            (Some(late), _) if now >= late => SourceHealth::Late,
            _ if self.last.is_none() => SourceHealth::Starting,
            _ => SourceHealth::Live,
        }
    }

    /// When it becomes late and when it becomes down if nothing comes.
    fn bounds(&self) -> (Option<Moment>, Option<Moment>) {
        if self.name == SourceName::Book {
            let since = self.failing.as_ref().map(|(since, _)| *since);
            return (
                since.filter(|_| self.last.is_some()),
                since.map(|since| since + BOOK_DOWN_AFTER),
            );
        }
        match self.last {
            None => (None, Some(self.link_first_expected() + FIRST_REPORT_WITHIN)),
            Some(last) => {
                let pace = self.pace().unwrap_or_default().max(self.floor);
                (
                    Some(last + pace * 2 + LATE_MARGIN),
                    Some(last + pace * 3 + DOWN_MARGIN),
                )
            }
        }
    }

    /// When the wait for the very first report began.
    fn link_first_expected(&self) -> Moment {
        if self.health == SourceHealth::Starting {
            self.since
        } else {
            self.since.before(FIRST_REPORT_WITHIN)
        }
    }

    /// When it must be evaluated again although no input came.
    pub(crate) fn deadline(&self, ask_every: Option<Duration>) -> Option<Moment> {
        let (late, down) = self.bounds();
        let late =
            late.filter(|_| matches!(self.health, SourceHealth::Live | SourceHealth::Starting));
        let down = down.filter(|_| self.health != SourceHealth::Down);
        let ask = ask_every.and_then(|every| self.ask_at(every));
        let reconnect = self.reconnect_at.filter(|_| self.link == Link::Open);
        earliest([
            late,
            down,
            ask,
            reconnect,
            self.settle_until,
            self.interruptions.end_at(),
        ])
    }

    /// When it last reported, for readers.
    pub(crate) fn last_wall(&self) -> Option<Timestamp> {
        self.last.map(Moment::wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConnectError;
    use crate::model::Visibility;

    const SETTLE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    fn reporting(name: SourceName, times: &[u64]) -> Source {
        let mut source = Source::new(name, Some(Duration::from_secs(1)), at(0));
        source.linked(Link::Open, at(0));
        for &time in times {
            source.note_report(Some("s1"), SETTLE, at(time));
            source.evaluate(at(time));
        }
        source
    }

    fn health_at(source: &mut Source, second: u64) -> SourceHealth {
        source.evaluate(at(second));
        source.health
    }

    #[test]
    fn unreadable_entries_are_counted_and_noted() {
        let mut source = reporting(SourceName::Relay, &[1]);
        source.note_unreadable(Some((2, "entry 5: duplicate field")));
        source.note_unreadable(Some((1, "entry 5: duplicate field")));
        assert_eq!(source.health, SourceHealth::Live);
        assert_eq!(
            source.note(Visibility::MAINTAINER),
            "1 entry of the last report of relay cannot be read, in part or at all: entry 5: duplicate field"
        );
        source.note_unreadable(None);
        assert_eq!(
            (
                source.note(Visibility::MAINTAINER).as_str(),
                source.unreadable_total
            ),
            ("", 3)
        );
    }

    #[test]
    fn late_and_down_follow_the_pace() {
        let mut source = reporting(SourceName::Relay, &[2, 4, 6]);
        for (second, health) in [
            (10, SourceHealth::Live),
            (11, SourceHealth::Late),
            (13, SourceHealth::Late),
            (14, SourceHealth::Down),
        ] {
            assert_eq!(health_at(&mut source, second), health, "{second}");
        }
        let mut slow = reporting(SourceName::Relay, &[61, 122, 123, 124]);
        for (second, health) in [
            (246, SourceHealth::Live),
            (247, SourceHealth::Late),
            (309, SourceHealth::Down),
        ] {
            assert_eq!(health_at(&mut slow, second), health, "{second}");
        }
    }

    #[test]
    fn a_requested_burst_is_no_pace() {
        let burst: Vec<u64> = (61..80).collect();
        let mut asked = Source::new(SourceName::Relay, Some(Duration::from_secs(5)), at(0));
        let mut left_alone = Source::new(SourceName::Relay, None, at(0));
        for source in [&mut asked, &mut left_alone] {
            for &second in &burst {
                source.note_report(None, SETTLE, at(second));
                source.evaluate(at(second));
            }
        }
        for (second, health) in [
            (89, SourceHealth::Live),
            (90, SourceHealth::Late),
            (96, SourceHealth::Down),
        ] {
            assert_eq!(health_at(&mut asked, second), health, "{second}");
        }
        for (second, health) in [
            (140, SourceHealth::Live),
            (200, SourceHealth::Late),
            (261, SourceHealth::Down),
        ] {
            assert_eq!(health_at(&mut left_alone, second), health, "{second}");
        }
    }

    #[test]
    fn a_source_that_never_reported_is_down_after_its_time() {
        let mut source = Source::new(SourceName::Jump, None, at(0));
        assert_eq!(health_at(&mut source, 29), SourceHealth::Starting);
        assert_eq!(health_at(&mut source, 30), SourceHealth::Down);
        assert_eq!(health_at(&mut source, 31), SourceHealth::Down);
    }

    #[test]
    fn absence_is_excused_after_a_restart_and_after_an_outage() {
        let mut restarted = reporting(SourceName::Relay, &[2, 4]);
        restarted.note_report(Some("s2"), SETTLE, at(6));
        restarted.evaluate(at(6));
        assert!(restarted.status(at(35)).settling && !restarted.status(at(36)).settling);

        let mut back = reporting(SourceName::Relay, &[2, 4]);
        back.evaluate(at(60));
        assert!(!back.status(at(60)).is_current);
        back.note_report(Some("s1"), SETTLE, at(61));
        back.evaluate(at(61));
        assert!(back.status(at(61)).is_current && back.status(at(90)).settling);
        assert_eq!(
            back.pace(),
            Some(Duration::from_secs(2)),
            "an outage is no pace"
        );
    }

    #[test]
    fn it_is_asked_when_it_is_too_slow_for_the_rule() {
        let every = Duration::from_secs(5);
        let mut source = reporting(SourceName::Relay, &[10]);
        assert!(!source.ask_due(every, at(14)));
        assert!(source.ask_due(every, at(15)));
        assert!(!source.ask_due(every, at(19)));
        assert!(source.ask_due(every, at(20)));
        source.linked(Link::Closed("gone".into()), at(21));
        assert!(!source.ask_due(every, at(60)));
    }

    #[test]
    fn a_mute_connection_is_given_up_less_and_less_often() {
        let mut source = reporting(SourceName::Jump, &[1, 2]);
        source.evaluate(at(100));
        let due: Vec<u64> = (100..1000)
            .filter(|&second| source.reconnect_due(at(second)))
            .collect();
        assert_eq!(due, [100, 130, 190, 310, 550, 850]);
    }

    #[test]
    fn the_connection_that_follows_a_mute_one_has_half_a_minute() {
        let mut source = reporting(SourceName::Jump, &[1, 2]);
        source.evaluate(at(100));
        let due: Vec<u64> = (100..400)
            .filter(|&second| {
                let due = source.reconnect_due(at(second));
                if due {
                    source.linked(Link::Closed("given up".into()), at(second));
                    source.linked(Link::Open, at(second + 1));
                }
                due
            })
            .collect();
        assert_eq!(due, [100, 131, 192, 313]);
    }

    #[test]
    fn each_problem_has_its_own_text() {
        let mut source = reporting(SourceName::Jump, &[1, 2]);
        source.evaluate(at(100));
        assert_eq!(
            source.note(Visibility::MAINTAINER),
            "the reports of jump have stopped although the connection is open, after one at least every 1s"
        );
        source.linked(Link::Closed("reset by peer".into()), at(100));
        source.linked(Link::Connecting, at(100));
        assert_eq!(
            source.note(Visibility::MAINTAINER),
            "the connection to jump ended: reset by peer"
        );
        assert_eq!(
            source.note(Visibility::PUBLIC),
            "the connection to jump ended"
        );
        source.linked(
            Link::Failed(ConnectError::access(CallError::TimedOut)),
            at(100),
        );
        assert_eq!(
            source.note(Visibility::MAINTAINER),
            "jump gives no access: no answer within the time limit"
        );
        source.linked(Link::Open, at(101));
        assert!(
            source
                .note(Visibility::MAINTAINER)
                .contains("hub is probably stuck; restart jump")
        );
    }

    #[test]
    fn what_cannot_be_read_is_ours_and_no_reason_to_restart_it() {
        for name in [SourceName::Relay, SourceName::Jump] {
            let mut source = Source::new(name, Some(Duration::from_secs(1)), at(0));
            source.prove();
            source.linked(Link::Open, at(0));
            source.linked(Link::Unreadable("duplicate field".into()), at(1));
            assert_eq!(health_at(&mut source, 30), SourceHealth::Down);
            assert_eq!(
                source.note(Visibility::MAINTAINER),
                format!("what {name} sends cannot be read: duplicate field")
            );
            assert_eq!(
                (source.class(), source.down_by_itself()),
                (FaultClass::Ours, None)
            );
            // While data comes it is asked on, and the connection is left alone.
            for second in 31..300 {
                source.linked(Link::Unreadable("duplicate field".into()), at(second));
                assert!(!source.reconnect_due(at(second)));
                assert!(source.ask_due(Duration::from_secs(1), at(second + 1)));
            }
            // When that stops it is mute.
            assert!(source.reconnect_due(at(330)));
            source.linked(Link::GivenUp, at(330));
            source.linked(Link::Open, at(331));
            source.evaluate(at(331));
            assert_eq!(source.down_by_itself(), Some(at(331)));
            source.note_report(None, SETTLE, at(332));
            source.evaluate(at(332));
            assert_eq!(
                (source.note(Visibility::MAINTAINER), source.down_by_itself()),
                (String::new(), None)
            );
        }
    }

    #[test]
    fn commands_of_others_between_reports_change_nothing() {
        let mut source = reporting(SourceName::Relay, &[2, 4, 6]);
        source.linked(Link::Unreadable("it is no array".into()), at(7));
        assert_eq!(source.link, Link::Open);
        assert!(source.ask_due(Duration::from_secs(2), at(8)));
    }

    /// What a connection does from a second on, and since when its source is down by itself then.
    type Row<'a> = (&'a [(u64, Link)], Option<u64>);

    #[test]
    fn a_mute_connection_stays_mute_while_it_is_made_anew() {
        let dead = || Link::Closed("nothing came for 50 s".into());
        // What happens after it is open and mute from second 101 on, and since when it is down by
        // itself at second 200.
        let rows: [Row<'_>; 5] = [
            (
                &[
                    (131, Link::GivenUp),
                    (131, Link::Connecting),
                    (132, Link::Open),
                ],
                Some(101),
            ),
            (
                &[(151, dead()), (152, Link::Connecting), (153, Link::Open)],
                Some(101),
            ),
            (
                &[(105, dead()), (106, Link::Connecting), (107, Link::Open)],
                Some(107),
            ),
            (
                &[
                    (151, dead()),
                    (161, Link::Failed(ConnectError::access(CallError::TimedOut))),
                ],
                None,
            ),
            (
                &[
                    (151, dead()),
                    (
                        152,
                        Link::Failed(ConnectError::access(CallError::Refused(String::new()))),
                    ),
                ],
                Some(101),
            ),
        ];
        for (links, expected) in rows {
            let mut source = reporting(SourceName::Relay, &[1, 2]);
            source.evaluate(at(100));
            assert_eq!(source.down_by_itself(), None, "it is not made anew yet");
            source.linked(Link::GivenUp, at(100));
            source.linked(Link::Open, at(101));
            source.evaluate(at(101));
            for (second, link) in links {
                source.linked(link.clone(), at(*second));
                source.evaluate(at(*second));
            }
            source.evaluate(at(200));
            assert_eq!(source.down_by_itself(), expected.map(at), "{links:?}");
        }
    }

    #[test]
    fn book_is_late_at_once_and_down_when_it_stays_so() {
        let mut book = Source::new(SourceName::Book, None, at(0));
        book.note_report(None, SETTLE, at(1));
        assert_eq!(health_at(&mut book, 800), SourceHealth::Live);
        book.failed(CallError::TimedOut, at(900));
        assert_eq!(health_at(&mut book, 900), SourceHealth::Late);
        book.failed(CallError::Dropped, at(920));
        assert_eq!(health_at(&mut book, 930), SourceHealth::Down);
        assert_eq!(
            book.note(Visibility::MAINTAINER),
            "book cannot be read: it closed the connection without an answer"
        );
        book.note_report(None, SETTLE, at(940));
        assert_eq!(health_at(&mut book, 940), SourceHealth::Live);
    }

    #[test]
    fn the_next_look_is_never_in_the_past() {
        let mut source = reporting(SourceName::Relay, &[2, 4, 6]);
        for second in 6..2000 {
            let now = at(second);
            source.evaluate(now);
            source.ask_due(Duration::from_secs(5), now);
            source.reconnect_due(now);
            assert!(
                source
                    .deadline(Some(Duration::from_secs(5)))
                    .is_none_or(|next| next > now),
                "{second} {source:?}"
            );
        }
    }
}
