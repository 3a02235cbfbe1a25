//! Records as text: for the log, the replay and the demo.

use std::fmt;
use std::time::Duration;

use crate::model::{Availability, PageName, ResourceName, RouteName, Visibility, format_duration};
use crate::protocol::{
    CategoryState, Delivered, DeliveryFault, Lane, ManifestChange, ManualOverride, Outlook, Record,
    SwitchOutcome,
};

impl fmt::Display for Record {
    /// The text that every reader may see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Visibility::PUBLIC))
    }
}

const CUT_OFF: &str =
    "relay, jump and book are all silent: labwatch is probably cut off; nothing is switched";

impl Record {
    /// In the words for a reader.
    pub fn words(&self, reader: Visibility) -> String {
        match self {
            Self::Event { stub, event } => format!("{stub} {event}"),
            Self::Switching(switch) => switch.to_string(),
            Self::Switched {
                resource, outcome, ..
            } => switched(resource, outcome, reader),
            Self::Source {
                name,
                health,
                note,
                said,
            } => match said.show(reader).unwrap_or(note).as_str() {
                "" => format!("{name} is {health}"),
                note => format!("{name} is {health}: {note}"),
            },
            Self::Hold { resource, reason } => match reason {
                Some(reason) => format!("{resource} is held by a person: \"{reason}\""),
                None => format!("the hold on {resource} is gone"),
            },
            Self::Requested {
                resource,
                manual_override,
            } => requested(resource, manual_override.as_ref()),
            Self::Category { name, state } => category(name, state),
            Self::Commanded { order, .. } => format!("{}: {}", order.by, order.command),
            Self::Suppression { entry, .. } => {
                format!("the {} of {} begins", entry.noun(), entry.about())
            }
            Self::SuppressionEnded(ended) => ended.to_string(),
            Self::Seen(stub) => format!("{stub} is seen for the first time"),
            Self::Forgotten(stub) => {
                format!("{stub} is forgotten: book does not list it, and it was not seen for a day")
            }
            Self::Manifest(change) => change.to_string(),
            Self::Bookings(changes) => format!("{} bookings changed", changes.len()),
            Self::Pools(pools) => format!("there are {} pools of experiments", pools.len()),
            Self::Blind(true) => CUT_OFF.to_owned(),
            Self::Blind(false) => "labwatch receives reports from the laboratory again".to_owned(),
            Self::SecondLook { lost, of } => format!(
                "{lost} of {of} experiments are lost at once: nothing is withdrawn before a second look shows the same"
            ),
            Self::Page {
                page,
                note,
                said,
                resources,
                ..
            } => page_is(page, *resources, said.show(reader).unwrap_or(note)),
            Self::Sampling {
                streams,
                round,
                keeps_up,
                failures,
            } => sampling(*streams, *round, *keeps_up, *failures),
            Self::Notified { route, .. } => format!("what {route} was notified of is kept"),
            Self::RouteGone(route) => format!(
                "route {route} is not configured any more: what it was notified of is forgotten"
            ),
            Self::Notifying(notification) => notification.summary.to_string(),
            Self::Retrying { id, route, attempt } => {
                format!("message #{id} to {route} is sent again, attempt {attempt}")
            }
            Self::Lane { name, lane } => divided(name, lane.as_ref()),
            Self::Waiting {
                id, lane, until, ..
            } => format!("message #{id} to {lane} waits until {until}"),
            Self::Superseded(id) => format!("message #{id} is superseded"),
            Self::Delivered { id, outcome } => delivered(*id, outcome, reader),
        }
    }
}

fn page_is(page: &PageName, resources: usize, said: &str) -> String {
    let plural = if resources == 1 { "" } else { "s" };
    format!("the page {page}, on which students open {resources} resource{plural}, {said}")
}

fn sampling(streams: usize, round: Duration, keeps_up: bool, failures: u32) -> String {
    let millis = u64::try_from(round.as_millis()).unwrap_or(u64::MAX);
    let round = format_duration(Duration::from_millis(millis));
    let how = if keeps_up {
        "keeps up"
    } else {
        "does not keep up"
    };
    format!("sampler {how}: {streams} streams, a round takes {round}, {failures} failures in a row")
}

fn divided(name: &RouteName, lane: Option<&Lane>) -> String {
    match lane {
        Some(Lane { of, recipients }) => {
            format!("{} recipients of {of} are notified apart", recipients.len())
        }
        None => format!("recipients of {name} know what the others know"),
    }
}

fn delivered(id: u64, outcome: &Result<Delivered, DeliveryFault>, reader: Visibility) -> String {
    let how = |outlook| match outlook {
        Outlook::Passing => "",
        Outlook::Refused => " (for good)",
        Outlook::Unknown => " (it may have arrived)",
    };
    let failed = match outcome {
        Err(failed) => {
            let why = failed.fault.words(reader);
            return format!("message #{id} not sent: {why}{}", how(failed.outlook));
        }
        Ok(delivered) if delivered.unreached.is_empty() => return format!("message #{id} sent"),
        Ok(delivered) => delivered.unreached.iter().map(|one| {
            let who = one.recipient.show(reader).unwrap_or("one recipient");
            format!("{who}: {}{}", one.fault.words(reader), how(one.outlook))
        }),
    };
    let failed: Vec<String> = failed.collect();
    format!(
        "message #{id} sent, but not to {}",
        failed.join("; nor to ")
    )
}

fn switched(resource: &ResourceName, outcome: &SwitchOutcome, reader: Visibility) -> String {
    match outcome {
        SwitchOutcome::Confirmed(said) => {
            format!("book confirms: {resource} is {}", said.bookable())
        }
        SwitchOutcome::Held(Availability { reason, .. }) => {
            format!("{resource} left alone, a person holds it: \"{reason}\"")
        }
        SwitchOutcome::Gone => format!("{resource} not switched: book does not know it"),
        SwitchOutcome::Failed(fault) => {
            format!("{resource} not switched: {}", fault.words(reader))
        }
    }
}

fn category(name: &str, state: &CategoryState) -> String {
    let change = if state.enabled { "opened" } else { "closed" };
    let quarantine = match state.quarantined.len() {
        n if n > 0 && !state.enabled => {
            format!("; {n} experiments stay withdrawn until it is opened")
        }
        _ => String::new(),
    };
    let CategoryState { by, reason, .. } = state;
    format!("category {name} is {change} by {by}: {reason}{quarantine}")
}

fn requested(resource: &ResourceName, manual_override: Option<&ManualOverride>) -> String {
    match manual_override {
        Some(ManualOverride::Hold(_)) => format!("a person's hold of {resource} is to be written"),
        Some(ManualOverride::Enable) => {
            format!("a person's release of {resource} is to be written")
        }
        None => format!("what a person asked of {resource} is done"),
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
                    .map(|(what, names)| format!("{what}: {}", first_of(names, NAMED)))
                    .collect();
                f.write_str(&parts.join("; "))
            }
        }
    }
}

/// The most names that one line lists.
const NAMED: usize = 10;

/// The first few names.
pub(crate) fn first_of(names: &[impl fmt::Display], most: usize) -> String {
    let first: Vec<String> = names.iter().take(most).map(ToString::to_string).collect();
    match names.len().saturating_sub(most) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
