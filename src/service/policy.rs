//! Starts the policy in etcd: applies it to the configuration and the engine, and reports it as a
//! component.

use std::sync::Arc;

use tokio::sync::watch;

use super::driver_setup::DriverSetup;
use super::task_set::TaskSet;
use crate::config::{PolicyOverlay, PolicySettings};
use crate::health::Reporter;

/// The policy over the configuration file, as it changes.
pub(super) type Overlay = watch::Receiver<Arc<PolicyOverlay>>;

/// Without etcd there is none: the configuration rejects it before.
#[cfg(not(feature = "etcd"))]
pub(super) fn start(
    _: Option<(&PolicySettings, Reporter)>,
    _: &DriverSetup,
    _: &mut TaskSet,
) -> Option<Overlay> {
    None
}

#[cfg(feature = "etcd")]
pub(super) use with_etcd::start;

#[cfg(feature = "etcd")]
mod with_etcd {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::{Arc, DriverSetup, Overlay, PolicySettings, Reporter, TaskSet, watch};
    use crate::clients::policy::{Known, Links, overlay_of, run};
    use crate::driver::CommandSender;
    use crate::health::{Finding, State};
    use crate::store::{Entry, Store};
    use engine::{Command, Refusal};

    /// The key of the last policy in the store.
    const KEY: &str = "policy";

    /// The actor in records of a category that the policy opens or closes.
    const BY: &str = "etcd";

    /// Follows the policy, if there is one in etcd. Begins with the state from before the start.
    pub(in crate::service) fn start(
        policy: Option<(&PolicySettings, Reporter)>,
        driver: &DriverSetup,
        parts: &mut TaskSet,
    ) -> Option<Overlay> {
        let (settings, reporter) = policy?;
        let known = recall(&driver.keep);
        let (overlay, followed) = watch::channel(Arc::new(overlay_of(settings, &known)));
        let commands = driver.commands.clone();
        let links = Links {
            overlay,
            snapshots: driver.snapshots.clone(),
            keep: keep(driver.store.clone(), known.clone()),
            known,
            give: Box::new(move |name, open| {
                let commands = commands.clone();
                Box::pin(async move { give(&commands, name, open).await })
            }),
            report: Box::new(move |wrong| {
                let warn = |words| Finding::new(State::Warn, words);
                reporter.report(wrong.map_or_else(Finding::ok, warn));
            }),
        };
        parts.spawn("policy", run(settings.clone(), links, parts.stop()));
        Some(followed)
    }

    async fn give(commands: &CommandSender, name: String, open: bool) -> Result<(), String> {
        let reason = format!("enabled is {open} in etcd");
        let command = Command::Category { name, open, reason };
        match commands.give(command, BY.to_owned()).await {
            Ok(_) | Err(Refusal::CategoryAlready { .. }) => Ok(()),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    fn recall(keep: &BTreeMap<String, Value>) -> Known {
        let kept = keep.get(KEY).cloned().map(serde_json::from_value);
        let read = kept.transpose().inspect_err(|error| {
            tracing::warn!(%error, "cannot read the stored policy");
        });
        read.ok().flatten().unwrap_or_default()
    }

    /// Stores the policy whenever it differs from the last one.
    fn keep(store: Option<Store>, mut last: Known) -> Box<dyn FnMut(&Known) + Send> {
        Box::new(move |known| {
            let Some(store) = store.as_ref().filter(|_| last != *known) else {
                return;
            };
            let entry = Entry::Keep {
                key: KEY.to_owned(),
                value: serde_json::to_value(known).ok(),
            };
            if store.write(vec![entry]).is_taken() {
                last.clone_from(known);
            } else {
                tracing::error!(
                    "cannot store the policy for a restart: the store cannot be written"
                );
            }
        })
    }
}
