//! The log levels that can be set at run time: the components that have one, and the form of a
//! request.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The components whose level can be set, each with its modules. Relay and jump share the code of
/// their feeds.
pub const COMPONENTS: [(&str, &[&str]); 12] = [
    ("all", &["labwatch"]),
    ("api", &["labwatch::http"]),
    ("book", &BOOK),
    ("feeds", &["labwatch::clients"]),
    ("health", &["labwatch::health"]),
    ("jump", &FEEDS),
    ("journal", &["labwatch::telemetry::journal"]),
    ("mail", &["labwatch::effects::mail"]),
    ("relay", &FEEDS),
    ("sampling", &["labwatch::clients::sampling"]),
    ("self", &["labwatch::driver", "labwatch::service"]),
    ("store", &["labwatch::store"]),
];

const BOOK: [&str; 3] = [
    "labwatch::clients::book::poll",
    "labwatch::effects::book",
    "labwatch::clients::book::client",
];

const FEEDS: [&str; 2] = [
    "labwatch::clients::subscription",
    "labwatch::clients::socket",
];

/// The names of the levels, from silent to verbose.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A level that is to be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLevel {
    pub component: String,
    pub level: String,
}

/// Why a level cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelRefused {
    /// The request is not `{"component": ..., "level": ...}`. Holds what is wrong.
    #[error("write it as {{\"component\": \"relay\", \"level\": \"debug\"}}: {0}")]
    Form(String),
    /// There is no such component.
    #[error("component {0:?} is not known, but {known} are", known = COMPONENTS.map(|(name, _)| name).join(", "))]
    Component(String),
    /// There is no such level.
    #[error("level {0:?} is not known, but {known} are", known = LEVELS.join(", "))]
    Level(String),
    /// The log cannot be changed. Holds why.
    #[error("the log cannot be changed: {0}")]
    Log(String),
}

/// Access to the levels of the log.
pub trait Levels: Send + Sync {
    /// The level of each target; the empty one stands for everything else.
    fn levels(&self) -> BTreeMap<String, String>;

    /// Sets the level of these targets.
    ///
    /// # Errors
    /// What the log says when it cannot.
    fn set(&self, targets: &[&str], level: &str) -> Result<(), String>;
}

/// Reads a request to set a level.
///
/// # Errors
/// [`LevelRefused`]: its form, its component or its level is wrong.
pub fn parse_set_level(body: &[u8]) -> Result<SetLevel, LevelRefused> {
    let asked: SetLevel =
        serde_json::from_slice(body).map_err(|error| LevelRefused::Form(error.to_string()))?;
    if targets_of(&asked.component).is_none() {
        return Err(LevelRefused::Component(asked.component));
    }
    if !LEVELS.contains(&asked.level.as_str()) {
        return Err(LevelRefused::Level(asked.level));
    }
    Ok(asked)
}

/// The modules of a component.
pub fn targets_of(component: &str) -> Option<&'static [&'static str]> {
    COMPONENTS
        .iter()
        .find(|(name, _)| *name == component)
        .map(|(_, targets)| *targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whole_or_refused() {
        assert_eq!(
            parse_set_level(br#"{"component":"relay","level":"debug"}"#),
            Ok(SetLevel {
                component: "relay".into(),
                level: "debug".into()
            })
        );
        assert!(matches!(parse_set_level(b""), Err(LevelRefused::Form(_))));
        assert!(matches!(
            parse_set_level(br#"{"component":"relay"}"#),
            Err(LevelRefused::Form(_))
        ));
        assert!(matches!(
            parse_set_level(br#"{"component":"relay","level":"debug","x":1}"#),
            Err(LevelRefused::Form(_))
        ));
        assert_eq!(
            parse_set_level(br#"{"component":"x","level":"debug"}"#),
            Err(LevelRefused::Component("x".into()))
        );
        assert_eq!(
            parse_set_level(br#"{"component":"relay","level":"loud"}"#),
            Err(LevelRefused::Level("loud".into()))
        );
    }
}
