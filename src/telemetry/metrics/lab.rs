//! The laboratory's metrics: experiments, pools, sources, mail, sampling. The labels are names from
//! book or the feeds, so there are as many series as there are experiments, and no more.

use std::fmt;
use std::sync::Arc;

use super::encoder::Encoder;
use engine::model::{Bookable, Health, SourceHealth, SourceName};
use engine::{ExperimentView, Role, Snapshot, stem};

pub(super) fn write(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    experiments(encoder, snapshot)?;
    groups(encoder, snapshot)?;
    counts(encoder, snapshot)?;
    sources(encoder, snapshot)?;
    sampling(encoder, snapshot)?;
    encoder.gauge(
        "labwatch_blind",
        "Whether relay, jump and book are all silent, so that nothing is known (1) or not (0)",
        u64::from(snapshot.blind.is_some()),
    )?;
    encoder.gauge(
        "labwatch_leader",
        "Whether this labwatch switches and notifies (1) or only watches (0)",
        u64::from(snapshot.role == Role::Leader),
    )
}

fn experiments(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut available = encoder.gauges(
        "lab_experiment_available",
        "Whether students can use the experiment, that is whether it is ok or degraded (1) or not (0)",
    )?;
    for view in snapshot.experiments.iter() {
        available.set(
            [
                ("experiment", view.stub.as_str()),
                ("group", stem(view.stub.as_str())),
            ],
            u64::from(is_usable(view)),
        )?;
    }
    let mut bookable = encoder.gauges(
        "labwatch_experiment_bookable",
        "Whether book offers the experiment (1) or not (0), where book has reported it",
    )?;
    for view in snapshot.experiments.iter() {
        if let Some(says) = view.bookable() {
            bookable.set(
                [("experiment", view.stub.as_str())],
                u64::from(says == Bookable::Yes),
            )?;
        }
    }
    let mut since = encoder.gauges(
        "labwatch_experiment_health_since_seconds",
        "Since when the experiment's health is as it is, in seconds of Unix time",
    )?;
    for view in snapshot.experiments.iter() {
        since.set(
            [
                ("experiment", view.stub.as_str()),
                ("health", view.health.as_str()),
            ],
            view.since.as_second(),
        )?;
    }
    Ok(())
}

/// Groups by the names' stems, which are adjacent because experiments are sorted.
fn groups(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let groups: Vec<&[_]> = snapshot
        .experiments
        .chunk_by(|a, b| stem(a.stub.as_str()) == stem(b.stub.as_str()))
        .collect();
    let mut size = encoder.gauges(
        "labwatch_group_experiments",
        "How many experiments share the name's stem",
    )?;
    for group in &groups {
        size.set([("group", stem_of(group))], count(group.len()))?;
    }
    let mut usable = encoder.gauges(
        "labwatch_group_available",
        "How many of them students can use",
    )?;
    for group in &groups {
        usable.set(
            [("group", stem_of(group))],
            count(group.iter().filter(|view| is_usable(view)).count()),
        )?;
    }
    Ok(())
}

fn stem_of(group: &[Arc<ExperimentView>]) -> &str {
    group.first().map_or("", |view| stem(view.stub.as_str()))
}

fn counts(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let counts = &snapshot.counts;
    let mut health = encoder.gauges(
        "labwatch_experiments",
        "How many experiments have this health",
    )?;
    for (as_str, number) in [
        (Health::Ok.as_str(), counts.ok),
        (Health::Degraded.as_str(), counts.degraded),
        (Health::Flapping.as_str(), counts.flapping),
        (Health::Down.as_str(), counts.down),
        (Health::Unknown.as_str(), counts.unknown),
    ] {
        health.set([("health", as_str)], count(number))?;
    }
    let mut booking = encoder.gauges(
        "labwatch_experiments_unbookable",
        "How many experiments cannot be booked because labwatch withdrew them, because a person holds them, or because book does not list them",
    )?;
    for (why, number) in [
        ("withdrawn", counts.withdrawn),
        ("held", counts.held),
        ("unlisted", counts.unlisted),
    ] {
        booking.set([("why", why)], count(number))?;
    }
    Ok(())
}

fn sources(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut health = encoder.gauges(
        "labwatch_source_health",
        "How the source is: 0 starting, 1 live, 2 late, 3 down",
    )?;
    for name in SourceName::ALL {
        health.set(
            [("source", name.as_str())],
            code(snapshot.source(name).health),
        )?;
    }
    let mut age = encoder.gauges(
        "labwatch_source_report_age_seconds",
        "How long ago the source last reported, in seconds; absent before its first report",
    )?;
    for name in SourceName::ALL {
        if let Some(at) = snapshot.source(name).last_report {
            age.set(
                [("source", name.as_str())],
                snapshot.at.duration_since(at).as_secs_f64().max(0.0),
            )?;
        }
    }
    let mut hides = encoder.gauges(
        "labwatch_source_hides",
        "How many experiments are not evaluated because of the source",
    )?;
    for name in SourceName::ALL {
        hides.set(
            [("source", name.as_str())],
            count(snapshot.source(name).hides),
        )?;
    }
    let mut unreadable = encoder.counts(
        "labwatch_report_entries_unreadable",
        "In how many entries of the source's reports something could not be read",
    )?;
    for name in [SourceName::Relay, SourceName::Jump] {
        unreadable.set(
            [("source", name.as_str())],
            snapshot.source(name).unreadable_entries,
        )?;
    }
    Ok(())
}

fn sampling(encoder: &mut Encoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let sampling = &snapshot.sampling;
    encoder.gauge(
        "labwatch_sampled_streams",
        "How many streams are sampled because relay reports nothing of their traffic",
        count(sampling.streams),
    )?;
    encoder.gauge(
        "labwatch_sampling_round_seconds",
        "How long one round over all of them takes, in seconds",
        sampling.round.as_secs_f64(),
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
