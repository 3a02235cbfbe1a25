//! Categories: named sets of experiments and components, each with a rule for when the set fails.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::category_member::CategoryMember;
use engine::{CategoryRule, matches};

/// Whether a member is in a configured category by its patterns or its group.
pub fn takes_in(category: &CategoryRule, member: &CategoryMember<'_>) -> bool {
    if member.is_service() {
        return takes_in_service(category, member.name);
    }
    let by_group = !member.is_component() && category.pools.iter().any(|pool| pool == member.group);
    by_group
        || category
            .patterns
            .iter()
            .any(|pattern| matches(pattern, member.name))
}

/// Whether a configured category takes in an outside service by a pattern. A pattern that matches
/// every name means every experiment; services count only where a pattern names them.
pub fn takes_in_service(category: &CategoryRule, name: &str) -> bool {
    let is_meant = |pattern: &&String| pattern.chars().any(|sign| !matches!(sign, '*' | '?'));
    category
        .patterns
        .iter()
        .filter(is_meant)
        .any(|pattern| matches(pattern, name))
}

/// The result of a category's rule for a set of experiments and components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it can be used.
    pub ok: bool,
    /// The worst severity of what makes it fail: 1, 2 or 3.
    pub severity: u8,
    /// What makes it fail: the worst first, then by name.
    pub failing: Vec<String>,
}

impl Verdict {
    /// Applies the category's rule to these members. Without members it fails.
    pub fn of(category: &CategoryRule, members: &[&CategoryMember<'_>]) -> Self {
        if members.is_empty() {
            return Self {
                ok: false,
                severity: 2,
                failing: vec!["nothing is in it".to_owned()],
            };
        }
        let counting: Vec<&CategoryMember<'_>> = members
            .iter()
            .copied()
            .filter(|member| member.counts)
            .collect();
        let failing = if category.resilient {
            failing_groups(category, &counting)
        } else {
            failing_members(&counting)
        };
        Self::by(failing)
    }

    /// The verdict for these failing members; an empty list is ok.
    pub(super) fn by(mut failing: Vec<&CategoryMember<'_>>) -> Self {
        failing.sort_by(|a, b| {
            let rank = |it: &CategoryMember<'_>| (it.severity, Reverse(it.state));
            (rank(a), a.name).cmp(&(rank(b), b.name))
        });
        let severity = failing.first().map_or(2, |worst| worst.severity);
        Self {
            ok: failing.is_empty(),
            severity,
            failing: failing
                .into_iter()
                .map(|member| member.name.to_owned())
                .collect(),
        }
    }

    /// Merges two verdicts; what fails in both is named once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut failing = self.failing;
        let more: Vec<String> = other
            .failing
            .into_iter()
            .filter(|name| !failing.contains(name))
            .collect();
        failing.extend(more);
        let severity = match (self.ok, other.ok) {
            (false, false) => self.severity.min(other.severity),
            (true, false) => other.severity,
            (_, true) => self.severity,
        };
        Self {
            ok: self.ok && other.ok,
            severity,
            failing,
        }
    }
}

fn failing_members<'a, 'b>(counting: &[&'a CategoryMember<'b>]) -> Vec<&'a CategoryMember<'b>> {
    counting
        .iter()
        .copied()
        .filter(|member| !member.state.is_ok() && member.ack.is_none())
        .collect()
}

/// One member for each group of which too few work. A failing member that is acknowledged
/// represents its group only when all failing members are.
fn failing_groups<'a, 'b>(
    category: &CategoryRule,
    counting: &[&'a CategoryMember<'b>],
) -> Vec<&'a CategoryMember<'b>> {
    let mut groups: BTreeMap<(bool, &str), Vec<&'a CategoryMember<'b>>> = BTreeMap::new();
    for member in counting {
        let group = (member.is_component(), member.group);
        groups.entry(group).or_default().push(member);
    }
    groups
        .into_values()
        .filter_map(|group| representative(category, &group))
        .collect()
}

/// The member that represents a failing group: the most severe that is not acknowledged, then by
/// name.
fn representative<'a, 'b>(
    category: &CategoryRule,
    group: &[&'a CategoryMember<'b>],
) -> Option<&'a CategoryMember<'b>> {
    let healthy = group.iter().filter(|member| member.state.is_ok()).count();
    let enough = category
        .min_healthy
        .or(group.first().map(|member| member.enough))
        .unwrap_or(1);
    // A group that was made small on purpose cannot be asked for more than it has.
    if healthy >= enough.clamp(1, group.len().max(1)) {
        return None;
    }
    let open = group
        .iter()
        .copied()
        .filter(|member| !member.state.is_ok() && member.ack.is_none());
    open.min_by_key(|member| (member.severity, member.name))
}
