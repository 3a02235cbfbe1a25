//! The closed sets of values of version 2. Each is generated from the type that the rest of
//! labwatch decides with, so a missing value does not compile, and the document lists them all.

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{health, store};
use engine::model::{self, CallError};
use engine::{self, Severity};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident of $from:ty { $($(#[$about:meta])* $variant:ident = $pattern:pat,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        #[allow(clippy::enum_variant_names, reason = "the variants are the words of the API")]
        pub(in crate::http) enum $name {
            $($(#[$about])* $variant,)*
        }

        impl From<$from> for $name {
            fn from(from: $from) -> Self {
                match from { $($pattern => Self::$variant,)* }
            }
        }
    )*};
}

words! {
    /// The state of a component: `warn` can be used with a loss, `init` has no evidence yet,
    /// `stale` has too old evidence.
    ComponentState of health::State {
        Ok = health::State::Ok,
        Warn = health::State::Warn,
        Init = health::State::Init,
        Stale = health::State::Stale,
        Error = health::State::Error,
    }

    /// The health of an experiment: `degraded` is usable with a loss, `flapping` changes too often,
    /// `unknown` is not evaluated.
    Health of model::Health {
        Ok = model::Health::Ok,
        Degraded = model::Health::Degraded,
        Flapping = model::Health::Flapping,
        Down = model::Health::Down,
        Unknown = model::Health::Unknown,
    }

    /// Whether something can be booked and, if not, who withdrew it: `withdrawn` by a monitor,
    /// `held` by a person.
    Bookable of Option<model::Bookable> {
        Bookable = Some(model::Bookable::Yes),
        Withdrawn = Some(model::Bookable::Withdrawn),
        Held = Some(model::Bookable::Held),
        Unknown = None,
    }

    /// The state of a jump connection.
    JumpHealth of model::JumpHealth {
        Up = model::JumpHealth::Up,
        Lost = model::JumpHealth::Lost,
        Unknown = model::JumpHealth::Unknown,
    }

    /// The health of a stream: `silent` is connected and sends nothing.
    StreamHealth of model::StreamHealth {
        Active = model::StreamHealth::Active,
        Silent = model::StreamHealth::Silent,
        Missing = model::StreamHealth::Missing,
        Unknown = model::StreamHealth::Unknown,
    }

    /// The evidence that a stream transmits: relay's statistics, a sample, or none: connected
    /// counts as active.
    Evidence of engine::Evidence {
        Statistics = engine::Evidence::Statistics,
        Sampled = engine::Evidence::Sampled(_),
        Unverified = engine::Evidence::Unverified,
    }

    /// The kind of contradiction between health and bookability.
    Mismatch of engine::Mismatch {
        WorksNotBookable = engine::Mismatch::WorksNotBookable,
        DownBookable = engine::Mismatch::DownBookable,
    }

    /// The kind of suppression of notifications about an experiment.
    SuppressionKind of engine::SuppressionKind {
        Acknowledged = engine::SuppressionKind::Acknowledged,
        Silenced = engine::SuppressionKind::Silenced,
        Maintenance = engine::SuppressionKind::Maintenance,
    }

    /// The health of a page that students open: `unknown` has not been checked, or labwatch itself
    /// prevented the check; `fails` did so twice in a row.
    PageHealth of engine::PageHealth {
        Unknown = engine::PageHealth::Unknown,
        Works = engine::PageHealth::Works,
        Fails = engine::PageHealth::Fails,
    }

    /// A server that labwatch gets data from.
    SourceName of model::SourceName {
        Relay = model::SourceName::Relay,
        Jump = model::SourceName::Jump,
        Book = model::SourceName::Book,
    }

    /// The health of a source: `late` is slower than its usual pace, and the reports of one that is
    /// `down` do not count.
    SourceHealth of model::SourceHealth {
        Starting = model::SourceHealth::Starting,
        Live = model::SourceHealth::Live,
        Late = model::SourceHealth::Late,
        Down = model::SourceHealth::Down,
    }

    /// The state of the connection to a source. Book is polled; its connection is not reported.
    Link of &engine::Link {
        Connecting = engine::Link::Connecting,
        Open = engine::Link::Open | engine::Link::OpenByProxy | engine::Link::Unreadable(_),
        Failed = engine::Link::Failed(_),
        Closed = engine::Link::Closed(_) | engine::Link::Broken(_) | engine::Link::GivenUp,
    }

    /// Whether relay forwards messages, as the canary shows: `unknown` while it is not connected.
    Forwarding of engine::Forwarding {
        Unknown = engine::Forwarding::Off | engine::Forwarding::Unknown,
        Works = engine::Forwarding::Works,
        Late = engine::Forwarding::Late,
        Stopped = engine::Forwarding::Stopped,
    }

    /// The channel of a route.
    Channel of engine::Channel {
        Mail = engine::Channel::Mail,
        Webhook = engine::Channel::Http(engine::HttpChannel::Webhook),
        Alertmanager = engine::Channel::Http(engine::HttpChannel::Alertmanager),
        Slack = engine::Channel::Http(engine::HttpChannel::Slack),
        Teams = engine::Channel::Http(engine::HttpChannel::Teams),
        Matrix = engine::Channel::Http(engine::HttpChannel::Matrix),
        Ntfy = engine::Channel::Http(engine::HttpChannel::Ntfy),
    }

    /// Whether this replica acts, or only watches.
    Role of engine::Role {
        Leader = engine::Role::Leader,
        Follower = engine::Role::Follower,
    }

    /// What lost experiments have in common: an address, a subnet, or the stem of their names.
    CauseKind of engine::CauseKind {
        Address = engine::CauseKind::Address,
        Subnet = engine::CauseKind::Subnet,
        Stem = engine::CauseKind::Stem,
    }

    /// Whether the usable experiments of a pool are enough for what is booked within 24 h.
    PoolSeverity of Severity {
        NoneAffected = Severity::NoneAffected,
        Spare = Severity::Spare(_),
        Short = Severity::Short { .. },
    }

    /// The state of a notification: `superseded` is not sent, because a newer one replaces it.
    OutboxState of store::OutboxState {
        Pending = store::OutboxState::Pending,
        Sent = store::OutboxState::Sent,
        Refused = store::OutboxState::Refused,
        Superseded = store::OutboxState::Superseded,
    }

    /// Why there is no history: labwatch did not run or its machine slept, or its disk could not be
    /// written.
    GapCause of store::GapCause {
        Off = store::GapCause::Off,
        Lost = store::GapCause::Lost,
    }

    /// The kind of subject of an acknowledgement.
    SubjectKind of &engine::Subject {
        Experiment = engine::Subject::Experiment(_),
        Component = engine::Subject::Component(_),
        Installation = engine::Subject::Installation,
    }

    /// The kind of subject of an incident.
    IncidentKind of &store::Subject {
        Experiment = store::Subject::Experiment(_),
        Source = store::Subject::Source(_),
    }

    /// A day of the week.
    Day of engine::Day {
        Mon = engine::Day::Mon,
        Tue = engine::Day::Tue,
        Wed = engine::Day::Wed,
        Thu = engine::Day::Thu,
        Fri = engine::Day::Fri,
        Sat = engine::Day::Sat,
        Sun = engine::Day::Sun,
    }
}

impl From<Day> for engine::Day {
    fn from(day: Day) -> Self {
        match day {
            Day::Mon => Self::Mon,
            Day::Tue => Self::Tue,
            Day::Wed => Self::Wed,
            Day::Thu => Self::Thu,
            Day::Fri => Self::Fri,
            Day::Sat => Self::Sat,
            Day::Sun => Self::Sun,
        }
    }
}

/// Why a call of another server failed, or why its data cannot be used (`unreadable`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) enum Fault {
    NameLookup,
    Refused,
    NoRoute,
    Tls,
    Certificate,
    Unreachable,
    Proxy,
    Timeout,
    Dropped,
    NoAnswer,
    Credentials,
    Audience,
    Forbidden,
    NotFound,
    Sick,
    SickByProxy,
    Protocol,
    Busy,
    Unreadable,
}

impl From<&CallError> for Fault {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::NameLookup(_) => Self::NameLookup,
            CallError::Refused(_) => Self::Refused,
            CallError::NoRoute(_) => Self::NoRoute,
            CallError::Tls(_) => Self::Tls,
            CallError::Certificate(_) => Self::Certificate,
            CallError::Unreachable(_) => Self::Unreachable,
            CallError::Proxy(_) => Self::Proxy,
            CallError::TimedOut => Self::Timeout,
            CallError::Dropped => Self::Dropped,
            CallError::NoAnswer(_) => Self::NoAnswer,
            CallError::Credentials(_) => Self::Credentials,
            CallError::Audience(_) => Self::Audience,
            CallError::Forbidden(_) => Self::Forbidden,
            CallError::NotFound(_) => Self::NotFound,
            CallError::Sick { .. } => Self::Sick,
            CallError::SickByProxy { .. } => Self::SickByProxy,
            CallError::Protocol(_) => Self::Protocol,
            CallError::Busy => Self::Busy,
        }
    }
}

/// The outcome of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SwitchOutcome {
    Confirmed,
    Held,
    Gone,
    Failed,
}

impl SwitchOutcome {
    /// The outcome with this name in the history.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
        Self::deserialize(word).ok()
    }
}
