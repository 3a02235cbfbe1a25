//! Relay, jump, book and the notification routes as components, read from the engine's snapshot.
//! The mail server is probed in addition.

use jiff::Timestamp;

use super::registry::no_report_for;
use super::state::{Component, Finding, State};
use engine::model::{ComponentName, SourceHealth, SourceName};
use engine::{Link, Snapshot, SourceView};

/// Adds the components that the engine knows about: the sources where a laboratory is watched, and
/// mail where there is a route.
pub(super) fn join(
    components: &mut Vec<Component>,
    snapshot: &Snapshot,
    laboratory: bool,
    now: Timestamp,
) {
    let probed = components
        .iter()
        .position(|component| &*component.name == ComponentName::MAIL)
        .map(|at| components.swap_remove(at));
    components.extend(
        snapshot
            .sources
            .iter()
            .filter(|_| laboratory)
            .map(|source| {
                let (name, finding) = (source.name.as_str(), finding(source, snapshot, now));
                Component::known(name, finding, source.since, source.last_report)
            }),
    );
    components.extend(mail(snapshot).map(|used| worse(used, probed)));
}

/// The worse of what sending found and what the probe found. A server that greets may still refuse
/// every mail until one is accepted; and one that is gone is of no use though the last mail was
/// delivered. A probe without a result does not count.
fn worse(used: Component, probed: Option<Component>) -> Component {
    let Some(probed) = probed.filter(|probed| probed.state() != State::Init) else {
        return used;
    };
    let last_update = used.last_update.max(probed.last_update);
    let worse = if probed.state() > used.state() {
        probed
    } else {
        used
    };
    Component {
        last_update,
        ..worse
    }
}

fn finding(source: &SourceView, snapshot: &Snapshot, now: Timestamp) -> Finding {
    match source.health {
        SourceHealth::Starting => Finding::new(State::Init, "starting: no report yet"),
        SourceHealth::Live
            if source.name == SourceName::Book && snapshot.manifest_lost.is_some() =>
        {
            Finding::new(State::Warn, "book has an empty manifest")
        }
        SourceHealth::Live => Finding::ok(),
        SourceHealth::Late => Finding::new(State::Warn, source.note.clone()),
        SourceHealth::Down => down(source, now),
    }
}

/// A source that is down fails, or has stopped reporting: then its age says more than the socket.
fn down(source: &SourceView, now: Timestamp) -> Finding {
    match (source.last_report, &source.link) {
        (Some(last), Link::Open) if source.name != SourceName::Book => {
            let silent = now.duration_since(last).unsigned_abs();
            Finding::new(State::Stale, no_report_for(silent))
        }
        _ if source.note.is_empty() => Finding::error("it does not answer"),
        _ => Finding::error(source.note.clone()),
    }
}

/// The notification routes as one component. A route that was not needed yet counts as ok, because
/// nothing else is known of it.
fn mail(snapshot: &Snapshot) -> Option<Component> {
    let routes = &snapshot.routes;
    let failing = routes
        .iter()
        .find_map(|route| route.fault.as_ref().map(|fault| (route, fault)));
    let finding = failing.map_or_else(
        || unreached(snapshot),
        |(route, fault)| Finding::error(format!("{}: {fault}", route.name)),
    );
    let last_sent = routes.iter().filter_map(|route| route.last_sent).max();
    let waiting = failing.and_then(|(route, _)| route.waiting_since);
    let last_change = waiting.or(last_sent).unwrap_or(snapshot.started);
    let last_update = last_sent.max(waiting);
    (!routes.is_empty())
        .then(|| Component::known(ComponentName::MAIL, finding, last_change, last_update))
}

/// A route that works, but not for all of its recipients, is a warning. The addresses are for
/// maintainers only.
fn unreached(snapshot: &Snapshot) -> Finding {
    let route = snapshot
        .routes
        .iter()
        .find(|route| !route.unreached.is_empty());
    let Some(route) = route else {
        return Finding::ok();
    };
    let (count, first) = (route.unreached.len(), &route.unreached[0]);
    let (are, since, why) = (
        if count == 1 { "is" } else { "are" },
        route.unreached.iter().map(|one| one.since).min(),
        &first.fault,
    );
    let since = since.unwrap_or(first.since);
    Finding::new(
        State::Warn,
        format!(
            "{}: {count} of its recipients {are} not reached since {since}: {why}",
            route.name
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn mail(state: State, detail: &str, second: i64) -> Component {
        let at = Timestamp::from_second(second).expect("a time");
        let finding = Finding::new(state, detail);
        Component {
            name: Arc::from(ComponentName::MAIL),
            finding,
            last_change: at,
            last_update: Some(at),
            categories: Arc::default(),
            results: Arc::default(),
        }
    }

    #[test]
    fn a_probe_and_a_failed_mail_do_not_hide_each_other() {
        for (used, probed, state, detail) in [
            (State::Ok, State::Ok, State::Ok, "used"),
            (State::Error, State::Ok, State::Error, "used"),
            (State::Ok, State::Error, State::Error, "probed"),
            (State::Ok, State::Stale, State::Stale, "probed"),
            (State::Error, State::Error, State::Error, "used"),
            (State::Ok, State::Init, State::Ok, "used"),
        ] {
            let both = worse(mail(used, "used", 1), Some(mail(probed, "probed", 2)));
            assert_eq!(
                (both.state(), both.detail()),
                (state, detail),
                "{used:?} {probed:?}"
            );
            let newest = if probed == State::Init { 1 } else { 2 };
            assert_eq!(both.last_update.map(Timestamp::as_second), Some(newest));
        }
    }
}
