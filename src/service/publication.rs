//! Starts publication: what is published, and its component.

use std::sync::Arc;

use tokio::sync::watch;

use super::task_set::TaskSet;
use crate::config::PublicationSettings;
use crate::effects::Window;
use crate::effects::publish::{self, AGENT, Changes, Entry, IsWanted, Links, key_of};
use crate::health::dialects::{Published, published};
use crate::health::{Finding, HealthState, Reporter, State};
use engine::{Role, Snapshot};

/// Publishes if configured.
pub(super) fn start(
    publication: Option<(&PublicationSettings, Reporter)>,
    (health_state, snapshots): (&HealthState, watch::Receiver<Arc<Snapshot>>),
    window: Option<Window>,
    parts: &mut TaskSet,
) {
    let Some((settings, reporter)) = publication else {
        return;
    };
    let (health, roles) = (health_state.clone(), snapshots.clone());
    let links = Links {
        entries: Box::new(move |is_wanted| entries(&health, is_wanted)),
        leads: Box::new(move || roles.borrow().role == Role::Leader),
        window,
        report: Box::new(move |outcome| {
            reporter.report(outcome.map_or_else(
                |why| Finding::new(State::Warn, format!("the status is not published: {why}")),
                |()| Finding::ok(),
            ));
        }),
        changes: Changes {
            snapshots,
            components: health_state.component_changes(),
        },
    };
    let publishing = publish::run(settings.clone(), links, parts.stop());
    parts.spawn("publication", publishing);
}

fn entries(health_state: &HealthState, is_wanted: IsWanted<'_>) -> Vec<Entry> {
    let health = health_state.snapshot();
    let key = |about: Published<'_>| match about {
        Published::Agent => AGENT.to_owned(),
        Published::Plugin(name) => key_of("plugin", name),
        Published::Experiment(name) => key_of("experiment", name),
    };
    let values = published(&health, |about, mark| is_wanted(&key(about), mark));
    let values = values.inspect_err(|error| {
        tracing::error!(%error, "cannot build the published values");
    });
    let entry = |(about, mark, value)| Entry {
        key: key(about),
        mark,
        value,
    };
    values.unwrap_or_default().into_iter().map(entry).collect()
}
