//! The resources of book's manifest, as far as they can be watched.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::client::{Listed, Resources, bounded};
use super::lenient::Readable;
use engine::model::{NameError, ResourceName, Stub, Topic};

/// A resource as book gives it.
#[derive(Deserialize)]
pub(super) struct RawResource {
    topic_stub: String,
    streams: Option<Vec<String>>,
}

/// Takes what can be watched. A resource with an unusable stream is left out whole: judged without that stream it would pass for well.
pub(super) fn read_resources(raw: BTreeMap<String, Readable<RawResource>>) -> Resources {
    let mut resources = Resources::default();
    for (name, Readable(resource)) in raw {
        if let Some((name, listed)) = resource.and_then(|resource| read_resource(&name, resource)) {
            drop(resources.listed.insert(name, listed));
        } else {
            resources.skipped += 1;
            if is_a_step(&name) {
                resources.refused.push(bounded(&name).to_owned());
            }
        }
    }
    resources
}

/// Whether a path with this name in it is another path once it is normalised, as proxies do it after decoding: `./r` would switch `r`.
fn is_a_step(name: &str) -> bool {
    let mut pieces = name.split('/');
    !name.is_empty() && pieces.any(|piece| matches!(piece, "" | "." | ".."))
}

fn read_resource(name: &str, raw: RawResource) -> Option<(ResourceName, Listed)> {
    let name = ResourceName::try_new(name)
        .ok()
        .filter(|name| !is_a_step(name.as_str()))?;
    let stub = Stub::try_new(&raw.topic_stub).ok()?;
    let keys = raw.streams.unwrap_or_default();
    let mut streams = keys
        .iter()
        .map(|key| Topic::of(&stub, key))
        .collect::<Result<Vec<_>, NameError>>()
        .ok()?;
    streams.sort();
    streams.dedup();
    Some((name, Listed { stub, streams }))
}
