//! Lanes: recipients of a route who do not have a message that the others have. They are notified
//! separately, in a lane of the route, until they know the same: so none of the others gets
//! anything a second time because of them.

use std::collections::BTreeSet;

use super::route_notifier::{RouteNotifier, not_reached};
use super::{Notifications, to_keep};
use crate::model::Gather as _;
use crate::model::{Moment, RouteName};
use crate::protocol::{
    Audience, Delivered, DeliveryFault, Lane, Notified, Outlook, Recipient, Record, Unreached,
};

/// The most lanes of a route. With more, recipients of different lanes are merged, and may be
/// notified of something twice.
const MAX_LANES: u32 = 4;

impl Notifications {
    /// Applies the outcome of a message. Returns its route or lane, and what is known there now;
    /// `None` when no outcome is expected.
    pub(in super::super) fn delivered(
        &mut self,
        id: u64,
        outcome: &Result<Delivered, DeliveryFault>,
        now: Moment,
    ) -> Option<(RouteName, Vec<Notified>)> {
        let arrived = outcome.is_ok();
        let at = self
            .notifiers
            .iter()
            .position(|notifier| notifier.is_about(id, arrived))?;
        let name = self.notifiers[at].name.clone();
        let notified = match outcome {
            Ok(delivered) => self.arrived(at, id, delivered, now),
            Err(fault) => {
                self.notifiers[at].failed(id, fault, now);
                Vec::new()
            }
        };
        self.notified_changed |= !notified.is_empty();
        self.keep_waiting(id, now);
        self.join_lanes();
        Some((name, notified))
    }

    /// Recipients who may still get it are notified separately from now on.
    fn arrived(&mut self, at: usize, id: u64, delivered: &Delivered, now: Moment) -> Vec<Notified> {
        let pending = delivered.pending();
        let fault = fault_of(&pending);
        let before = fault.is_some().then(|| self.notifiers[at].clone());
        let who: BTreeSet<Recipient> = pending.iter().map(|one| one.recipient.clone()).gather();
        let route = &mut self.notifiers[at];
        route.audience.remove(&who);
        let notified = route.delivered(id, &delivered.unreached, now);
        if let Some((mut behind, fault)) = before.zip(fault) {
            let known = std::mem::take(&mut behind.unreached);
            behind.failed(id, &fault, now);
            behind.unreached = pending
                .iter()
                .map(|one| not_reached(one, &known, now))
                .gather();
            self.open_lane(behind, who, now);
        }
        notified
    }

    fn open_lane(&mut self, mut behind: RouteNotifier, who: BTreeSet<Recipient>, now: Moment) {
        let of = behind.route.name.clone();
        let is_free = |name: &RouteName| self.notifiers.iter().all(|other| other.name != *name);
        let name = (2..2 + MAX_LANES)
            .map(|number| of.lane(number))
            .find(is_free);
        let Some(name) = name else {
            self.join_last_lane(&behind, &who);
            return;
        };
        let lane = Lane {
            of,
            recipients: who.clone(),
        };
        self.records.push(Record::Lane {
            name: name.clone(),
            lane: Some(lane),
        });
        let all = behind.all_notified(now);
        self.records.extend(to_keep(&name, all));
        behind.audience = Audience::Only(name.clone(), who);
        behind.name = name;
        self.notifiers.push(behind);
    }

    /// There are too many lanes: these recipients are notified with those of the last one.
    fn join_last_lane(&mut self, behind: &RouteNotifier, who: &BTreeSet<Recipient>) {
        let last = self
            .notifiers
            .iter_mut()
            .rev()
            .find(|notifier| notifier.is_lane() && notifier.route.name == behind.route.name);
        let Some(last) = last else {
            return;
        };
        last.join(behind, who);
        let lane = last.lane();
        let name = last.name.clone();
        self.records.push(Record::Lane { name, lane });
    }

    /// Closes the lanes whose recipients know what the others of their route know, or that have no
    /// recipients.
    fn join_lanes(&mut self) {
        let mut at = 0;
        while let Some(lane) = self.notifiers.get(at) {
            let main = self
                .notifiers
                .iter()
                .position(|other| !other.is_lane() && other.route.name == lane.route.name);
            let is_level = main.is_some_and(|main| lane.is_level_with(&self.notifiers[main]));
            let is_empty = lane.audience.only().is_some_and(BTreeSet::is_empty);
            if !lane.is_lane() || !(is_level || is_empty) {
                at += 1;
                continue;
            }
            let lane = self.notifiers.remove(at);
            if let Some(main) =
                main.and_then(|main| self.notifiers.get_mut(main - usize::from(main > at)))
            {
                main.unreached.extend(lane.unreached);
                main.audience
                    .admit(lane.audience.only().unwrap_or(&BTreeSet::new()));
            }
            self.records.push(Record::Lane {
                name: lane.name,
                lane: None,
            });
        }
    }

    /// Records the wait of a failed message.
    fn keep_waiting(&mut self, id: u64, now: Moment) {
        let waiting = self.notifiers.iter().find_map(|notifier| {
            let (waits, until) = notifier.waits(now)?;
            let may_have_arrived = notifier.delivery.may_have_arrived();
            (waits == id).then(|| Record::Waiting {
                id,
                lane: notifier.name.clone(),
                until: until.wall(),
                may_have_arrived,
            })
        });
        self.records.extend(waiting);
    }
}

impl RouteNotifier {
    pub(super) fn is_lane(&self) -> bool {
        self.audience.only().is_some()
    }

    /// The lane that it is.
    pub(super) fn lane(&self) -> Option<Lane> {
        Some(Lane {
            of: self.route.name.clone(),
            recipients: self.audience.only()?.clone(),
        })
    }

    /// Merges recipients who know less, or something else, into this lane.
    fn join(&mut self, behind: &Self, who: &BTreeSet<Recipient>) {
        self.audience.admit(who);
        self.unreached.extend(behind.unreached.clone());
        for (stub, since) in &behind.unconfirmed {
            self.unconfirmed.entry(stub.clone()).or_insert(*since);
        }
        for (stub, pending) in &behind.pending {
            self.pending.entry(stub.clone()).or_insert(*pending);
        }
        self.closing.extend(behind.closing.clone());
        self.alert_states.owe_also(&behind.alert_states);
        self.delivery.put_together_anew();
    }
}

/// The others' failure as input for the next attempt: as long as one may have the message, all of
/// them wait.
fn fault_of(pending: &[Unreached]) -> Option<DeliveryFault> {
    let unknown = pending.iter().find(|one| one.outlook == Outlook::Unknown);
    let one = unknown.or_else(|| pending.first())?;
    Some(DeliveryFault {
        fault: one.fault.clone(),
        outlook: one.outlook,
    })
}
