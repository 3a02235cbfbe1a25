//! The numbers of a health snapshot for Prometheus and Graphite. Their encoding is not known here.

use super::probes::number;
use crate::health::category_index::CategoryIndex;
use crate::health::snapshot::{HealthSnapshot, SELF};
use crate::health::state::State;

/// A health snapshot as numbers: 0 init, 1 ok, 2 error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// The overall state.
    pub state: u8,
    /// Each component.
    pub components: Vec<(String, u8)>,
    /// Each category, with whether it is open and works.
    pub categories: Vec<(String, bool)>,
    /// How many experiments and components are acknowledged.
    pub acknowledged: usize,
    /// Whether the main loop turns.
    pub turns: bool,
}

/// The snapshot in numbers.
pub fn numbers(health: &HealthSnapshot) -> Numbers {
    let (overall, _) = health.overall();
    let category_index = CategoryIndex::of(health);
    let categories = category_index.categories().into_iter().map(|name| {
        let evaluated = category_index.evaluate(&name, &health.switched);
        (name, evaluated.is_some_and(|evaluated| evaluated.ok))
    });
    Numbers {
        state: number(overall),
        components: health
            .components
            .iter()
            .map(|one| (one.name.to_string(), number(one.state())))
            .collect(),
        categories: categories.collect(),
        acknowledged: health.acks.count(health.at),
        turns: health
            .component(SELF)
            .is_none_or(|one| !matches!(one.state(), State::Stale | State::Error)),
    }
}
