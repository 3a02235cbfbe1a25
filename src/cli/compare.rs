//! `labwatch compare`: differences between the active monitor and a labwatch in shadow, from the
//! store of the shadow.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::ask::any_duration;
use super::failure::Failure;
use super::output::{Output, json, say};
use crate::config::{Config, SHADOW_FOLDER, Sources, load_rules};
use crate::reports::{self, Compared, Difference};
use crate::store::{self, Range};
use engine::model::format_duration;

/// The time limit for reading. The operator waits at a terminal and can end it at any time.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// Period and output of the comparison.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// From when: as long ago as this, such as 1d or 12h.
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = any_duration)]
    since: Duration,
    /// The folder of the shadow's store, instead of the folder shadow of the data folder.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// Compares and prints.
///
/// # Errors
/// [`Failure`] when the store of the shadow cannot be read.
pub fn run(args: &CompareArgs, sources: &Sources) -> Result<(), Failure> {
    let config = load_rules(sources)?.config;
    let Some(folder) = args.data_dir.clone().or_else(|| folder(&config)) else {
        return Err(Failure::Usage(
            "data_dir is none, so nothing is compared: name a folder with --data-dir.".to_owned(),
        ));
    };
    let now = Timestamp::now();
    let back = SignedDuration::try_from(args.since).unwrap_or(SignedDuration::MAX);
    let range = Range {
        from: now.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH),
        until: now,
    };
    let past = store::shadow_past(&folder, range, now, Instant::now() + READ_WITHIN);
    let past = past.map_err(|error| {
        Failure::Failed(format!(
            "There is nothing to compare: {error}. `labwatch serve --shadow` writes it."
        ))
    })?;
    let compared = reports::compare(past, range, now);
    match args.output {
        Output::Text => say(&text(&compared)),
        Output::Json => say(&json(&compared)?),
    }
}

/// The folder of the store of a labwatch in shadow.
fn folder(config: &Config) -> Option<PathBuf> {
    let folder = config.database.as_ref()?.folder.clone();
    Some(if config.shadow {
        folder
    } else {
        folder.join(SHADOW_FOLDER)
    })
}

fn text(compared: &Compared) -> String {
    let mut text = format!(
        "{} resources from {:.0} to {:.0}. labwatch would have sent {} notifications.\n",
        compared.resources, compared.from, compared.until, compared.notifications,
    );
    for gap in &compared.gaps {
        let (from, until) = (gap.from, gap.until);
        let _ = writeln!(text, "Not compared from {from:.0} to {until:.0}.");
    }
    text.push('\n');
    for difference in &compared.differences {
        let _ = writeln!(text, "{}", line(difference));
    }
    let _ = writeln!(text, "{}", sum(compared));
    text
}

fn line(difference: &Difference) -> String {
    let lasted = rounded(difference.seconds);
    let until = difference
        .until
        .map_or_else(|| "now".to_owned(), |until| format!("{until:.0}"));
    let (resource, why, from) = (&difference.resource, &difference.why, difference.from);
    let experiment = difference.experiment.as_ref();
    let name = experiment
        .filter(|name| *name != resource)
        .map_or_else(|| resource.clone(), |name| format!("{name} ({resource})"));
    format!("{name}  {from:.0} to {until}, {lasted}\n  {why}")
}

fn sum(compared: &Compared) -> String {
    if compared.differences.is_empty() {
        return if compared.resources == 0 {
            "Nothing was compared in that time.".to_owned()
        } else {
            "No difference.".to_owned()
        };
    }
    format!(
        "{} differences, {} in all: alike for {:.2} % of the time.",
        compared.differences.len(),
        rounded(compared.differed_seconds),
        100.0 * (1.0 - compared.differed_seconds / compared.compared_seconds.max(1.0)),
    )
}

/// A duration to the second.
fn rounded(seconds: f64) -> String {
    format_duration(Duration::try_from_secs_f64(seconds.round()).unwrap_or_default())
}
