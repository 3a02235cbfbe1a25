//! Records as text: for the log, the replay and the demo.

use std::fmt;
use std::time::Duration;

use crate::model::{
    Availability, PageName, ResourceName, RouteName, SourceHealth, SourceName, Visibility,
    format_duration,
};
use crate::protocol::audience::{Delivered, Lane};
use crate::protocol::category::CategoryState;
use crate::protocol::command::ManualOverride;
use crate::protocol::delivery_fault::{DeliveryFault, Outlook};
use crate::protocol::input::SwitchOutcome;
use crate::protocol::record::{ManifestChange, Record};

impl fmt::Display for Record {
    /// The text that every reader may see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words(Visibility::PUBLIC, f)
    }
}

/// A record as text for a reader.
#[derive(Debug, Clone, Copy)]
pub struct RecordFor<'a>(pub &'a Record, pub Visibility);

const CUT_OFF: &str =
    "relay, jump and book are all silent: labwatch is probably cut off; nothing is switched";

impl fmt::Display for RecordFor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.words(self.1, f)
    }
}

impl Record {
    fn words(&self, reader: Visibility, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { stub, event } => write!(f, "{stub} {event}"),
            Self::Switching(switch) => write!(f, "{switch}"),
            Self::Switched {
                resource, outcome, ..
            } => switched(f, resource, outcome, reader),
            Self::Source {
                name,
                health,
                note,
                said,
            } => source(f, *name, *health, said.show(reader).unwrap_or(note)),
            Self::Hold { resource, reason } => held(f, resource, reason.as_deref()),
            Self::Requested {
                resource,
                manual_override,
            } => requested(f, resource, manual_override.as_ref()),
            Self::Category { name, state } => category(f, name, state),
            Self::Commanded { order, .. } => write!(f, "{}: {}", order.by, order.command),
            Self::Suppression { entry, .. } => {
                write!(f, "the {} of {} begins", entry.noun(), entry.about())
            }
            Self::SuppressionEnded(ended) => write!(f, "{ended}"),
            Self::Seen(stub) => write!(f, "{stub} is seen for the first time"),
            Self::Forgotten(stub) => write!(
                f,
                "{stub} is forgotten: book does not list it, and it was not seen for a day"
            ),
            Self::Notified { route, .. } => write!(f, "what {route} was notified of is kept"),
            Self::RouteGone(route) => write!(
                f,
                "route {route} is not configured any more: what it was notified of is forgotten"
            ),
            Self::Manifest(change) => write!(f, "{change}"),
            Self::Bookings(changes) => write!(f, "{} bookings changed", changes.len()),
            Self::Pools(pools) => write!(f, "there are {} pools of experiments", pools.len()),
            Self::Blind(true) => f.write_str(CUT_OFF),
            Self::Blind(false) => {
                f.write_str("labwatch receives reports from the laboratory again")
            }
            Self::SecondLook { lost, of } => write!(
                f,
                "{lost} of {of} experiments are lost at once: nothing is withdrawn before a second look shows the same"
            ),
            Self::Page {
                page,
                note,
                said,
                resources,
                ..
            } => page_is(f, page, *resources, said.show(reader).unwrap_or(note)),
            Self::Notifying(notification) => write!(f, "{}", notification.summary),
            Self::Retrying { id, route, attempt } => write!(
                f,
                "message #{id} to {route} is sent again, attempt {attempt}"
            ),
            Self::Lane { name, lane } => divided(f, name, lane.as_ref()),
            Self::Waiting {
                id, lane, until, ..
            } => {
                write!(f, "message #{id} to {lane} waits until {until}")
            }
            Self::Superseded(id) => write!(f, "message #{id} is superseded"),
            Self::Delivered { id, outcome } => delivered(f, *id, outcome, reader),
            Self::Sampling {
                streams,
                round,
                keeps_up,
                failures,
            } => sampling(f, *streams, *round, *keeps_up, *failures),
        }
    }
}

fn page_is(
    f: &mut fmt::Formatter<'_>,
    page: &PageName,
    resources: usize,
    said: &str,
) -> fmt::Result {
    let plural = if resources == 1 { "" } else { "s" };
    write!(
        f,
        "the page {page}, on which students open {resources} resource{plural}, {said}"
    )
}

fn sampling(
    f: &mut fmt::Formatter<'_>,
    streams: usize,
    round: Duration,
    keeps_up: bool,
    failures: u32,
) -> fmt::Result {
    let millis = u64::try_from(round.as_millis()).unwrap_or(u64::MAX);
    let round = format_duration(Duration::from_millis(millis));
    let how = keeping_up(keeps_up);
    write!(
        f,
        "sampling {how}: {streams} streams, a round takes {round}, {failures} failures in a row"
    )
}

fn divided(f: &mut fmt::Formatter<'_>, name: &RouteName, lane: Option<&Lane>) -> fmt::Result {
    match lane {
        Some(Lane { of, recipients }) => {
            write!(
                f,
                "{} recipients of {of} are notified apart",
                recipients.len()
            )
        }
        None => write!(f, "recipients of {name} know what the others know"),
    }
}

fn source(
    f: &mut fmt::Formatter<'_>,
    name: SourceName,
    health: SourceHealth,
    note: &str,
) -> fmt::Result {
    match note {
        "" => write!(f, "{name} is {health}"),
        note => write!(f, "{name} is {health}: {note}"),
    }
}

fn held(f: &mut fmt::Formatter<'_>, resource: &ResourceName, reason: Option<&str>) -> fmt::Result {
    match reason {
        Some(reason) => write!(f, "{resource} is held by a person: \"{reason}\""),
        None => write!(f, "the hold on {resource} is gone"),
    }
}

fn keeping_up(keeps_up: bool) -> &'static str {
    if keeps_up {
        "keeps up"
    } else {
        "does not keep up"
    }
}

fn delivered(
    f: &mut fmt::Formatter<'_>,
    id: u64,
    outcome: &Result<Delivered, DeliveryFault>,
    reader: Visibility,
) -> fmt::Result {
    let delivered = match outcome {
        Ok(delivered) => delivered,
        Err(failed) => {
            let how = match failed.outlook {
                Outlook::Passing => "",
                Outlook::Refused => " (for good)",
                Outlook::Unknown => " (it may have arrived)",
            };
            return write!(
                f,
                "message #{id} not sent: {}{how}",
                failed.fault.words(reader)
            );
        }
    };
    write!(f, "message #{id} sent")?;
    for (at, one) in delivered.unreached.iter().enumerate() {
        f.write_str(if at == 0 {
            ", but not to "
        } else {
            "; nor to "
        })?;
        f.write_str(one.recipient.show(reader).unwrap_or("one recipient"))?;
        write!(f, ": {}", one.fault.words(reader))?;
        f.write_str(match one.outlook {
            Outlook::Passing => "",
            Outlook::Refused => " (for good)",
            Outlook::Unknown => " (it may have arrived)",
        })?;
    }
    Ok(())
}

fn switched(
    f: &mut fmt::Formatter<'_>,
    resource: &ResourceName,
    outcome: &SwitchOutcome,
    reader: Visibility,
) -> fmt::Result {
    match outcome {
        SwitchOutcome::Confirmed(said) => {
            write!(f, "book confirms: {resource} is {}", said.bookable())
        }
        SwitchOutcome::Held(Availability { reason, .. }) => {
            write!(f, "{resource} left alone, a person holds it: \"{reason}\"")
        }
        SwitchOutcome::Gone => write!(f, "{resource} not switched: book does not know it"),
        SwitchOutcome::Failed(fault) => {
            write!(f, "{resource} not switched: {}", fault.words(reader))
        }
    }
}

fn category(f: &mut fmt::Formatter<'_>, name: &str, state: &CategoryState) -> fmt::Result {
    let CategoryState {
        by,
        reason,
        quarantined,
        ..
    } = state;
    if state.enabled {
        return write!(f, "category {name} is opened by {by}: {reason}");
    }
    write!(f, "category {name} is closed by {by}: {reason}")?;
    match quarantined.len() {
        0 => Ok(()),
        n => write!(f, "; {n} experiments stay withdrawn until it is opened"),
    }
}

fn requested(
    f: &mut fmt::Formatter<'_>,
    resource: &ResourceName,
    manual_override: Option<&ManualOverride>,
) -> fmt::Result {
    match manual_override {
        Some(ManualOverride::Hold(_)) => {
            write!(f, "a person's hold of {resource} is to be written")
        }
        Some(ManualOverride::Enable) => {
            write!(f, "a person's release of {resource} is to be written")
        }
        None => write!(f, "what a person asked of {resource} is done"),
    }
}

impl fmt::Display for ManifestChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str(
                "book gives an empty manifest: upload it again; until then what was known is kept and nothing is switched",
            ),
            Self::Back => f.write_str("book has a manifest again"),
            Self::Changed { added, removed } => {
                let parts: Vec<String> = [("new in book", added), ("gone from book", removed)]
                    .iter()
                    .filter(|(_, names)| !names.is_empty())
                    .map(|(what, names)| format!("{what}: {}", list(names)))
                    .collect();
                f.write_str(&parts.join("; "))
            }
        }
    }
}

/// The most names that one line lists.
const NAMED: usize = 10;

fn list(names: &[ResourceName]) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(ResourceName::as_str).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
