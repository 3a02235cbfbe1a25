//! Index of everything that can be in a category, built once per answer: experiments with their
//! groups, components, and outside services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::Switched;
use super::category::{Verdict, takes_in};
use super::category_member::{CategoryMember, What, of_component, of_experiment};
use super::category_rules::is_enabled;
use super::category_rules::{DEFAULT, SYSTEM};
use super::settings::Settings;
use super::snapshot::HealthSnapshot;
use crate::config::CategorySettings;
use engine::{CategoryRule, matches, stem};

/// All members, and how many of each group work.
#[derive(Debug)]
pub struct CategoryIndex<'a> {
    settings: &'a Settings,
    /// Sorted by name; a component stands before an experiment of the same name.
    pub members: Vec<CategoryMember<'a>>,
    groups: BTreeMap<(bool, &'a str), Group>,
    /// The members, as indices into `members`, of each category that is not configured; built on
    /// first use. Without it the evaluation of all categories would scan all members for each.
    unconfigured: OnceLock<BTreeMap<&'a str, Vec<usize>>>,
}

/// How many members a group has, without those that are away on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// All that count.
    pub members: usize,
    /// Those that can be used.
    pub usable: usize,
}

impl<'a> CategoryIndex<'a> {
    /// Of everything in a snapshot.
    pub fn of(health: &'a HealthSnapshot) -> Self {
        let settings = &*health.settings;
        let components = health.components.iter();
        let components = components.map(|component| of_component(component, health));
        let experiments = health.snapshot.experiments.iter();
        let experiments = experiments.map(|view| of_experiment(view, health));
        let mut members: Vec<CategoryMember<'a>> = components.chain(experiments).collect();
        members.sort_by(|a, b| a.name.cmp(b.name));
        let mut groups: BTreeMap<(bool, &'a str), Group> = BTreeMap::new();
        for member in members
            .iter()
            .filter(|member| member.counts && (!member.is_component() || member.is_service()))
        {
            let group = groups
                .entry((member.is_component(), member.group))
                .or_default();
            group.members += 1;
            group.usable += usize::from(member.state.is_ok());
        }
        let mut index = Self {
            settings,
            members,
            groups,
            unconfigured: OnceLock::new(),
        };
        index.weigh();
        index
    }

    /// The group of an experiment or of an outside service.
    pub fn group(&self, member: &CategoryMember<'_>) -> Group {
        self.groups
            .get(&member.group_key())
            .copied()
            .unwrap_or_default()
    }

    /// The members of a category; `None` when there is no such category.
    pub fn in_category(&self, name: &str) -> Option<Vec<&CategoryMember<'a>>> {
        if name == DEFAULT || name == SYSTEM || self.settings.configured(name).is_some() {
            let is_in = |member: &&CategoryMember<'a>| self.is_in(member, name);
            return Some(self.members.iter().filter(is_in).collect());
        }
        let places = self.unconfigured().get(name)?.iter();
        Some(places.filter_map(|at| self.members.get(*at)).collect())
    }

    /// By the stem of each experiment that no configured category takes in, and by the categories
    /// that a component names itself.
    fn unconfigured(&self) -> &BTreeMap<&'a str, Vec<usize>> {
        self.unconfigured.get_or_init(|| {
            let mut places: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
            for (place, member) in self.members.iter().enumerate() {
                match member.what {
                    What::Experiment(_) if !self.is_configured(member) => {
                        places.entry(stem(member.name)).or_default().push(place);
                    }
                    What::Experiment(_) => {}
                    What::Component(component) => {
                        let names: BTreeSet<&'a str> =
                            component.categories.iter().map(String::as_str).collect();
                        for name in names {
                            places.entry(name).or_default().push(place);
                        }
                    }
                }
            }
            places
        })
    }

    /// Evaluates a category by its own rule; `None` when there is no such category. One that is
    /// meant for experiments and has none fails.
    pub fn verdict(&self, category: &CategoryRule) -> Option<Verdict> {
        let members = self.in_category(&category.name)?;
        let lacks = !members.iter().any(|member| !member.is_component())
            && self.settings.laboratory
            && wants_experiments(category, &members);
        Some(Verdict::of(category, if lacks { &[] } else { &members }))
    }

    /// Whether a category can be used, which every view reports alike: it is open, its members are
    /// well by its rule, and so is labwatch itself. `None` when there is no such category.
    pub fn evaluate(&self, name: &str, switched: &Switched) -> Option<Evaluated> {
        let rules = self.settings.category(name);
        let verdict = self
            .verdict(&rules)?
            .and(Verdict::by(self.failing_labwatch(name).collect()));
        let enabled = is_enabled(name, switched);
        Some(Evaluated {
            ok: enabled && verdict.ok,
            enabled,
            verdict,
            rules,
        })
    }

    /// Whether there is nothing but outside services in a category.
    fn is_of_services(&self, name: &str) -> bool {
        self.in_category(name).is_some_and(|members| {
            !members.is_empty() && members.iter().all(|member| member.is_service())
        })
    }

    /// All outside services.
    pub(super) fn services(&self) -> impl Iterator<Item = &CategoryMember<'a>> {
        self.members.iter().filter(|member| member.is_service())
    }

    /// The parts of labwatch that fail a category besides its members, because its evaluation rests
    /// on them. A category that holds outside services alone rests on their own checks.
    pub(super) fn failing_labwatch(&self, name: &str) -> impl Iterator<Item = &CategoryMember<'a>> {
        let counts = !self.is_of_services(name);
        self.members
            .iter()
            .filter(move |member| counts && fails_all(member))
    }

    /// The names of all categories, sorted.
    pub fn categories(&self) -> Vec<String> {
        let configured = self.settings.categories.iter();
        let names: BTreeSet<&str> = [DEFAULT, SYSTEM]
            .into_iter()
            .chain(configured.map(|category| category.rule.name.as_str()))
            .chain(self.unconfigured().keys().copied())
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The guide of the first category of the experiment that has one.
    pub fn panic_guide(&self, member: &CategoryMember<'_>) -> &'a str {
        self.categories_of(member)
            .find_map(|category| category.panic_guide.as_ref())
            .map_or("", |guide| guide.as_str())
    }

    /// The impact of its failure on students and staff, as its first category that has a text puts
    /// it.
    pub fn business_impact(&self, member: &CategoryMember<'_>) -> &'a str {
        self.categories_of(member)
            .find(|category| !category.business_impact.is_empty())
            .map_or("", |category| &category.business_impact)
    }

    fn categories_of<'b>(
        &'b self,
        member: &'b CategoryMember<'_>,
    ) -> impl Iterator<Item = &'a CategorySettings> + 'b {
        self.settings
            .categories
            .iter()
            .filter(|category| self.is_in(member, &category.rule.name))
    }

    fn is_in(&self, member: &CategoryMember<'_>, category: &str) -> bool {
        match (member.what, self.settings.configured(category)) {
            (What::Component(component), configured) if component.is_service() => {
                component.categories.iter().any(|name| name == category)
                    || configured.is_some_and(|configured| takes_in(&configured.rule, member))
            }
            _ if category == DEFAULT => true,
            (What::Component(_), _) if category == SYSTEM => true,
            (_, Some(configured)) if takes_in(&configured.rule, member) => true,
            (What::Experiment(_), configured) if configured.is_none_or(|one| one.rule.by_stem) => {
                stem(member.name) == category && !self.is_configured(member)
            }
            (What::Component(_) | What::Experiment(_), _) => false,
        }
    }

    /// Whether a configured category takes the experiment in, so that it needs no category of its
    /// own.
    fn is_configured(&self, member: &CategoryMember<'_>) -> bool {
        self.settings
            .categories
            .iter()
            .any(|category| takes_in(&category.rule, member))
    }

    /// Marks what is critical: what is listed, and the last usable member of a group. An empty list
    /// makes nothing critical.
    fn weigh(&mut self) {
        let settings = self.settings;
        if settings.severity_1.is_empty() {
            return;
        }
        let critical: Vec<_> = settings
            .categories
            .iter()
            .filter(|category| settings.is_critical(&category.rule.name))
            .collect();
        for member in self
            .members
            .iter_mut()
            .filter(|member| member.severity == 2)
        {
            let by_name = settings.is_critical(member.name) || settings.is_critical(member.group);
            let by_category = critical
                .iter()
                .any(|category| takes_in(&category.rule, member));
            let is_last = is_last(self.groups.get(&member.group_key()), member);
            if by_name || by_category || is_last {
                member.severity = 1;
            }
        }
    }
}

/// Whether a category is meant for experiments: the one of everything, one by pools, or one by a
/// pattern that no component matches.
fn wants_experiments(category: &CategoryRule, members: &[&CategoryMember<'_>]) -> bool {
    let fits_none = |pattern: &String| {
        !members
            .iter()
            .any(|member| member.is_component() && matches(pattern, member.name))
    };
    category.name == DEFAULT
        || !category.pools.is_empty()
        || category.patterns.iter().any(fits_none)
}

/// The state of a category that all views report.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// Its rules: as configured, or the built-in ones.
    pub rules: CategoryRule,
    /// Whether it can be used.
    pub ok: bool,
    /// Whether it is open.
    pub enabled: bool,
    /// What fails in it, and in labwatch.
    pub verdict: Verdict,
}

/// Whether it fails every category of the laboratory: a fatal part of labwatch that is neither ok
/// nor acknowledged.
fn fails_all(member: &CategoryMember<'_>) -> bool {
    member.is_component()
        && !member.is_service()
        && member.counts
        && !member.state.is_ok()
        && member.ack.is_none()
}

/// Whether no other member of the group can be used. A group of one has no last.
fn is_last(group: Option<&Group>, member: &CategoryMember<'_>) -> bool {
    group
        .is_some_and(|group| group.members > 1 && group.usable <= usize::from(member.state.is_ok()))
}
