//! The start of the publication: what is published, and how it goes as a component.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::TaskSet;
use crate::config::PublicationSettings;
use crate::effects::Window;
use crate::effects::publish::{self, AGENT, Changes, Entry, Links, key_of};
use crate::health::dialects::{Published, published};
use crate::health::{Finding, HealthState, Reporter, State};
use engine::{Role, Snapshot};

/// Publishes where that is set.
pub(super) fn start(
    publication: Option<(&PublicationSettings, Reporter)>,
    (health_state, snapshots): (&HealthState, watch::Receiver<Arc<Snapshot>>),
    window: Option<Window>,
    parts: &mut TaskSet,
    stop: &CancellationToken,
) {
    let Some((settings, reporter)) = publication else {
        return;
    };
    let (pictures, roles) = (health_state.clone(), snapshots.clone());
    let links = Links {
        values: Box::new(move || entries(&pictures)),
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
    let publishing = publish::run(settings.clone(), links, stop.clone());
    parts.spawn("publication", publishing);
}

fn entries(health_state: &HealthState) -> Vec<Entry> {
    let picture = health_state.picture();
    let values = published(&picture).inspect_err(|error| {
        tracing::error!(%error, "cannot make what is to be published");
    });
    let entry = |(about, mark, value): (Published<'_>, u64, Vec<u8>)| Entry {
        key: match about {
            Published::Agent => AGENT.to_owned(),
            Published::Plugin(name) => key_of("plugin", name),
            Published::Experiment(name) => key_of("experiment", name),
        },
        mark,
        value,
    };
    values.unwrap_or_default().into_iter().map(entry).collect()
}
