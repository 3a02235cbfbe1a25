//! The state of one experiment at every moment of a time. Pure: takes changes and times that
//! override them, and returns minutes.

use std::ops::AddAssign;

use jiff::Timestamp;

use super::symptom::Symptom;
use crate::store::Change;
use engine::model::Health;

/// A range of time, its end exclusive, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub(super) from: i64,
    pub(super) until: i64,
}

/// The state of an experiment, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its evaluated health.
    Evaluated(Health),
    /// In planned maintenance.
    Maintenance,
    /// There is no history: labwatch was off, or its disk could not be written.
    Off,
}

/// A range without a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) span: Span,
    pub(super) state: State,
    /// The symptom, where it was not usable.
    pub(super) symptom: Symptom,
}

/// The duration of each state, in milliseconds. They add up to the time that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    pub(super) ok: i64,
    pub(super) degraded: i64,
    pub(super) flapping: i64,
    pub(super) down: i64,
    pub(super) unknown: i64,
    pub(super) maintenance: i64,
    pub(super) off: i64,
}

/// The states of an experiment: segments in order, without holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline(Vec<Segment>);

impl Span {
    pub(super) fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from: from.as_millisecond(),
            until: until.as_millisecond(),
        }
    }

    pub(super) fn length(self) -> i64 {
        (self.until - self.from).max(0)
    }

    /// The common part of both; empty where there is none.
    pub(super) fn within(self, other: Self) -> Self {
        let from = self.from.max(other.from);
        Self {
            from,
            until: self.until.min(other.until).max(from),
        }
    }

    pub(super) fn holds(self, at: i64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// Sorts spans and joins those that touch, so that no moment is in two of them.
pub(super) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.length() > 0);
    spans.sort_unstable();
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut().filter(|last| span.from <= last.until) {
            Some(last) => last.until = last.until.max(span.until),
            None => all.push(span),
        }
    }
    all
}

impl State {
    /// Whether students could use it; `None` where that is not known or does not count.
    pub(super) fn usable(self) -> Option<bool> {
        match self {
            Self::Evaluated(Health::Ok | Health::Degraded) => Some(true),
            Self::Evaluated(Health::Down | Health::Flapping) => Some(false),
            Self::Evaluated(Health::Unknown) | Self::Maintenance | Self::Off => None,
        }
    }
}

impl Timeline {
    /// From the first change, or `over.from` where that is earlier, to `over.until`. `off`
    /// overrides maintenance, and both override evaluated health.
    pub(super) fn new(changes: &[Change], over: Span, maintenance: &[Span], off: &[Span]) -> Self {
        let evaluated = evaluated(changes, over);
        Self(overlaid(
            overlaid(evaluated, maintenance, State::Maintenance),
            off,
            State::Off,
        ))
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The segments that overlap `span`.
    pub(super) fn touching(&self, span: Span) -> impl Iterator<Item = &Segment> {
        let first = self
            .0
            .partition_point(|segment| segment.span.until <= span.from);
        self.0
            .iter()
            .skip(first)
            .take_while(move |segment| segment.span.from < span.until)
    }

    /// The duration of each state within `span`.
    pub(super) fn spent(&self, span: Span) -> Spent {
        let mut spent = Spent::default();
        for segment in self.touching(span) {
            spent.add(segment.state, segment.span.within(span).length());
        }
        spent
    }
}

/// The evaluated health by the changes: before the first one it is unknown.
fn evaluated(changes: &[Change], over: Span) -> Vec<Segment> {
    let first = changes.first().map_or(over.from, |change| {
        change.at.as_millisecond().min(over.from)
    });
    let mut all = Vec::with_capacity(changes.len() + 1);
    let (mut at, mut health, mut symptom) = (first, Health::Unknown, Symptom::Other);
    let last = (over.until, Health::Unknown, Symptom::Other);
    let changes = changes.iter().map(|change| {
        (
            change.at.as_millisecond(),
            change.health.unwrap_or(Health::Unknown),
            Symptom::of(change),
        )
    });
    for (when, next, wrong) in changes.chain([last]) {
        let span = Span {
            from: at,
            until: when.min(over.until),
        };
        if span.length() > 0 {
            all.push(Segment {
                span,
                state: State::Evaluated(health),
                symptom,
            });
            at = span.until;
        }
        (health, symptom) = (next, wrong);
    }
    all
}

/// Sets a state in all segments within the spans, which are in order and apart from each other.
fn overlaid(segments: Vec<Segment>, spans: &[Span], state: State) -> Vec<Segment> {
    let mut all = Vec::with_capacity(segments.len() + 2 * spans.len());
    let mut spans = spans.iter().copied().peekable();
    for segment in segments {
        let mut from = segment.span.from;
        while let Some(over) = spans.peek().map(|span| {
            span.within(Span {
                from,
                ..segment.span
            })
        }) {
            if spans.next_if(|span| span.until <= from).is_some() {
                continue;
            }
            if over.length() == 0 {
                break;
            }
            all.extend(piece(segment, from, over.from));
            all.push(Segment {
                span: over,
                state,
                symptom: Symptom::Other,
            });
            from = over.until;
        }
        all.extend(piece(segment, from, segment.span.until));
    }
    all
}

fn piece(of: Segment, from: i64, until: i64) -> Option<Segment> {
    (from < until).then_some(Segment {
        span: Span { from, until },
        ..of
    })
}

impl Spent {
    pub(super) fn add(&mut self, state: State, millis: i64) {
        *match state {
            State::Evaluated(Health::Ok) => &mut self.ok,
            State::Evaluated(Health::Degraded) => &mut self.degraded,
            State::Evaluated(Health::Flapping) => &mut self.flapping,
            State::Evaluated(Health::Down) => &mut self.down,
            State::Evaluated(Health::Unknown) => &mut self.unknown,
            State::Maintenance => &mut self.maintenance,
            State::Off => &mut self.off,
        } += millis;
    }

    pub(super) fn usable(&self) -> i64 {
        self.ok + self.degraded
    }

    pub(super) fn unusable(&self) -> i64 {
        self.flapping + self.down
    }

    /// The evaluated time, which counts for availability.
    pub(super) fn evaluated(&self) -> i64 {
        self.usable() + self.unusable()
    }

    /// The usable share of it, 0 to 1; `None` when it is zero.
    pub(super) fn availability(&self) -> Option<f64> {
        (self.evaluated() > 0).then(|| real(self.usable()) / real(self.evaluated()))
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.ok += other.ok;
        self.degraded += other.degraded;
        self.flapping += other.flapping;
        self.down += other.down;
        self.unknown += other.unknown;
        self.maintenance += other.maintenance;
        self.off += other.off;
    }
}

/// Milliseconds or a count as a number to divide.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of 10,000 experiments over years fit into 52 bits"
)]
pub(super) fn real(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use engine::model::JumpHealth;

    /// Changes of health, as letters at milliseconds: `o`k, de`g`raded, `f`lapping, `d`own,
    /// `u`nknown, `-` forgotten.
    pub(in crate::reports) fn changes(of: &[(i64, char)]) -> Vec<Change> {
        let change = |&(at, letter): &(i64, char)| {
            let health = match letter {
                'o' => Some(Health::Ok),
                'g' => Some(Health::Degraded),
                'f' => Some(Health::Flapping),
                'd' => Some(Health::Down),
                'u' => Some(Health::Unknown),
                _ => None,
            };
            let at = Timestamp::from_millisecond(at).expect("in range");
            Change {
                at,
                health,
                issues: Vec::new(),
                jump: JumpHealth::Unknown,
            }
        };
        of.iter().map(change).collect()
    }

    pub(in crate::reports) fn span(from: i64, until: i64) -> Span {
        Span { from, until }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::{changes, span};
    use super::*;

    fn total(spent: Spent) -> i64 {
        spent.evaluated() + spent.unknown + spent.maintenance + spent.off
    }

    /// Over 0 to 100: ok, degraded, flapping, down, unknown, maintenance, off.
    fn check(of: &[(i64, char)], maintenance: &[(i64, i64)], off: &[(i64, i64)], expect: [i64; 7]) {
        let spans = |of: &[(i64, i64)]| {
            joined(of.iter().map(|(from, until)| span(*from, *until)).collect())
        };
        let timeline = Timeline::new(&changes(of), span(0, 100), &spans(maintenance), &spans(off));
        let Spent {
            ok,
            degraded,
            flapping,
            down,
            unknown,
            maintenance,
            off,
        } = timeline.spent(span(0, 100));
        assert_eq!(
            [ok, degraded, flapping, down, unknown, maintenance, off],
            expect,
            "{of:?}"
        );
    }

    #[test]
    fn time_goes_where_it_belongs() {
        check(&[], &[], &[], [0, 0, 0, 0, 100, 0, 0]);
        check(&[(-50, 'o')], &[], &[], [100, 0, 0, 0, 0, 0, 0]);
        check(&[(30, 'o'), (70, 'd')], &[], &[], [40, 0, 0, 30, 30, 0, 0]);
        check(
            &[(0, 'g'), (10, 'f'), (20, 'o'), (20, 'd')],
            &[],
            &[],
            [0, 10, 10, 80, 0, 0, 0],
        );
        check(&[(0, 'o'), (20, '-')], &[], &[], [20, 0, 0, 0, 80, 0, 0]);
        check(
            &[(0, 'o'), (20, '-'), (50, 'd')],
            &[],
            &[],
            [20, 0, 0, 50, 30, 0, 0],
        );
        check(
            &[(0, 'o')],
            &[(10, 30)],
            &[(20, 40), (35, 50)],
            [60, 0, 0, 0, 0, 10, 30],
        );
        check(
            &[(0, 'd'), (60, 'o')],
            &[(50, 70), (65, 80), (90, 500)],
            &[(-10, 10)],
            [10, 0, 0, 40, 0, 40, 10],
        );
    }

    #[test]
    fn a_gap_is_never_up() {
        check(&[(-50, 'o')], &[], &[(-500, 500)], [0, 0, 0, 0, 0, 0, 100]);
        check(
            &[(-50, 'o')],
            &[(0, 100)],
            &[(0, 100)],
            [0, 0, 0, 0, 0, 0, 100],
        );
        assert_eq!(
            Spent {
                off: 5,
                unknown: 5,
                maintenance: 5,
                ..Spent::default()
            }
            .availability(),
            None
        );
        assert_eq!(
            Spent {
                ok: 2,
                degraded: 1,
                flapping: 1,
                off: 50,
                ..Spent::default()
            }
            .availability(),
            Some(0.75)
        );
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        prop::collection::vec(
            (-50..150_i64, 0..60_i64).prop_map(|(from, length)| span(from, from + length)),
            0..6,
        )
        .prop_map(joined)
    }

    fn events() -> impl Strategy<Value = Vec<(i64, char)>> {
        let letters = prop::sample::select(vec!['o', 'g', 'f', 'd', 'u', '-']);
        prop::collection::vec((-50..150_i64, letters), 0..12).prop_map(|mut events| {
            events.sort_by_key(|(at, _)| *at);
            events
        })
    }

    proptest! {
        /// Compares with a count millisecond by millisecond.
        #[test]
        fn every_millisecond_counts_once(events in events(), maintenance in spans(), off in spans(), from in 0..100_i64, length in 0..100_i64) {
            let timeline = Timeline::new(&changes(&events), span(0, 100), &maintenance, &off);
            let asked = span(from, from + length).within(span(0, 100));
            let mut expected = Spent::default();
            for at in asked.from..asked.until {
                let last = changes(&events).into_iter().rfind(|change| change.at.as_millisecond() <= at);
                let health = last.and_then(|change| change.health).unwrap_or(Health::Unknown);
                let state = if off.iter().any(|span| span.holds(at)) {
                    State::Off
                } else if maintenance.iter().any(|span| span.holds(at)) {
                    State::Maintenance
                } else {
                    State::Evaluated(health)
                };
                expected.add(state, 1);
            }
            prop_assert_eq!(timeline.spent(asked), expected);
            prop_assert_eq!(total(expected), asked.length());
        }

        #[test]
        fn parts_add_up_to_the_whole(events in events(), off in spans(), cut in 0..100_i64) {
            let timeline = Timeline::new(&changes(&events), span(0, 100), &[], &off);
            let mut parts = timeline.spent(span(0, cut));
            parts += timeline.spent(span(cut, 100));
            prop_assert_eq!(parts, timeline.spent(span(0, 100)));
        }
    }
}
