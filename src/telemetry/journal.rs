//! The log in systemd's journal, in the journal's own protocol, where standard output is the
//! journal: each line has its priority, so that `journalctl -p warning` finds it, and its values as
//! fields (`LABWATCH_EXPERIMENT=pend00`) beside the text.
//!
//! Written here, and not by a library, because those put the values of an event into fields only,
//! where `journalctl` does not show them: `withdrew resource` would not say which. The lines go
//! through the same bounded queue as in every other log.

use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::line::one_line;

const SOCKET: &str = "/run/systemd/journal/socket";

/// The longest text of one entry, in bytes. More does not fit into one datagram everywhere, and
/// helps no reader.
const MAX_TEXT_BYTES: usize = 32 << 10;

/// How many values of an event become fields; all of them are in the text.
const MAX_FIELDS: usize = 32;

/// Whether standard output is the journal.
pub(super) fn is_standard_output() -> bool {
    is_stream("/proc/self/fd/1")
}

/// Whether standard error is the journal.
pub(crate) fn is_standard_error() -> bool {
    is_stream("/proc/self/fd/2")
}

/// systemd names the journal's stream by device and inode.
fn is_stream(descriptor: &str) -> bool {
    let named = std::env::var("JOURNAL_STREAM").ok();
    let output = fs::metadata(descriptor).ok();
    named
        .zip(output)
        .is_some_and(|(named, output)| named == format!("{}:{}", output.dev(), output.ino()))
}

/// A writer to the journal: each write is one entry.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Connects to the journal.
    ///
    /// # Errors
    /// When that is not possible here.
    pub(super) fn open() -> io::Result<Self> {
        fs::metadata(SOCKET)?;
        Ok(Self {
            socket: UnixDatagram::unbound()?,
        })
    }
}

impl io::Write for Journal {
    /// The path is looked up each time, so that a restarted journal is found.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let _ = self.socket.send_to(entry, SOCKET); // an entry that it does not take is lost
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as an entry of the journal. No value breaks a line, so that none can forge a field.
pub(super) struct Entry;

impl<S, N> FormatEvent<S, N> for Entry
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut values = Values::default();
        event.record(&mut values);
        let target = event.metadata().target();
        writeln!(writer, "PRIORITY={}", priority(*event.metadata().level()))?;
        writeln!(writer, "SYSLOG_IDENTIFIER=labwatch")?;
        writeln!(writer, "TARGET={}", one_line(target))?;
        writeln!(writer, "MESSAGE={}", values.text())?;
        for (name, value) in values.fields.iter().take(MAX_FIELDS) {
            writeln!(writer, "LABWATCH_{name}={value}")?;
        }
        Ok(())
    }
}

/// The journal's priority, which is syslog's.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[derive(Default)]
struct Values {
    message: String,
    /// The values as text.
    shown: String,
    /// The values by field names that the journal accepts.
    fields: Vec<(String, String)>,
}

impl Values {
    fn text(&self) -> String {
        let mut text = format!("{}{}", self.message, self.shown);
        if text.len() > MAX_TEXT_BYTES {
            let is_end = |at: &usize| text.is_char_boundary(*at);
            text.truncate((0..=MAX_TEXT_BYTES).rev().find(is_end).unwrap_or_default());
            text.push('\u{2026}');
        }
        text
    }

    fn note(&mut self, field: &Field, value: &str) {
        let value = one_line(value);
        if field.name() == "message" {
            self.message = value;
            return;
        }
        let _ = write!(self.shown, " {}={value}", field.name()); // a String takes everything
        if value.len() <= MAX_TEXT_BYTES {
            let name = field.name().to_ascii_uppercase();
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            self.fields.push((name.chars().map(plain).collect(), value));
        }
    }
}

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// The entries of these events.
    fn written(events: impl FnOnce()) -> String {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&buffer);
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || Shared(Arc::clone(&sink)))
            .event_format(Entry);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
        let bytes = buffer.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_entry_has_its_priority_its_text_and_its_fields() {
        let text = written(|| {
            tracing::warn!(target: "labwatch::effects", stub = "pend00", took_s = 2, "withdrew resource");
        });
        let expected = "PRIORITY=4\nSYSLOG_IDENTIFIER=labwatch\nTARGET=labwatch::effects\n\
                        MESSAGE=withdrew resource stub=pend00 took_s=2\nLABWATCH_STUB=pend00\nLABWATCH_TOOK_S=2\n";
        assert_eq!(text, expected);
        for (level, priority) in [(Level::ERROR, 3), (Level::INFO, 6), (Level::DEBUG, 7)] {
            assert_eq!(super::priority(level), priority);
        }
    }

    #[test]
    fn a_value_forges_no_field() {
        let text = written(|| tracing::info!(stub = "a\nPRIORITY=0", "seen {}", "b\nMESSAGE=x"));
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn what_is_long_is_cut() {
        let text = written(|| tracing::info!(raw = "\u{e9}".repeat(MAX_TEXT_BYTES), "seen"));
        let message = text
            .lines()
            .find(|line| line.starts_with("MESSAGE="))
            .expect("a message");
        assert!(message.len() < MAX_TEXT_BYTES + 20 && !text.contains("LABWATCH_RAW"));
    }
}
