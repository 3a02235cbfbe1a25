//! What the history keeps for reports: who had booked what, and which pools there are.

use std::collections::BTreeMap;

use super::Engine;
use crate::engine::action::{Action, Record};
use crate::engine::input::Timetable;

impl Engine {
    /// Says what a timetable changes for the history. While book has lost its manifest, what it does not tell is lost too, not cancelled.
    pub(super) fn keep_books(&mut self, timetable: &Timetable, actions: &mut Vec<Action>) {
        if !self.manifest_known || self.manifest_lost.is_some() {
            return;
        }
        if let Some(read) = timetable.bookings_read {
            let resources = &self.resources;
            let changes = self.diary.compare(&timetable.bookings, read, |resource| resources.stub(resource), self.now.wall());
            if !changes.is_empty() {
                actions.push(Action::Record(Record::Bookings(changes)));
            }
        }
        let pools: BTreeMap<String, Vec<_>> =
            self.pools.iter().map(|pool| (pool.name.clone(), pool.members().cloned().collect())).collect();
        if pools != self.pools_kept {
            self.pools_kept.clone_from(&pools);
            actions.push(Action::Record(Record::Pools(pools)));
        }
    }
}
