//! `/health`: cn-infra's gauges, and those of the laboratory, in Prometheus' text format. Made from the picture when somebody scrapes, so a
//! series ends with what it is about.

use std::fmt::Write as _;

use super::Answer;
use crate::health::category::Verdict;
use crate::health::census::{Census, What};
use crate::health::picture::Picture;
use crate::health::state::{Component, State};
use crate::health::switches::is_enabled;

/// What Prometheus' text format is marked as.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A gauge: its name, what it means, and its series as labels and value.
struct Gauge {
    name: &'static str,
    help: &'static str,
    series: Vec<(Vec<(&'static str, String)>, i64)>,
}

/// The gauges. Always 200: a scraper that gets an error sees nothing at all.
#[must_use]
pub fn metrics(picture: &Picture) -> Answer {
    let mut text = String::new();
    for gauge in gauges(picture) {
        gauge.write(&mut text);
    }
    Answer { status: 200, content_type: Some(TEXT), body: text.into_bytes(), headers: Vec::new() }
}

fn gauges(picture: &Picture) -> Vec<Gauge> {
    let service = || ("service", picture.settings.label.clone());
    let dependency = |one: &Component| (vec![service(), ("dependency", one.name.to_string())], number(one.state()));
    let identity = &*picture.identity;
    let info = [("build_version", identity.version), ("build_date", identity.built.unwrap_or_default())];
    let mut labels = vec![service()];
    labels.extend(info.map(|(name, value)| (name, value.to_owned())));
    let (overall, _) = picture.overall();
    let census = Census::of(picture);
    let acks = i64::try_from(picture.acks.count(picture.at)).unwrap_or(i64::MAX);
    let turns = picture.component(crate::health::picture::SELF).is_some_and(|own| own.state().is_ok());
    vec![
        Gauge { name: "service_health", help: "0 init, 1 ok, 2 error", series: vec![(vec![service()], number(overall))] },
        Gauge {
            name: "service_dependency_health",
            help: "0 init, 1 ok, 2 error, of each component",
            series: picture.components.iter().map(dependency).collect(),
        },
        Gauge { name: "service_info", help: "always 1; the labels say what runs", series: vec![(labels, 1)] },
        Gauge { name: "lab_experiment_available", help: "whether students can use it", series: experiments(&census) },
        Gauge { name: "lab_category_ok", help: "whether the category is open and works", series: categories(picture, &census) },
        Gauge { name: "lab_acks", help: "experiments and components that are acknowledged", series: vec![(Vec::new(), acks)] },
        Gauge { name: "lab_pilot_light", help: "1 while experiments are judged", series: vec![(Vec::new(), i64::from(turns))] },
    ]
}

fn experiments(census: &Census<'_>) -> Vec<(Vec<(&'static str, String)>, i64)> {
    let of = |member: &&crate::health::census::Member<'_>| matches!(member.what, What::Experiment(_));
    let row = |member: &crate::health::census::Member<'_>| {
        let labels = vec![("experiment", member.name.to_owned()), ("group", member.group.to_owned())];
        (labels, i64::from(member.state.is_ok()))
    };
    census.members.iter().filter(of).map(row).collect()
}

fn categories(picture: &Picture, census: &Census<'_>) -> Vec<(Vec<(&'static str, String)>, i64)> {
    let row = |name: String| {
        let category = picture.settings.category(&name);
        let works = census.in_category(&name).is_some_and(|members| Verdict::of(&category, &members).ok);
        (vec![("category", name)], i64::from(works && is_enabled(&category, &picture.switched)))
    };
    census.categories().into_iter().map(row).collect()
}

fn number(state: State) -> i64 {
    match state {
        State::Init => 0,
        State::Ok | State::Warn => 1,
        State::Stale | State::Error => 2,
    }
}

impl Gauge {
    fn write(&self, text: &mut String) {
        let Self { name, help, series } = self;
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in series {
            let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
