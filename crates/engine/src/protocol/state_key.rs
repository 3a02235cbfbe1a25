//! Keys of the durable state as text, and back.

use std::fmt;
use std::str::FromStr;

use crate::model::{ResourceName, RouteName, SourceName, Stub};
use crate::protocol::{Alert, Counter, NotificationSubject, StateKey};
use crate::suppressions::{Subject, SuppressionId};

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Experiment(stub) => write!(f, "experiment/{stub}"),
            Self::Notified(route, subject) => {
                write!(f, "notified/{}/{subject}", segment(route.as_str()))
            }
            Self::Unsteady(route, stub) => {
                write!(f, "unsteady/{}/{stub}", segment(route.as_str()))
            }
            Self::Closing(route, stub) => {
                write!(f, "closing/{}/{stub}", segment(route.as_str()))
            }
            Self::Reminder(route) => write!(f, "reminder/{route}"),
            Self::Lane(name) => write!(f, "lane/{name}"),
            Self::Outbox(id) => write!(f, "outbox/{id}"),
            Self::Acknowledgement(subject) => match subject {
                Subject::Experiment(stub) => write!(f, "acknowledgement/experiment/{stub}"),
                Subject::Component(name) => write!(f, "acknowledgement/component/{name}"),
                Subject::Installation => f.write_str("acknowledgement/installation"),
            },
            Self::Silence(id) => write!(f, "silence/{id}"),
            Self::Maintenance(id) => write!(f, "maintenance/{id}"),
            Self::Category(name) => write!(f, "category/{name}"),
            Self::Hold(resource) => write!(f, "hold/{resource}"),
            Self::Request(resource) => write!(f, "request/{resource}"),
            Self::Source(name) => write!(f, "source/{name}"),
            Self::Pools => f.write_str("pools"),
            Self::Last(Counter::Summary) => f.write_str("last/summary"),
            Self::Last(Counter::Suppression) => f.write_str("last/suppression"),
        }
    }
}

impl fmt::Display for NotificationSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Experiment(stub) => write!(f, "experiment/{stub}"),
            Self::Alert(alert) => write!(f, "alert/{}", alert.word()),
        }
    }
}

/// A key that this version does not know: of another part, or of a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKey;

impl FromStr for StateKey {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        key(text).ok_or(UnknownKey)
    }
}

fn key(text: &str) -> Option<StateKey> {
    let (kind, rest) = text.split_once('/').unwrap_or((text, ""));
    let id = || rest.parse().ok().map(SuppressionId);
    match kind {
        "experiment" => Stub::try_new(rest).ok().map(StateKey::Experiment),
        "notified" => {
            let (route, about) = rest.split_once('/')?;
            let route = RouteName::try_new(&unescaped(route)?).ok()?;
            Some(StateKey::Notified(route, subject(about)?))
        }
        "unsteady" => of_route(rest).map(|(route, stub)| StateKey::Unsteady(route, stub)),
        "closing" => of_route(rest).map(|(route, stub)| StateKey::Closing(route, stub)),
        "reminder" => RouteName::try_new(rest).ok().map(StateKey::Reminder),
        "lane" => RouteName::try_new(rest).ok().map(StateKey::Lane),
        "outbox" => rest.parse().ok().map(StateKey::Outbox),
        "acknowledgement" => acknowledged(rest).map(StateKey::Acknowledgement),
        "silence" => id().map(StateKey::Silence),
        "maintenance" => id().map(StateKey::Maintenance),
        "category" if !rest.is_empty() => Some(StateKey::Category(rest.to_owned())),
        "hold" => ResourceName::try_new(rest).ok().map(StateKey::Hold),
        "request" => ResourceName::try_new(rest).ok().map(StateKey::Request),
        "source" => SourceName::named(rest).map(StateKey::Source),
        "pools" if rest.is_empty() => Some(StateKey::Pools),
        "last" => match rest {
            "summary" => Some(StateKey::Last(Counter::Summary)),
            "suppression" => Some(StateKey::Last(Counter::Suppression)),
            _ => None,
        },
        _ => None,
    }
}

/// A key of a route and an experiment.
fn of_route(text: &str) -> Option<(RouteName, Stub)> {
    let (route, stub) = text.split_once('/')?;
    let route = RouteName::try_new(&unescaped(route)?).ok()?;
    Some((route, Stub::try_new(stub).ok()?))
}

fn subject(text: &str) -> Option<NotificationSubject> {
    match text.split_once('/')? {
        ("experiment", stub) => Stub::try_new(stub)
            .ok()
            .map(NotificationSubject::Experiment),
        ("alert", alert) => Alert::try_from(alert.to_owned())
            .ok()
            .map(NotificationSubject::Alert),
        _ => None,
    }
}

fn acknowledged(text: &str) -> Option<Subject> {
    match text.split_once('/') {
        None if text == "installation" => Some(Subject::Installation),
        Some(("experiment", stub)) => Stub::try_new(stub).ok().map(Subject::Experiment),
        Some(("component", name)) => Some(Subject::Component(name.to_owned())),
        None | Some(_) => None,
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

fn unescaped(segment: &str) -> Option<String> {
    let rest = segment.replace("%2F", "/");
    let mut plain = String::with_capacity(rest.len());
    let mut parts = rest.split('%');
    plain.push_str(parts.next()?);
    for part in parts {
        plain.push('%');
        plain.push_str(part.strip_prefix("25")?);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ComponentName;

    #[test]
    fn a_key_as_text_is_read_back() {
        let route = RouteName::try_new("a/%2F%b").expect("a name");
        let stub = Stub::try_new("pend/00").expect("a name");
        let resource = ResourceName::try_new("r pend/00").expect("a name");
        let wiki = ComponentName::try_new("wiki").expect("a name");
        let about =
            [Alert::Blind, Alert::Sampling, Alert::Component(wiki)].map(NotificationSubject::Alert);
        let about = about
            .into_iter()
            .chain([NotificationSubject::Experiment(stub.clone())]);
        let notified = about.map(|subject| StateKey::Notified(route.clone(), subject));
        let acknowledged = [
            Subject::Experiment(stub.clone()),
            Subject::Component("a/b".to_owned()),
            Subject::Installation,
        ];
        let others = [
            StateKey::Unsteady(route.clone(), stub.clone()),
            StateKey::Closing(route.clone(), stub.clone()),
            StateKey::Experiment(stub),
            StateKey::Reminder(route.clone()),
            StateKey::Lane(route.lane(3)),
            StateKey::Outbox(7),
            StateKey::Silence(SuppressionId(3)),
            StateKey::Maintenance(SuppressionId(4)),
            StateKey::Category("exam/1".to_owned()),
            StateKey::Hold(resource.clone()),
            StateKey::Request(resource),
            StateKey::Source(SourceName::Relay),
            StateKey::Pools,
            StateKey::Last(Counter::Summary),
            StateKey::Last(Counter::Suppression),
        ];
        let all = notified
            .chain(acknowledged.map(StateKey::Acknowledgement))
            .chain(others);
        for key in all {
            assert_eq!(key.to_string().parse(), Ok(key.clone()), "{key}");
        }
        for unknown in [
            "",
            "revoked/1",
            "outbox/x",
            "notified/a",
            "pools/x",
            "last/x",
        ] {
            assert_eq!(unknown.parse::<StateKey>(), Err(UnknownKey), "{unknown}");
        }
    }
}
