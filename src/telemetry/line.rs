//! Format of a log line. Every event is exactly one line, whatever the values from outside contain.

use std::fmt;

use jiff::Timestamp;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;
use engine::model::is_deceptive;

/// An event format whose control characters and line separators are escaped, but for the line break
/// at the end.
pub(super) struct OneLine<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&one_line(line.trim_end_matches('\n')))?;
        writer.write_char('\n')
    }
}

pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_deceptive(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// A line of the log about itself.
pub(super) fn remark(format: LogFormat, now: Timestamp, text: &str) -> String {
    const TARGET: &str = "labwatch::telemetry";
    match format {
        LogFormat::Text => format!("{now:.6}  WARN {TARGET}: {}\n", one_line(text)),
        LogFormat::Json => {
            let line = serde_json::json!({"timestamp": format!("{now:.6}"), "level": "WARN", "message": text, "target": TARGET});
            format!("{line}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line() {
        assert_eq!(
            one_line("a\r\nb\u{1b}[2J\u{2028}c\u{e9}\u{202e}\u{200b}"),
            "a\\r\\nb\\u{1b}[2J\\u{2028}c\u{e9}\\u{202e}\\u{200b}"
        );
    }

    #[test]
    fn a_remark_looks_like_every_other_line() {
        let text = remark(LogFormat::Text, Timestamp::UNIX_EPOCH, "a\nb");
        assert_eq!(
            text,
            "1970-01-01T00:00:00.000000Z  WARN labwatch::telemetry: a\\nb\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&remark(LogFormat::Json, Timestamp::UNIX_EPOCH, "a\nb"))
                .expect("JSON");
        assert_eq!(
            (json["level"].as_str(), json["message"].as_str()),
            (Some("WARN"), Some("a\nb"))
        );
    }
}
