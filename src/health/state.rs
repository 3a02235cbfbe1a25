//! The states of a component and what is known about it. Each of the four dialects maps these
//! states to its own.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

/// The state of a component or an experiment, ordered from best to worst: the worst one decides for
/// a set.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works.
    Ok,
    /// It can be used, but with a fault.
    Warn,
    /// There is not enough evidence yet.
    Init,
    /// There was evidence, but none came within the limit.
    Stale,
    /// It does not work.
    Error,
}

impl State {
    pub const ALL: [Self; 5] = [Self::Ok, Self::Warn, Self::Init, Self::Stale, Self::Error];

    /// Whether it can be used.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::Warn)
    }

    /// Its name, as shown on pages and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Init => "init",
            Self::Stale => "stale",
            Self::Error => "error",
        }
    }
}

/// The result of a check of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub state: State,
    /// What is wrong and what to do; may be empty.
    pub detail: String,
    /// The single checks of which it consists, where they are named.
    pub checks: Arc<[SingleCheck]>,
    /// What an outside service says of itself, where it provides a health document.
    pub about: Option<Arc<About>>,
    /// Whether the cause lies outside of this process, so that a restart repairs nothing: liveness
    /// does not fail by it.
    pub is_external: bool,
}

impl Finding {
    /// A finding without single checks.
    pub fn new(state: State, detail: impl Into<String>) -> Self {
        Self {
            state,
            detail: detail.into(),
            checks: Arc::default(),
            about: None,
            is_external: false,
        }
    }

    /// The same, with a cause outside of this process.
    #[must_use]
    pub fn external(self) -> Self {
        Self {
            is_external: true,
            ..self
        }
    }

    /// All is well.
    pub fn ok() -> Self {
        Self::new(State::Ok, "")
    }

    /// It does not work.
    pub fn error(detail: impl Into<String>) -> Self {
        Self::new(State::Error, detail)
    }
}

/// What the health document of an outside service says of the service as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct About {
    /// Its system code; empty where it gives none.
    pub system_code: String,
    pub name: String,
    pub description: String,
}

/// A single check in the health document of an outside service, as that service reports it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SingleCheck {
    /// Its id; empty where it has none.
    pub id: String,
    pub name: String,
    /// Whether it passes.
    pub ok: bool,
    /// 1 critical, 2 warning, 3 remark.
    pub severity: u8,
    /// The impact on users.
    pub business_impact: String,
    /// The explanation for maintainers.
    pub technical_summary: String,
    /// What to do.
    pub panic_guide: String,
    /// What it found.
    pub check_output: String,
    /// When it ran, as the service writes it.
    pub last_updated: String,
    /// Its acknowledgement there; empty where it has none.
    pub ack: String,
}

impl Default for SingleCheck {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            ok: false,
            severity: 2,
            business_impact: String::new(),
            technical_summary: String::new(),
            panic_guide: String::new(),
            check_output: String::new(),
            last_updated: String::new(),
            ack: String::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its name, unique among components.
    pub name: Arc<str>,
    /// The last finding.
    pub finding: Finding,
    /// Since when its state and detail are as they are.
    pub last_change: Timestamp,
    /// When there was last evidence; `None` when there was none yet.
    pub last_update: Option<Timestamp>,
    /// The categories in which an outside service counts; none for a part of labwatch.
    pub categories: Arc<[String]>,
    /// Its latest results, oldest first, as far as they are remembered.
    pub results: Arc<Results>,
}

/// A result of a component.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(as = ActuatorResult)]
pub struct PastResult {
    /// Since when.
    pub at: Timestamp,
    /// `ok`, `warn`, `init`, `stale` or `error`; the first two can be used.
    #[schema(value_type = String, pattern = "^(ok|warn|init|stale|error)$", example = "ok")]
    pub state: State,
    /// What was wrong.
    pub detail: String,
}

/// The latest results of a component, oldest first.
pub type Results = VecDeque<PastResult>;

impl Component {
    /// A part of labwatch of which no results are kept.
    pub(super) fn known(
        name: &str,
        finding: Finding,
        last_change: Timestamp,
        last_update: Option<Timestamp>,
    ) -> Self {
        Self {
            name: Arc::from(name),
            finding,
            last_change,
            last_update,
            categories: Arc::default(),
            results: Arc::default(),
        }
    }

    /// Whether it is an outside service: it names the categories in which it counts, and counts
    /// nowhere else.
    pub fn is_service(&self) -> bool {
        !self.categories.is_empty()
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.finding.state
    }

    /// What is wrong with it; empty when nothing is.
    pub fn detail(&self) -> &str {
        &self.finding.detail
    }

    /// For how many seconds there has been no evidence.
    pub fn age(&self, now: Timestamp) -> Option<i64> {
        self.last_update.map(|at| age(at, now))
    }
}

/// The whole seconds from `then` to `now`, 0 when a clock was set back.
pub(super) fn age(then: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(then).as_secs().max(0)
}
