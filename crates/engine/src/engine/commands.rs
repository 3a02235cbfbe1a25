//! Execution of maintainers' commands. The outcome is computed on a snapshot, the same as for the
//! preview.

use super::Engine;
use crate::model::{Moment, ResourceName};
use crate::protocol::{ManualOverride, Order, Receipt, Record, Refusal, Step};
use crate::suppressions::SuppressionId;

impl Engine {
    /// Why an order would be refused now; `None` when it would be carried out.
    pub fn refuses(&mut self, order: &Order, now: Moment) -> Option<Refusal> {
        let mut snapshot = self.snapshot();
        snapshot.at = snapshot.at.max(now.wall());
        snapshot.plan(&order.command, &order.by).err()
    }

    /// Carries out an order. A refused order changes nothing.
    pub(super) fn command(&mut self, order: Order, step: &mut Step) {
        let Ok(plan) = self.snapshot().plan(&order.command, &order.by) else {
            return;
        };
        let at = self.now.wall();
        let mut records = Vec::new();
        let mut ids: Vec<SuppressionId> = Vec::new();
        for entry in plan.adds {
            let Some(id) = self.suppressions.add(entry.clone()) else {
                continue;
            };
            ids.push(id);
            records.push(Record::Suppression {
                id,
                entry: Box::new(entry),
            });
        }
        for id in plan.ends {
            let Some(ended) = self.suppressions.remove(id, &order.by, at) else {
                continue;
            };
            ids.push(id);
            records.push(Record::SuppressionEnded(Box::new(ended)));
        }
        if let Some((resource, manual_override)) = plan.manual_override {
            self.manual_override(&resource, &manual_override);
            records.push(Record::Requested {
                resource,
                manual_override: Some(manual_override),
            });
        }
        if let Some((name, state)) = plan.category {
            self.set_category(name, state, &mut records);
        }
        records.insert(
            0,
            Record::Commanded {
                order: Box::new(order),
                receipt: Box::new(Receipt {
                    ids,
                    effect: plan.effect,
                    kept: false,
                }),
            },
        );
        step.records.extend(records);
    }

    fn manual_override(&mut self, resource: &ResourceName, manual_override: &ManualOverride) {
        self.switching
            .resources
            .manual_override(resource.clone(), manual_override.clone());
        if let Some(stub) = self.switching.resources.stub(resource).cloned() {
            self.mark_dirty(&stub);
        }
    }
}
