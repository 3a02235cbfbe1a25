//! The closed sets of words of version 2. Each is made of the type that the rest of labwatch
//! decides with, so a word that is missing here does not compile, and the document lists them all.

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
    /// How a component is: `warn` can be used with a loss, `init` has not shown how it is yet, of one that is `stale` that is not known any more.
    ComponentState of health::State {
        Ok = health::State::Ok,
        Warn = health::State::Warn,
        Init = health::State::Init,
        Stale = health::State::Stale,
        Error = health::State::Error,
    }

    /// How an experiment is: `degraded` is usable with a loss, `flapping` comes and goes too often, `unknown` is not evaluated.
    Health of model::Health {
        Ok = model::Health::Ok,
        Degraded = model::Health::Degraded,
        Flapping = model::Health::Flapping,
        Down = model::Health::Down,
        Unknown = model::Health::Unknown,
    }

    /// Whether something can be booked and, where not, by whose word: `withdrawn` by a monitor, `held` by a person.
    Bookable of Option<model::Bookable> {
        Bookable = Some(model::Bookable::Yes),
        Withdrawn = Some(model::Bookable::Withdrawn),
        Held = Some(model::Bookable::Held),
        Unknown = None,
    }

    /// How a jump connection is.
    JumpHealth of model::JumpHealth {
        Up = model::JumpHealth::Up,
        Lost = model::JumpHealth::Lost,
        Unknown = model::JumpHealth::Unknown,
    }

    /// How a stream is: `silent` is connected and sends nothing.
    StreamHealth of model::StreamHealth {
        Active = model::StreamHealth::Active,
        Silent = model::StreamHealth::Silent,
        Missing = model::StreamHealth::Missing,
        Unknown = model::StreamHealth::Unknown,
    }

    /// How it is known whether a stream transmits: by relay's statistics, by a sample, or not at all: connected counts as active.
    Evidence of engine::Evidence {
        Statistics = engine::Evidence::Statistics,
        Sampled = engine::Evidence::Sampled(_),
        Unverified = engine::Evidence::Unverified,
    }

    /// Where health and bookability do not fit.
    Mismatch of engine::Mismatch {
        WorksNotBookable = engine::Mismatch::WorksNotBookable,
        DownBookable = engine::Mismatch::DownBookable,
    }

    /// What suppresses notifications about an experiment.
    SuppressionKind of engine::SuppressionKind {
        Acknowledged = engine::SuppressionKind::Acknowledged,
        Silenced = engine::SuppressionKind::Silenced,
        Maintenance = engine::SuppressionKind::Maintenance,
    }

    /// How a page that students open is: `unknown` has not been checked, or labwatch itself kept it from being checked; `fails` did so twice
    /// in a row.
    PageHealth of engine::PageHealth {
        Unknown = engine::PageHealth::Unknown,
        Works = engine::PageHealth::Works,
        Fails = engine::PageHealth::Fails,
    }

    /// A server that labwatch learns from.
    SourceName of model::SourceName {
        Relay = model::SourceName::Relay,
        Jump = model::SourceName::Jump,
        Book = model::SourceName::Book,
    }

    /// How a source is: `late` is slower than its pace explains, and what a source reported that is `down` is void.
    SourceHealth of model::SourceHealth {
        Starting = model::SourceHealth::Starting,
        Live = model::SourceHealth::Live,
        Late = model::SourceHealth::Late,
        Down = model::SourceHealth::Down,
    }

    /// How the connection to a source is. Book is polled, and its connection is not told.
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

    /// How a route sends.
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

    /// What experiments that were lost have in common: an address, a subnet, or the stem of their names.
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

    /// How a notification stands: `superseded` is not sent, because something newer says it.
    OutboxState of store::OutboxState {
        Pending = store::OutboxState::Pending,
        Sent = store::OutboxState::Sent,
        Refused = store::OutboxState::Refused,
        Superseded = store::OutboxState::Superseded,
    }

    /// Why there is no history: labwatch did not run or its machine slept, or its disk took nothing.
    GapCause of store::GapCause {
        Off = store::GapCause::Off,
        Lost = store::GapCause::Lost,
    }

    /// What an acknowledgement is about.
    SubjectKind of &engine::Subject {
        Experiment = engine::Subject::Experiment(_),
        Component = engine::Subject::Component(_),
        Installation = engine::Subject::Installation,
    }

    /// Whose incident it was.
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

/// Why a call of another server failed, or why nothing can be learnt from it (`unreadable`).
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

/// What came of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SwitchOutcome {
    Confirmed,
    Held,
    Gone,
    Failed,
}

impl SwitchOutcome {
    /// The outcome that the history has this word for.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
        Self::deserialize(word).ok()
    }
}
