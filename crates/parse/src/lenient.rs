//! Reports with unusual content: each entry is read separately, an unreadable field counts as
//! absent, and an entry without a readable topic is left out. Slower than the strict reader, and
//! used only for what that one refuses.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::entry::{Entry, Flow, MAX_CONNECTIONS, Object, Stats};
use super::{Found, bytes_read, skip_value, words};
use engine::Report;
use engine::model::SourceName;

/// Reads the array at the start of `text`. Returns what it is, and how many bytes were read.
///
/// It is a report when some entry names a topic and no more entries than those are lost: where most
/// are, missing entries prove nothing.
pub(super) fn read(source: SourceName, text: &[u8]) -> (Found, usize) {
    let mut array = Cursor { text, at: 1 };
    let mut entries = Entries::new(source);
    loop {
        match array.peek() {
            Some(b']') => break,
            Some(b',') => array.at += 1,
            _ => match array.value() {
                Ok(entry) => entries.take(entry),
                Err(error) => return (Found::Broken(words(&error)), array.at),
            },
        }
        if entries.count > MAX_CONNECTIONS {
            return skip_value(text, "too many connections".to_owned());
        }
    }
    (entries.found(), array.at + 1)
}

/// The entries of an array.
struct Entries {
    source: SourceName,
    report: Report,
    /// How many entries there were.
    count: usize,
    /// How many of them named a topic.
    named: usize,
    /// How many of them are left out because no topic can be read.
    lost: usize,
    /// How many of them are partly unreadable.
    unreadable: usize,
    /// The number of the first of those, counted from 1, and why it is unreadable.
    why: Option<String>,
}

impl Entries {
    fn new(source: SourceName) -> Self {
        Self {
            source,
            report: Report::default(),
            count: 0,
            named: 0,
            lost: 0,
            unreadable: 0,
            why: None,
        }
    }

    fn take(&mut self, text: &[u8]) {
        self.count += 1;
        let lossy = String::from_utf8_lossy(text);
        let mut reading = Reading::default();
        let entry = reading.entry(&lossy);
        if reading.is_odd {
            self.unreadable += 1;
            let strict = serde_json::from_slice::<Object<'_>>(text).err();
            self.why.get_or_insert_with(|| {
                let why = strict.map_or_else(String::new, |error| words(&error));
                format!("entry {}: {why}", self.count)
            });
        }
        match entry {
            Some(entry) if !entry.topic.as_str().is_empty() => {
                self.named += 1;
                entry.write_to(self.source, &mut self.report);
            }
            Some(_) => {}
            None => self.lost += 1,
        }
    }

    fn found(mut self) -> Found {
        if self.named == 0 || self.lost > self.named {
            let why = self.why;
            return Found::Other(why.unwrap_or_else(|| "no connection has a topic".to_owned()));
        }
        if let Some(why) = self.why {
            self.report.set_unreadable(self.unreadable, why);
            self.report.set_nameless(self.lost);
        }
        self.report.shrink();
        Found::Report(self.report)
    }
}

/// Reads one entry, and notes whether something in it is unreadable.
#[derive(Default)]
struct Reading {
    is_odd: bool,
}

impl Reading {
    /// `None` without a readable topic. Field names are matched in any case, and of duplicates the
    /// last one with a value counts, as in Go, the servers' language.
    fn entry<'a>(&mut self, text: &'a str) -> Option<Entry<'a>> {
        let mut entry = Entry::default();
        let mut has_topic = true;
        let whole = self.members(text, |this, name, value| {
            match name.to_ascii_lowercase().as_str() {
                "topic" => has_topic = this.set(&mut entry.topic, value),
                "connected" | "connected_at" => drop(this.set(&mut entry.connected, value)),
                "expiresat" | "expires_at" => drop(this.set(&mut entry.expires, value)),
                "remoteaddr" | "remote_address" | "remote_addr" => {
                    this.set(&mut entry.remote, value);
                }
                "useragent" | "user_agent" => drop(this.set(&mut entry.user_agent, value)),
                "scopes" => drop(this.set(&mut entry.scopes, value)),
                "stats" | "statistcs" | "statistics" => {
                    entry.stats = this.stats(value).or(entry.stats.take());
                }
                _ => {}
            }
        });
        (whole && has_topic).then_some(entry)
    }

    fn stats(&mut self, text: &str) -> Option<Stats> {
        if text == "null" {
            return None;
        }
        let mut stats = Stats::default();
        let whole = self.members(text, |this, name, value| match name {
            "tx" => stats.tx = this.flow(value),
            "rx" => stats.rx = this.flow(value),
            "last" => drop(this.set(&mut stats.last, value)),
            _ => {}
        });
        whole.then_some(stats)
    }

    fn flow(&mut self, text: &str) -> Option<Flow> {
        if text == "null" {
            return None;
        }
        let mut flow = Flow::default();
        let whole = self.members(text, |this, name, value| match name {
            "last" => drop(this.set(&mut flow.last, value)),
            "size" => drop(this.set(&mut flow.size, value)),
            "fps" => drop(this.set(&mut flow.fps, value)),
            _ => {}
        });
        whole.then_some(flow)
    }

    /// Sets a field to a value where there is one; whether it is readable.
    fn set<'a, T: Deserialize<'a>>(&mut self, place: &mut T, text: &'a str) -> bool {
        if text == "null" {
            return true;
        }
        let value = serde_json::from_str(text);
        self.is_odd |= value.is_err();
        value.map(|value| *place = value).is_ok()
    }

    /// Reads the members of an object. Returns whether it is a whole one, which it should be.
    fn members<'a>(
        &mut self,
        text: &'a str,
        mut take: impl FnMut(&mut Self, &str, &'a str),
    ) -> bool {
        let whole = members(text, |name, value| take(self, name, value));
        self.is_odd |= !whole;
        whole
    }
}

/// Passes on name and value of each member of an object, also with missing or wrong quotation marks
/// around the name. Returns whether it is an object that ends where `text` does; extra commas are
/// allowed.
fn members<'a>(text: &'a str, mut take: impl FnMut(&str, &'a str)) -> bool {
    let mut object = Cursor {
        text: text.as_bytes(),
        at: 1,
    };
    if !text.starts_with('{') {
        return false;
    }
    loop {
        match object.peek() {
            Some(b',') => object.at += 1,
            Some(b'}') => return object.at + 1 == text.len(),
            _ => {
                let Some((name, value)) = object.member() else {
                    return false;
                };
                let value = std::str::from_utf8(value).unwrap_or("null");
                let name = serde_json::from_slice::<String>(name)
                    .unwrap_or_else(|_| String::from_utf8_lossy(name).replace(['"', '\''], ""));
                take(&name, value);
            }
        }
    }
}

/// A position in a text of JSON.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
        self.rest().first().copied()
    }

    fn member(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let name = self.value().ok()?;
        if self.peek() != Some(b':') {
            return None;
        }
        self.at += 1;
        Some((name, self.value().ok()?))
    }

    /// The next value; of invalid JSON, as far as it reaches.
    fn value(&mut self) -> Result<&'a [u8], serde_json::Error> {
        self.peek();
        let rest = self.rest();
        let mut json = Deserializer::from_slice(rest);
        let read = IgnoredAny::deserialize(&mut json);
        let len = match read {
            Ok(_) => bytes_read(json),
            Err(error) => {
                if let Some(len) = extent(rest) {
                    len
                } else {
                    self.at += bytes_read(json);
                    return Err(error);
                }
            }
        };
        self.at += len;
        Ok(rest.get(..len).unwrap_or_default())
    }
}

/// How far an invalid value reaches: what its brackets or quotation marks enclose, or a word.
fn extent(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'[' | b'{' => enclosed(text),
        b'"' => {
            let mut is_escaped = false;
            let inside = text.iter().skip(1);
            let len = inside.take_while(|byte| {
                let is_end = **byte == b'"' && !is_escaped;
                is_escaped = **byte == b'\\' && !is_escaped;
                !is_end
            });
            let len = len.count() + 2;
            (len <= text.len()).then_some(len)
        }
        _ => {
            let is_end = |byte: &u8| matches!(byte, b',' | b':' | b']' | b'}');
            text.iter().position(is_end).filter(|len| *len > 0)
        }
    }
}

/// How many bytes the brackets at the start enclose, including them; those within texts aside.
fn enclosed(text: &[u8]) -> Option<usize> {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            let is_end = matches!(byte, b']' | b'}') && !is_text;
            return is_end.then_some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::parse;
    use super::*;
    use engine::Scopes;

    const GOOD: &str = r#"{"topic":"a","scopes":["read","expt"]},{"topic":"b"}"#;

    /// The topics of a report with two good entries and this one, and how many entries are
    /// unreadable.
    fn with(entry: &[u8]) -> (String, usize, Option<String>) {
        let message = [b"[", GOOD.as_bytes(), b",", entry, b"]"].concat();
        let shown = String::from_utf8_lossy(&message).into_owned();
        let parsed = parse(SourceName::Relay, &message);
        let report = parsed.report.unwrap_or_else(|| panic!("{shown}"));
        let topics: Vec<_> = report.iter().map(|c| c.topic.to_owned()).collect();
        let (count, why) = report
            .unreadable()
            .map_or((0, None), |(count, why)| (count, Some(why.to_owned())));
        (topics.join(" "), count, why)
    }

    #[test]
    fn an_odd_entry_harms_no_other() {
        for (entry, topics, unreadable) in [
            (
                r#"{"topic":"x","connected":"1","connected_at":"2"}"#,
                "a b x",
                0,
            ),
            (r#"{"topic":"x","topic":"y","scopes":["read"]}"#, "a b y", 0),
            (r#"{"Topic":"x","Scopes":["read"]}"#, "a b x", 0),
            (r#"{"topic":"x","scopes":"read"}"#, "a b x", 1),
            (r#"{"topic":"x","scopes":{"read":1}}"#, "a b x", 1),
            (r#"{"topic":"x","scopes":["read",7]}"#, "a b x", 1),
            (r#"{"topic":"x","connected":1700000000}"#, "a b x", 1),
            (r#"{"topic":"x","remoteAddr":["10.0.0.1"]}"#, "a b x", 1),
            (r#"{"topic":"x","stats":"none"}"#, "a b x", 1),
            (r#"{"topic":"x","stats":{"tx":{"fps":"12"}}}"#, "a b x", 1),
            (r#"{"topic":"x","stats":{"tx":{"fps":1e400}}}"#, "a b x", 1),
            (r#"{"topic":"x","stats":{"tx":{"last":true}}}"#, "a b x", 1),
            (r#"{"topic":"x","userAgent":"\ud83d"}"#, "a b x", 1),
            (r#"{"topic":"x",}"#, "a b x", 0),
            // Invalid JSON affects its own field alone.
            (r#"{"topic":"x","stats":{"tx":{"fps":NaN}}}"#, "a b x", 1),
            (r#"{"topic":"x","stats":{"tx":{"last":+1}},}"#, "a b x", 1),
            (r#"{"topic":"x","connected":undefined}"#, "a b x", 1),
            ("{\"topic\":\"x\",\"userAgent\":\"a\tb\\\"\"}", "a b x", 1),
            (r#"{"userAgent":"\x41","topic":"x"}"#, "a b x", 1),
            (r#"{"topic":"x","scopes":['read']}"#, "a b x", 1),
            (r#"{topic:"x"}"#, "a b x", 0),
            (r#"{'topic':"x"}"#, "a b x", 0),
            ("oops", "a b", 1),
            (r#"{"topic":x}"#, "a b", 1),
            (r#"{"topic":7}"#, "a b", 1),
            (r#"{"topic":"\ud83d"}"#, "a b", 1),
            (r#"{"topic":"x" : 7}"#, "a b", 1),
            (r#"{"topic":null}"#, "a b", 0),
            ("{}", "a b", 0),
            ("null", "a b", 1),
            (r#""x""#, "a b", 1),
            ("7", "a b", 1),
            (r#"["x"]"#, "a b", 1),
            ("", "a b", 0),
        ] {
            let (found, count, why) = with(entry.as_bytes());
            assert_eq!((found.as_str(), count), (topics, unreadable), "{entry}");
            assert_eq!(why.is_some(), unreadable > 0, "{entry}");
            assert!(
                why.is_none_or(|why| why.starts_with("entry 3: ") && why.len() > 20),
                "{entry}"
            );
        }
        let latin = with(b"{\"topic\":\"x\",\"userAgent\":\"21\xb0C\"}");
        assert_eq!((latin.0.as_str(), latin.1), ("a b x", 0));
    }

    #[test]
    fn what_can_be_read_of_an_odd_entry_is_kept() {
        let message = br#"[{"Topic":"x","connected":"C","connected_at":null,"scopes":["read","expt"],"remoteAddr":7,
            "stats":{"tx":{"last":"2s","size":"big","fps":1.5},"rx":{"last":"Never"}}},
            {"topic":"stats","userAgent":"crossbar","remoteAddr":"internal","connected":"T","connected_at":"T"}]"#;
        let parsed = parse(SourceName::Relay, message);
        let report = parsed.report.expect("a report");
        let connection = report.get(0).expect("a connection");
        assert_eq!(
            (connection.topic, connection.connected, connection.remote),
            ("x", "C", "")
        );
        assert_eq!(connection.scopes, Scopes::READ.with(Scopes::EXPT));
        let tx = connection.tx.expect("statistics");
        assert_eq!((tx.last, tx.size), (Some(Duration::from_secs(2)), 0));
        assert!(connection.rx.is_some_and(|rx| rx.last.is_none()));
        assert_eq!((report.started(), report.len()), (Some("T"), 1));
    }

    #[test]
    fn a_report_that_is_lost_for_the_most_part_is_none() {
        let message = |lost: usize| format!("[{GOOD}{}]", ",null".repeat(lost));
        for (lost, is_report) in [(2, true), (3, false)] {
            let parsed = parse(SourceName::Relay, message(lost).as_bytes());
            assert_eq!(parsed.report.is_some(), is_report, "{lost}");
        }
        let why = parse(SourceName::Relay, message(3).as_bytes()).unreadable;
        let why = why.expect("it says why");
        assert!(why.starts_with("entry 3: invalid type: null"), "{why}");
    }

    #[test]
    fn what_is_no_json_reaches_as_far_as_its_marks() {
        for (text, len) in [
            ("\"a\tb\\\"\" ,", Some(7)),
            ("\"a", None),
            ("NaN}", Some(3)),
            (":", None),
            (r#"{"a":[1,2,]},"#, Some(12)),
            (r#"{"a":"}\"}"}x"#, Some(12)),
            ("[[]", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(extent(text.as_bytes()), len, "{text}");
        }
    }
}
