//! Starts the log: target, format, levels. Nothing waits for it: lines that come faster than they
//! can be written are dropped and counted.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::str::FromStr;

use engine::model::Gather as _;
use jiff::Timestamp;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Format;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

use super::journal::{self, Journal};
use super::line::{OneLine, remark};
use super::rotate::{RotatingFile, RotationDeps};
use super::special;
use crate::config::{LogFile, LogFormat, LogSettings, LogTarget};

/// How many lines wait to be written; more are dropped and counted. Some MB at most.
pub const QUEUED_LINES: usize = 4_096;

/// The level of libraries unless a filter sets it. The verifier of certificates logs an error at
/// every attempt, which labwatch itself logs once.
const LIBRARIES: &str = "warn,rustls_platform_verifier=off";

/// Why the log could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("log_level is not a level or a filter: {0}")]
    Level(String),
    #[error("the log was started twice")]
    Started,
}

/// Keeps the log running; when it is dropped, queued lines are written.
#[must_use = "without it the last lines are lost"]
pub struct Guard {
    _worker: WorkerGuard,
    levels: LevelHandle,
}

impl Guard {
    /// The levels, which can be set at runtime.
    pub fn levels(&self) -> LevelHandle {
        self.levels.clone()
    }
}

/// The levels of the log. Clones share them.
#[derive(Debug, Clone)]
pub struct LevelHandle(reload::Handle<Targets, Registry>);

impl LevelHandle {
    /// The level of each target: the start of a module's path. The empty one is for all others.
    pub fn levels(&self) -> BTreeMap<String, String> {
        let Some(targets) = self.0.clone_current() else {
            return BTreeMap::new();
        };
        let everything = targets
            .default_level()
            .map(|level| (String::new(), level.to_string()));
        everything
            .into_iter()
            .chain(
                targets
                    .iter()
                    .map(|(target, level)| (target.to_owned(), level.to_string())),
            )
            .gather()
    }

    /// Applies another `LOG_LEVEL`, which replaces the levels that were set at runtime.
    ///
    /// # Errors
    /// A sentence: it is neither a level nor a filter, or the log has ended.
    pub fn adopt(&self, level: &str) -> Result<(), String> {
        let filter = filter(level).map_err(|error| error.to_string())?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }

    /// Sets the level of these targets, and leaves all others as they are. Levels of modules within
    /// one of them are dropped.
    ///
    /// # Errors
    /// A sentence: the level is not one, or the log has ended.
    pub fn set(&self, targets: &[&str], level: &str) -> Result<(), String> {
        let level = LevelFilter::from_str(level).map_err(|error| error.to_string())?;
        let set = |now: &mut Targets| {
            let others = now
                .iter()
                .filter(|(known, _)| !targets.iter().any(|target| is_within(known, target)));
            let mut next =
                Targets::new().with_default(now.default_level().unwrap_or(LevelFilter::OFF));
            next.extend(others.map(|(known, level)| (known.to_owned(), level)));
            next.extend(targets.iter().map(|target| ((*target).to_owned(), level)));
            *now = next;
        };
        self.0.modify(set).map_err(|error| error.to_string())
    }
}

/// Whether a module is this one or inside it.
fn is_within(module: &str, outer: &str) -> bool {
    module
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Starts the log of this process. A file that cannot be opened is replaced by standard error,
/// which is logged there.
///
/// # Errors
/// [`LogError`]: the level is wrong, or there is a log already.
pub fn start(settings: &LogSettings) -> Result<Guard, LogError> {
    let filter = filter(&settings.level)?;
    let sink = Sink::open(settings);
    let refused = sink.refused;
    let (filter, handle) = reload::Layer::new(filter);
    let (writer, guard) = queue(sink.writer, LevelHandle(handle));
    subscriber(sink.format, filter, writer)
        .try_init()
        .map_err(|_| LogError::Started)?;
    if let (Some(error), LogTarget::File(file)) = (refused, &settings.target) {
        tracing::warn!(file = %file.path.display(), %error, "the log file cannot be opened: the log goes to standard error instead");
    }
    Ok(guard)
}

struct Sink {
    writer: Box<dyn Write + Send>,
    /// Why the configured file cannot be used.
    refused: Option<io::Error>,
    /// How a line looks; `None`: as an entry of the journal.
    format: Option<LogFormat>,
}

impl Sink {
    fn open(settings: &LogSettings) -> Self {
        let format = Some(settings.format);
        let plain = |writer, refused| Self {
            writer,
            refused,
            format,
        };
        match &settings.target {
            LogTarget::Output => match journal() {
                Some(journal) => Self {
                    writer: Box::new(journal),
                    refused: None,
                    format: None,
                },
                None => plain(Box::new(io::stdout()), None),
            },
            LogTarget::Error => plain(Box::new(io::stderr()), None),
            LogTarget::File(file) => match open_file(file, settings.format) {
                Ok(file) => plain(file, None),
                Err(error) => plain(Box::new(io::stderr()), Some(error)),
            },
        }
    }
}

/// The journal, where standard output is the journal and takes its own words.
fn journal() -> Option<Journal> {
    let is_journal = journal::is_standard_output();
    is_journal.then(Journal::open).and_then(Result::ok)
}

fn open_file(file: &LogFile, format: LogFormat) -> io::Result<Box<dyn Write + Send>> {
    if let Some(special) = special::open(&file.path)? {
        return Ok(special);
    }
    let around = RotationDeps {
        now: Box::new(Timestamp::now),
        remark: Box::new(move |now, text| remark(format, now, text)),
        complain: Box::new(|text| {
            let _ = writeln!(io::stderr(), "{text}"); // there is nowhere else to say that this failed too
        }),
    };
    Ok(Box::new(RotatingFile::open(file.clone(), around)?))
}

fn queue(writer: Box<dyn Write + Send>, levels: LevelHandle) -> (NonBlocking, Guard) {
    let builder = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name("log");
    let (writer, worker) = builder.finish(writer);
    let guard = Guard {
        _worker: worker,
        levels,
    };
    (writer, guard)
}

/// A level is for labwatch alone; libraries stay at [`LIBRARIES`], or below where the level is.
fn filter(level: &str) -> Result<Targets, LogError> {
    let text = match level {
        "off" => level.to_owned(),
        "error" | "warn" => format!("{LIBRARIES},{level}"),
        "info" | "debug" | "trace" => format!("{LIBRARIES},labwatch={level}"),
        filter => format!("{LIBRARIES},{filter}"),
    };
    Targets::from_str(&text).map_err(|error| LogError::Level(error.to_string()))
}

fn subscriber(
    format: Option<LogFormat>,
    filter: reload::Layer<Targets, Registry>,
    writer: NonBlocking,
) -> impl Subscriber + Send + Sync {
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer);
    let layer = match format {
        None => layer.event_format(journal::Entry).boxed(),
        Some(LogFormat::Text) => layer
            .event_format(OneLine(Format::default().with_ansi(false)))
            .boxed(),
        Some(LogFormat::Json) => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// The content of the file after `events` were logged with these settings.
    fn logged(level: &str, format: LogFormat, events: impl FnOnce(&LevelHandle)) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labwatch.log");
        let file = LogFile {
            path: path.clone(),
            max_size: 1 << 20,
            max_age: Duration::from_secs(3_600),
            max_total: 1 << 20,
        };
        let settings = LogSettings {
            level: level.to_owned(),
            format,
            target: LogTarget::File(file),
        };
        let sink = Sink::open(&settings);
        let (filter, handle) = reload::Layer::new(filter(level).expect("a level"));
        let (writer, guard) = queue(sink.writer, LevelHandle(handle));
        tracing::subscriber::with_default(subscriber(sink.format, filter, writer), || {
            events(&guard.levels());
        });
        drop(guard);
        fs::read_to_string(path).expect("reads")
    }

    fn of_every_kind(_: &LevelHandle) {
        tracing::debug!("own debug");
        tracing::info!("own info");
        tracing::info!(target: "hyper::client", "foreign info");
        tracing::warn!(target: "hyper::client", "foreign warn");
        tracing::error!(target: "rustls_platform_verifier::verification::others", "said already");
    }

    #[test]
    fn a_level_is_for_labwatch_and_libraries_stay_at_warn() {
        for (level, lines) in [
            ("off", &[][..]),
            ("warn", &["foreign warn"]),
            ("info", &["own info", "foreign warn"]),
            ("debug", &["own debug", "own info", "foreign warn"]),
            ("trace", &["own debug", "own info", "foreign warn"]),
            ("off,labwatch=info", &["own info"]),
            ("hyper=info", &["foreign info", "foreign warn"]),
        ] {
            let text = logged(level, LogFormat::Text, of_every_kind);
            let said: Vec<&str> = text
                .lines()
                .filter_map(|line| line.rsplit_once(": ").map(|(_, said)| said))
                .collect();
            assert_eq!(said, lines, "{level}");
        }
        assert!(matches!(filter("labwatch=loud"), Err(LogError::Level(_))));
    }

    #[test]
    fn a_level_is_set_while_the_log_goes_on() {
        let text = logged("warn", LogFormat::Text, |levels| {
            tracing::info!("before");
            tracing::info!(target: "labwatch::clients::book::poll", "book before");
            levels.set(&["labwatch"], "info").expect("sets");
            levels.set(&["labwatch::clients"], "off").expect("sets");
            tracing::info!("between");
            tracing::info!(target: "labwatch::clients::book::poll", "book between");
            let notified: Vec<_> = levels.levels().into_iter().collect();
            assert_eq!(
                notified,
                [
                    ("", "warn"),
                    ("labwatch", "info"),
                    ("labwatch::clients", "off"),
                    ("rustls_platform_verifier", "off")
                ]
                .map(|(t, l)| (t.to_owned(), l.to_owned()))
            );
            levels.set(&["labwatch"], "info").expect("sets");
            tracing::info!(target: "labwatch::clients::book::poll", "book after");
            assert!(levels.set(&["labwatch"], "loud").is_err());
        });
        let said: Vec<&str> = text
            .lines()
            .filter_map(|line| line.rsplit_once(": ").map(|(_, said)| said))
            .collect();
        assert_eq!(said, ["between", "book after"]);
    }

    #[test]
    fn values_from_outside_cannot_break_a_line() {
        let hostile = "pend00\n2026-01-01T00:00:00Z ERROR labwatch: forged\u{1b}[2J";
        let log =
            |_: &LevelHandle| tracing::info!(stub = %hostile, raw = hostile, "seen {hostile}");
        let text = logged("info", LogFormat::Text, log);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}') && text.ends_with('\n'), "{text}");
        let json = logged("info", LogFormat::Json, log);
        assert_eq!(json.lines().count(), 1, "{json}");
        let line: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert!(line["stub"].as_str().expect("a text").starts_with("pend00"));
    }

    #[test]
    fn json_has_its_fields_at_the_top() {
        let json = logged("info", LogFormat::Json, |_| {
            tracing::warn!(stub = "pend00", streams = 2, "withdrawn");
        });
        let line: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            (line["level"].as_str(), line["message"].as_str()),
            (Some("WARN"), Some("withdrawn"))
        );
        assert_eq!(
            (line["stub"].as_str(), line["streams"].as_u64()),
            (Some("pend00"), Some(2))
        );
        assert!(
            line["timestamp"]
                .as_str()
                .expect("a time")
                .parse::<Timestamp>()
                .is_ok()
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_gives_way_to_standard_error() {
        let file = LogFile {
            path: "/dev/null/labwatch.log".into(),
            max_size: 1,
            max_age: Duration::ZERO,
            max_total: 1,
        };
        let sink = Sink::open(&LogSettings {
            level: "info".to_owned(),
            format: LogFormat::Text,
            target: LogTarget::File(file),
        });
        assert!(sink.refused.is_some());
    }

    #[test]
    fn what_comes_too_fast_is_dropped_and_counted() {
        /// Writes nothing until it is released.
        struct Authenticator(std::sync::mpsc::Receiver<()>);
        impl Write for Authenticator {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(line.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (open, authenticator) = std::sync::mpsc::channel();
        let (_filter, handle) = reload::Layer::new(Targets::new());
        let (mut writer, _guard) =
            queue(Box::new(Authenticator(authenticator)), LevelHandle(handle));
        for _ in 0..QUEUED_LINES + 100 {
            writer.write_all(b"x\n").expect("never fails");
        }
        let dropped = writer.error_counter().dropped_lines();
        assert!((98..=100).contains(&dropped), "{dropped}");
        drop(open);
    }
}
