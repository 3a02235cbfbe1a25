//! Metrics of the pages that students open. There are as many series as pages, which are bounded;
//! none while they are not checked.

use std::collections::BTreeMap;
use std::fmt;

use super::encoder::Encoder;
use engine::{PageHealth, Snapshot};

pub(super) fn write(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    if snapshot.pages_of_uis.is_empty() {
        return Ok(());
    }
    encoder.gauges(
        "labwatch_ui_pages",
        "How many of the pages that students open are in which state",
        PageHealth::ALL.map(|health| {
            let of_health = snapshot.pages_of_uis.iter();
            let count = of_health.filter(|page| page.health == health).count();
            ([("state", health.as_str())], count as u64)
        }),
    )?;
    encoder.gauges(
        "labwatch_ui_page_up",
        "Whether the page answers as it should (1) or not (0), where it could be checked",
        worst(snapshot)
            .into_iter()
            .filter(|(_, health)| *health != PageHealth::Unknown)
            .map(|(page, health)| ([("page", page)], u64::from(health == PageHealth::Works))),
    )
}

/// The worst health of each shown address.
fn worst(snapshot: &Snapshot) -> BTreeMap<&str, PageHealth> {
    let mut worst = BTreeMap::new();
    for page in snapshot.pages_of_uis.iter() {
        let known = worst.entry(page.page.as_str()).or_insert(page.health);
        *known = page.health.max(*known);
    }
    worst
}
