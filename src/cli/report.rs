//! `labwatch report`: the availability of the laboratory, from the data folder, whether or not
//! labwatch runs on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::failure::Failure;
use super::output::say;
use crate::config::{Config, Sources, load_rules};
use crate::reports::{self, By, Period, Report};

/// The time limit for reading. The operator waits at a terminal and can end it at any time.
const READ_WITHIN: Duration = Duration::from_secs(600);

/// Period and output of the report.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The month, as 2026-10; without it and --from, the last one that is over.
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "until"])]
    month: Option<String>,
    /// From when: a date as 2026-10-01, or a time as 2026-10-01T08:00:00Z.
    #[arg(long, value_name = "TIME", requires = "until")]
    from: Option<String>,
    /// The end, exclusive.
    #[arg(long, value_name = "TIME", requires = "from")]
    until: Option<String>,
    /// Rows of this kind only; CSV has those of experiments by default.
    #[arg(long, value_enum)]
    by: Option<Rows>,
    /// How it is written.
    #[arg(long, visible_alias = "output", value_enum, default_value = "text")]
    format: Format,
    /// The data folder, instead of the one that the settings name.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rows {
    Experiment,
    Pool,
    Month,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Csv,
    Json,
    Html,
}

/// Makes the report and prints it.
///
/// # Errors
/// [`Failure`] when the period is invalid, or the data folder cannot be read.
pub fn run(args: &ReportArgs, sources: &Sources) -> Result<(), Failure> {
    let config = load_rules(sources)?.config;
    let configured = config
        .database
        .as_ref()
        .map(|database| database.folder.as_path());
    let Some(folder) = args.data_dir.as_deref().or(configured) else {
        return Err(Failure::Usage(
            "data_dir is none, so there is no history: name a folder with --data-dir.".to_owned(),
        ));
    };
    let now = Timestamp::now();
    let period = period(args, &config, now)?;
    let report = read(folder, &period, &config, now)?;
    write(args, report)
}

fn period(args: &ReportArgs, config: &Config, now: Timestamp) -> Result<Period, Failure> {
    let zone = &config.notifications.zone.rules;
    let period = match (&args.month, args.from.as_deref().zip(args.until.as_deref())) {
        (Some(month), _) => Period::month(month, zone, now),
        (None, Some((from, until))) => Period::between(from, until, zone, now),
        (None, None) => Period::last_month(zone, now),
    };
    period.map_err(|error| Failure::Usage(format!("{error}.")))
}

fn read(
    folder: &Path,
    period: &Period,
    config: &Config,
    now: Timestamp,
) -> Result<Report, Failure> {
    let planned = config.planned();
    let report = reports::of_folder(folder, period, &planned, now, Instant::now() + READ_WITHIN);
    report.map_err(|error| Failure::Failed(format!("There is no report: {error}.")))
}

fn write(args: &ReportArgs, report: Report) -> Result<(), Failure> {
    let by = args.by.map(By::from);
    let csv_by = by.unwrap_or(By::Experiment);
    let report = match by {
        Some(by) => report.only(by),
        None => report,
    };
    match args.format {
        Format::Text => say(&reports::text(&report)),
        Format::Csv => say(&reports::csv(&report, csv_by)),
        Format::Html => say(&reports::html(&report)),
        Format::Json => {
            let json = serde_json::to_string_pretty(&report).map_err(|error| {
                Failure::Failed(format!("The report cannot be written as JSON: {error}."))
            });
            say(&json?)
        }
    }
}

impl From<Rows> for By {
    fn from(rows: Rows) -> Self {
        match rows {
            Rows::Experiment => Self::Experiment,
            Rows::Pool => Self::Pool,
            Rows::Month => Self::Month,
        }
    }
}
