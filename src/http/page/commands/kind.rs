//! The kinds of commands, and those that apply to an experiment in its present state.

use crate::http::auth::below;
use engine::model::Bookable;
use engine::{ExperimentView, Snapshot, SuppressionKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::page) enum Kind {
    /// A maintainer knows of the problem.
    Acknowledge,
    /// No notifications for a while.
    Silence,
    /// It is worked on at certain times.
    Maintenance,
    /// A person withdraws it.
    Hold,
    /// A person's hold ends.
    Enable,
    /// A suppression ends early.
    End,
    /// A category can be used again.
    Open,
    /// A category cannot be used, whatever its members do.
    Close,
}

impl Kind {
    pub(in crate::http::page) const ALL: [Self; 8] = [
        Self::Acknowledge,
        Self::Silence,
        Self::Maintenance,
        Self::Hold,
        Self::Enable,
        Self::End,
        Self::Open,
        Self::Close,
    ];

    /// Its path.
    pub(in crate::http::page) fn path(self) -> &'static str {
        match self {
            Self::Acknowledge => "/do/acknowledge",
            Self::Silence => "/do/silence",
            Self::Maintenance => "/do/maintenance",
            Self::Hold => "/do/hold",
            Self::Enable => "/do/enable",
            Self::End => "/do/end",
            Self::Open => "/do/open-category",
            Self::Close => "/do/close-category",
        }
    }

    /// The text of its link and its button.
    pub(in crate::http::page) fn verb(self) -> &'static str {
        match self {
            Self::Acknowledge => "Acknowledge",
            Self::Silence => "Silence",
            Self::Maintenance => "Plan maintenance",
            Self::Hold => "Hold",
            Self::Enable => "Enable",
            Self::End => "End",
            Self::Open => "Open",
            Self::Close => "Close",
        }
    }

    /// Its purpose, for a maintainer who uses it for the first time.
    pub(in crate::http::page) fn about(self) -> &'static str {
        match self {
            Self::Acknowledge => {
                "You know of the problem: no more notifications about it until it is ok again or gets worse. Other maintainers see who takes care of it."
            }
            Self::Silence => {
                "No notifications about these experiments for a while, whatever happens to them."
            }
            Self::Maintenance => {
                "Work on these experiments is planned: no notifications about them then, and reports count that time apart."
            }
            Self::Hold => {
                "It cannot be booked or started until a person enables it, however well it works. Students read the reason."
            }
            Self::Enable => {
                "A person's hold ends: it can be booked if it works, and labwatch switches it again."
            }
            Self::End => "It ends before its time: problems that it suppressed are notified again.",
            Self::Open => {
                "A person or a fault has closed the category: open again, it can be used while it works by its rule."
            }
            Self::Close => {
                "Programs that ask about the category get the answer that it cannot be used, however well it works, until a person opens it."
            }
        }
    }

    /// The page that lists its subjects.
    pub(super) fn home(self) -> &'static str {
        match self {
            Self::Acknowledge
            | Self::Silence
            | Self::Maintenance
            | Self::Hold
            | Self::Enable
            | Self::End => "/holds",
            Self::Open | Self::Close => "/categories",
        }
    }

    /// Its verb, and the address of its form with this field filled in.
    fn link(self, field: &str, value: &str) -> (String, String) {
        (self.verb().to_owned(), self.address(&[(field, value)]))
    }

    /// The address of its form with these fields filled in.
    pub(in crate::http::page) fn address(self, fields: &[(&str, &str)]) -> String {
        below(self.path(), fields.iter().copied())
    }
}

/// The commands that apply to an experiment in its present state: the text of each link, and its
/// address.
pub(in crate::http::page) fn about(view: &ExperimentView) -> Vec<(String, String)> {
    let name = view.stub.as_str();
    let suppressed = match view
        .suppression
        .as_ref()
        .map(|suppression| (suppression.kind, suppression.id))
    {
        Some((kind, Some(id))) => Some((
            format!("End the {}", noun(kind)),
            Kind::End.address(&[("id", &id.to_string())]),
        )),
        None if view.health.is_bad() => Some(Kind::Acknowledge.link("name", name)),
        Some((_, None)) | None => None,
    };
    let always = [Kind::Silence, Kind::Maintenance].map(|kind| kind.link("experiments", name));
    let resources = view.resources.iter().filter_map(|resource| {
        let kind = match resource.bookable? {
            Bookable::Held => Kind::Enable,
            Bookable::Yes | Bookable::Withdrawn => Kind::Hold,
        };
        let (verb, address) = kind.link("resource", resource.name.as_str());
        Some((format!("{verb} {}", resource.name), address))
    });
    suppressed
        .into_iter()
        .chain(always)
        .chain(resources)
        .collect()
}

/// The name of a kind of suppression.
fn noun(kind: SuppressionKind) -> &'static str {
    match kind {
        SuppressionKind::Acknowledged => "acknowledgement",
        SuppressionKind::Silenced => "silence",
        SuppressionKind::Maintenance => "maintenance",
    }
}

/// The commands about more than one experiment.
pub(in crate::http::page) fn at_large() -> Vec<(String, String)> {
    [
        Kind::Acknowledge,
        Kind::Silence,
        Kind::Maintenance,
        Kind::Hold,
    ]
    .map(|kind| (kind.verb().to_owned(), kind.address(&[])))
    .to_vec()
}

/// The experiment whose resource this is.
pub(super) fn owner<'a>(snapshot: &'a Snapshot, resource: &str) -> Option<&'a ExperimentView> {
    let owns =
        |view: &&ExperimentView| view.resources.iter().any(|of| of.name.as_str() == resource);
    snapshot.experiments.iter().map(AsRef::as_ref).find(owns)
}
