//! The closed sets of values of version 2. Each is generated from the type that the rest of
//! labwatch decides with, so a missing value does not compile, and the document lists them all.

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::commands::TestOutcome;
use crate::reports::By;
use crate::{health, store};
use engine::model::{self, CallError};
use engine::{self, Severity};

/// Enums with the API's names of what the rest of labwatch has under other names: each variant with
/// the pattern that it stands for. One without a pattern is mapped by hand.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident of $from:ty { $($variant:ident $(= $pattern:pat)?,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        #[allow(clippy::enum_variant_names, reason = "the variants are the words of the API")]
        pub(in crate::http) enum $name {
            $($variant,)*
        }

        impl From<$from> for $name {
            fn from(from: $from) -> Self {
                match from { $($($pattern => Self::$variant,)?)* }
            }
        }
    )*};
}

/// Enums that have the same variants in the rest of labwatch.
macro_rules! same_words {
    ($($(#[$doc:meta])* $name:ident like $type:ty { $($variant:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub(in crate::http) enum $name {
            $($variant,)*
        }

        impl From<$type> for $name {
            fn from(from: $type) -> Self {
                type Told = $type;
                match from { $(Told::$variant => Self::$variant,)* }
            }
        }

        impl From<$name> for $type {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)* }
            }
        }
    )*};
}

same_words! {
    /// The state of a component: `warn` can be used with a loss, `init` has no evidence yet,
    /// `stale` has too old evidence.
    ComponentState like health::State { Ok, Warn, Init, Stale, Error }

    /// The health of an experiment: `degraded` is usable with a loss, `flapping` changes too often,
    /// `unknown` is not evaluated.
    Health like model::Health { Ok, Degraded, Flapping, Down, Unknown }

    /// The state of a jump connection.
    JumpHealth like model::JumpHealth { Up, Lost, Unknown }

    /// The health of a stream: `silent` is connected and sends nothing.
    StreamHealth like model::StreamHealth { Active, Silent, Missing, Unknown }

    /// The kind of contradiction between health and bookability.
    Mismatch like engine::Mismatch { WorksNotBookable, DownBookable }

    /// The kind of suppression of notifications about an experiment.
    SuppressionKind like engine::SuppressionKind { Acknowledged, Silenced, Maintenance }

    /// The health of a page that students open: `unknown` has not been checked, or labwatch itself
    /// prevented the check; `fails` did so twice in a row.
    PageHealth like engine::PageHealth { Unknown, Works, Fails }

    /// A server that labwatch gets data from.
    SourceName like model::SourceName { Relay, Jump, Book }

    /// The health of a source: `late` is slower than its usual pace, and the reports of one that is
    /// `down` do not count.
    SourceHealth like model::SourceHealth { Starting, Live, Late, Down }

    /// Whether this replica acts, or only watches.
    Role like engine::Role { Leader, Follower }

    /// What lost experiments have in common: an address, a subnet, or the stem of their names.
    CauseKind like engine::CauseKind { Address, Subnet, Stem }

    /// The state of a notification: `superseded` is not sent, because a newer one replaces it.
    OutboxState like store::OutboxState { Pending, Sent, Refused, Superseded }

    /// Why there is no history: labwatch did not run or its machine slept, or its disk could not be
    /// written.
    GapCause like store::GapCause { Off, Lost }

    /// The subjects of the rows of a report.
    Rows like By { Experiment, Pool, Month }

    /// A day of the week.
    Day like engine::Day { Mon, Tue, Wed, Thu, Fri, Sat, Sun }
}

words! {
    /// Whether something can be booked and, if not, who withdrew it: `withdrawn` by a monitor,
    /// `held` by a person.
    Bookable of Option<model::Bookable> {
        Bookable = Some(model::Bookable::Yes),
        Withdrawn = Some(model::Bookable::Withdrawn),
        Held = Some(model::Bookable::Held),
        Unknown = None,
    }

    /// The evidence that a stream transmits: relay's statistics, a sample, or none: connected
    /// counts as active.
    Evidence of engine::Evidence {
        Statistics = engine::Evidence::Statistics,
        Sampled = engine::Evidence::Sampled(_),
        Unverified = engine::Evidence::Unverified,
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

    /// Whether the usable experiments of a pool are enough for what is booked within 24 h.
    PoolSeverity of Severity {
        NoneAffected = Severity::NoneAffected,
        Spare = Severity::Spare(_),
        Short = Severity::Short { .. },
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

    /// The outcome of a test message.
    TestState of &TestOutcome {
        Pending = TestOutcome::Pending,
        Taken = TestOutcome::Taken,
        Failed = TestOutcome::Failed(_),
    }

    /// Why a call of another server failed, or why its data cannot be used (`unreadable`).
    Fault of &CallError {
        NameLookup = CallError::NameLookup(_),
        Refused = CallError::Refused(_),
        NoRoute = CallError::NoRoute(_),
        Tls = CallError::Tls(_),
        Certificate = CallError::Certificate(_),
        Unreachable = CallError::Unreachable(_),
        Proxy = CallError::Proxy(_),
        Timeout = CallError::TimedOut,
        Dropped = CallError::Dropped,
        NoAnswer = CallError::NoAnswer(_),
        Credentials = CallError::Credentials(_),
        Audience = CallError::Audience(_),
        Forbidden = CallError::Forbidden(_),
        NotFound = CallError::NotFound(_),
        Sick = CallError::Sick { .. },
        SickByProxy = CallError::SickByProxy { .. },
        Protocol = CallError::Protocol(_),
        Busy = CallError::Busy,
        Unreadable,
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
