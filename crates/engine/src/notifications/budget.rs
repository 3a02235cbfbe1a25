//! How many messages a route may send: some at once, then one for each interval, so that a slow
//! catastrophe needs only a few.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Moment;

/// How many messages a route may send at once.
const AT_ONCE: u32 = 3;

const HOUR: Duration = Duration::from_secs(3600);

/// The budget of a route. Where the interval is zero there is no bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget {
    /// When the budget is full again.
    whole_at: Option<Moment>,
    /// When messages of the last hour were sent, also beyond the budget; as many as
    /// [`most_an_hour`] allows.
    last_hour: VecDeque<Moment>,
}

impl Budget {
    /// When the next message may be sent.
    pub(super) fn ready_at(&self, every: Duration, now: Moment) -> Moment {
        let ahead = every.saturating_mul(AT_ONCE - 1);
        let debt = self.whole_at.map_or(Duration::ZERO, |at| at.since(now));
        now + debt.saturating_sub(ahead)
    }

    /// Whether a message may be sent now.
    pub(super) fn allows(&self, every: Duration, now: Moment) -> bool {
        self.ready_at(every, now) <= now
    }

    /// Whether an urgent message may be sent now: there are never more than the budget gives within
    /// an hour.
    pub(super) fn allows_urgent(&self, every: Duration, now: Moment) -> bool {
        let sent = self.last_hour.iter().filter(|at| now.since(**at) < HOUR);
        most_an_hour(every).is_none_or(|most| sent.count() < most)
    }

    /// Restores when messages of the last hour were sent, oldest first.
    pub(super) fn recall(&mut self, every: Duration, sent: impl Iterator<Item = Moment>) {
        sent.for_each(|at| self.spend(every, at));
    }

    /// When messages of the last hour were sent, oldest first.
    pub(super) fn sent(&self) -> impl Iterator<Item = Moment> {
        self.last_hour.iter().copied()
    }

    /// Refunds a message that did not go out.
    pub(super) fn give_back(&mut self, every: Duration) {
        self.whole_at = self.whole_at.map(|at| at.before(every));
        self.last_hour.pop_back();
    }

    /// Charges a message that is sent.
    pub(super) fn spend(&mut self, every: Duration, now: Moment) {
        let from = self.whole_at.map_or(now, |at| at.max(now));
        self.whole_at = Some(from + every);
        self.last_hour.retain(|at| now.since(*at) < HOUR);
        if most_an_hour(every).is_some_and(|most| self.last_hour.len() < most) {
            self.last_hour.push_back(now);
        }
    }
}

/// How many messages the budget gives within an hour.
fn most_an_hour(every: Duration) -> Option<usize> {
    let refilled = HOUR.as_millis().checked_div(every.as_millis())?;
    usize::try_from(refilled.saturating_add(u128::from(AT_ONCE))).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_secs(300);

    fn at(second: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO) + Duration::from_secs(second)
    }

    #[test]
    fn three_at_once_and_one_more_for_each_interval() {
        let mut budget = Budget::default();
        let mut sent = Vec::new();
        for second in 0..1_300 {
            if budget.allows(EVERY, at(second)) {
                budget.spend(EVERY, at(second));
                sent.push(second);
            }
        }
        assert_eq!(sent, [0, 1, 2, 300, 600, 900, 1_200]);
        assert_eq!(budget.ready_at(EVERY, at(1_300)), at(1_500));
    }

    #[test]
    fn what_did_not_go_out_counts_for_nothing() {
        let mut budget = Budget::default();
        for second in 0..10 {
            assert!(budget.allows(EVERY, at(second)));
            budget.spend(EVERY, at(second));
            budget.give_back(EVERY);
        }
        assert!(budget.last_hour.is_empty());
    }

    #[test]
    fn no_interval_is_no_bound() {
        let mut budget = Budget::default();
        for _ in 0..100 {
            assert!(budget.allows(Duration::ZERO, at(7)));
            assert!(budget.allows_urgent(Duration::ZERO, at(7)));
            budget.spend(Duration::ZERO, at(7));
        }
    }

    proptest! {
        #[test]
        fn no_hour_has_more_than_fifteen(steps in proptest::collection::vec((0_u64..400, any::<bool>()), 1..300)) {
            let (mut budget, mut now) = (Budget::default(), 0);
            let mut sent: Vec<u64> = Vec::new();
            for (pause, urgent) in steps {
                now += pause;
                let may = budget.allows(EVERY, at(now)) || (urgent && budget.allows_urgent(EVERY, at(now)));
                if may && budget.allows_urgent(EVERY, at(now)) {
                    budget.spend(EVERY, at(now));
                    sent.push(now);
                }
                let hour = sent.iter().filter(|then| now - **then < 3_600).count();
                prop_assert!(hour <= 15, "{hour} at {now}");
            }
        }
    }
}
