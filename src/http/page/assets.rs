//! The assets of the pages: one style sheet, one script, one icon. Their addresses contain a hash
//! of their content, so that browsers may cache them for long.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use super::state::{STATES, State};
use super::{bars, palette, shapes};

/// The folder of all assets.
pub(super) const FOLDER: &str = "/assets";

/// A file, with an address that contains a hash of its content.
pub(super) struct Asset {
    /// Its name below [`FOLDER`].
    pub(super) name: String,
    /// Its media type.
    pub(super) media: &'static str,
    pub(super) content: String,
    address: String,
}

impl Asset {
    fn new(stem: &str, extension: &str, media: &'static str, content: String) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let name = format!("{stem}-{:016x}.{extension}", hasher.finish());
        let address = format!("{FOLDER}/{name}");
        Self {
            name,
            media,
            content,
            address,
        }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "page",
        "css",
        "text/css; charset=utf-8",
        palette::css() + &bars::css() + include_str!("assets/page.css"),
    )
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "page",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("assets/page.js").to_owned(),
    )
});

static ICONS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    STATES.map(|state| Asset::new(state.as_str(), "svg", "image/svg+xml", shapes::icon(state)))
});

/// The address of the style sheet.
pub(super) fn style() -> &'static str {
    &STYLE.address
}

/// The address of the script.
pub(super) fn script() -> &'static str {
    &SCRIPT.address
}

/// The address of the icon in the shape of a state.
pub(super) fn icon(state: State) -> &'static str {
    let found = STATES
        .into_iter()
        .zip(ICONS.iter())
        .find(|(known, _)| *known == state);
    found.map_or("", |(_, icon)| &icon.address)
}

/// The icon for a browser that requests one without having read a page. It shows nothing of the
/// laboratory.
pub(super) fn plain_icon() -> &'static Asset {
    static PLAIN: LazyLock<Asset> =
        LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", shapes::icon(State::Unknown)));
    &PLAIN
}

/// The asset with this name.
pub(super) fn named(name: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT]
        .into_iter()
        .chain(ICONS.iter())
        .find(|asset| asset.name == name)
}
