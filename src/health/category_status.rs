//! The status of every category in one list: what `/__gtg` says of each.

use super::Switch;
use super::category_index::CategoryIndex;
use super::snapshot::HealthSnapshot;
use engine::{CategoryRule, Snapshot};

/// The status of a category.
#[derive(Debug, Clone)]
pub struct CategoryStatus {
    /// Its rules: as configured, or the built-in ones.
    pub rules: CategoryRule,
    /// Whether it can be used: it is open, its members are well by its rule, and so is labwatch
    /// itself.
    pub ok: bool,
    /// Whether it is open.
    pub enabled: bool,
    /// The worst severity of what fails: 1 critical, 2 warning, 3 remark; 2 when nothing does.
    pub severity: u8,
    /// How many experiments and components are in it.
    pub members: usize,
    /// What fails, the worst first; then what fails of labwatch itself.
    pub failing: Vec<String>,
    /// The last time it was opened or closed.
    pub switch: Option<Switch>,
    /// Experiments that cannot be booked until it is opened.
    pub quarantined: Vec<String>,
}

/// All categories that there are, sorted by name.
pub fn category_statuses(health: &HealthSnapshot) -> Vec<CategoryStatus> {
    let category_index = CategoryIndex::of(health);
    category_index
        .categories()
        .iter()
        .filter_map(|name| category_status(name, &category_index, health))
        .collect()
}

fn category_status(
    name: &str,
    category_index: &CategoryIndex<'_>,
    health: &HealthSnapshot,
) -> Option<CategoryStatus> {
    let evaluated = category_index.evaluate(name, &health.switched)?;
    let (rules, verdict) = (evaluated.rules, evaluated.verdict);
    Some(CategoryStatus {
        ok: evaluated.ok,
        enabled: evaluated.enabled,
        severity: verdict.severity,
        members: category_index
            .in_category(name)
            .map_or(0, |members| members.len()),
        failing: verdict.failing,
        switch: health.switched.get(name).cloned(),
        quarantined: quarantined(name, &health.snapshot),
        rules,
    })
}

/// From the engine, as it is written to book.
fn quarantined(name: &str, snapshot: &Snapshot) -> Vec<String> {
    let by_it = snapshot
        .quarantined
        .iter()
        .filter(|(_, category)| *category == name);
    by_it.map(|(stub, _)| stub.as_str().to_owned()).collect()
}
