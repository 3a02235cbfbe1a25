//! The flash message after a command. The address holds only the kind of command; the text comes
//! from the snapshot.

use maud::{Markup, html};

use super::fields::Fields;
use crate::http::auth::below;
use crate::http::page::filter::address_of;
use crate::http::page::layout::Frame;
use crate::http::page::shapes::shape;
use crate::http::page::words::{self, clip};
use engine::model::Bookable;
use engine::{ManualOverride, Receipt, Snapshot, SuppressionId};

/// The most numbers that an address holds.
const MAX_IDS: usize = 20;

/// A command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::page) struct Flash {
    pub(super) about: About,
    /// Whether it survives a restart.
    pub(super) kept: bool,
}

/// The subject of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// Suppressions begin.
    Suppression(Vec<SuppressionId>),
    /// A suppression ends.
    Ended(SuppressionId),
    /// A manual override of this resource in book is requested.
    Override(String),
    /// A category was opened or closed.
    Category {
        /// Its name.
        name: String,
        /// Whether it was opened.
        open: bool,
    },
}

impl Flash {
    /// The command that the query of an address holds, if any.
    pub(in crate::http::page) fn of(query: Option<&str>) -> Option<Self> {
        let fields = Fields::of(query?.as_bytes());
        let mut ids = fields
            .get("of")
            .split(',')
            .filter_map(|id| id.parse().ok())
            .map(SuppressionId)
            .take(MAX_IDS);
        let about = match fields.get("did") {
            "suppressed" => Some(About::Suppression(ids.collect())),
            "ended" => ids.next().map(About::Ended),
            "overridden" => Some(About::Override(fields.get("of").to_owned())),
            did @ ("opened" | "closed") => Some(About::Category {
                name: fields.get("of").to_owned(),
                open: did == "opened",
            }),
            _ => None,
        };
        about.map(|about| Self {
            about,
            kept: fields.get("kept") != "no",
        })
    }

    /// The address of the page with the message: the experiment's where it is about one, or else
    /// the list of holds and silences.
    pub(super) fn address(&self, receipt: &Receipt) -> String {
        let page = match receipt.effect.stubs.as_slice() {
            _ if matches!(self.about, About::Category { .. }) => "/categories".to_owned(),
            [stub] => address_of("/experiments", stub.as_str()),
            _ => "/holds".to_owned(),
        };
        let list = |ids: &[SuppressionId]| {
            ids.iter()
                .take(MAX_IDS)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        let (did, of) = match &self.about {
            About::Suppression(ids) => ("suppressed", list(ids)),
            About::Ended(id) => ("ended", id.to_string()),
            About::Override(resource) => ("overridden", resource.clone()),
            About::Category { name, open } => {
                (if *open { "opened" } else { "closed" }, name.clone())
            }
        };
        let kept = (!self.kept).then_some(("kept", "no"));
        below(&page, [("did", did), ("of", &of)].into_iter().chain(kept))
    }

    /// The message.
    pub(in crate::http::page) fn note(&self, frame: &Frame<'_>) -> Markup {
        html! { div.banner.is-ok #done role="status" { (shape("ok")) p {
            strong { "Done. " } (self.words(frame))
            @if !self.kept { " The store cannot be written: after a restart it is lost, unless you do it again." }
        } } }
    }

    fn words(&self, frame: &Frame<'_>) -> Markup {
        let snapshot = frame.snapshot;
        let known = |id: &SuppressionId| snapshot.notes.iter().find(|note| note.id == Some(*id));
        html! {
            @match &self.about {
                About::Suppression(ids) => {
                    @for note in ids.iter().filter_map(known) {
                        "The " (note.entry.noun()) " of " strong { (clip(&note.entry.about())) } " stands"
                        @if let Some(until) = note.entry.over_at() { " until " (words::time(until, frame.now)) }
                        ". "
                    }
                    @if !ids.iter().any(|id| known(id).is_some()) { "It is over already." }
                },
                About::Ended(id) if known(id).is_some() => "It is about to end.",
                About::Ended(_) => "It is over: problems are notified again.",
                About::Override(resource) => (override_state(snapshot, resource)),
                About::Category { name, open } => (switched(frame, name, *open)),
            }
        }
    }
}

/// The state of a resource after a manual override.
fn override_state(snapshot: &Snapshot, resource: &str) -> Markup {
    let found = snapshot
        .experiments
        .iter()
        .flat_map(|view| &view.resources)
        .find(|of| of.name.as_str() == resource);
    let words = match found.map(|of| (&of.manual_override, of.bookable)) {
        None => "is not in book any more.",
        Some((Some(ManualOverride::Hold(_)), _)) => {
            "is being held: labwatch writes it to book now."
        }
        Some((Some(ManualOverride::Enable), _)) => {
            "is being enabled: labwatch writes it to book now."
        }
        Some((None, Some(Bookable::Held))) => "is held by a person: book has confirmed it.",
        Some((None, Some(Bookable::Yes))) => "can be booked again: book has confirmed it.",
        Some((None, Some(Bookable::Withdrawn))) => {
            "is not held any more. labwatch keeps it withdrawn until it works."
        }
        Some((None, None)) => "waits for book.",
    };
    html! { strong { (clip(resource)) } " " (words) }
}

/// The state of a category after a person opened or closed it.
fn switched(frame: &Frame<'_>, name: &str, open: bool) -> Markup {
    let enabled = frame
        .categories
        .and_then(|known| {
            known
                .category_statuses()
                .into_iter()
                .find(|of| of.rules.name == name)
        })
        .map(|of| of.enabled);
    let words = match (enabled, open) {
        (None, _) => "is not there any more.",
        (Some(true), true) => "is open.",
        (Some(false), false) => "is closed until a person opens it.",
        (Some(true), false) => "has been opened since.",
        (Some(false), true) => "has been closed since.",
    };
    html! { "The category " strong { (clip(name)) } " " (words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_write_is_understood() {
        let said = |about| Some(Flash { about, kept: true });
        assert_eq!(
            Flash::of(Some("did=suppressed&of=7%2C8")),
            said(About::Suppression(vec![SuppressionId(7), SuppressionId(8)]))
        );
        assert_eq!(
            Flash::of(Some("did=ended&of=7")),
            said(About::Ended(SuppressionId(7)))
        );
        assert_eq!(
            Flash::of(Some("did=overridden&of=r-a&kept=no")),
            Some(Flash {
                about: About::Override("r-a".into()),
                kept: false
            })
        );
        assert_eq!(
            Flash::of(Some("did=closed&of=pend")),
            said(About::Category {
                name: "pend".into(),
                open: false
            })
        );
        assert_eq!(Flash::of(Some("did=ended&of=x")), None);
        assert_eq!(Flash::of(Some("did=everything")), None);
        assert_eq!(Flash::of(None), None);
    }
}
