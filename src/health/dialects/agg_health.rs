//! `/__agghealth`: the elementary checks of which experiments, components and outside services
//! consist, in one flat list.

use super::Query;
use super::answer::{Answer, Refused};
use super::ft::{SCHEMA, impact, instant, panic_guide, summary};
use super::ft_form::{Aggregate, Elementary};
use super::judged::Judged;
use crate::health::category_index::CategoryIndex;
use crate::health::category_member::{CategoryMember, What, last_update};
use crate::health::snapshot::Picture;
use crate::health::state::{Component, SingleCheck, State};
use engine::model::{JumpHealth, StreamHealth};
use engine::{ExperimentView, Issue, StreamView};

/// Every single check: each stream, each remote login, each component. What cannot be reached is
/// among them, failing.
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
            .map(|check| of_service(member, component, judged, check))
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

/// A check of an outside service, with every field as the service gave it.
fn of_service<'a>(
    member: &'a CategoryMember<'a>,
    component: &'a Component,
    judged: &Judged<'a>,
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
        judged,
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
            judged.category_index.panic_guide(member)
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
        panic_guide: panic_guide(member, judged.category_index),
        check_output: output,
        last_updated: last_update(member, picture)
            .map(instant)
            .unwrap_or_default(),
        check_system_code: member.name,
        ack: None,
    }
}
