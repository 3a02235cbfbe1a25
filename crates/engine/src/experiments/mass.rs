//! Mass events: when most of the fleet is lost at once, the fault is more often in the observation
//! than in the experiments. So a second look comes before any withdrawal. Without state; see "Mass
//! events" in `docs/sources.md`.

use std::time::Duration;

use crate::model::Moment;

/// A mass event has at least this many experiments.
pub(crate) const FEWEST: usize = 10;

/// How long the second look over samples takes at most: then its result so far counts.
pub(crate) const SECOND_LOOK_WITHIN: Duration = Duration::from_secs(15);

/// How far back the samples go that show whether a mass silence goes on: the longest sample, and a
/// second look.
const GOES_ON_WITHIN: Duration = Duration::from_secs(45);

/// How many experiments were observed, and how many of them are lost or silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) lost: usize,
    pub(crate) of: usize,
}

impl Tally {
    /// Whether more than half are lost.
    pub(crate) fn is_most(self) -> bool {
        self.lost * 2 > self.of
    }

    /// Whether this is a mass event.
    pub(crate) fn is_mass(self) -> bool {
        self.lost >= FEWEST && self.is_most()
    }
}

/// The state of a mass silence in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MassSilence {
    /// There is none.
    #[default]
    None,
    /// Most of what was listened to was silent; the second look began then.
    Suspected { since: Moment },
    /// The second look showed the same.
    Confirmed,
}

/// What follows for streams that were without messages for as long as the rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are silent.
    Silent,
    /// A second look begins; until it is done they count as before.
    LookAgain(Tally),
    /// The second look goes on.
    Wait,
    /// Other streams transmit: only those are silent that were silent again in a sample that began
    /// then or later.
    OnlyThoseSince(Moment),
}

impl MassSilence {
    /// Takes the next step. `seen` counts the experiments whose samples began at or after a moment;
    /// `silent_since` is when the first of the streams in question became silent; `connected` is how
    /// many experiments could be sampled, and `has_looked` whether all streams in question have
    /// been sampled again since a moment.
    pub(crate) fn evaluate(
        &mut self,
        silent_since: Option<Moment>,
        connected: usize,
        now: Moment,
        seen: impl Fn(Moment) -> Tally,
        has_looked: impl Fn(Moment) -> bool,
    ) -> Verdict {
        let (next, verdict) = match (*self, silent_since) {
            (Self::None, Some(silent)) if connected >= FEWEST && seen(silent).is_most() => (
                Self::Suspected { since: now },
                Verdict::LookAgain(seen(silent)),
            ),
            (Self::None, _) => (Self::None, Verdict::Silent),
            (Self::Suspected { since }, _) => {
                let again = seen(since);
                let has_seen_enough = again.of >= FEWEST.min(connected) && has_looked(since);
                let is_done = has_seen_enough || now.since(since) >= SECOND_LOOK_WITHIN;
                match (is_done, again.is_most()) {
                    (false, _) => (*self, Verdict::Wait),
                    (true, true) => (Self::Confirmed, Verdict::Silent),
                    (true, false) => (Self::None, Verdict::OnlyThoseSince(since)),
                }
            }
            (Self::Confirmed, _) => {
                let goes_on = seen(now.before(GOES_ON_WITHIN)).is_most();
                let next = if goes_on { Self::Confirmed } else { Self::None };
                (next, Verdict::Silent)
            }
        };
        *self = next;
        verdict
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use MassSilence::{Confirmed, None, Suspected};
    use Verdict::{LookAgain, OnlyThoseSince, Silent, Wait};

    fn at(seconds: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(1_000 + seconds))
    }

    fn tally(lost: usize, of: usize) -> Tally {
        Tally { lost, of }
    }

    #[test]
    fn a_mass_event_is_more_than_half_and_at_least_ten() {
        for (lost, of, is_mass) in [
            (9, 9, false),
            (10, 10, true),
            (10, 19, true),
            (10, 20, false),
            (65, 130, false),
            (66, 130, true),
            (0, 0, false),
        ] {
            assert_eq!(tally(lost, of).is_mass(), is_mass, "{lost} of {of}");
        }
    }

    #[test]
    fn every_step_of_a_mass_silence() {
        let suspected = Suspected { since: at(100) };
        let again = OnlyThoseSince(at(100));
        let silent = Some(at(90));
        #[rustfmt::skip]
        let rows = [
            // was, silent since, seconds, seen, all sampled again → next, verdict
            (None, Option::None, 100, tally(0, 0), true, None, Silent),
            (None, silent, 100, tally(1, 2), true, None, Silent),
            (None, silent, 100, tally(10, 20), true, None, Silent),
            (None, silent, 100, tally(1, 1), true, suspected, LookAgain(tally(1, 1))),
            (None, silent, 100, tally(66, 130), true, suspected, LookAgain(tally(66, 130))),
            (suspected, silent, 102, tally(0, 0), true, suspected, Wait),
            (suspected, silent, 105, tally(9, 9), true, suspected, Wait),
            (suspected, silent, 105, tally(10, 10), false, suspected, Wait),
            (suspected, silent, 105, tally(10, 10), true, Confirmed, Silent),
            (suspected, silent, 105, tally(5, 10), true, None, again),
            (suspected, silent, 115, tally(3, 3), false, Confirmed, Silent),
            (suspected, silent, 115, tally(0, 0), false, None, again),
            (suspected, Option::None, 105, tally(0, 10), true, None, again),
            (Confirmed, silent, 120, tally(4, 4), true, Confirmed, Silent),
            (Confirmed, silent, 120, tally(4, 8), true, None, Silent),
            (Confirmed, Option::None, 120, tally(0, 0), true, None, Silent),
        ];
        for (number, (was, silent_since, second, seen, looked, next, verdict)) in
            rows.into_iter().enumerate()
        {
            let mut mass = was;
            let got = mass.evaluate(silent_since, 130, at(second), |_| seen, |_| looked);
            assert_eq!((mass, got), (next, verdict), "row {number}");
        }
    }

    #[test]
    fn a_small_laboratory_has_no_mass_events() {
        let mut mass = None;
        let seen = tally(9, 9);
        let verdict = mass.evaluate(Some(at(90)), 9, at(100), |_| seen, |_| true);
        assert_eq!((mass, verdict), (None, Silent));
    }
}
