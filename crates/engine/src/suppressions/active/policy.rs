//! Acknowledgements of a policy, beside those that maintainers give.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ActiveSuppressions;
use crate::suppressions::{Acknowledgement, Subject, Suppression, SuppressionKind};

impl ActiveSuppressions {
    /// Sets the acknowledgements of a policy.
    pub fn acknowledge_by_policy(&mut self, all: BTreeMap<Subject, Acknowledgement>) {
        self.policy = all;
    }

    /// The acknowledgements of a policy.
    pub fn policy(&self) -> &BTreeMap<Subject, Acknowledgement> {
        &self.policy
    }

    /// Who acknowledged `subject`, at `at`; `None` when it is not acknowledged.
    pub fn acknowledged(&self, subject: &Subject, at: Timestamp) -> Option<Suppression> {
        let given = self.acknowledgements.get(subject).into_iter();
        let mut all = given
            .map(|(id, entry)| (Some(*id), entry))
            .chain(self.policy.get(subject).map(|entry| (None, entry)));
        let holds = |(_, entry): &(_, &Acknowledgement)| entry.until.is_none_or(|until| at < until);
        all.find(holds).map(|(id, entry)| Suppression {
            id,
            kind: SuppressionKind::Acknowledged,
            by: entry.who.clone(),
            text: entry.text.clone(),
            until: entry.until,
        })
    }
}
