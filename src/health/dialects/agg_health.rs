//! `/__agghealth`: the single checks of all experiments, components and outside services, in one
//! flat list.

use super::Query;
use super::answer::{Answer, Refused};
use super::ft::{SCHEMA, impact, instant, panic_guide, summary};
use super::ft_form::{Aggregate, Elementary};
use super::rated::RatedCategories;
use crate::health::category_index::CategoryIndex;
use crate::health::category_member::{CategoryMember, What, last_update};
use crate::health::snapshot::HealthSnapshot;
use crate::health::state::{Component, SingleCheck, State};
use engine::model::{JumpHealth, StreamHealth};
use engine::{ExperimentView, Issue, StreamView};

/// Every single check: each stream, each jump connection, each component. What cannot be reached is
/// listed as failing.
///
/// # Errors
/// [`Refused::Senseless`]: none of the categories exists. [`Refused::Unwritable`].
pub fn agg_health(health: &HealthSnapshot, query: &Query) -> Result<Answer, Refused> {
    let category_index = CategoryIndex::of(health);
    let rated = RatedCategories::of(health, &category_index, query)?;
    let checks = rated
        .members
        .iter()
        .flat_map(|member| elementary(member, &rated))
        .collect();
    Answer::json(
        true,
        &Aggregate {
            schema_version: SCHEMA,
            aggregation_system_code: &health.settings.label,
            checks,
        },
    )
}

fn elementary<'a>(
    member: &'a CategoryMember<'a>,
    rated: &RatedCategories<'a>,
) -> Vec<Elementary<'a>> {
    match member.what {
        What::Experiment(view) => of_experiment(member, view, rated),
        What::Component(component) if component.finding.checks.is_empty() => {
            vec![single(
                member,
                rated,
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
            .map(|check| of_service(member, component, rated, check))
            .collect(),
    }
}

fn of_experiment<'a>(
    member: &'a CategoryMember<'a>,
    view: &'a ExperimentView,
    rated: &RatedCategories<'a>,
) -> Vec<Elementary<'a>> {
    let mut checks: Vec<_> = view
        .streams
        .iter()
        .map(|stream| of_stream(member, stream, rated))
        .collect();
    let (ok, output) = match view.jump {
        JumpHealth::Up => (true, String::new()),
        JumpHealth::Lost => (false, Issue::JumpLost.to_string()),
        JumpHealth::Unknown => (false, "jump does not report it".to_owned()),
    };
    checks.push(single(member, rated, "jump", ok, 3, output));
    if let Some(test) = rated.health.self_tests.get(member.name) {
        let finding = test.finding(rated.health.at);
        let made = single(
            member,
            rated,
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
    rated: &RatedCategories<'a>,
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
        rated,
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

/// A check of an outside service, with every field as the service reports it.
fn of_service<'a>(
    member: &'a CategoryMember<'a>,
    component: &'a Component,
    rated: &RatedCategories<'a>,
    check: &'a SingleCheck,
) -> Elementary<'a> {
    let name = if check.name.is_empty() {
        member.name
    } else {
        &check.name
    };
    let about = component.finding.about.as_deref();
    let system_code = about.map_or("", |about| &about.system_code);
    let given = |own: &str, ours: String| {
        if own.is_empty() { ours } else { own.to_owned() }
    };
    let made = single(
        member,
        rated,
        name,
        check.ok,
        check.severity,
        check.check_output.clone(),
    );
    Elementary {
        id: given(&check.id, name.to_owned()),
        business_impact: check.business_impact.clone(),
        technical_summary: check.technical_summary.clone(),
        panic_guide: if check.panic_guide.is_empty() {
            rated.category_index.panic_guide(member)
        } else {
            &check.panic_guide
        },
        last_updated: given(&check.last_updated, made.last_updated),
        check_system_code: if system_code.is_empty() {
            member.name
        } else {
            system_code
        },
        ack: (!check.ack.is_empty()).then_some(&*check.ack),
        ..made
    }
}

fn single<'a>(
    member: &'a CategoryMember<'a>,
    rated: &RatedCategories<'a>,
    name: &str,
    ok: bool,
    severity: u8,
    output: String,
) -> Elementary<'a> {
    let health = rated.health;
    Elementary {
        id: name.to_owned(),
        name: name.to_owned(),
        ok,
        severity,
        business_impact: impact(member, rated.category_index, health),
        technical_summary: summary(member, health),
        panic_guide: panic_guide(member, rated.category_index),
        check_output: output,
        last_updated: last_update(member, health).map(instant).unwrap_or_default(),
        check_system_code: member.name,
        ack: None,
    }
}
