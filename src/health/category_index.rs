//! All that can be in a category, counted once for an answer: experiments with their groups, and components.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::Timestamp;

use super::acknowledgements::Ack;
use super::category::{DEFAULT, SYSTEM, Verdict, takes_in};
use super::experiment;
use super::settings::Settings;
use super::snapshot::Picture;
use super::state::{Component, State};
use crate::config::CategorySettings;
use engine::model::Bookable;
use engine::{ExperimentView, matches, stem};

/// An experiment or a component, as a category counts it.
#[derive(Debug, Clone)]
pub struct CategoryMember<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub what: What<'a>,
    /// How it is.
    pub state: State,
    /// The group of interchangeable experiments that it is in; a component is one of its own.
    pub group: &'a str,
    /// How many of its group are enough, where its category does not say.
    pub enough: usize,
    /// Whether it counts for or against anything: what is away on purpose and what is not fatal do not.
    pub counts: bool,
    /// 1 critical, 2 warning, 3 remark: what its failure is or would be.
    pub severity: u8,
    /// Its acknowledgement, while it holds.
    pub ack: Option<&'a Ack>,
}

/// What a member is.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// An experiment.
    Experiment(&'a ExperimentView),
    /// A component.
    Component(&'a Component),
}

impl CategoryMember<'_> {
    /// Whether it is a component.
    #[must_use]
    pub fn is_component(&self) -> bool {
        matches!(self.what, What::Component(_))
    }
}

/// All members, and how many of each group work.
#[derive(Debug)]
pub struct CategoryIndex<'a> {
    settings: &'a Settings,
    /// Sorted by name; a component stands before an experiment of the same name.
    pub members: Vec<CategoryMember<'a>>,
    groups: BTreeMap<&'a str, Group>,
    /// The members, as places in `members`, of each category that nobody configured; found when they are first asked for. Without it
    /// the judgement of all categories looks at every member for each.
    unconfigured: OnceLock<BTreeMap<&'a str, Vec<usize>>>,
}

/// How many experiments of a group there are, those that are away on purpose left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// All that count.
    pub members: usize,
    /// Those that can be used.
    pub usable: usize,
}

impl<'a> CategoryIndex<'a> {
    /// Of everything in a picture.
    #[must_use]
    pub fn of(picture: &'a Picture) -> Self {
        let settings = &*picture.settings;
        let mut members: Vec<CategoryMember<'a>> =
            Vec::with_capacity(picture.components.len() + picture.snapshot.experiments.len());
        members.extend(
            picture
                .components
                .iter()
                .map(|component| of_component(component, picture)),
        );
        members.extend(
            picture
                .snapshot
                .experiments
                .iter()
                .map(|view| of_experiment(view, picture)),
        );
        members.sort_by(|a, b| a.name.cmp(b.name));
        let mut groups: BTreeMap<&'a str, Group> = BTreeMap::new();
        for member in members
            .iter()
            .filter(|member| member.counts && !member.is_component())
        {
            let group = groups.entry(member.group).or_default();
            group.members += 1;
            group.usable += usize::from(member.state.is_ok());
        }
        let mut category_index = Self {
            settings,
            members,
            groups,
            unconfigured: OnceLock::new(),
        };
        category_index.weigh();
        category_index
    }

    /// The group of an experiment.
    #[must_use]
    pub fn group(&self, name: &str) -> Group {
        self.groups.get(name).copied().unwrap_or_default()
    }

    /// The members of a category; `None` when there is no such category.
    #[must_use]
    pub fn in_category(&self, name: &str) -> Option<Vec<&CategoryMember<'a>>> {
        if name == DEFAULT || name == SYSTEM || self.settings.configured(name).is_some() {
            return Some(
                self.members
                    .iter()
                    .filter(|member| self.is_in(member, name))
                    .collect(),
            );
        }
        let places = self.unconfigured().get(name)?;
        Some(
            places
                .iter()
                .filter_map(|place| self.members.get(*place))
                .collect(),
        )
    }

    /// By the stem of an experiment that no configured category takes in, and by what a component says of itself.
    fn unconfigured(&self) -> &BTreeMap<&'a str, Vec<usize>> {
        self.unconfigured.get_or_init(|| {
            let mut places: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
            for (place, member) in self.members.iter().enumerate() {
                match member.what {
                    What::Experiment(_) if !self.is_configured(member) => {
                        places.entry(stem(member.name)).or_default().push(place)
                    }
                    What::Experiment(_) => {}
                    What::Component(component) => {
                        let names: std::collections::BTreeSet<&'a str> =
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

    /// How a category is by its own rule; `None` when there is no such category. One that is meant for experiments and has none fails.
    #[must_use]
    pub fn verdict(&self, category: &CategorySettings) -> Option<Verdict> {
        let members = self.in_category(&category.name)?;
        let lacks = !members.iter().any(|member| !member.is_component())
            && wants_experiments(category, &members);
        Some(Verdict::of(category, if lacks { &[] } else { &members }))
    }

    /// Every category that there is, sorted.
    #[must_use]
    pub fn categories(&self) -> Vec<String> {
        let mut names: std::collections::BTreeSet<String> =
            [DEFAULT, SYSTEM].map(str::to_owned).into();
        names.extend(
            self.settings
                .categories
                .iter()
                .map(|category| category.name.clone()),
        );
        names.extend(self.unconfigured().keys().map(|name| (*name).to_owned()));
        names.into_iter().collect()
    }

    /// The guide of the first category of the experiment that has one.
    #[must_use]
    pub fn panic_guide(&self, member: &CategoryMember<'_>) -> &'a str {
        self.categories_of(member)
            .find_map(|category| category.panic_guide.as_ref())
            .map_or("", |guide| guide.as_str())
    }

    /// What its failure means for people, in the words of its first category that has some.
    #[must_use]
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
            .filter(|category| self.is_in(member, &category.name))
    }

    fn is_in(&self, member: &CategoryMember<'_>, category: &str) -> bool {
        match (member.what, self.settings.configured(category)) {
            _ if category == DEFAULT => true,
            (What::Component(_), _) if category == SYSTEM => true,
            (_, Some(configured)) if takes_in(configured, member) => true,
            (What::Component(component), _) => {
                component.categories.iter().any(|name| name == category)
            }
            (What::Experiment(_), None) => {
                stem(member.name) == category && !self.is_configured(member)
            }
            (What::Experiment(_), Some(_)) => false,
        }
    }

    /// Whether a configured category takes the experiment in, so that it needs none of its own.
    fn is_configured(&self, member: &CategoryMember<'_>) -> bool {
        self.settings
            .categories
            .iter()
            .any(|category| takes_in(category, member))
    }

    /// Finds what is critical: what is listed, and the last of a group. An empty list makes nothing critical.
    fn weigh(&mut self) {
        let settings = self.settings;
        if settings.severity_1.is_empty() {
            return;
        }
        let critical: Vec<_> = settings
            .categories
            .iter()
            .filter(|category| settings.is_critical(&category.name))
            .collect();
        for member in self
            .members
            .iter_mut()
            .filter(|member| member.severity == 2)
        {
            let by_name = settings.is_critical(member.name) || settings.is_critical(member.group);
            let by_category = critical.iter().any(|category| takes_in(category, member));
            let is_last = !member.is_component() && is_last(self.groups.get(member.group), member);
            if by_name || by_category || is_last {
                member.severity = 1;
            }
        }
    }
}

/// Whether experiments are meant to be in a category: as in that of everything, by pools, or by a pattern that no component fits.
fn wants_experiments(category: &CategorySettings, members: &[&CategoryMember<'_>]) -> bool {
    let fits_none = |pattern: &String| {
        !members
            .iter()
            .any(|member| member.is_component() && matches(pattern, member.name))
    };
    category.name == DEFAULT
        || !category.pools.is_empty()
        || category.patterns.iter().any(fits_none)
}

/// Whether no other experiment of the group can be used. A group of one has no last.
fn is_last(group: Option<&Group>, member: &CategoryMember<'_>) -> bool {
    group
        .is_some_and(|group| group.members > 1 && group.usable <= usize::from(member.state.is_ok()))
}

fn of_component<'a>(component: &'a Component, picture: &'a Picture) -> CategoryMember<'a> {
    let is_fatal = picture.settings.is_fatal(&component.name);
    CategoryMember {
        name: &component.name,
        what: What::Component(component),
        state: component.state(),
        group: &component.name,
        enough: 1,
        counts: is_fatal,
        severity: if is_fatal { 2 } else { 3 },
        ack: picture.acks.component(&component.name, picture.at),
    }
}

fn of_experiment<'a>(view: &'a ExperimentView, picture: &'a Picture) -> CategoryMember<'a> {
    let name = view.stub.as_str();
    let state = experiment::state(view, &picture.snapshot, picture.at);
    let (group, enough) = group_of(name, &picture.settings);
    CategoryMember {
        name,
        what: What::Experiment(view),
        state,
        group,
        enough,
        counts: !is_away(view, picture),
        severity: if state == State::Warn { 3 } else { 2 },
        ack: picture.acks.experiment(name, picture.at),
    }
}

/// Whether a person has taken it away: held in book, or expected to be off.
pub(super) fn is_away(view: &ExperimentView, picture: &Picture) -> bool {
    view.bookable() == Some(Bookable::Held) || picture.acks.away.contains(view.stub.as_str())
}

/// The configured group of an experiment, or the stem of its name; and how many of the group are enough.
fn group_of<'a>(name: &'a str, settings: &'a Settings) -> (&'a str, usize) {
    let configured = settings
        .pools
        .iter()
        .find(|pool| pool.members.iter().any(|pattern| matches(pattern, name)));
    configured.map_or_else(|| (stem(name), 1), |pool| (&pool.name, pool.min_healthy))
}

/// When there was last evidence of a member.
pub(super) fn last_update(member: &CategoryMember<'_>, picture: &Picture) -> Option<Timestamp> {
    match member.what {
        What::Experiment(view) => experiment::last_update(view, &picture.snapshot),
        What::Component(component) => component.last_update,
    }
}
