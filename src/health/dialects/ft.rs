//! `/__health` and `/__gtg` after FT's health check standard: one check for each experiment,
//! component and outside service.

use jiff::Timestamp;

use super::Query;
use super::answer::{Answer, Reader, Refused, code};
use super::ft_form::{Check, Document};
use super::rated::RatedCategories;
use crate::health::category_index::{CategoryIndex, Group};
use crate::health::category_member::{CategoryMember, What, is_away, last_update};
use crate::health::experiment;
use crate::health::snapshot::HealthSnapshot;
use crate::health::state::{Component, SingleCheck, State, age};

/// The version of the standard's schema.
pub(super) const SCHEMA: u8 = 1;

/// The health of the requested categories: always 200, the verdict is in `ok`.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists. [`Refused::Unwritable`].
pub fn health_json(
    health: &HealthSnapshot,
    query: &Query,
    reader: Reader,
) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(health);
    let rated = RatedCategories::of(health, &category_index, query)?;
    let document = Document {
        schema_version: SCHEMA,
        system_code: &health.settings.label,
        name: format!("{} health", health.settings.label),
        description: rated.description(reader),
        checks: rated
            .members
            .iter()
            .map(|member| check(member, &rated, reader))
            .collect(),
        ok: rated.is_green(),
        severity: rated.verdict.severity,
    };
    let answer = Answer::json(true, &document)?;
    Ok(Answer {
        headers: vec![("vary", "accept")],
        ..answer
    })
}

/// Whether the categories can be used now: 200 or 503, and 400 when none of them exists. Never has
/// a body.
pub fn gtg(health: &HealthSnapshot, query: &Query) -> Answer {
    let category_index = CategoryIndex::of(health);
    match RatedCategories::of(health, &category_index, query) {
        Ok(rated) => Answer::empty(code(rated.is_good())),
        Err(_) => Answer::empty(400),
    }
}

fn check<'a>(
    member: &'a CategoryMember<'a>,
    rated: &RatedCategories<'a>,
    reader: Reader,
) -> Check<'a> {
    let (health, ack) = (
        rated.health,
        member.ack.map(|ack| ack.words(reader.sees_private())),
    );
    let updated = last_update(member, health);
    let output = output(member, health);
    Check {
        id: member.name,
        name: member.name,
        ok: member.state.is_ok(),
        severity: member.severity,
        business_impact: impact(member, rated.category_index, health),
        technical_summary: summary(member, health),
        panic_guide: panic_guide(member, rated.category_index),
        check_output: if ack.is_some() {
            format!("ACKED - {output}")
        } else {
            output
        },
        last_updated: updated.map(instant),
        acknowledged: ack.is_some(),
        ack,
        last_change: instant(last_change(member)),
        age: updated.map(|at| age(at, health.at)),
    }
}

/// RFC 3339 to the millisecond, as the standard's own examples have it.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

pub(super) fn last_change(member: &CategoryMember<'_>) -> Timestamp {
    match member.what {
        What::Experiment(view) => view.since,
        What::Component(component) => component.last_change,
    }
}

pub(super) fn output(member: &CategoryMember<'_>, health: &HealthSnapshot) -> String {
    match member.what {
        What::Component(component) => component.detail().to_owned(),
        What::Experiment(view) => {
            let output = experiment::output(view, &health.snapshot, health.at);
            if is_away(view, health) {
                format!("withdrawn by a person; {output}")
            } else {
                output
            }
        }
    }
}

pub(super) fn impact(
    member: &CategoryMember<'_>,
    category_index: &CategoryIndex<'_>,
    health: &HealthSnapshot,
) -> String {
    let configured = category_index.business_impact(member);
    if !configured.is_empty() && !member.state.is_ok() {
        return configured.to_owned();
    }
    match member.what {
        What::Component(component) if component.is_service() => {
            service_impact(member, component, category_index)
        }
        What::Component(_) if member.counts => "labwatch cannot do all of its work".to_owned(),
        What::Component(_) => "labwatch works, with a loss".to_owned(),
        What::Experiment(view) if is_away(view, health) => "withdrawn by a person".to_owned(),
        What::Experiment(_) => {
            let what = match member.state {
                State::Ok => "can be used",
                State::Warn => "can be used, with a loss",
                State::Init | State::Stale => "not evaluated",
                State::Error => "cannot be used",
            };
            format!("{what}; {}", left(member, category_index))
        }
    }
}

/// The service's own text where it has one, because it knows best what its failure means.
fn service_impact(
    member: &CategoryMember<'_>,
    component: &Component,
    category_index: &CategoryIndex<'_>,
) -> String {
    if let Some(own) = gravest(component)
        .map(|check| &check.business_impact)
        .filter(|own| !own.is_empty())
    {
        return own.clone();
    }
    let is_ok = member.state.is_ok();
    let what = if is_ok { "works" } else { "does not work" };
    format!("{what}; {}", left(member, category_index))
}

/// How many of the member's group can be used.
fn left(member: &CategoryMember<'_>, category_index: &CategoryIndex<'_>) -> String {
    let Group { members, usable } = category_index.group(member);
    format!("{usable} of {members} {} left", member.group)
}

/// The most severe failing check of an outside service, the first of several.
fn gravest(component: &Component) -> Option<&SingleCheck> {
    let failing = component.finding.checks.iter().filter(|check| !check.ok);
    failing.min_by_key(|check| check.severity)
}

/// The guide for a member: that of its category, else that of a failing service itself.
pub(super) fn panic_guide<'a>(
    member: &'a CategoryMember<'a>,
    category_index: &CategoryIndex<'a>,
) -> &'a str {
    let configured = category_index.panic_guide(member);
    match member.what {
        What::Component(component) if configured.is_empty() => {
            gravest(component).map_or("", |check| &check.panic_guide)
        }
        What::Component(_) | What::Experiment(_) => configured,
    }
}

pub(super) fn summary(member: &CategoryMember<'_>, health: &HealthSnapshot) -> String {
    if let What::Component(component) = member.what
        && let Some(own) = gravest(component)
            .map(|check| &check.technical_summary)
            .filter(|own| !own.is_empty())
    {
        return own.clone();
    }
    let (kind, path) = match member.what {
        What::Component(component) if component.is_service() => ("service", "/status/"),
        What::Component(_) => ("component", "/status/"),
        What::Experiment(_) => ("experiment", "/actuator/health/readiness/"),
    };
    let (name, place, link) = (member.name, &health.settings.place, &health.settings.link);
    let status = if link.is_empty() { "" } else { ", status at " };
    format!("{kind} {name}; details at {place}{path}{name}{status}{link}")
}
