//! `labwatch top`: the state of the laboratory in a terminal, live, for a host that is reached over
//! ssh. Reads the same API as the page.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use jiff::{Timestamp, Unit};
use serde_json::Value;

use super::ask::{self, Asked, Where};
use super::failure::Failure;
use super::output::say;
use crate::config::Sources;
use engine::model::format_duration;

/// How many experiments are requested; those that do not fit on the screen are counted.
const MAX_EXPERIMENTS: &str = "500";

/// The height of the screen if the terminal does not report it.
const LINES: usize = 24;
const COLUMNS: usize = 100;

/// Switches to the alternate screen while it runs; the previous screen comes back at the end.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// To the first line, and erases the screen.
const WIPE: &str = "\x1b[H\x1b[J";

/// The order of healths.
const WORST_FIRST: [&str; 5] = ["down", "flapping", "degraded", "unknown", "ok"];

/// Address of the labwatch, and the interval.
#[derive(Debug, Args)]
pub struct TopArgs {
    #[command(flatten)]
    place: Where,
    /// How often it is asked, from 1s to 1m.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_pace)]
    every: Duration,
    /// Print it once and end, as where standard output is no terminal.
    #[arg(long)]
    once: bool,
}

/// Shows it until Ctrl-C.
///
/// # Errors
/// [`Failure::Unreachable`] when it does not answer the first time; later it is polled on.
pub(super) fn run(args: &TopArgs, sources: &Sources) -> Result<(), Failure> {
    let asked = args.place.find(sources)?;
    if args.once || !io::stdout().is_terminal() {
        let (lab, experiments) = ask::run(look(&asked))?;
        return say(&screen(&lab, &experiments, Timestamp::now()).join("\n"));
    }
    ask::run(watch(&asked, args.every))
}

async fn watch(asked: &Asked, every: Duration) -> Result<(), Failure> {
    let mut seen = Some(look(asked).await?);
    let mut problem = None;
    show(ENTER)?;
    let outcome = loop {
        if let Some((lab, experiments)) = &seen {
            let mut lines = screen(lab, experiments, Timestamp::now());
            lines.extend(problem.take());
            if let Err(failure) = show(&fitted(&lines)) {
                break Err(failure);
            }
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break Ok(()),
            () = tokio::time::sleep(every) => {}
        }
        match look(asked).await {
            Ok(new) => seen = Some(new),
            Err(Failure::Unreachable(why)) => problem = Some(format!("NOT CURRENT: {why}")),
            Err(other) => break Err(other),
        }
    };
    show(LEAVE).and(outcome)
}

fn show(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Failed(format!("The terminal cannot be written to: {error}.")))
}

async fn look(asked: &Asked) -> Result<(Value, Vec<Value>), Failure> {
    let lab = asked.get(&["api", "v2", "lab"], &[]).await?;
    let limit = [("limit", MAX_EXPERIMENTS)];
    let list = asked.get(&["api", "v2", "experiments"], &limit).await?;
    let items = list.body["items"].as_array();
    match items.filter(|_| lab.is_ok() && list.is_ok()) {
        Some(items) => Ok((lab.body, items.clone())),
        None => Err(Failure::Unreachable(
            "What answers there has no experiments to show: it is another labwatch or another program."
                .to_owned(),
        )),
    }
}

/// The lines that fit, each cut at the edge; the last one, which may say that the data are out of
/// date, always.
fn fitted(lines: &[String]) -> String {
    let size = terminal_size::terminal_size();
    let (columns, rows) = size.map_or((COLUMNS, LINES), |(width, height)| {
        (usize::from(width.0), usize::from(height.0))
    });
    let cut = |line: &String| line.chars().take(columns).collect::<String>();
    let shown: Vec<String> = if lines.len() < rows {
        lines.iter().map(cut).collect()
    } else {
        let head = rows.saturating_sub(2);
        let more = format!("… and {} lines more", lines.len() - head);
        lines.iter().take(head).map(cut).chain([more]).collect()
    };
    format!("{WIPE}{}", shown.join("\r\n"))
}

fn screen(lab: &Value, experiments: &[Value], now: Timestamp) -> Vec<String> {
    let mut lines = vec![
        format!(
            "labwatch {}, {}",
            text(lab, "version"),
            now.strftime("%H:%M:%S UTC")
        ),
        counts(lab),
        sources(lab, now),
    ];
    lines.extend(faults(lab));
    lines.push(String::new());
    let mut rows: Vec<&Value> = experiments.iter().collect();
    rows.sort_by_key(|row| (rank(row), Reverse(text(row, "since")), text(row, "name")));
    let width = rows.iter().map(|row| text(row, "name").chars().count());
    let width = width.max().unwrap_or_default().max(10);
    lines.push(format!(
        "{:<width$}  {:<9} {:<10} {:>8}  WHY",
        "EXPERIMENT", "HEALTH", "BOOKING", "SINCE"
    ));
    lines.extend(rows.iter().map(|row| experiment(row, width, now)));
    lines
}

fn counts(lab: &Value) -> String {
    let count = |key: &str| lab["experiments"][key].as_u64().unwrap_or_default();
    let mut line = counted(count("total"), "experiment");
    let known = [
        "ok",
        "degraded",
        "flapping",
        "down",
        "unknown",
        "withdrawn",
        "held",
        "acknowledged",
        "silenced",
    ];
    let shown: Vec<String> = known
        .iter()
        .filter(|key| count(key) > 0)
        .map(|key| format!("{} {key}", count(key)))
        .collect();
    if !shown.is_empty() {
        let _ = write!(line, ": {}", shown.join(", ")); // a String takes everything
    }
    let short = lab["short_pools"].as_u64();
    if let Some(short) = short.filter(|short| *short > 0) {
        let _ = write!(line, "; short: {}", counted(short, "pool"));
    }
    line
}

fn counted(count: u64, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

fn sources(lab: &Value, now: Timestamp) -> String {
    let words = array(lab, "sources").iter().map(|source| {
        let (name, health) = (text(source, "name"), text(source, "health"));
        format!(
            "{name} {health}, last report {}",
            ago(source, "last_report", now)
        )
    });
    words.collect::<Vec<_>>().join("; ")
}

/// The faults of sources and routes: in their own text where that may be seen.
fn faults(lab: &Value) -> Vec<String> {
    array(lab, "sources")
        .iter()
        .chain(array(lab, "routes"))
        .filter_map(|part| {
            let why = ["note", "fault"].map(|key| text(part, key));
            let why = why.into_iter().find(|why| !why.is_empty())?;
            Some(format!("! {}: {why}", text(part, "name")))
        })
        .collect()
}

fn experiment(row: &Value, width: usize, now: Timestamp) -> String {
    let issues = array(row, "issues").iter();
    let why: Vec<String> = issues.map(|issue| text(issue, "text")).collect();
    format!(
        "{:<width$}  {:<9} {:<10} {:>8}  {}",
        text(row, "name"),
        text(row, "health"),
        text(row, "bookable"),
        ago(row, "since", now),
        why.join("; ")
    )
    .trim_end()
    .to_owned()
}

fn rank(row: &Value) -> usize {
    let health = text(row, "health");
    let known = WORST_FIRST.iter().position(|known| *known == health);
    known.unwrap_or_default()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// A text of the answer without what could steer the terminal.
fn text(value: &Value, key: &str) -> String {
    let text = value[key].as_str().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).collect()
}

/// How long ago the time of this key was, in its largest units.
fn ago(value: &Value, key: &str, now: Timestamp) -> String {
    let Ok(at) = text(value, key).parse::<Timestamp>() else {
        return "never".to_owned();
    };
    let seconds = now.since((Unit::Second, at)).map(|span| span.get_seconds());
    let seconds = seconds.ok().and_then(|seconds| u64::try_from(seconds).ok());
    let seconds = seconds.unwrap_or_default();
    let unit = [86_400, 3_600, 60]
        .into_iter()
        .find(|unit| seconds >= 2 * unit);
    match unit {
        Some(86_400) => format!("{}d", seconds / 86_400),
        Some(unit) => format_duration(Duration::from_secs(seconds / unit * unit))
            .trim_end_matches("0s")
            .trim_end_matches("0m")
            .to_owned(),
        None => format!("{seconds}s"),
    }
}

fn parse_pace(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(60);
    ask::duration_within(text, bounds, "it is not from 1s to 1m")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-30T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn what_needs_attention_stands_first() {
        let lab = json!({
            "version": "1.0", "short_pools": 1,
            "experiments": {"total": 3, "ok": 1, "degraded": 1, "down": 1, "withdrawn": 1, "held": 0},
            "sources": [
                {"name": "relay", "health": "live", "last_report": "2026-11-30T11:59:58Z", "fault": null},
                {"name": "jump", "health": "down", "last_report": null, "fault": "refused\u{1b}[2J the connection"},
                {"name": "book", "health": "down", "last_report": null, "fault": null, "note": "it refuses the token: compare secret_book"},
            ],
            "routes": [{"name": "maintainers", "fault": null}],
        });
        let experiments = [
            json!({"name": "pend00", "health": "ok", "bookable": "bookable", "since": "2026-11-28T12:00:00Z", "issues": []}),
            json!({"name": "pend01", "health": "degraded", "bookable": "bookable", "since": "2026-11-30T09:30:00Z", "issues": []}),
            json!({"name": "spinning00", "health": "down", "bookable": "withdrawn", "since": "2026-11-30T11:55:30Z",
                   "issues": [{"text": "its video is missing"}, {"text": "jump is lost"}]}),
        ];
        let lines = screen(&lab, &experiments, now());
        let expected = [
            "labwatch 1.0, 12:00:00 UTC",
            "3 experiments: 1 ok, 1 degraded, 1 down, 1 withdrawn; short: 1 pool",
            "relay live, last report 2s; jump down, last report never; book down, last report never",
            "! jump: refused[2J the connection",
            "! book: it refuses the token: compare secret_book",
            "",
            "EXPERIMENT  HEALTH    BOOKING       SINCE  WHY",
            "spinning00  down      withdrawn        4m  its video is missing; jump is lost",
            "pend01      degraded  bookable         2h",
            "pend00      ok        bookable         2d",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_small_screen_says_how_much_is_left_out() {
        let lines: Vec<String> = (0..500).map(|n| format!("{n:0>300}")).collect();
        let shown = fitted(&lines);
        assert!(
            shown.starts_with(WIPE) && shown.ends_with("lines more"),
            "{shown}"
        );
    }

    #[test]
    fn the_pace_has_bounds() {
        assert!(parse_pace("2s").is_ok() && parse_pace("0s").is_err() && parse_pace("1h").is_err());
    }
}
