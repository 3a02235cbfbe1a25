//! `labwatch wait-for-ready`: waits until the running labwatch is ready, for scripts that start
//! something after it.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::ask::{self, Asked, Where};
use super::failure::Failure;
use crate::config::Sources;
use engine::model::format_duration;

/// How often it is polled.
const TICK: Duration = Duration::from_millis(500);

/// The longest time that can be waited.
const AT_MOST: Duration = Duration::from_secs(300);

/// Time limit, and address of the labwatch.
#[derive(Debug, Args)]
pub struct ReadyArgs {
    #[command(flatten)]
    place: Where,
    /// How long to wait, from 1s to 5m.
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = parse_timeout)]
    timeout: Duration,
}

/// Waits.
///
/// # Errors
/// [`Failure::Failed`] with the names of what is not ready when the time limit is reached.
pub fn run(args: &ReadyArgs, sources: &Sources) -> Result<(), Failure> {
    let asked = args.place.find(sources)?;
    ask::run(wait(&asked, args.timeout))
}

async fn wait(asked: &Asked, timeout: Duration) -> Result<(), Failure> {
    let until = Instant::now() + timeout;
    loop {
        let missing = match asked.get(&["readiness"], &[]).await {
            Ok(answer) if answer.is_ok() => return Ok(()),
            Ok(answer) => missing(&answer.body),
            Err(Failure::Unreachable(why)) => why,
            Err(other) => return Err(other),
        };
        if Instant::now() + TICK > until {
            return Err(Failure::Failed(format!(
                "labwatch is not ready after {}: {missing}",
                format_duration(timeout)
            )));
        }
        sleep(TICK).await;
    }
}

/// What is not ready, each with the reason where there is one.
fn missing(body: &Value) -> String {
    let Some(parts) = body["PluginStatus"].as_object() else {
        return "it does not say why".to_owned();
    };
    let spared = body["NonFatalPlugins"].as_array();
    let counts =
        |name: &str| !spared.is_some_and(|names| names.iter().any(|spared| spared == name));
    let bad = parts
        .iter()
        .filter(|(name, part)| counts(name) && part["state"] != 1);
    let words = bad.map(|(name, part)| match part["error"].as_str() {
        Some(error) => format!("{name} failed ({error})"),
        None => format!("{name} is starting"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_secs(1)..=AT_MOST;
    ask::duration_within(text, bounds, "it is not from 1s to 5m")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let body = json!({
            "PluginStatus": {"book": {"state": 2, "error": "gone"}, "jump": {"state": 2}, "relay": {"state": 0}, "store": {"state": 1}},
            "NonFatalPlugins": ["jump"],
        });
        assert_eq!(missing(&body), "book failed (gone), relay is starting");
        assert_eq!(missing(&json!({})), "it does not say why");
    }

    #[test]
    fn the_time_is_bounded() {
        for (text, good) in [
            ("3m", true),
            ("1s", true),
            ("5m", true),
            ("6m", false),
            ("0s", false),
            ("soon", false),
        ] {
            assert_eq!(parse_timeout(text).is_ok(), good, "{text}");
        }
    }
}
