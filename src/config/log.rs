//! The settings of the log: level, format, target. Opens nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::configuration::{LogFile, LogFormat, LogSettings, LogTarget};
use super::reader::Reader;

pub(super) fn log(reader: &mut Reader<'_>) -> LogSettings {
    LogSettings {
        level: reader.parsed("log_level", level).unwrap_or_default(),
        format: match reader.word("log_format") {
            Some("text") => LogFormat::Text,
            _ => LogFormat::Json,
        },
        target: target(reader),
    }
}

fn target(reader: &mut Reader<'_>) -> LogTarget {
    let target = reader.parsed("log_file", named);
    let (max_size, max_total) = (reader.size("log_max_size"), reader.size("log_max_total"));
    let max_age = reader.duration("log_max_age");
    if (1..max_size).contains(&max_total) {
        reader.wrong(
            "log_max_total",
            "is below log_max_size",
            "all log files together need room for at least one",
        );
    }
    let path = match target {
        None | Some(Named::Output) => return LogTarget::Output,
        Some(Named::Error) => return LogTarget::Error,
        Some(Named::Path(path)) => path,
    };
    if path.is_relative() {
        let warning = format!(
            "log_file is the relative path {}: the file is in the folder that labwatch is started in",
            path.display()
        );
        reader.warnings.push(warning);
    }
    LogTarget::File(LogFile {
        path,
        max_size,
        max_age,
        max_total,
    })
}

/// What `log_file` names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Output,
    Error,
    Path(PathBuf),
}

fn named(text: &str) -> Result<Named, String> {
    let link = fs::read_link(text).ok();
    let behind = link.as_deref().and_then(Path::to_str).and_then(stream);
    if let Some(stream) = stream(text).or(behind) {
        Ok(stream)
    } else if text.ends_with('/') || Path::new(text).is_dir() {
        Err("is a folder".to_owned())
    } else {
        Ok(Named::Path(PathBuf::from(text)))
    }
}

/// The standard stream of a word or a path. Opened by its path, a pipe or socket may refuse; as the
/// stream that it is, it does not.
fn stream(text: &str) -> Option<Named> {
    match text.to_ascii_lowercase().as_str() {
        "stdout" | "-" | "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(Named::Output),
        "stderr" | "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(Named::Error),
        _ => None,
    }
}

/// A level or a filter, in current notation. A single word that is not a level would be taken for
/// the name of a library.
fn level(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let level = match text.as_str() {
        "warning" => "warn",
        "fatal" | "panic" => "error",
        other => other,
    };
    let lone = level
        .split(',')
        .map(str::trim)
        .filter(|part| !part.contains('='));
    if lone
        .clone()
        .any(|part| LevelFilter::from_str(part).is_err() || part.is_empty())
    {
        return Err("is not a level".to_owned());
    }
    Targets::from_str(level).map_err(|error| format!("is not a filter: {error}"))?;
    Ok(level.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for (text, expected) in [
            ("INFO", "info"),
            ("warning", "warn"),
            ("fatal", "error"),
            ("off", "off"),
            (
                "info,labwatch::clients=debug",
                "info,labwatch::clients=debug",
            ),
            ("labwatch=trace", "labwatch=trace"),
        ] {
            assert_eq!(level(text), Ok(expected.to_owned()));
        }
        for bad in ["infoo", "info,feeds", "labwatch=loud", "", ","] {
            assert!(level(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_words_for_standard_streams_are_no_files() {
        for (text, named) in [
            ("stdout", Named::Output),
            ("STDOUT", Named::Output),
            ("-", Named::Output),
            ("Stderr", Named::Error),
            ("/dev/stdout", Named::Output),
            ("/proc/self/fd/2", Named::Error),
            ("/dev/null", Named::Path("/dev/null".into())),
            ("/var/log/x", Named::Path("/var/log/x".into())),
            ("stdout.log", Named::Path("stdout.log".into())),
        ] {
            assert_eq!(super::named(text), Ok(named), "{text}");
        }
        assert!(named("/").is_err() && named("/nowhere/").is_err());
    }
}
