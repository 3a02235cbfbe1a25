//! Parses one websocket message of relay or jump into a report, skipping whatever else the message
//! holds; does no IO.
//!
//! relay joins queued messages into one without any delimiter, and a client that may write to the
//! topic of the reports can put anything there: other clients' commands, junk, broken JSON. So a
//! message is a sequence of JSON values with junk between, and the last whole report among them
//! counts.

mod entry;
mod lenient;
mod value;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::Deserializer;
use serde_json::de::SliceRead;

use engine::Report;
use engine::model::SourceName;

use entry::Connections;

pub use entry::MAX_CONNECTIONS;

/// How many broken pieces of one message are skipped before the rest of it is given up.
pub const MAX_BROKEN: usize = 1_000;

/// How many bytes of one message may be read twice. Together with [`MAX_BROKEN`] it keeps a message
/// made of nested brackets from costing more than a few times what a good message of that size
/// does.
pub const MAX_REREAD_BYTES: usize = 8 << 20;

/// The most characters of the reason why something is no report.
pub const MAX_WORDS: usize = 200;

/// The content of a message.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The last whole report.
    pub report: Option<Report>,
    /// How many whole reports there were.
    pub arrays: usize,
    /// How many other values and pieces of junk there were.
    pub ignored: usize,
    /// Why the last of those is no report, by the parser's message, at most `MAX_WORDS` characters.
    pub unreadable: Option<String>,
}

/// Reads one message of relay or jump, text or binary alike. Never fails: what is no report is
/// counted as ignored.
pub fn parse(source: SourceName, message: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut broken, mut wasted) = (0, 0);
    let mut rest = message.trim_ascii_start();
    while !rest.is_empty() && broken < MAX_BROKEN && wasted < MAX_REREAD_BYTES {
        let (found, len) = read_value(source, rest);
        rest = match found {
            Found::Report(report) => {
                parsed.arrays += 1;
                parsed.report = Some(report);
                after(rest, len)
            }
            Found::Other(why) => {
                parsed.ignored += 1;
                parsed.unreadable = Some(why);
                after(rest, len)
            }
            Found::Broken(why) => {
                parsed.ignored += 1;
                parsed.unreadable = Some(why);
                broken += 1;
                wasted += len;
                next_bracket(rest)
            }
        };
    }
    parsed
}

enum Found {
    Report(Report),
    /// A whole value, and why it is no report.
    Other(String),
    /// No whole value, and why.
    Broken(String),
}

/// Reads the value at the start of `text`. Returns what it is, and how many bytes were read.
fn read_value(source: SourceName, text: &[u8]) -> (Found, usize) {
    if !text.starts_with(b"[") {
        return skip_value(text, "it is no array of connections".to_owned());
    }
    let mut json = Deserializer::from_slice(text);
    let result = Connections::new(source, text.len()).deserialize(&mut json);
    match result {
        Ok(mut report) => {
            report.shrink();
            (Found::Report(report), bytes_read(json))
        }
        Err(_) => lenient::read(source, text),
    }
}

fn skip_value(text: &[u8], why: String) -> (Found, usize) {
    let mut json = Deserializer::from_slice(text);
    let found = match IgnoredAny::deserialize(&mut json) {
        Ok(_) => Found::Other(why),
        Err(error) => Found::Broken(words(&error)),
    };
    (found, bytes_read(json))
}

/// The parser's message. It may quote a foreign value of any length.
fn words(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let clean = whole.chars().filter(|c| !c.is_control());
    clean.take(MAX_WORDS).collect()
}

/// The position of the deserialiser, whether it succeeded or not.
fn bytes_read(json: Deserializer<SliceRead<'_>>) -> usize {
    json.into_iter::<IgnoredAny>().byte_offset()
}

fn after(text: &[u8], len: usize) -> &[u8] {
    text.get(len..).unwrap_or_default().trim_ascii_start()
}

/// From the next opening bracket on, except one at the very start; empty when there is none.
fn next_bracket(text: &[u8]) -> &[u8] {
    let tail = after(text, 1);
    tail.iter()
        .position(|&byte| byte == b'[')
        .and_then(|at| tail.get(at..))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::time::Duration;

    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde_json::Value;

    use super::*;
    use crate::entry::MAX_CONNECTIONS;
    use engine::Scopes;

    /// A report as text: `topic topic ...`, or `-` for none.
    fn check(message: impl AsRef<[u8]>, topics: &str, arrays: usize, ignored: usize) {
        let shown = String::from_utf8_lossy(message.as_ref())
            .chars()
            .take(200)
            .collect::<String>();
        let parsed = parse(SourceName::Relay, message.as_ref());
        let found = parsed.report.as_ref().map_or("-".to_owned(), |report| {
            report
                .iter()
                .map(|c| c.topic.to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(
            (found.as_str(), parsed.arrays, parsed.ignored),
            (topics, arrays, ignored),
            "{shown}"
        );
    }

    #[test]
    fn a_report_is_found_among_whatever_else_there_is() {
        let a = r#"[{"topic":"a"}]"#;
        let b = r#"[{"topic":"b"},{"topic":"c"}]"#;
        let update = r#"{"cmd":"update"}"#;
        let disconnect = r#"{"action":"disconnect","uri":"","uuid":"86fb"}"#;
        check(a, "a", 1, 0);
        check(format!(" \n{a}\t"), "a", 1, 0);
        check(format!("{a}{b}"), "b c", 2, 0);
        check(format!("{b}{a}"), "a", 2, 0);
        check(format!("{update}{update}{a}"), "a", 1, 2);
        check(format!("{a}{disconnect}"), "a", 1, 1);
        check(format!("BINTXT{a}"), "a", 1, 1);
        check(format!("BIN\u{0}{a}not json{b}oops"), "b c", 2, 3);
        check([b"\xff\xfe".as_slice(), a.as_bytes()].concat(), "a", 1, 1);
        check("not json", "-", 0, 1);
        check("", "-", 0, 0);
        check("hello[ping", "-", 0, 2);
        check(format!("[[{a}"), "a", 1, 2);
        check(
            format!(r#"[{{"topic":"cut","scopes":["read","wr{a}"#),
            "a",
            1,
            2,
        );
        check(format!(r#"[{{"topic":"cut","x":{a}"#), "a", 1, 1);
        check(format!("{a}[{{\"topic\":\"cut"), "a", 1, 1);
        check(format!(r#"{{"cmd":{b}}}{a}"#), "a", 1, 1);
        check(format!(r#"17 "text[" null {a} true"#), "a", 1, 4);
    }

    #[test]
    fn an_array_that_is_no_report_is_ignored() {
        for array in [
            "[]",
            "[1,2,3]",
            r#"["pend00"]"#,
            r#"[["pend00"]]"#,
            "[{}]",
            "[null]",
            r#"[{"topic":null}]"#,
            r#"[{"topic":5}]"#,
        ] {
            check(array, "-", 0, 1);
            check(format!(r#"[{{"topic":"a"}}]{array}"#), "a", 1, 1);
        }
        check(r#"[{"topic":"a"},{"x":1}]"#, "a", 1, 0);
        check(r#"[{"topic":"a"},7]"#, "a", 1, 0);
    }

    #[test]
    fn a_report_beyond_the_bound_is_no_report() {
        let entries = |n: usize| format!("[{}]", vec![r#"{"topic":"a"}"#; n].join(","));
        let at_the_bound = parse(SourceName::Relay, entries(MAX_CONNECTIONS).as_bytes());
        assert_eq!(
            at_the_bound.report.map(|report| report.len()),
            Some(MAX_CONNECTIONS)
        );
        let beyond = parse(SourceName::Relay, entries(MAX_CONNECTIONS + 1).as_bytes());
        assert_eq!((beyond.arrays, beyond.ignored), (0, 1));
    }

    #[test]
    fn a_message_made_to_be_slow_is_given_up_early() {
        let len = 1 << 20;
        let nested = "[".repeat(8 * len);
        let deep_then_wide = format!("{}{}", "[".repeat(100), "\"".to_owned() + &"x".repeat(len));
        let many_cut = r#"[{"topic":"#.repeat(len / 10);
        for (what, message) in [
            ("nested", nested),
            ("deep then wide", deep_then_wide),
            ("many cut", many_cut),
        ] {
            let parsed = parse(SourceName::Relay, message.as_bytes());
            assert!(
                parsed.report.is_none() && parsed.ignored <= MAX_BROKEN,
                "{what}: {parsed:?}"
            );
        }
        let broken = format!("{}[{{\"topic\":\"a\"}}]", "[x".repeat(MAX_BROKEN));
        assert!(parse(SourceName::Relay, broken.as_bytes()).report.is_none());
        check(&broken[2..], "a", 1, MAX_BROKEN - 1);
    }

    /// Messages, reports, ignored pieces, connections over all reports, connections of experiments,
    /// and starts of the server.
    type Counts = (usize, usize, usize, usize, usize, usize);

    #[test]
    fn the_recordings_hold_what_they_hold() {
        let rows: [(&str, SourceName, Counts); 4] = [
            (
                "relay-v0.7/relay",
                SourceName::Relay,
                (97, 55, 42, 1416, 1327, 2),
            ),
            (
                "relay-v0.7/jump",
                SourceName::Jump,
                (108, 107, 1, 1406, 1298, 2),
            ),
            (
                "relay-v0.8/relay",
                SourceName::Relay,
                (56, 55, 41, 1416, 1327, 2),
            ),
            (
                "relay-v0.8/jump",
                SourceName::Jump,
                (109, 108, 1, 1426, 1317, 2),
            ),
        ];
        for (file, source, expected) in rows {
            let mut counts: Counts = (0, 0, 0, 0, 0, 0);
            let mut starts = BTreeSet::new();
            for message in recorded(file) {
                let parsed = parse(source, message.as_bytes());
                counts.0 += 1;
                counts.1 += parsed.arrays;
                counts.2 += parsed.ignored;
                let Some(report) = parsed.report else {
                    continue;
                };
                counts.3 += report.len();
                counts.4 += report
                    .iter()
                    .filter(|c| c.scopes.has(Scopes::EXPT) || c.scopes.has(Scopes::HOST))
                    .count();
                starts.insert(
                    report
                        .started()
                        .expect("every report has the server's own connection")
                        .to_owned(),
                );
                let has_stats = file != "relay-v0.8/relay";
                assert!(
                    report.iter().all(|c| c.tx.is_some() == has_stats
                        && !c.connected.is_empty()
                        && !c.expires.is_empty()),
                    "{file}"
                );
            }
            counts.5 = starts.len();
            assert_eq!(counts, expected, "{file}");
        }
    }

    fn recorded(file: &str) -> Vec<String> {
        let path = format!(
            "{}/../../tests/recordings/{file}.jsonl",
            env!("CARGO_MANIFEST_DIR")
        );
        let lines = fs::read_to_string(path).expect("a recording");
        let values = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
        values
            .filter_map(|value| value["data"].as_str().map(str::to_owned))
            .collect()
    }

    #[test]
    fn a_recorded_stream_says_when_it_last_sent() {
        let message = recorded("relay-v0.7/relay").swap_remove(0);
        let report = parse(SourceName::Relay, message.as_bytes())
            .report
            .expect("a report");
        let stream = report
            .iter()
            .find(|c| c.topic == "pend03-st-data")
            .expect("the stream is there");
        assert_eq!(
            stream.tx.and_then(|tx| tx.last),
            Some(Duration::from_nanos(364_292_222))
        );
        assert_eq!(stream.rx.and_then(|rx| rx.last), None);
    }

    #[test]
    fn why_a_message_holds_no_report_is_said_in_few_words() {
        for (message, words) in [
            (
                r#"[{"topic":5},{"topic":["b"]}]"#,
                "entry 1: invalid type: integer `5`, expected a text",
            ),
            (r#"["a","b"]"#, "entry 1: invalid type: string \"a\""),
            (r#"[{"topic":"a"}"#, "EOF while parsing"),
            ("[]", "no connection has a topic"),
            (r#"{"reports":[]}"#, "it is no array of connections"),
            ("<html></html>", "expected value"),
            ("\u{b0}\u{ff}", "expected value"),
        ] {
            let parsed = parse(SourceName::Relay, message.as_bytes());
            assert!(parsed.report.is_none(), "{message}");
            let why = parsed.unreadable.expect("it says why");
            assert!(why.starts_with(words), "{message}: {why}");
        }
        let long = format!(r#"["{}"]"#, "x".repeat(10_000));
        let why = parse(SourceName::Relay, long.as_bytes()).unreadable;
        let why = why.expect("it says why").chars().count();
        assert_eq!(why, "entry 1: ".len() + MAX_WORDS);
        assert!(parse(SourceName::Relay, b" ").unreadable.is_none());
    }

    #[test]
    fn no_mutation_of_a_real_message_makes_it_panic() {
        let messages = recorded("relay-v0.8/relay");
        let changes = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..6);
        proptest!(|(pick in any::<Index>(), changes in changes, cut in any::<Index>())| {
            let mut bytes = pick.get(&messages).clone().into_bytes();
            for (at, byte) in changes {
                *at.get_mut(&mut bytes) = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            let parsed = parse(SourceName::Relay, &bytes);
            prop_assert!(parsed.report.is_some() == (parsed.arrays > 0));
        });
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(SourceName::Jump, &bytes);
        }

        #[test]
        fn no_brackets_make_it_panic(text in r#"[\[\]{}",:0-9a-e\\ ]{0,200}"#) {
            let _ = parse(SourceName::Relay, text.as_bytes());
        }

        #[test]
        fn a_report_behind_any_junk_without_brackets_is_found(junk in r"[^\[]{0,60}") {
            // An open quote or brace of the junk may swallow the report's bracket only where JSON would.
            prop_assume!(!junk.contains(['"', '{']));
            let message = format!(r#"{junk}[{{"topic":"a"}}]"#);
            prop_assert_eq!(parse(SourceName::Relay, message.as_bytes()).arrays, 1);
        }
    }
}
