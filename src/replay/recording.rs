//! A recording: what relay, jump and book really sent, and which faults were injected. Reads the
//! files of one folder, with bounds.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::clients::parse;
use engine::model::{CallError, ConnectError, SourceName};
use engine::{Link, Report};

/// The longest line that is read, in bytes: a report of 10,000 experiments is 6 MB.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 4 << 30;

/// The content of a recording, in the order in which it happened.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The wall clock at its start. Where book never reported it: 1970.
    pub origin: Timestamp,
    /// What happened, by the time since the start.
    pub happened: Vec<(Duration, Recorded)>,
}

/// A recorded input.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// A report of relay or jump.
    Report(SourceName, Arc<Report>),
    /// The state of the connection to relay or jump.
    Link(SourceName, Link),
    /// A call to book, with its answer.
    Exchange(Exchange),
    /// A fault was injected.
    Did(String),
}

/// A call to book, with its answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    t: f64,
    /// The HTTP method.
    pub method: String,
    /// The path of the URL.
    pub path: String,
    /// The query, where there is one.
    #[serde(default)]
    pub params: Value,
    /// The HTTP status.
    pub status: u16,
    /// The answer.
    #[serde(default)]
    pub body: Value,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be read.
    #[error("{} cannot be read: {why}", .file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// A file is longer than [`MAX_FILE_BYTES`].
    #[error("{} is larger than {max_file_bytes} bytes", .0.display(), max_file_bytes = MAX_FILE_BYTES)]
    TooLarge(PathBuf),
    /// A line is not what it should be, or longer than [`MAX_LINE_BYTES`].
    #[error("{}:{line}: {why}", .file.display())]
    Line {
        /// In which file.
        file: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing to replay in the folder.
    #[error("{} holds no recording: none of relay.jsonl, jump.jsonl and book.jsonl is there", .0.display())]
    Empty(PathBuf),
    /// The result cannot be written.
    #[error("the result cannot be written: {0}")]
    Write(std::io::Error),
}

impl Recording {
    /// Reads a folder with `relay.jsonl`, `jump.jsonl`, `book.jsonl` and `timeline.jsonl`. A
    /// missing file is skipped.
    ///
    /// # Errors
    /// [`ReplayError`] when a file cannot be read, is too large or holds a broken line, or when
    /// there is none.
    pub fn read(folder: &Path) -> Result<Self, ReplayError> {
        let mut happened = lines(&folder.join("timeline.jsonl"), did)?;
        let about = happened.len();
        happened.extend(lines(&folder.join("book.jsonl"), exchange)?);
        happened.extend(lines(&folder.join("relay.jsonl"), |line| {
            frame(SourceName::Relay, line)
        })?);
        happened.extend(lines(&folder.join("jump.jsonl"), |line| {
            frame(SourceName::Jump, line)
        })?);
        if happened.len() == about {
            return Err(ReplayError::Empty(folder.to_owned()));
        }
        happened.sort_by_key(|(at, _)| *at);
        Ok(Self {
            origin: origin(&happened).unwrap_or_default(),
            happened,
        })
    }
}

/// When the recording began, by the first time that book reported.
fn origin(happened: &[(Duration, Recorded)]) -> Option<Timestamp> {
    happened.iter().find_map(|(at, recorded)| {
        let Recorded::Exchange(exchange) = recorded else {
            return None;
        };
        let now: Timestamp = exchange.body.get("now")?.as_str()?.parse().ok()?;
        now.checked_sub(*at).ok()
    })
}

type Parsed = Option<(Duration, Recorded)>;

/// Reads a file line by line. A missing file has none.
fn lines(
    file: &Path,
    parse: impl Fn(&str) -> Result<Parsed, String>,
) -> Result<Vec<(Duration, Recorded)>, ReplayError> {
    let cannot = |why| ReplayError::Read {
        file: file.to_owned(),
        why,
    };
    let opened = match std::fs::File::open(file) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(cannot)?,
    };
    if opened.metadata().map_err(cannot)?.len() > MAX_FILE_BYTES {
        return Err(ReplayError::TooLarge(file.to_owned()));
    }
    let mut reader = BufReader::new(opened);
    let mut found = Vec::new();
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE_BYTES as u64 + 1)
            .read_line(&mut text)
            .map_err(cannot)?;
        if read == 0 {
            break;
        }
        let broken = |why| ReplayError::Line {
            file: file.to_owned(),
            line,
            why,
        };
        if read > MAX_LINE_BYTES {
            return Err(broken(format!("it is longer than {MAX_LINE_BYTES} bytes")));
        }
        if text.trim().is_empty() {
            continue;
        }
        match parse(&text) {
            Ok(parsed) => found.extend(parsed),
            // The recorder was ended while it wrote.
            Err(_) if !text.ends_with('\n') && is_cut_off(&text) => {
                tracing::warn!(file = %file.display(), line, "the last line is cut off and left out");
            }
            Err(why) => return Err(broken(why)),
        }
    }
    Ok(found)
}

/// Whether a text begins as JSON and ends too soon.
fn is_cut_off(text: &str) -> bool {
    let whole = serde_json::from_str::<serde::de::IgnoredAny>(text);
    whole.is_err_and(|error| error.is_eof())
}

fn json<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

fn time(t: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(t).map_err(|_| format!("{t} is not a time in seconds"))
}

fn did(line: &str) -> Result<Parsed, String> {
    #[derive(Deserialize)]
    struct Line {
        t: f64,
        did: String,
    }
    let Line { t, did } = json(line)?;
    Ok(Some((time(t)?, Recorded::Did(did))))
}

fn exchange(line: &str) -> Result<Parsed, String> {
    let exchange: Exchange = json(line)?;
    Ok(Some((time(exchange.t)?, Recorded::Exchange(exchange))))
}

/// A websocket message or a change of the connection. A message without a report is skipped.
fn frame(source: SourceName, line: &str) -> Result<Parsed, String> {
    #[derive(Deserialize)]
    struct Line {
        t: f64,
        #[serde(default)]
        event: Option<String>,
        #[serde(default)]
        data: Option<String>,
        #[serde(default)]
        code: Option<u16>,
    }
    let line: Line = json(line)?;
    let at = time(line.t)?;
    let recorded = match (line.event.as_deref(), line.data) {
        (Some("open"), _) => Some(Recorded::Link(source, Link::Open)),
        (Some("closed"), _) => {
            let code = line
                .code
                .map_or_else(String::new, |code| format!(" with code {code}"));
            Some(Recorded::Link(
                source,
                Link::Closed(format!("the server closed it{code}")),
            ))
        }
        (Some("refused"), _) => Some(Recorded::Link(
            source,
            Link::Failed(ConnectError::access(CallError::Refused(
                "connection refused".to_owned(),
            ))),
        )),
        (Some(other), _) => {
            return Err(format!(
                "\"{other}\" is none of the events open, closed and refused"
            ));
        }
        (None, Some(data)) => parse(source, data.as_bytes())
            .report
            .map(|report| Recorded::Report(source, Arc::new(report))),
        (None, None) => return Err("it has neither an event nor data".to_owned()),
    };
    Ok(recorded.map(|recorded| (at, recorded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, text: &str) -> Result<Recording, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(file), text).expect("a file");
        let cut = |error: ReplayError| {
            error
                .to_string()
                .replace(&folder.path().display().to_string(), "DIR")
        };
        Recording::read(folder.path()).map_err(cut)
    }

    #[test]
    fn a_broken_line_is_named() {
        let rows = [
            (
                "relay.jsonl",
                "{\"t\": 1, \"event\": \"open\"}\n{\"t\": 2, \"data\": \n",
                "DIR/relay.jsonl:2: EOF while parsing",
            ),
            (
                "jump.jsonl",
                "{\"t\": 1, \"event\": \"lost\"}",
                "DIR/jump.jsonl:1: \"lost\" is none of the events",
            ),
            (
                "jump.jsonl",
                "\n{\"t\": 1}",
                "DIR/jump.jsonl:2: it has neither an event nor data",
            ),
            (
                "book.jsonl",
                "{\"t\": -1, \"method\": \"GET\", \"path\": \"/\", \"status\": 200}",
                "DIR/book.jsonl:1: -1 is not a time",
            ),
            (
                "timeline.jsonl",
                "{\"t\": 1, \"did\": \"nothing else\"}",
                "DIR holds no recording",
            ),
            ("else.jsonl", "x", "DIR holds no recording"),
        ];
        for (file, text, expected) in rows {
            let error = read(file, text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_last_line_that_is_cut_off_is_left_out() {
        let whole = "{\"t\": 1, \"event\": \"open\"}\n";
        for cut in ["{\"t\": 2, \"data\": ", "{", "{\"t\": 2, \"event\": \"clo"] {
            let recording = read("relay.jsonl", &format!("{whole}{cut}")).expect(cut);
            assert_eq!(recording.happened.len(), 1, "{cut}");
        }
    }

    #[test]
    fn all_files_are_one_row_of_happenings() {
        let relay = "{\"t\": 3, \"event\": \"closed\", \"code\": 1006}\n{\"t\": 2, \"opcode\": \"text\", \"data\": \"junk\"}\n{\"t\": 1, \"data\": \"[{\\\"topic\\\":\\\"stats\\\",\\\"scopes\\\":[\\\"read\\\"]}]\"}";
        let recording = read("relay.jsonl", relay).expect("a recording");
        let times: Vec<u64> = recording
            .happened
            .iter()
            .map(|(at, _)| at.as_secs())
            .collect();
        assert_eq!(times, [1, 3], "a message without a report is nothing");
    }
}
