//! Diffs two snapshots into SSE events. Costs next to nothing when nothing changed.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::each;
use super::json_cache::List;
use super::lab_forms::{Counts, Source};
use super::live::{Reset, ResetReason, json};
use super::summary::Line;
use super::words::{Link, SourceHealth};
use engine::model::Visibility;
use engine::{ExperimentView, Snapshot};

/// More changed experiments than this in one snapshot are sent as one `reset`: reading the list
/// once is cheaper.
const MAX_CHANGES_AT_ONCE: usize = 256;

/// The kind of a change and its data.
pub(super) type Change = (&'static str, String);

/// What was last sent.
#[derive(Debug)]
pub(super) struct Differ {
    changed: u64,
    experiments: List,
    counts: Counts,
    sources: Vec<Standing>,
}

/// How a source is, without the time of its newest report, which changes all the time.
type Standing = (SourceHealth, Link, usize);

fn standings(sources: &[Source]) -> Vec<Standing> {
    each(sources, Source::standing)
}

/// An experiment that was removed.
#[derive(Serialize, ToSchema)]
pub(super) struct Gone<'a> {
    /// Its name.
    name: &'a str,
}

impl Differ {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        Self {
            changed: snapshot.changed,
            experiments: Arc::clone(&snapshot.experiments),
            counts: Counts::of(snapshot),
            sources: standings(&Source::all(snapshot, Visibility::PUBLIC)),
        }
    }

    /// The changes since the previous snapshot, in the order in which they are sent.
    pub(super) fn changes(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        if snapshot.changed != self.changed {
            self.changed = snapshot.changed;
            changes = between(&self.experiments, &snapshot.experiments);
            self.experiments = Arc::clone(&snapshot.experiments);
            if changes.len() > MAX_CHANGES_AT_ONCE {
                changes = vec![(
                    "reset",
                    json(&Reset {
                        why: ResetReason::TooMuch,
                    }),
                )];
            }
            let counts = Counts::of(snapshot);
            if counts != self.counts {
                self.counts = counts;
                changes.push(("counts", json(&counts)));
            }
        }
        let sources = Source::all(snapshot, Visibility::PUBLIC);
        let standings = standings(&sources);
        if standings != self.sources {
            self.sources = standings;
            changes.push(("sources", json(&sources)));
        }
        changes
    }
}

/// The changes between two lists, which are sorted by name.
fn between(before: &List, now: &List) -> Vec<Change> {
    let (mut was, mut is) = (before.iter().peekable(), now.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (was.peek(), is.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) => was.stub.cmp(&is.stub),
        };
        let old = was.next_if(|_| order.is_le());
        let new = is.next_if(|_| order.is_ge());
        changes.extend(change(old, new));
        if changes.len() > MAX_CHANGES_AT_ONCE {
            return changes;
        }
    }
}

fn change(old: Option<&Arc<ExperimentView>>, new: Option<&Arc<ExperimentView>>) -> Option<Change> {
    let line = |view: &ExperimentView| json(&Line::new(view));
    match (old, new) {
        (Some(old), Some(new)) if Arc::ptr_eq(old, new) => None,
        (Some(old), Some(new)) => Some(line(new))
            .filter(|now| *now != line(old))
            .map(|now| ("experiment", now)),
        (None, Some(new)) => Some(("experiment", line(new))),
        (Some(old), None) => Some((
            "gone",
            json(&Gone {
                name: old.stub.as_str(),
            }),
        )),
        (None, None) => None,
    }
}
