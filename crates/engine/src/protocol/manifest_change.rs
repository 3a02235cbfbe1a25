//! How book's manifest changed, and how that is said.

use std::fmt;

use crate::model::ResourceName;

/// How book's manifest changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestChange {
    /// Book gives an empty manifest: it has lost it. What was known is kept.
    Lost,
    /// Book has a manifest again.
    Back,
    /// The list of resources is another than before.
    Changed {
        /// Resources that are new.
        added: Vec<ResourceName>,
        /// Resources that are gone.
        removed: Vec<ResourceName>,
    },
}

impl fmt::Display for ManifestChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str(
                "book gives an empty manifest: upload it again; until then what was known is kept and nothing is switched",
            ),
            Self::Back => f.write_str("book has a manifest again"),
            Self::Changed { added, removed } => {
                let parts: Vec<String> = [("new in book", added), ("gone from book", removed)]
                    .iter()
                    .filter(|(_, names)| !names.is_empty())
                    .map(|(what, names)| format!("{what}: {}", list(names)))
                    .collect();
                f.write_str(&parts.join("; "))
            }
        }
    }
}

/// The most names that one line lists.
const NAMED: usize = 10;

fn list(names: &[ResourceName]) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(ResourceName::as_str).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
