//! Prints the outcome of a replay: as text, or one JSON object a line for programs.

use std::io::{self, Write};

use serde_json::json;

use super::play::{Outcome, Switched};
use super::words::Notified;
use engine::model::Gather as _;
use engine::model::{ResourceName, format_duration};

/// Prints text.
///
/// # Errors
/// Those of the writer.
pub fn text(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    header(outcome, out)?;
    for notified in &outcome.notified {
        line(notified, out)?;
    }
    writeln!(out)?;
    summary(outcome, out)
}

/// Prints JSON lines: the notable events, and at the end the summary.
///
/// # Errors
/// Those of the writer.
pub fn json(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    for notified in &outcome.notified {
        writeln!(out, "{}", serde_json::to_string(notified)?)?;
    }
    let resources: serde_json::Map<String, serde_json::Value> = outcome
        .switches
        .iter()
        .map(|(name, count)| {
            (
                name.to_string(),
                json!({ "withdrawn": count.withdrawn, "given_back": count.given_back }),
            )
        })
        .gather();
    let summary = json!({
        "from": outcome.from,
        "until": outcome.until,
        "mails": outcome.mails,
        "resources": resources,
        "unexplained": outcome.unexplained,
    });
    writeln!(out, "{}", json!({ "summary": summary }))
}

fn header(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let policy = &outcome.policy;
    writeln!(
        out,
        "A replay from {} to {}, times in UTC.",
        outcome.from.strftime("%F %T"),
        outcome.until.strftime("%F %T")
    )?;
    writeln!(
        out,
        "Silent after {}, missing after {}; start-up grace {}; sources settle for {}, an outage of relay counts after {}.",
        format_duration(policy.last_active),
        format_duration(policy.last_checked),
        format_duration(policy.startup),
        format_duration(policy.settle),
        format_duration(policy.outage_hold),
    )?;
    writeln!(
        out,
        "A recording answers neither requests for reports nor samples: where reports carry no statistics, connected counts as active.\n"
    )
}

fn line(notified: &Notified, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {:<8}  {}",
        notified.at.strftime("%H:%M:%S%.3f"),
        notified.kind.as_str(),
        notified.text
    )?;
    notified
        .lines
        .iter()
        .try_for_each(|line| writeln!(out, "{:24}{line}", ""))
}

fn summary(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Mails: {}", outcome.mails)?;
    if outcome.switches.is_empty() {
        writeln!(out, "No resource was switched.")?;
    }
    for (name, count) in &outcome.switches {
        writeln!(out, "{}", switched(name, *count))?;
    }
    match outcome.unexplained.as_deref() {
        None => writeln!(
            out,
            "Whether a withdrawal was false cannot be said: the recording has no timeline."
        ),
        Some([]) => writeln!(out, "Withdrawals that the timeline does not explain: none"),
        Some(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            writeln!(
                out,
                "Withdrawals that the timeline does not explain: {}",
                names.join(", ")
            )
        }
    }
}

fn switched(name: &ResourceName, count: Switched) -> String {
    let times = |n: usize| {
        if n == 1 {
            "once".to_owned()
        } else {
            format!("{n} times")
        }
    };
    let end = if count.is_withdrawn {
        ", withdrawn at the end"
    } else {
        ""
    };
    format!(
        "{name}: withdrawn {}, given back {}{end}",
        times(count.withdrawn),
        times(count.given_back)
    )
}
