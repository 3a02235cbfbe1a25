//! The log of what happens in the laboratory: each record once, at the level of its consequence.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use engine::model::SourceName;
use engine::{Level, Record, Snapshot, SwitchOutcome};

/// Logs a record at its level, with its subject as fields.
pub fn note(record: &Record) {
    let Fields {
        experiment,
        resource,
        source,
        route,
        summary,
        number,
        health,
        fault,
        page,
        by,
    } = Fields::of(record);
    macro_rules! line {
        ($level:ident) => {
            $level!(
                experiment, resource, source, route, summary, number, health, fault, page, by,
                "{record}"
            )
        };
    }
    match record.level() {
        Level::Debug => line!(debug),
        Level::Info => line!(info),
        Level::Warn => line!(warn),
        Level::Error => line!(error),
    }
}

/// The subject of a record: fields that are `None` are not written.
#[derive(Default)]
struct Fields<'a> {
    experiment: Option<&'a str>,
    resource: Option<&'a str>,
    source: Option<&'a str>,
    route: Option<&'a str>,
    summary: Option<u64>,
    number: Option<u64>,
    health: Option<&'a str>,
    fault: Option<&'a str>,
    page: Option<&'a str>,
    by: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(record: &'a Record) -> Self {
        let mut fields = Self::default();
        match record {
            Record::Event { stub, event } => {
                let health = event.health.as_str();
                (fields.experiment, fields.health) = (Some(stub.as_str()), Some(health));
            }
            Record::Switching(switch) => {
                let (stub, resource) = (switch.stub.as_str(), switch.resource.as_str());
                (fields.experiment, fields.resource) = (Some(stub), Some(resource));
            }
            Record::Switched {
                resource,
                stub,
                outcome,
            } => {
                (fields.experiment, fields.resource) =
                    (Some(stub.as_str()), Some(resource.as_str()));
                if let SwitchOutcome::Failed(fault) = outcome {
                    fields.fault = Some(fault.as_str());
                }
            }
            Record::Source { name, health, .. } => {
                (fields.source, fields.health) = (Some(name.as_str()), Some(health.as_str()));
            }
            Record::Hold { resource, .. } | Record::Requested { resource, .. } => {
                fields.resource = Some(resource.as_str());
            }
            Record::Category { state, .. } => fields.by = Some(&state.by),
            Record::Commanded { order, .. } => fields.by = Some(&order.by),
            Record::Suppression { id, entry } => {
                (fields.number, fields.by) = (Some(id.0), Some(entry.who()));
            }
            Record::SuppressionEnded(ended) => {
                (fields.number, fields.by) = (Some(ended.id.0), Some(ended.entry.who()));
            }
            Record::Seen(stub) | Record::Forgotten(stub) => fields.experiment = Some(stub.as_str()),
            Record::Notified { route, .. } | Record::RouteGone(route) => {
                fields.route = Some(route.as_str());
            }
            Record::Notifying(summary) => {
                (fields.summary, fields.route) = (Some(summary.id), Some(summary.route.as_str()));
            }
            Record::Superseded(id) => fields.summary = Some(*id),
            Record::Retrying { id, route, .. }
            | Record::Waiting {
                id, lane: route, ..
            } => {
                (fields.summary, fields.route) = (Some(*id), Some(route.as_str()));
            }
            Record::Lane { name, .. } => fields.route = Some(name.as_str()),
            Record::Delivered { id, outcome } => {
                fields.summary = Some(*id);
                fields.fault = match outcome {
                    Ok(delivered) => delivered.unreached.first().map(|one| one.fault.as_str()),
                    Err(fault) => Some(fault.fault.as_str()),
                };
            }
            Record::Page { page, health, .. } => {
                (fields.page, fields.health) = (Some(page.as_str()), Some(health.as_str()));
            }
            Record::Manifest(_)
            | Record::Bookings(_)
            | Record::Pools(_)
            | Record::Blind(_)
            | Record::SecondLook { .. }
            | Record::Sampling { .. } => {}
        }
        fields
    }
}

/// Logs a summary of the laboratory, once every `every`, until `stop`.
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
