//! `labwatch status`: the state of the running labwatch, as a table or JSON. Scripts and containers
//! use its exit code.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::ask::{self, Answer, Asked, Where};
use super::failure::Failure;
use super::output::{Output, say};
use crate::config::{Sources, load_rules};
use crate::health::STARTUP;

/// The text below the help.
pub const EXIT_CODES: &str =
    "Exit codes: 0 it is ok; 1 it is not ok; 2 it is not reachable, or the arguments are wrong.";

/// Arguments.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    place: Where,
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// The same as --output json.
    #[arg(long)]
    json: bool,
    /// Ask for one component or experiment.
    #[arg(long, value_name = "NAME", conflicts_with = "categories")]
    check: Option<String>,
    /// Ask for the health of these categories, separated by commas.
    #[arg(long, value_name = "NAMES")]
    categories: Option<String>,
}

/// Sends the request and prints the answer.
///
/// # Errors
/// [`Failure::NotOk`] when it answers that it is not ok, [`Failure::Unreachable`] when it does not
/// answer.
pub fn run(args: &StatusArgs, sources: &Sources) -> Result<(), Failure> {
    let asked = args.place.find(sources)?;
    let (answer, is_ok) = ask::run(answer(args, &asked))?;
    say(&if args.json || args.output == Output::Json {
        pretty(&answer.body)
    } else {
        // The labwatch that answers has started with these settings, unless it runs elsewhere.
        let startup = load_rules(sources)
            .ok()
            .map(|loaded| loaded.config.health.startup);
        table(&answer.body, startup)
    })?;
    if is_ok { Ok(()) } else { Err(Failure::NotOk) }
}

async fn answer(args: &StatusArgs, asked: &Asked) -> Result<(Answer, bool), Failure> {
    let answer = match (&args.check, &args.categories) {
        (Some(name), _) => asked.get(&["status", name], &[]).await?,
        (None, Some(names)) => asked.get(&["__health"], &[("categories", names)]).await?,
        (None, None) => asked.get(&["status"], &[]).await?,
    };
    if answer.status == 404 && args.check.is_none() {
        return Err(Failure::Unreachable(
            "There is no labwatch below that path: name the one in --url that it is served below."
                .to_owned(),
        ));
    }
    // The health document has status 200, whether ok or not.
    let is_ok = answer.is_ok() && answer.body["ok"].as_bool().unwrap_or(true);
    Ok((answer, is_ok))
}

fn pretty(body: &Value) -> String {
    serde_json::to_string_pretty(body).unwrap_or_else(|_| body.to_string())
}

/// The answer as lines: the whole first, then its components. After a start nothing is evaluated
/// for the time of `startup`, which is not a fault.
fn table(body: &Value, startup: Option<Duration>) -> String {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    if let Some(checks) = body["statusChecks"].as_object() {
        let row = |(name, check): (&String, &Value)| {
            let status = &check["status"];
            (
                name.clone(),
                text(status, "result"),
                text(status, "details"),
            )
        };
        let mut rows: Vec<_> = checks.iter().map(row).collect();
        let is_waiting = |(_, result, details): &(String, String, String)| {
            // The details of an experiment begin with its streams.
            result != "OK" && details.split("; ").any(|part| part.starts_with("starting"))
        };
        let starts = rows.iter().any(|row| row.0 == STARTUP && is_waiting(row));
        rows.iter_mut()
            .filter(|row| is_waiting(row))
            .for_each(|row| "...".clone_into(&mut row.1));
        let state = match startup.filter(|_| starts) {
            Some(startup) => format!("starting, evaluated in {} s", startup.as_secs()),
            None => text(body, "status"),
        };
        let head = format!("{} {}: {state}", text(body, "name"), text(body, "version"));
        return lines(&head, &rows);
    }
    if let Some(checks) = body["checks"].as_array() {
        let row = |check: &Value| {
            let result = if check["ok"] == true { "OK" } else { "FAIL" };
            (
                text(check, "name"),
                result.to_owned(),
                text(check, "checkOutput"),
            )
        };
        let rows: Vec<_> = checks.iter().map(row).collect();
        return lines(&text(body, "description"), &rows);
    }
    match body["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("{}  {}", text(body, "result"), text(body, "details")),
    }
}

fn lines(head: &str, rows: &[(String, String, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = head.to_owned();
    for (name, result, details) in rows {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{result:<5} {name:<width$}  {details}");
    }
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_starts_has_not_failed() {
        let body = json!({"name": "labwatch", "version": "1.0", "status": "FAIL", "statusChecks": {
            "book": {"status": {"result": "FAIL", "details": "gone"}},
            "pend00": {"status": {"result": "FAIL", "details": "2/2 streams active; starting"}},
            "relay": {"status": {"result": "FAIL", "details": "starting: no report yet"}},
            "runtime_startup": {"status": {"result": "FAIL", "details": "starting"}},
        }});
        assert_eq!(
            table(&body, Some(Duration::from_secs(60))),
            "labwatch 1.0: starting, evaluated in 60 s\nFAIL  book             gone\n...   pend00           2/2 streams active; starting\n...   relay            starting: no report yet\n...   runtime_startup  starting"
        );
    }

    #[test]
    fn answers_become_tables() {
        let whole = json!({"name": "labwatch", "version": "1.0", "status": "FAIL", "statusChecks": {
            "book": {"name": "book", "endpoint": "book", "status": {"result": "FAIL", "details": "gone"}},
            "relay": {"status": {"result": "OK"}},
        }});
        assert_eq!(
            table(&whole, None),
            "labwatch 1.0: FAIL\nFAIL  book   gone\nOK    relay"
        );
        let health = json!({"description": "Health of lab.", "ok": false, "checks": [{"name": "a", "ok": true, "checkOutput": "1/1"}, {"name": "b"}]});
        assert_eq!(
            table(&health, None),
            "Health of lab.\nOK    a  1/1\nFAIL  b"
        );
        assert_eq!(
            table(&json!({"result": "OK", "details": "fine"}), None),
            "OK  fine"
        );
        assert_eq!(
            table(
                &json!({"code": 404, "detail": "check x was not found"}),
                None
            ),
            "check x was not found"
        );
    }
}
