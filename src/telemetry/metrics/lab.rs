//! The laboratory's metrics: experiments, pools, sources, mail, sampling. The labels are names from
//! book or the feeds, so there are as many series as there are experiments, and no more.

use std::fmt;
use std::sync::Arc;

use super::encoder::{Encoder, unlabelled};
use engine::model::{Bookable, Health, SourceHealth, SourceName};
use engine::{ExperimentView, Role, Snapshot, stem};

pub(super) fn write(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    experiments(encoder, snapshot)?;
    groups(encoder, snapshot)?;
    counts(encoder, snapshot)?;
    sources(encoder, snapshot)?;
    unlabelled! { encoder;
        /// How many streams are sampled because relay reports nothing of their traffic
        gauge labwatch_sampled_streams: count(snapshot.sampling.streams);
        /// How long one round over all of them takes, in seconds
        gauge labwatch_sampling_round_seconds: snapshot.sampling.round.as_secs_f64();
        /// Whether relay, jump and book are all silent, so that nothing is known (1) or not (0)
        gauge labwatch_blind: u64::from(snapshot.blind.is_some());
        /// Whether this labwatch switches and notifies (1) or only watches (0)
        gauge labwatch_leader: u64::from(snapshot.role == Role::Leader);
    }
    Ok(())
}

fn experiments(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let views = || snapshot.experiments.iter();
    encoder.gauges(
        "lab_experiment_available",
        "Whether students can use the experiment, that is whether it is ok or degraded (1) or not (0)",
        views().map(|view| {
            let name = view.stub.as_str();
            let labels = [("experiment", name), ("group", stem(name))];
            (labels, u64::from(is_usable(view)))
        }),
    )?;
    encoder.gauges(
        "labwatch_experiment_bookable",
        "Whether book offers the experiment (1) or not (0), where book has reported it",
        views().filter_map(|view| {
            let is_bookable = view.bookable()? == Bookable::Yes;
            Some(([("experiment", view.stub.as_str())], u64::from(is_bookable)))
        }),
    )?;
    encoder.gauges(
        "labwatch_experiment_health_since_seconds",
        "Since when the experiment's health is as it is, in seconds of Unix time",
        views().map(|view| {
            let health = ("health", view.health.as_str());
            let labels = [("experiment", view.stub.as_str()), health];
            (labels, view.since.as_second())
        }),
    )
}

/// Groups by the names' stems, which are adjacent because experiments are sorted.
fn groups(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let groups = || {
        snapshot
            .experiments
            .chunk_by(|a, b| stem(a.stub.as_str()) == stem(b.stub.as_str()))
    };
    encoder.gauges(
        "labwatch_group_experiments",
        "How many experiments share the name's stem",
        groups().map(|group| ([("group", stem_of(group))], count(group.len()))),
    )?;
    encoder.gauges(
        "labwatch_group_available",
        "How many of them students can use",
        groups().map(|group| {
            let usable = group.iter().filter(|view| is_usable(view));
            ([("group", stem_of(group))], count(usable.count()))
        }),
    )
}

fn stem_of(group: &[Arc<ExperimentView>]) -> &str {
    group.first().map_or("", |view| stem(view.stub.as_str()))
}

fn counts(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let counts = &snapshot.counts;
    encoder.gauges(
        "labwatch_experiments",
        "How many experiments have this health",
        [
            (Health::Ok, counts.ok),
            (Health::Degraded, counts.degraded),
            (Health::Flapping, counts.flapping),
            (Health::Down, counts.down),
            (Health::Unknown, counts.unknown),
        ]
        .map(|(health, number)| ([("health", health.as_str())], count(number))),
    )?;
    encoder.gauges(
        "labwatch_experiments_unbookable",
        "How many experiments cannot be booked because labwatch withdrew them, because a person holds them, or because book does not list them",
        [
            ("withdrawn", counts.withdrawn),
            ("held", counts.held),
            ("unlisted", counts.unlisted),
        ]
        .map(|(why, number)| ([("why", why)], count(number))),
    )
}

fn sources(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let sources =
        || SourceName::ALL.map(|name| ([("source", name.as_str())], snapshot.source(name)));
    encoder.gauges(
        "labwatch_source_health",
        "How the source is: 0 starting, 1 live, 2 late, 3 down",
        sources().map(|(name, source)| (name, code(source.health))),
    )?;
    encoder.gauges(
        "labwatch_source_report_age_seconds",
        "Age of the newest report of the source, in seconds; absent before its first report",
        sources().into_iter().filter_map(|(name, source)| {
            let age = snapshot.at.duration_since(source.last_report?);
            Some((name, age.as_secs_f64().max(0.0)))
        }),
    )?;
    encoder.gauges(
        "labwatch_source_hides",
        "How many experiments are not evaluated because of the source",
        sources().map(|(name, source)| (name, count(source.hides))),
    )?;
    encoder.counts(
        "labwatch_report_entries_unreadable",
        "In how many entries of the source's reports something could not be read",
        [SourceName::Relay, SourceName::Jump].map(|name| {
            let unreadable = snapshot.source(name).unreadable_entries;
            ([("source", name.as_str())], unreadable)
        }),
    )
}

fn is_usable(view: &ExperimentView) -> bool {
    matches!(view.health, Health::Ok | Health::Degraded)
}

fn code(health: SourceHealth) -> u64 {
    match health {
        SourceHealth::Starting => 0,
        SourceHealth::Live => 1,
        SourceHealth::Late => 2,
        SourceHealth::Down => 3,
    }
}

/// A count as Prometheus has it.
pub(super) fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}
