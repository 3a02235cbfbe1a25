//! What a command is given as, in JSON, and the command that it means. Unknown fields are mistakes.

use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::pattern;
use crate::http::error::{self, ApiError};
use engine::model::ResourceName;
use engine::{Command, Schedule, Scope};

/// An acknowledgement. Exactly one of `experiments`, `pool`, `component` and `installation` says of what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Acknowledge {
    /// Experiments, by a name or a pattern with `*` and `?`: those of them that are bad.
    #[schema(example = "pend*")]
    experiments: Option<String>,
    /// The experiments of a pool: those of them that are bad.
    pool: Option<String>,
    /// A part whose health is reported: `relay`, `jump`, `book`, or another.
    component: Option<String>,
    /// All of the laboratory.
    #[serde(default)]
    installation: bool,
    /// What is done about it.
    #[schema(example = "motor ordered, here on Friday")]
    text: String,
    /// When it ends at the latest; without, when it is well again.
    until: Option<Timestamp>,
}

impl Acknowledge {
    pub(super) fn command(self) -> Result<Command, ApiError> {
        let Self {
            experiments,
            pool,
            component,
            installation,
            text,
            until,
        } = self;
        let experiments = experiments
            .as_deref()
            .map(pattern)
            .transpose()?
            .map(Scope::Experiments);
        let all = installation.then_some(Scope::Installation);
        let mut named = [
            experiments,
            pool.map(Scope::Pool),
            component.map(Scope::Component),
            all,
        ]
        .into_iter()
        .flatten();
        match (named.next(), named.next()) {
            (Some(scope), None) => Ok(Command::Acknowledge { scope, text, until }),
            _ => Err(error::malformed(
                "say exactly one of experiments, pool, component and installation",
            )),
        }
    }
}

/// What is said in an acknowledgement whose path says of what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AckText {
    /// What is done about it.
    text: String,
    /// When it ends at the latest; without, when it is well again.
    until: Option<Timestamp>,
}

impl AckText {
    pub(super) fn command(self, scope: Scope) -> Command {
        Command::Acknowledge {
            scope,
            text: self.text,
            until: self.until,
        }
    }
}

/// A silence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Silence {
    /// Experiments, by a name or a pattern with `*` and `?`.
    #[schema(example = "spin0?")]
    experiments: String,
    /// When it ends.
    until: Timestamp,
    /// Why.
    reason: String,
}

impl Silence {
    pub(super) fn command(self) -> Result<Command, ApiError> {
        Ok(Command::Silence {
            pattern: pattern(&self.experiments)?,
            until: self.until,
            reason: self.reason,
        })
    }
}

/// Maintenance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Maintain {
    /// Experiments, by a name or a pattern with `*` and `?`.
    #[schema(example = "pend*")]
    experiments: String,
    /// Why.
    reason: String,
    /// When.
    #[schema(value_type = Object, example = json!({"weekly": {"days": ["mon"], "starts": "08:00:00", "lasts": "2h", "zone": "Europe/London"}}))]
    schedule: Schedule,
}

impl Maintain {
    pub(super) fn command(self) -> Result<Command, ApiError> {
        Ok(Command::Maintain {
            pattern: pattern(&self.experiments)?,
            schedule: self.schedule,
            reason: self.reason,
        })
    }
}

/// A hold.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = HoldCommand)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Hold {
    /// Book's name of the resource.
    #[schema(example = "r-pend00")]
    resource: String,
    /// Why, in words that students read.
    #[schema(example = "The motor is being replaced. Back on Friday.")]
    reason: String,
}

impl Hold {
    pub(super) fn command(self) -> Result<Command, ApiError> {
        let resource = ResourceName::try_new(&self.resource)
            .map_err(|why| error::malformed(format!("resource: {why}")))?;
        Ok(Command::Hold {
            resource,
            reason: self.reason,
        })
    }
}
