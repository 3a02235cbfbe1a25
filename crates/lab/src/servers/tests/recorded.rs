//! The reports against the recorded ones: the same keys in the same order, and values of the same forms.

use std::collections::BTreeSet;
use std::fs;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::*;
use crate::RelayVersion;
use engine::model::parse_duration;

/// The lines of a recording.
pub(super) fn lines(file: &str) -> Vec<Value> {
    let path = format!(
        "{}/../../tests/recordings/{file}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = fs::read_to_string(&path).expect("the recording is there");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("json"))
        .collect()
}

/// An object's keys in order, and its values.
struct Ordered(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Ordered;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// The forms of a report's entries.
fn forms(report: &str) -> BTreeSet<String> {
    let entries: Vec<Ordered> = serde_json::from_str(report).expect("an array of objects");
    let form = |Ordered(entry): &Ordered| {
        let fields = entry
            .iter()
            .map(|(key, value)| format!("{key}={}", form(key, value)));
        fields.collect::<Vec<_>>().join(" ")
    };
    entries.iter().map(form).collect()
}

/// What kind of value it is. Names and agents of experiments are all alike; a time's fraction may be missing.
fn form(key: &str, value: &Value) -> String {
    match (key, value) {
        ("scopes", Value::Array(scopes)) => {
            let sorted: BTreeSet<&str> = scopes.iter().filter_map(Value::as_str).collect();
            sorted.into_iter().collect::<Vec<_>>().join(",")
        }
        ("topic", Value::String(topic)) if topic != "stats" => "an experiment's".into(),
        ("userAgent" | "user_agent", Value::String(agent))
            if agent != "crossbar" && agent != "internal" =>
        {
            "a client".into()
        }
        (_, Value::Object(fields)) => fields
            .iter()
            .map(|(key, value)| format!("({key} {})", form(key, value)))
            .collect::<Vec<_>>()
            .concat(),
        (_, Value::String(text)) if text.starts_with("0001") || text.starts_with("1970") => {
            text.clone()
        }
        (_, Value::String(text)) if text.parse::<Timestamp>().is_ok() && text.ends_with('Z') => {
            if text.contains('.') {
                "a fine time"
            } else {
                "a coarse time"
            }
            .into()
        }
        ("last", Value::String(text))
            if !text.starts_with("2562047h") && parse_duration(text).is_ok() =>
        {
            "a duration".into()
        }
        (_, Value::Number(number)) => if number.as_f64() == Some(0.0) {
            "0"
        } else {
            "a number"
        }
        .into(),
        (_, value) => value.to_string(),
    }
}

/// A laboratory in a state in which every form is in its reports.
async fn many_forms(relay: RelayVersion) -> (Lab, [Socket; 4]) {
    let lab = lab(Plan {
        relay,
        ..on_request(2)
    })
    .await;
    lab.user_joins("pend00-st-data").expect("is there");
    lab.twin_appears("spin00-st-data").expect("is there");
    all_have_received(&lab).await;
    let mut sockets = [
        listen(&lab, Server::Relay).await,
        listen(&lab, Server::Relay).await,
        listen(&lab, Server::Jump).await,
        listen(&lab, Server::Jump).await,
    ];
    for socket in &mut sockets {
        say(socket, r#"{"cmd":"update"}"#).await;
        report(socket).await;
    }
    (lab, sockets)
}

/// Waits until every stream has sent again, so that students and twins have received it.
async fn all_have_received(lab: &Lab) {
    for topic in ["pend00-st-data", "spin00-st-data"] {
        let mut socket = open(
            &uri(
                lab,
                Server::Relay,
                &claims(lab, Server::Relay, topic, &["read"]),
            )
            .await,
        )
        .await;
        next(&mut socket).await;
        next(&mut socket).await;
    }
}

#[tokio::test]
async fn reports_have_the_recorded_forms() {
    for (relay, folder) in [
        (RelayVersion::V07, "relay-v0.7"),
        (RelayVersion::V08, "relay-v0.8"),
    ] {
        let (lab, _sockets) = Box::pin(many_forms(relay)).await;
        for (hub, feed) in [(&lab.relay.hub, "relay"), (&lab.jump.hub, "jump")] {
            let messages = lines(&format!("{folder}/{feed}.jsonl"));
            let reports = messages
                .iter()
                .filter_map(|line| line["data"].as_str())
                .filter(|data| data.starts_with('['));
            let recorded: BTreeSet<String> = reports.flat_map(forms).collect();
            let simulated = forms(&hub.write_report(0));
            let unheard_of: Vec<&String> = simulated.difference(&recorded).collect();
            assert!(
                unheard_of.is_empty(),
                "{folder} {feed}: {unheard_of:#?}\nnot among {recorded:#?}"
            );
            let kinds = |forms: &BTreeSet<String>| -> BTreeSet<String> {
                forms.iter().map(|form| kind(form)).collect()
            };
            assert_eq!(kinds(&simulated), kinds(&recorded), "{folder} {feed}");
        }
    }
}

/// What an entry is, apart from what it happened to have sent and received.
fn kind(form: &str) -> String {
    let statistics = form.find(" stats=").map_or(form.len(), |at| at);
    let behind = form.find(" topic=").unwrap_or(form.len());
    format!("{}{}", &form[..statistics.min(behind)], &form[behind..])
}

#[tokio::test]
async fn reports_come_in_another_order_each_time() {
    let lab = lab(on_request(10)).await;
    let orders: BTreeSet<Vec<String>> = (0..20)
        .map(|_| topics(&lab.relay.hub.write_report(0)))
        .collect();
    assert!(orders.len() > 10, "{}", orders.len());
}

fn topics(report: &str) -> Vec<String> {
    let entries: Vec<Value> = serde_json::from_str(report).expect("an array");
    entries
        .iter()
        .map(|entry| entry["topic"].to_string())
        .collect()
}

#[tokio::test]
async fn ten_thousand_experiments_make_one_report() {
    let lab = lab(Plan {
        relay: RelayVersion::V08,
        ..on_request(10_000)
    })
    .await;
    let mut socket = listen(&lab, Server::Relay).await;
    say(&mut socket, r#"{"cmd":"update"}"#).await;
    assert_eq!(report(&mut socket).await.len(), 20_000 + 2);
    assert_eq!(lab.manifest().len(), 10_000);
}
