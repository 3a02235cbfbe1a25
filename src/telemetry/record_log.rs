//! The log of what happens in the laboratory: each record once, at the level of its consequence.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use engine::model::{
    CallError, Health, ResourceName, SourceHealth, SourceName, Stub, format_duration,
};
use engine::{
    Ended, Ending, Event, ManifestChange, Record, Snapshot, Summary, SuppressionId, Switch,
    SwitchOutcome,
};

/// The most names that one line lists.
const NAMED: usize = 10;

/// Writes a record to the log.
#[expect(clippy::too_many_lines, reason = "one flat text for each record")]
pub fn note(record: &Record) {
    match record {
        Record::Event { stub, event } => note_event(stub, event),
        Record::Switching(switch) => note_switching(switch),
        Record::Switched {
            resource,
            stub,
            outcome,
        } => note_switched(resource, stub, outcome),
        Record::Source {
            name, health, note, ..
        } => note_source(*name, *health, note),
        Record::Hold {
            resource,
            reason: Some(reason),
        } => info!(%resource, reason, "a person holds the resource; it is left alone"),
        Record::Hold {
            resource,
            reason: None,
        } => info!(%resource, "the resource is not held by a person any more"),
        Record::Commanded { order, receipt } => {
            info!(by = order.by, command = %order.command, numbers = numbers(&receipt.ids), "{} commands: {}", order.by, order.command);
        }
        Record::Wished {
            resource,
            manual_override: Some(manual_override),
        } => debug!(%resource, ?manual_override, "a person's wish is to be written into book"),
        Record::Wished {
            resource,
            manual_override: None,
        } => debug!(%resource, "a person's wish stands in book"),
        Record::Suppression { id, entry } => debug!(
            number = id.0,
            "the {} of {} begins to count",
            entry.noun(),
            entry.about()
        ),
        Record::QuietEnded(ended) => note_quiet_ended(ended),
        Record::Seen(stub) => debug!(experiment = %stub, "{stub} is seen for the first time"),
        Record::Forgotten(stub) => {
            info!(experiment = %stub, "{stub} is forgotten: book does not list it, and it was not seen for a day");
        }
        Record::Notified { .. } => {}
        Record::RouteGone(route) => {
            info!(%route, "the route is not configured any more; what was told on it is forgotten");
        }
        Record::Bookings(changes) => debug!(changes = changes.len(), "bookings changed"),
        Record::Pools(pools) => info!(
            pools = pools.len(),
            "the pools of experiments are others than before"
        ),
        Record::Manifest(change) => note_manifest(change),
        Record::Blind(true) => error!(
            "relay, jump and book are all silent: labwatch is probably cut off; nothing is switched"
        ),
        Record::Blind(false) => info!("labwatch hears from the laboratory again"),
        Record::Telling(summary) => note_telling(summary),
        Record::Delivered {
            id,
            outcome: Ok(()),
        } => info!(summary = id, "the summary is sent"),
        Record::Delivered {
            id,
            outcome: Err(fault),
        } if fault.permanent => {
            error!(
                summary = id,
                fault = fault.fault.as_str(),
                "the summary is refused for good; it is kept until something changes: {}",
                fault.fault
            );
        }
        Record::Delivered {
            id,
            outcome: Err(fault),
        } => {
            warn!(
                summary = id,
                fault = fault.fault.as_str(),
                "the summary is not sent, it is tried again: {}",
                fault.fault
            );
        }
        Record::Sampling {
            streams,
            round,
            keeps_up,
            failures,
        } => note_sampling(*streams, *round, *keeps_up, *failures),
    }
}

fn note_event(stub: &Stub, event: &Event) {
    let issues = event
        .issues
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let (health, was, why) = (event.health, event.was, event.why);
    match health {
        Health::Down => warn!(experiment = %stub, %health, %was, issues, %why, "{stub} is down"),
        Health::Flapping => {
            warn!(experiment = %stub, %health, %was, issues, %why, "{stub} comes and goes: it is withdrawn until it is steady");
        }
        Health::Degraded => {
            warn!(experiment = %stub, %health, %was, issues, %why, "{stub} is degraded");
        }
        Health::Ok => info!(experiment = %stub, %health, %was, %why, "{stub} is ok"),
        Health::Unknown => info!(experiment = %stub, %health, %was, %why, "{stub} is not judged"),
    }
}

fn numbers(ids: &[SuppressionId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn note_quiet_ended(ended: &Ended) {
    let (number, about, noun, by) = (
        ended.id.0,
        ended.entry.about(),
        ended.entry.noun(),
        ended.entry.who(),
    );
    match &ended.ending {
        Ending::Expired => info!(number, by, "the {noun} of {about} ends: its time is over"),
        Ending::Recovered => info!(number, by, "the {noun} of {about} ends: it is well again"),
        Ending::Worse => info!(number, by, "the {noun} of {about} ends: it got worse"),
        Ending::Gone => info!(number, by, "the {noun} of {about} ends: it is forgotten"),
        Ending::Removed { who } => info!(number, by, "the {noun} of {about} ends: {who} ended it"),
    }
}

fn note_switching(switch: &Switch) {
    let Switch {
        resource,
        stub,
        available,
        reason,
        by_person,
    } = switch;
    let what = if *available {
        "giving back"
    } else {
        "withdrawing"
    };
    info!(%resource, experiment = %stub, available, reason, by_person, "{what} {resource} in book");
}

fn note_switched(resource: &ResourceName, stub: &Stub, outcome: &SwitchOutcome) {
    match outcome {
        SwitchOutcome::Confirmed(said) => {
            info!(%resource, experiment = %stub, available = said.available, "book confirms: {resource} is {}", said.bookable());
        }
        SwitchOutcome::Held(said) => {
            info!(%resource, experiment = %stub, reason = said.reason, "a person holds {resource}: nothing was written");
        }
        SwitchOutcome::Gone => {
            warn!(%resource, experiment = %stub, "book does not know {resource}");
        }
        SwitchOutcome::Failed(fault) => note_failed_switch(resource, stub, fault),
    }
}

/// What a person has to mend is an error; what is tried again by itself is a warning.
fn note_failed_switch(resource: &ResourceName, stub: &Stub, fault: &CallError) {
    if fault.refuses_us() {
        error!(%resource, experiment = %stub, fault = fault.as_str(), "cannot switch {resource}: {fault}");
    } else {
        warn!(%resource, experiment = %stub, fault = fault.as_str(), "cannot switch {resource} now, it is tried again: {fault}");
    }
}

fn note_source(source: SourceName, health: SourceHealth, note: &str) {
    match health {
        SourceHealth::Live | SourceHealth::Starting => {
            info!(%source, %health, "{source} is {health}");
        }
        SourceHealth::Late => warn!(%source, %health, "{note}"),
        SourceHealth::Down => error!(%source, %health, "{note}"),
    }
}

fn note_manifest(change: &ManifestChange) {
    match change {
        ManifestChange::Lost => {
            error!("book gives an empty manifest: upload it again. Until then nothing is switched");
        }
        ManifestChange::Back => info!("book has a manifest again"),
        ManifestChange::Changed { added, removed } => {
            info!(
                added = added.len(),
                removed = removed.len(),
                "book's manifest: new {}, gone {}",
                names(added),
                names(removed)
            );
        }
    }
}

fn names(resources: &[ResourceName]) -> String {
    if resources.is_empty() {
        return "none".to_owned();
    }
    let named: Vec<&str> = resources
        .iter()
        .take(NAMED)
        .map(ResourceName::as_str)
        .collect();
    match resources.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn note_telling(summary: &Summary) {
    let Summary {
        id,
        route,
        news,
        problems,
        alerts,
        ..
    } = summary;
    let (channel, occasion) = (summary.channel.as_str(), summary.occasion.as_str());
    info!(summary = id, %route, channel, occasion, news = news.len(), problems = problems.len(), alerts = alerts.len(), "telling people");
}

fn note_sampling(streams: usize, round: Duration, keeps_up: bool, failures: u32) {
    let round = format_duration(round);
    if keeps_up {
        info!(
            streams,
            "relay's reports have no statistics: streams are listened to, each within STATUS_HEALTH_LAST_ACTIVE"
        );
    } else if failures > 0 {
        warn!(
            streams,
            failures, "streams cannot be listened to; connected counts as active"
        );
    } else {
        warn!(
            streams,
            round,
            "listening to all streams takes longer than STATUS_HEALTH_LAST_ACTIVE: raise that, or STATUS_SAMPLE_AT_ONCE"
        );
    }
}

/// Writes how everything is into the log, once every `every`, until `stop`.
pub async fn summarise(
    snapshots: watch::Receiver<Arc<Snapshot>>,
    every: Duration,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let snapshot = Arc::clone(&snapshots.borrow());
        let counts = snapshot.counts;
        let [relay, jump, book] = [SourceName::Relay, SourceName::Jump, SourceName::Book]
            .map(|name| snapshot.source(name).health);
        info!(
            total = counts.total,
            ok = counts.ok,
            degraded = counts.degraded,
            flapping = counts.flapping,
            down = counts.down,
            unknown = counts.unknown,
            withdrawn = counts.withdrawn,
            held = counts.held,
            unlisted = counts.unlisted,
            %relay,
            %jump,
            %book,
            "{} of {} experiments are ok",
            counts.ok,
            counts.total
        );
    }
}
