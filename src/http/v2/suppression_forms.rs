//! The requests that create an acknowledgement, a silence or a maintenance window.

use serde::Deserialize;
use utoipa::ToSchema;

use super::schedule::Schedule;
use super::time::Timestamp;
use crate::http::error::{ApiError, ApiResult, Reason};
use engine::model::NameError;
use engine::{Command, NamePattern};

/// An acknowledgement to be created. Exactly one of `experiments`, `pool`, `component` and
/// `installation` is its subject.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledge {
    experiments: Option<String>,
    pool: Option<String>,
    component: Option<String>,
    #[serde(default)]
    installation: bool,
    text: String,
    until: Option<jiff::Timestamp>,
}

/// An acknowledgement to be created: of experiments, of those of a pool, of a component, or of the
/// whole laboratory.
#[derive(ToSchema)]
#[schema(as = Acknowledge)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents what `Acknowledge` reads")]
pub(super) enum AcknowledgeForm {
    Experiments(AcknowledgeExperiments),
    Pool(AcknowledgePool),
    Component(AcknowledgeComponent),
    Installation(AcknowledgeInstallation),
}

macro_rules! acknowledge_forms {
    ($($(#[$doc:meta])* $name:ident { $(#[$about:meta])* $field:ident: $type:ty })*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it documents what `Acknowledge` reads")]
        pub(super) struct $name {
            $(#[$about])*
            $field: $type,
            /// What is being done about it: one line.
            #[schema(example = "motor ordered, here on Friday", min_length = 1, max_length = 500)]
            text: String,
            /// When it ends at the latest; by default when it is well again.
            until: Option<Timestamp>,
        }
    )*};
}

acknowledge_forms! {
    /// Those of some experiments that have a problem.
    AcknowledgeExperiments {
        /// A name, or a pattern with `*` and `?`.
        #[schema(example = "pend*", min_length = 1, max_length = 256)]
        experiments: String
    }
    /// Those of the experiments of a pool that have a problem.
    AcknowledgePool {
        /// The name of the pool.
        #[schema(example = "pend", min_length = 1, max_length = 256)]
        pool: String
    }
    /// A part whose health is reported.
    AcknowledgeComponent {
        /// `relay`, `jump`, `book`, or another component.
        #[schema(example = "relay", min_length = 1, max_length = 256)]
        component: String
    }
    /// The whole laboratory.
    AcknowledgeInstallation {
        /// Always true.
        installation: bool
    }
}

impl Acknowledge {
    /// The order it is.
    pub(super) fn command(self) -> ApiResult<Command> {
        let experiments = self.experiments.as_deref().map(pattern).transpose()?;
        let mut named = [
            experiments.map(engine::Scope::Experiments),
            self.pool.map(engine::Scope::Pool),
            self.component.map(engine::Scope::Component),
            self.installation.then_some(engine::Scope::Installation),
        ]
        .into_iter()
        .flatten();
        let (Some(scope), None) = (named.next(), named.next()) else {
            return Err(ApiError::new(
                Reason::InvalidBody,
                "say exactly one of experiments, pool, component and installation",
            ));
        };
        Ok(Command::Acknowledge {
            scope,
            text: self.text,
            until: self.until,
        })
    }
}

/// A silence to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MakeSilence)]
#[serde(deny_unknown_fields)]
pub(super) struct MakeSilence {
    /// Which experiments: a name, or a pattern with `*` and `?`.
    #[schema(example = "spin0?", min_length = 1, max_length = 256)]
    experiments: String,
    /// When it ends: within 366 days.
    until: jiff::Timestamp,
    /// Why: one line.
    #[schema(example = "moving to another room", min_length = 1, max_length = 500)]
    reason: String,
}

impl MakeSilence {
    /// The order it is.
    pub(super) fn command(self) -> ApiResult<Command> {
        Ok(Command::Silence {
            pattern: pattern(&self.experiments)?,
            until: self.until,
            reason: self.reason,
        })
    }
}

/// Maintenance to be planned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanMaintenance {
    /// Which experiments: a name, or a pattern with `*` and `?`.
    #[schema(example = "pend*", min_length = 1, max_length = 256)]
    experiments: String,
    /// Why: one line.
    #[schema(example = "cleaning", min_length = 1, max_length = 500)]
    reason: String,
    /// Its schedule.
    schedule: Schedule,
}

impl PlanMaintenance {
    /// The order it is.
    pub(super) fn command(self) -> ApiResult<Command> {
        Ok(Command::Maintain {
            pattern: pattern(&self.experiments)?,
            schedule: self.schedule.checked()?,
            reason: self.reason,
        })
    }
}

fn pattern(text: &str) -> ApiResult<NamePattern> {
    NamePattern::try_new(text)
        .map_err(|why: NameError| ApiError::new(Reason::InvalidName, format!("experiments: {why}")))
}
