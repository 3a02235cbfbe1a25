//! book's manifest, as far as it is needed: slots, and the pages on which students open them. An
//! entry that cannot be read is left out and counted.

use std::collections::BTreeMap;

use engine::model::Gather as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::lenient::Readable;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "RawManifest")]
pub struct Manifest {
    /// Slots by name.
    pub slots: BTreeMap<String, Slot>,
    /// The addresses of the pages, by the name of the user interface.
    pub uis: BTreeMap<String, String>,
    /// The names of the user interfaces of each set.
    pub ui_sets: BTreeMap<String, Vec<String>>,
    /// How many entries could not be read.
    pub skipped: usize,
}

/// A slot: something that can be booked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Slot {
    /// The resource that it gives.
    pub resource: String,
    /// Its booking policy.
    pub policy: String,
    /// The set of its user interfaces.
    pub ui_set: String,
}

type Entries<T> = Option<BTreeMap<String, Readable<T>>>;

#[derive(Deserialize)]
struct RawManifest {
    #[serde(default)]
    slots: Entries<Slot>,
    #[serde(default = "nothing")]
    uis: Readable<Entries<RawUi>>,
    #[serde(default = "nothing")]
    ui_sets: Readable<Entries<RawUiSet>>,
}

#[derive(Deserialize)]
struct RawUi {
    url: String,
}

#[derive(Deserialize)]
struct RawUiSet {
    uis: Option<Vec<String>>,
}

fn nothing<T>() -> Readable<Entries<T>> {
    Readable(Some(None))
}

impl From<RawManifest> for Manifest {
    fn from(raw: RawManifest) -> Self {
        let mut skipped = 0;
        let slots = kept(Readable(Some(raw.slots)), &mut skipped);
        let uis = kept(raw.uis, &mut skipped);
        let ui_sets = kept(raw.ui_sets, &mut skipped);
        let names = |set: RawUiSet| set.uis.unwrap_or_default();
        Self {
            slots,
            uis: uis.into_iter().map(|(name, ui)| (name, ui.url)).gather(),
            ui_sets: ui_sets
                .into_iter()
                .map(|(name, set)| (name, names(set)))
                .gather(),
            skipped,
        }
    }
}

/// The entries that can be read.
fn kept<T: DeserializeOwned>(
    entries: Readable<Entries<T>>,
    skipped: &mut usize,
) -> BTreeMap<String, T> {
    let Readable(Some(entries)) = entries else {
        *skipped += 1;
        return BTreeMap::new();
    };
    let entries = entries.unwrap_or_default();
    let all = entries.len();
    let readable = entries
        .into_iter()
        .filter_map(|(name, Readable(entry))| Some((name, entry?)));
    let kept: BTreeMap<String, T> = readable.gather();
    *skipped += all - kept.len();
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(manifest: Value) -> Manifest {
        serde_json::from_value(manifest).expect("a manifest")
    }

    #[test]
    fn it_is_read_as_far_as_it_is_needed() {
        let manifest = read(json!({
            "slots": {"sl-a": {"resource": "r-a", "policy": "p", "ui_set": "us", "window": "w", "description": "d"}},
            "streams": {"st-data": {"for": "data", "connection_type": "session", "url": "https://x/session", "scopes": []}},
            "uis": {"ui-a": {"description": "d", "url": "https://x/ui/?exp={{exp}}", "streams_required": ["st-data"]}},
            "ui_sets": {"us": {"uis": ["ui-a", "ui-gone"]}, "us-none": {"uis": null}},
            "windows": {"w": {"allowed": []}},
        }));
        let slot = Slot {
            resource: "r-a".into(),
            policy: "p".into(),
            ui_set: "us".into(),
        };
        assert_eq!(manifest.slots["sl-a"], slot);
        assert_eq!(manifest.uis["ui-a"], "https://x/ui/?exp={{exp}}");
        assert_eq!(manifest.ui_sets["us"], ["ui-a", "ui-gone"]);
        assert_eq!(manifest.ui_sets["us-none"], [""; 0]);
        for none in [
            json!({}),
            json!({"slots": null, "uis": null, "ui_sets": {}}),
        ] {
            assert_eq!(read(none), Manifest::default());
        }
    }

    #[test]
    fn an_odd_entry_is_left_out_and_hides_nothing_else() {
        let good = json!({"resource": "r-a", "policy": "p", "ui_set": "us"});
        for odd in [
            json!(7),
            json!(null),
            json!({"resource": 7}),
            json!({"resource": "r-b", "policy": null}),
            json!("sl-a"),
        ] {
            let manifest = read(json!({"slots": {"sl-a": good, "sl-b": odd}}));
            assert_eq!(manifest.slots.len(), 1, "{odd}");
            assert_eq!(manifest.skipped, 1, "{odd}");
        }
        for (odd, of) in [
            (json!([]), "uis"),
            (json!({"ui-a": {"url": 7}}), "uis"),
            (json!({"ui-a": "https://x/"}), "uis"),
            (json!("none"), "ui_sets"),
            (json!({"us": {"uis": [7]}}), "ui_sets"),
        ] {
            let manifest = read(json!({"slots": {"sl-a": good}, of: odd}));
            assert_eq!((manifest.slots.len(), manifest.skipped), (1, 1), "{of}");
        }
        let text = r#"{"slots": {"sl-a": {"resource": "r-a", "resource": "r-b"}}}"#;
        let manifest: Manifest = serde_json::from_str(text).expect("a manifest");
        assert_eq!(manifest.slots["sl-a"].resource, "r-b");
        assert!(serde_json::from_value::<Manifest>(json!({"slots": []})).is_err());
    }
}
