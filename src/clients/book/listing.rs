//! The resources of book's manifest that can be watched.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient::Readable;
use engine::model::{NameError, ResourceName, Stub, Topic};

/// The longest stored reason, in bytes; the rest is cut off.
pub const MAX_REASON_BYTES: usize = 1_000;

/// The resources of book's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// Those that can be watched, by name. Empty when book has no manifest.
    pub listed: BTreeMap<ResourceName, Listed>,
    /// How many were left out, because a name is empty, too long or otherwise unusable.
    pub skipped: usize,
    /// Those of them that were left out because a proxy would interpret their names as path
    /// segments
    /// such as `..`, and so as other resources.
    pub refused: Vec<String>,
}

/// A resource in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The experiment of the resource.
    pub stub: Stub,
    /// The required streams, sorted.
    pub streams: Vec<Topic>,
}

/// A resource as book sends it.
#[derive(Deserialize)]
pub(super) struct RawResource {
    topic_stub: String,
    streams: Option<Vec<String>>,
}

/// The resources that can be watched. A resource with an unusable stream is left out as a whole:
/// evaluated without that stream it would pass for ok.
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

/// Whether a path with this name in it is another path once it is normalised, as proxies do it
/// after decoding: `./r` would switch `r`.
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

/// The beginning of a reason: a person who types one into book may paste anything.
pub(super) fn bounded(reason: &str) -> &str {
    let end = (0..=MAX_REASON_BYTES.min(reason.len()))
        .rev()
        .find(|&at| reason.is_char_boundary(at))
        .unwrap_or(0);
    &reason[..end]
}
