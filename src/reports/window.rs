//! The planned maintenance of experiments: of the configuration and of commands.

use jiff::Timestamp;

use super::timeline::{Span, joined};
use crate::store::Past;
use engine::model::Stub;
use engine::{Maintenance, NamePattern};

/// Maintenance windows, each with the times at which it was open.
#[derive(Debug, Default)]
pub(super) struct Windows(Vec<(NamePattern, Vec<Span>)>);

impl Windows {
    /// Those of the present configuration, and recorded ones, as far as they overlap `over`.
    pub(super) fn new(past: &Past, configured: &[Maintenance], over: Span) -> Self {
        let configured = configured
            .iter()
            .map(|window| (window.pattern.clone(), openings(window, over)));
        let kept = past.windows.iter().map(|(window, ended)| {
            let until = ended.map_or(over.until, Timestamp::as_millisecond);
            let lasts = Span {
                from: window.since.as_millisecond(),
                until,
            };
            (window.pattern.clone(), openings(window, over.within(lasts)))
        });
        Self(configured.chain(kept).collect())
    }

    /// The maintenance of an experiment: spans in order, apart from each other.
    pub(super) fn of(&self, stub: &Stub) -> Vec<Span> {
        let matching = self
            .0
            .iter()
            .filter(|(pattern, _)| pattern.matches(stub.as_str()));
        joined(
            matching
                .flat_map(|(_, spans)| spans.iter().copied())
                .collect(),
        )
    }
}

fn openings(window: &Maintenance, over: Span) -> Vec<Span> {
    let mut all = Vec::new();
    let mut at = over.from;
    while let Some(next) = Timestamp::from_millisecond(at)
        .ok()
        .and_then(|at| window.schedule.next_occurrence(at))
    {
        let span = Span::new(next.from, next.until);
        if span.from >= over.until || span.until <= at {
            break;
        }
        all.push(span.within(over));
        at = span.until;
    }
    all
}
