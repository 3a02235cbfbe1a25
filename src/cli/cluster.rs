//! `labwatch cluster`: shows the replicas, resigns as leader, and moves the state of this host into
//! the cluster and out of it.

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::Value;

use super::ask::{self, Where};
use super::failure::Failure;
use super::output::{Output, say};
use crate::config::Sources;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Print which replica leads, which there are, and how etcd is, as the running labwatch sees
    /// it.
    Status {
        #[command(flatten)]
        place: Where,
        /// How the answer is written.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
        /// The same as --output json.
        #[arg(long)]
        json: bool,
    },
    /// Have the running labwatch give the lead up, for example before work on its host. It comes
    /// back as a follower.
    Resign {
        #[command(flatten)]
        place: Where,
    },
    /// Write what this host's labwatch knows, from its store, into etcd: for the first of several
    /// hosts. Stop all replicas before.
    Import {
        /// Also where etcd has other entries already, which are lost then.
        #[arg(long)]
        replace: bool,
    },
    /// Write what the cluster knows into this host's store, so that labwatch goes on from there
    /// with cluster solo. Stop labwatch before.
    Leave,
}

/// Carries it out.
///
/// # Errors
/// [`Failure`] when that fails.
pub fn run(command: &ClusterCommand, sources: &Sources) -> Result<(), Failure> {
    match command {
        ClusterCommand::Status {
            place,
            output,
            json,
        } => status(place, *json || *output == Output::Json, sources),
        ClusterCommand::Resign { place } => resign(place, sources),
        ClusterCommand::Import { replace } => state::import(sources, *replace),
        ClusterCommand::Leave => state::leave(sources),
    }
}

fn status(place: &Where, json: bool, sources: &Sources) -> Result<(), Failure> {
    let asked = place.find(sources)?;
    let answer = ask::run(asked.get(&["api", "v2", "cluster"], &[]))?;
    if json {
        return say(&serde_json::to_string_pretty(&answer.body).unwrap_or_default());
    }
    say(&words(&answer.body))?;
    let is_ok = answer.body["mode"] == "solo"
        || (answer.body["etcd"]["ok"] == true && !answer.body["leader"].is_null());
    if is_ok { Ok(()) } else { Err(Failure::NotOk) }
}

fn resign(place: &Where, sources: &Sources) -> Result<(), Failure> {
    let asked = place.find(sources)?;
    let answer = ask::run(asked.post(&["api", "v2", "cluster", "resign"]))?;
    if answer.is_ok() {
        return say("It leads no more. Another replica takes over, where there is one.");
    }
    let why = answer.body["detail"]
        .as_str()
        .unwrap_or("it does not say why");
    Err(Failure::Failed(format!(
        "The leader does not resign: {why}."
    )))
}

/// The answer as lines of text.
fn words(body: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    if body["mode"] == "solo" {
        return "solo: this labwatch is the only one.".to_owned();
    }
    let (name, role) = (text(&body["name"]), text(&body["role"]));
    let mut lines = format!("{name} is {role} since {}", text(&body["since"]));
    if let Some(left) = body["lease_left_seconds"].as_f64() {
        // Writing to a string cannot fail.
        let _ = write!(lines, ", its lease is proven for another {left:.1} s");
    }
    let replicas = body["replicas"].as_array().map_or(&[][..], Vec::as_slice);
    if body["leader"].is_null() {
        lines += "\nno replica leads";
    }
    for (at, replica) in replicas.iter().enumerate() {
        let what = if at == 0 && !body["leader"].is_null() {
            "leads"
        } else {
            "waits"
        };
        let url = replica["url"].as_str().unwrap_or_default();
        let (name, version) = (text(&replica["name"]), text(&replica["version"]));
        let _ = write!(lines, "\n{what}  {name}  {version}  {url}");
    }
    let etcd = &body["etcd"];
    let how = match etcd["fault"].as_str() {
        Some(fault) => fault.to_owned(),
        None if etcd["ok"] == true => "ok".to_owned(),
        None => "not reached yet".to_owned(),
    };
    let _ = write!(
        lines,
        "\netcd: {how}, since {}, last answer {}",
        text(&etcd["since"]),
        text(&etcd["heard"])
    );
    lines
}

#[cfg(not(feature = "etcd"))]
mod state {
    use crate::cli::Failure;
    use crate::cluster::NOT_BUILT_IN;
    use crate::config::Sources;

    pub(super) fn import(_: &Sources, _: bool) -> Result<(), Failure> {
        Err(Failure::Failed(format!("{NOT_BUILT_IN}.")))
    }

    pub(super) fn leave(_: &Sources) -> Result<(), Failure> {
        Err(Failure::Failed(format!("{NOT_BUILT_IN}.")))
    }
}

#[cfg(feature = "etcd")]
mod state {
    use super::{ask, say};
    use crate::cli::Failure;
    use crate::cluster::{self, difference, unpacked};
    use crate::config::{ClusterSettings, Config, Sources, load};
    use crate::service::store_settings;
    use crate::store::{Entry, Store, StoreError, StoredState};

    /// Writes the state in the store into etcd.
    pub(super) fn import(sources: &Sources, is_replacing: bool) -> Result<(), Failure> {
        let config = load(sources)?.config;
        let (settings, (store, stored)) = (settings(&config)?, open(&config)?);
        let written = ask::run(async {
            Box::pin(cluster::write_state(settings, &stored.state, is_replacing))
                .await
                .map_err(|why| Failure::Failed(format!("It is not imported: {why}.")))
        });
        store.close();
        let (count, known) = (written?, stored.state.len());
        say(&format!(
            "etcd has the {known} entries of this host below {}; {count} of them were others or missing there.",
            settings.etcd.prefix
        ))
    }

    /// Writes the state in etcd into the store. Entries that this version does not understand are
    /// kept too.
    pub(super) fn leave(sources: &Sources) -> Result<(), Failure> {
        let config = load(sources)?.config;
        let (settings, (store, stored)) = (settings(&config)?, open(&config)?);
        let read = ask::run(async {
            Box::pin(cluster::read_state(settings))
                .await
                .map_err(|fault| Failure::Failed(format!("Nothing is changed here: {fault}.")))
        });
        let (map, _) = read.inspect_err(|_| store.close())?;
        if map.is_empty() {
            store.close();
            let why = format!("etcd has no state below {}.", settings.etcd.prefix);
            return Err(Failure::Failed(format!("Nothing is changed here: {why}")));
        }
        let changes = difference(&stored.state, &map.state());
        let unknown = map.unknown().filter_map(|(key, value)| {
            let value = serde_json::from_slice(&unpacked(value)?).ok()?;
            let key = key.to_owned();
            Some(Entry::Keep {
                key,
                value: Some(value),
            })
        });
        let entries: Vec<Entry> = changes
            .into_iter()
            .map(Entry::State)
            .chain(unknown)
            .collect();
        let count = entries.len();
        let is_taken = entries.is_empty() || store.write(entries).is_taken();
        store.close();
        if !is_taken || store.health().lost > 0 {
            let why = "The store of this host does not take it: check data_dir and its disk.";
            return Err(Failure::Failed(why.to_owned()));
        }
        say(&format!(
            "The store of this host has the state of the cluster; {count} entries were others or missing here. Set cluster to solo before the next start."
        ))
    }

    fn settings(config: &Config) -> Result<&ClusterSettings, Failure> {
        config.cluster.as_ref().ok_or_else(|| {
            Failure::Usage("cluster is solo: set it to etcd, with cluster_endpoints.".to_owned())
        })
    }

    fn open(config: &Config) -> Result<(Store, StoredState), Failure> {
        let Some(settings) = store_settings(config) else {
            return Err(Failure::Usage(
                "data_dir is none: there is no store.".to_owned(),
            ));
        };
        Store::open(&settings).map_err(|error| match error {
            StoreError::InUse { .. } => Failure::Occupied(format!("{error}. Stop it first.")),
            StoreError::Folder { .. } | StoreError::TooNew { .. } | StoreError::Thread(_) => {
                Failure::Failed(format!("{error}."))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cluster_in_words() {
        let mut body = json!({
            "mode": "etcd", "name": "watch1", "role": "leader", "since": "2026-11-30T08:00:00.000Z",
            "lease_left_seconds": 7.25,
            "leader": {"name": "watch1"},
            "replicas": [
                {"name": "watch1", "url": "http://watch1:3007/", "version": "0.1.0"},
                {"name": "watch2", "url": null, "version": "0.1.0"},
            ],
            "etcd": {"ok": true, "since": "2026-11-30T07:00:00.000Z", "heard": "2026-11-30T08:10:00.000Z", "fault": null},
        });
        assert_eq!(
            words(&body),
            "watch1 is leader since 2026-11-30T08:00:00.000Z, its lease is proven for another 7.2 s\n\
             leads  watch1  0.1.0  http://watch1:3007/\n\
             waits  watch2  0.1.0  \n\
             etcd: ok, since 2026-11-30T07:00:00.000Z, last answer 2026-11-30T08:10:00.000Z"
        );
        body["leader"] = Value::Null;
        let without = words(&body);
        assert!(
            without.contains("\nno replica leads\nwaits  watch1"),
            "{without}"
        );
        assert_eq!(
            words(&json!({"mode": "solo"})),
            "solo: this labwatch is the only one."
        );
    }
}
