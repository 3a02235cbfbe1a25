//! `/__health`, `/__gtg` and `/__agghealth` after FT's health check standard. All three and the page judge by [`Judged`].

use std::fmt::Write as _;

use jiff::Timestamp;

use super::ft_form::{Aggregate, Check, Document, Elementary};
use super::{Answer, Query, Refused};
use crate::config::CategorySettings;
use crate::health::category::{DEFAULT, Verdict, strict};
use crate::health::category_index::{CategoryIndex, CategoryMember, What, is_away, last_update};
use crate::health::experiment;
use crate::health::snapshot::Picture;
use crate::health::state::{SingleCheck, State, age};
use crate::health::switches::is_enabled;
use engine::model::{JumpHealth, StreamHealth};
use engine::{ExperimentView, Issue, StreamView};

/// The version of the standard's schema.
const SCHEMA: u8 = 1;

/// The categories that were asked for, judged.
pub(super) struct Judged<'a> {
    pub(super) picture: &'a Picture,
    pub(super) category_index: &'a CategoryIndex<'a>,
    /// Those that there are, in the order in which they were asked for.
    pub(super) categories: Vec<CategorySettings>,
    /// Those that there are not.
    pub(super) unknown: Vec<String>,
    /// Those that are closed, each with the reason.
    pub(super) closed: Vec<(String, String)>,
    /// Everything in them, and what is fatal and fails; sorted by name.
    pub(super) members: Vec<&'a CategoryMember<'a>>,
    pub(super) verdict: Verdict,
}

impl<'a> Judged<'a> {
    /// Judges each category by its own rule, and what is fatal with all of them.
    pub(super) fn of(
        picture: &'a Picture,
        category_index: &'a CategoryIndex<'a>,
        query: &Query,
    ) -> Result<Self, Refused> {
        let everything = [DEFAULT.to_owned()];
        let asked = if query.categories.is_empty() {
            &everything[..]
        } else {
            &query.categories
        };
        let (mut categories, mut unknown, mut members) = (Vec::new(), Vec::new(), Vec::new());
        let mut verdict = fatal(category_index);
        for name in asked {
            let category = picture.settings.category(name);
            let (Some(of_category), Some(judged)) = (
                category_index.in_category(name),
                category_index.verdict(&category),
            ) else {
                unknown.push(name.clone());
                continue;
            };
            verdict = verdict.and(judged);
            categories.push(category);
            members.extend(of_category);
        }
        if categories.is_empty() {
            return Err(Refused::Senseless(format!(
                "no such category: {}",
                unknown.join(", ")
            )));
        }
        members.extend(
            category_index
                .members
                .iter()
                .filter(|member| fails_all(member)),
        );
        members.sort_by_key(|member| (member.name, !member.is_component()));
        members.dedup_by_key(|member| (member.name, member.is_component()));
        let closed = categories
            .iter()
            .filter(|category| !is_enabled(&category.name, &picture.switched));
        let closed = closed
            .map(|category| (category.name.clone(), why_closed(picture, category)))
            .collect();
        Ok(Self {
            picture,
            category_index,
            categories,
            unknown,
            closed,
            members,
            verdict,
        })
    }

    /// Whether it is good to go: all categories are open and work.
    pub(super) fn is_good(&self) -> bool {
        self.closed.is_empty() && self.verdict.ok
    }

    /// Whether the traffic light is green: as [`Judged::is_good`], and also when the whole installation is acknowledged.
    pub(super) fn is_green(&self) -> bool {
        self.is_good() || self.picture.acks.installation(self.picture.at).is_some()
    }

    pub(super) fn description(&self) -> String {
        let label = &self.picture.settings.label;
        let how = if self.picture.is_fresh {
            "served directly"
        } else {
            "served from cache"
        };
        // Writing to a text cannot fail.
        let mut text = format!("Health of {label} {how}.");
        if !self.unknown.is_empty() {
            let _ = write!(text, " Unknown categories: {}.", self.unknown.join(", "));
        }
        for (name, why) in &self.closed {
            let _ = write!(text, " Category {name} is disabled: {why}.");
        }
        if let Some(ack) = self.picture.acks.installation(self.picture.at) {
            let _ = write!(text, " Installation is acknowledged: {}.", ack.words());
        }
        text
    }
}

/// What fails every category: a fatal component that is not ok and that nobody has acknowledged.
fn fatal(category_index: &CategoryIndex<'_>) -> Verdict {
    let failing: Vec<&CategoryMember<'_>> = category_index
        .members
        .iter()
        .filter(|member| fails_all(member))
        .collect();
    if failing.is_empty() {
        Verdict {
            ok: true,
            severity: 2,
            failing: Vec::new(),
        }
    } else {
        Verdict::of(&strict(DEFAULT), &failing)
    }
}

fn fails_all(member: &CategoryMember<'_>) -> bool {
    member.is_component() && member.counts && !member.state.is_ok() && member.ack.is_none()
}

fn why_closed(picture: &Picture, category: &CategorySettings) -> String {
    match picture.switched.get(&category.name) {
        Some(switch) => format!("{} ({}, {})", switch.reason, switch.by, switch.at),
        None => String::new(),
    }
}

/// The health of the categories that were asked for: 200 whether good or bad, the verdict is in `ok`.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists. [`Refused::Unwritable`].
pub fn health_json(picture: &Picture, query: &Query) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(picture);
    let judged = Judged::of(picture, &category_index, query)?;
    let document = Document {
        schema_version: SCHEMA,
        system_code: &picture.settings.label,
        name: format!("{} health", picture.settings.label),
        description: judged.description(),
        checks: judged
            .members
            .iter()
            .map(|member| check(member, &judged))
            .collect(),
        ok: judged.is_green(),
        severity: judged.verdict.severity,
    };
    let answer = Answer::json(true, &document)?;
    Ok(Answer {
        headers: vec![("vary", "accept")],
        ..answer
    })
}

/// Whether the categories can be used now: 200 or 503, and 400 when none of them exists. Never has a body.
#[must_use]
pub fn gtg(picture: &Picture, query: &Query) -> Answer {
    let category_index = CategoryIndex::of(picture);
    match Judged::of(picture, &category_index, query) {
        Ok(judged) => Answer::empty(super::code(judged.is_good())),
        Err(_) => Answer::empty(400),
    }
}

fn check<'a>(member: &'a CategoryMember<'a>, judged: &Judged<'a>) -> Check<'a> {
    let (picture, ack) = (
        judged.picture,
        member.ack.map(crate::health::acknowledgements::Ack::words),
    );
    let updated = last_update(member, picture);
    let output = output(member, picture);
    Check {
        id: member.name,
        name: member.name,
        ok: member.state.is_ok(),
        severity: member.severity,
        business_impact: impact(member, judged.category_index, picture),
        technical_summary: summary(member, picture),
        panic_guide: judged.category_index.panic_guide(member),
        check_output: if ack.is_some() {
            format!("ACKED - {output}")
        } else {
            output
        },
        last_updated: updated.map(instant),
        acknowledged: ack.is_some(),
        ack,
        last_change: instant(last_change(member)),
        age: updated.map(|at| age(at, picture.at)),
    }
}

/// RFC 3339 to the millisecond, as the standard's own examples have it.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

pub(super) fn last_change(member: &CategoryMember<'_>) -> Timestamp {
    match member.what {
        What::Experiment(view) => view.since,
        What::Component(component) => component.last_change,
    }
}

pub(super) fn output(member: &CategoryMember<'_>, picture: &Picture) -> String {
    match member.what {
        What::Component(component) => component.detail().to_owned(),
        What::Experiment(view) => {
            let output = experiment::output(view, &picture.snapshot, picture.at);
            if is_away(view, picture) {
                format!("withdrawn by a person; {output}")
            } else {
                output
            }
        }
    }
}

fn impact(
    member: &CategoryMember<'_>,
    category_index: &CategoryIndex<'_>,
    picture: &Picture,
) -> String {
    let configured = category_index.business_impact(member);
    if !configured.is_empty() && !member.state.is_ok() {
        return configured.to_owned();
    }
    match member.what {
        What::Component(_) if member.counts => "labwatch cannot do all of its work".to_owned(),
        What::Component(_) => "labwatch works, with a loss".to_owned(),
        What::Experiment(view) if is_away(view, picture) => "withdrawn by a person".to_owned(),
        What::Experiment(_) => {
            let group = category_index.group(member.group);
            let left = format!(
                "{} of {} {} left",
                group.usable, group.members, member.group
            );
            let what = match member.state {
                State::Ok => "can be used",
                State::Warn => "can be used, with a loss",
                State::Init | State::Stale => "not judged",
                State::Error => "cannot be used",
            };
            format!("{what}; {left}")
        }
    }
}

fn summary(member: &CategoryMember<'_>, picture: &Picture) -> String {
    let (kind, path) = match member.what {
        What::Component(_) => ("component", format!("/status/{}", member.name)),
        What::Experiment(_) => (
            "experiment",
            format!("/actuator/health/readiness/{}", member.name),
        ),
    };
    let (place, link) = (&picture.settings.place, &picture.settings.link);
    if link.is_empty() {
        format!("{kind} {}; details at {place}{path}", member.name)
    } else {
        format!(
            "{kind} {}; details at {place}{path}, status at {link}",
            member.name
        )
    }
}

/// Every single check: each stream, each remote login, each component. What cannot be reached is among them, failing.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists. [`Refused::Unwritable`].
pub fn agg_health(picture: &Picture, query: &Query) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(picture);
    let judged = Judged::of(picture, &category_index, query)?;
    let checks = judged
        .members
        .iter()
        .flat_map(|member| elementary(member, &judged))
        .collect();
    Answer::json(
        true,
        &Aggregate {
            schema_version: SCHEMA,
            aggregation_system_code: &picture.settings.label,
            checks,
        },
    )
}

fn elementary<'a>(member: &'a CategoryMember<'a>, judged: &Judged<'a>) -> Vec<Elementary<'a>> {
    match member.what {
        What::Experiment(view) => of_experiment(member, view, judged),
        What::Component(component) if component.finding.checks.is_empty() => {
            vec![single(
                member,
                judged,
                "self",
                component.state() == State::Ok,
                member.severity,
                component.detail().to_owned(),
            )]
        }
        What::Component(component) => component
            .finding
            .checks
            .iter()
            .map(|check| of_service(member, judged, check))
            .collect(),
    }
}

fn of_experiment<'a>(
    member: &'a CategoryMember<'a>,
    view: &'a ExperimentView,
    judged: &Judged<'a>,
) -> Vec<Elementary<'a>> {
    let mut checks: Vec<_> = view
        .streams
        .iter()
        .map(|stream| of_stream(member, stream, judged))
        .collect();
    let (ok, output) = match view.jump {
        JumpHealth::Up => (true, String::new()),
        JumpHealth::Lost => (false, Issue::JumpLost.to_string()),
        JumpHealth::Unknown => (false, "jump tells nothing about it".to_owned()),
    };
    checks.push(single(member, judged, "jump", ok, 3, output));
    if let Some(test) = judged.picture.self_tests.get(member.name) {
        let finding = test.finding(judged.picture.at);
        let made = single(
            member,
            judged,
            "self-test",
            finding.state.is_ok(),
            3,
            finding.detail,
        );
        checks.push(Elementary {
            last_updated: instant(test.at),
            ..made
        });
    }
    checks
}

fn of_stream<'a>(
    member: &'a CategoryMember<'a>,
    stream: &StreamView,
    judged: &Judged<'a>,
) -> Elementary<'a> {
    let topic = &stream.topic;
    let (ok, output) = match stream.health {
        StreamHealth::Active => (true, String::new()),
        StreamHealth::Silent => (false, format!("{topic} is connected but sends nothing")),
        StreamHealth::Missing | StreamHealth::Unknown => {
            (false, format!("{topic} is {}", stream.health))
        }
    };
    single(
        member,
        judged,
        topic.as_str(),
        ok,
        if stream.required {
            member.severity.min(2)
        } else {
            3
        },
        output,
    )
}

fn of_service<'a>(
    member: &'a CategoryMember<'a>,
    judged: &Judged<'a>,
    check: &SingleCheck,
) -> Elementary<'a> {
    let name = if check.name.is_empty() {
        member.name
    } else {
        &check.name
    };
    let mut made = single(
        member,
        judged,
        name,
        check.ok,
        check.severity,
        check.check_output.clone(),
    );
    made.id = if check.id.is_empty() {
        name.to_owned()
    } else {
        check.id.clone()
    };
    made.business_impact.clone_from(&check.business_impact);
    made.technical_summary.clone_from(&check.technical_summary);
    made.last_updated.clone_from(&check.last_updated);
    made
}

fn single<'a>(
    member: &'a CategoryMember<'a>,
    judged: &Judged<'a>,
    name: &str,
    ok: bool,
    severity: u8,
    output: String,
) -> Elementary<'a> {
    let picture = judged.picture;
    Elementary {
        id: name.to_owned(),
        name: name.to_owned(),
        ok,
        severity,
        business_impact: impact(member, judged.category_index, picture),
        technical_summary: summary(member, picture),
        panic_guide: judged.category_index.panic_guide(member),
        check_output: output,
        last_updated: last_update(member, picture)
            .map(instant)
            .unwrap_or_default(),
        check_system_code: member.name,
    }
}
