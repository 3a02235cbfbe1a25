//! Client of book's admin API: resources, availability, status, bookings and manifest. Requests and
//! parses; decides nothing, retries nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::lenient::{Readable, lenient_time};
use super::listing::{RawResource, Resources, bounded, read_resources};
use super::manifest::Manifest;
use super::shadow::ShadowBook;
use crate::clients::answer::is_web_page;
use crate::clients::{Address, Http, MAX_TOKEN_LIFE, booking_admin, mint};
use engine::model::{Availability, CallError, ResourceName, SourceName};

/// The path of the admin API, below the server's base path.
const ADMIN: [&str; 3] = ["api", "v1", "admin"];

/// A token is used for this part of its life only, so that none expires during a call.
const TOKEN_USED_FOR: i64 = MAX_TOKEN_LIFE.as_secs().cast_signed() / 2;

/// A client of one book. Clones share the connections and the token.
#[derive(Debug, Clone)]
pub struct BookClient {
    address: Address,
    http: Http,
    token: Arc<Mutex<Option<Token>>>,
    /// The simulated book that gets the writes, in shadow.
    shadow: Option<ShadowBook>,
}

/// A signed token, kept for later calls.
#[derive(Debug)]
struct Token {
    text: SecretString,
    minted: Timestamp,
}

/// book's status. Numbers that it does not give are 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct BookStatus {
    /// How many bookings are current.
    pub bookings: u64,
    /// How many bookings are past.
    pub old_bookings: u64,
    /// How many resources there are; 0 when book has no manifest.
    pub resources: u64,
    /// How many slots there are.
    pub slots: u64,
    /// How many users there are.
    pub users: u64,
    /// Whether users are locked out.
    pub locked: bool,
    /// The message that users see on entering.
    pub message: String,
    /// book's clock.
    #[serde(deserialize_with = "lenient_time")]
    pub now: Option<Timestamp>,
}

/// book's answer about its bookings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bookings {
    /// Those that can be read, in book's order.
    pub listed: Vec<Booking>,
    /// How many could not be read.
    pub skipped: usize,
}

/// A booking. Its user is not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Booking {
    /// The slot that is booked.
    pub slot: String,
    /// From when to when.
    #[serde(default)]
    pub when: Interval,
    /// Whether it was started.
    #[serde(default)]
    pub started: bool,
    /// Whether book could not give it to its user, because the resource was withdrawn.
    #[serde(default)]
    pub unfulfilled: bool,
    /// Whether it was cancelled.
    #[serde(default)]
    pub cancelled: bool,
}

/// A period. An end that book does not give is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Interval {
    /// Its start.
    #[serde(deserialize_with = "lenient_time")]
    pub start: Option<Timestamp>,
    /// Its end.
    #[serde(deserialize_with = "lenient_time")]
    pub end: Option<Timestamp>,
}

#[derive(Deserialize)]
struct RawAvailability {
    available: bool,
    reason: Option<String>,
}

impl RawAvailability {
    /// A resource without a reason is read too: then labwatch has set none.
    fn read(&self) -> Availability {
        let reason = self.reason.as_deref().unwrap_or_default();
        Availability::from_book(self.available, bounded(reason))
    }
}

impl BookClient {
    /// A client of the book at `address`. `http` limits the time of each call.
    #[must_use]
    pub fn new(address: Address, http: Http) -> Self {
        Self {
            address,
            http,
            token: Arc::default(),
            shadow: None,
        }
    }

    /// The same client, which writes nothing to book: writes go to `shadow` and are read back from
    /// there.
    #[must_use]
    pub fn in_shadow(self, shadow: ShadowBook) -> Self {
        Self {
            shadow: Some(shadow),
            ..self
        }
    }

    /// The resources of the manifest, without their availability, which book gives only one by one.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn resources(&self) -> Result<Resources, CallError> {
        let raw: Option<BTreeMap<String, Readable<RawResource>>> = self.get(&["resources"]).await?;
        let resources = read_resources(raw.unwrap_or_default());
        if let Some(shadow) = &self.shadow {
            shadow.lists(&resources);
        }
        Ok(resources)
    }

    /// Whether a resource may be booked.
    ///
    /// # Errors
    /// A [`CallError`]; [`resource_is_gone`] shows whether book does not know the resource.
    pub async fn availability(&self, resource: &ResourceName) -> Result<Availability, CallError> {
        let raw: RawAvailability = self.get(&["resources", resource.as_str()]).await?;
        let said = raw.read();
        Ok(match &self.shadow {
            Some(shadow) => shadow.reads(resource, said),
            None => said,
        })
    }

    /// Sets whether a resource may be booked. Students read the reason, which must not be empty.
    ///
    /// # Errors
    /// A [`CallError`]; unless [`resource_is_gone`] of it, book may have carried it out or not.
    pub async fn switch(
        &self,
        resource: &ResourceName,
        available: bool,
        reason: &str,
    ) -> Result<(), CallError> {
        if let Some(shadow) = &self.shadow {
            shadow.writes(resource, available, reason);
            return Ok(());
        }
        let mut url = self.admin(&["resources", resource.as_str()]);
        // book takes every word but a few for false, so only the literal words are sent
        let available = if available { "true" } else { "false" };
        url.query_pairs_mut()
            .append_pair("available", available)
            .append_pair("reason", reason);
        self.call(Method::PUT, url).await.map(drop)
    }

    /// book's status.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn status(&self) -> Result<BookStatus, CallError> {
        self.get(&["status"]).await
    }

    /// All current bookings.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it, and quotes nothing of the answer, which names
    /// users.
    pub async fn bookings(&self) -> Result<Bookings, CallError> {
        let raw: Option<Vec<Readable<Booking>>> =
            self.get(&["bookings"]).await.map_err(without_answer)?;
        let raw = raw.unwrap_or_default();
        let all = raw.len();
        let listed: Vec<Booking> = raw.into_iter().filter_map(|booking| booking.0).collect();
        Ok(Bookings {
            skipped: all - listed.len(),
            listed,
        })
    }

    /// The manifest's slots, and the pages on which they are opened.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn manifest(&self) -> Result<Manifest, CallError> {
        self.get(&["manifest"]).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CallError> {
        let body = self.call(Method::GET, self.admin(path)).await?;
        serde_json::from_slice(&body).map_err(|error| {
            CallError::Protocol(if is_web_page(&body) {
                "it answered with a web page instead of JSON: check host_book and basepath_book"
                    .to_owned()
            } else {
                format!("its answer for {} is odd: {error}", path.join("/"))
            })
        })
    }

    fn admin(&self, path: &[&str]) -> url::Url {
        self.address.at(&[&ADMIN, path].concat())
    }

    async fn call(&self, method: Method, url: url::Url) -> Result<Vec<u8>, CallError> {
        let outcome = self
            .http
            .call(SourceName::Book, method, url, &self.token()?)
            .await;
        if matches!(outcome, Err(CallError::Credentials(_))) {
            self.kept().take();
        }
        outcome
    }

    /// The kept token, or a new one where that is old or from before the clock was set back.
    fn token(&self) -> Result<String, CallError> {
        let now = Timestamp::now();
        let mut kept = self.kept();
        if let Some(token) = kept.as_ref().filter(|token| is_fresh(token.minted, now)) {
            return Ok(token.text.expose_secret().to_owned());
        }
        let claims = booking_admin(&self.address, now, MAX_TOKEN_LIFE);
        let text = mint(&self.address, &claims)
            .map_err(|error| CallError::Credentials(error.to_string()))?;
        *kept = Some(Token {
            text: text.clone().into(),
            minted: now,
        });
        Ok(text)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the fault of a call for one resource means that book does not know the resource, and not
/// that the path is wrong: both are a 404, and only the texts differ.
#[must_use]
pub fn resource_is_gone(fault: &CallError) -> bool {
    matches!(fault, CallError::NotFound(said) if said.starts_with("resource "))
}

/// The fault without quotes from the response.
fn without_answer(fault: CallError) -> CallError {
    if matches!(fault, CallError::Protocol(_)) {
        CallError::Protocol("its answer for bookings is odd".to_owned())
    } else {
        fault.with_body("its text is not shown")
    }
}

fn is_fresh(minted: Timestamp, now: Timestamp) -> bool {
    (0..TOKEN_USED_FOR).contains(&now.as_second().saturating_sub(minted.as_second()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::clients::book::fake_book::FakeBook;
    use engine::model::Bookable;

    fn name(text: &str) -> ResourceName {
        ResourceName::try_new(text).expect("a name")
    }

    #[test]
    fn only_what_can_be_watched_is_listed() {
        let raw = json!({
            "r-a": {"description": "d", "streams": ["st-video", "st-data", "st-data"], "tests": null, "topic_stub": "aaaa00"},
            "r-b": {"topic_stub": "bbbb00", "streams": null, "config_url": "https://x.org/c.json"},
            "": {"topic_stub": "x", "streams": []},
            "..": {"topic_stub": "x", "streams": []},
            "./r-a": {"topic_stub": "x", "streams": []},
            "r-a/../r-b": {"topic_stub": "x", "streams": []},
            "r//a": {"topic_stub": "x", "streams": []},
            "no stub": {"streams": []},
            "empty stub": {"topic_stub": "", "streams": []},
            "long stream": {"topic_stub": "x", "streams": ["st-data", "x".repeat(300)]},
            "not an object": 7,
            "x".repeat(300): {"topic_stub": "x", "streams": []},
        });
        let resources = read_resources(serde_json::from_value(raw).expect("a map"));
        let listed: Vec<_> = resources
            .listed
            .iter()
            .map(|(name, listed)| format!("{name} {} {:?}", listed.stub, listed.streams))
            .collect();
        assert_eq!(
            listed,
            [
                r#"r-a aaaa00 ["aaaa00-st-data", "aaaa00-st-video"]"#,
                "r-b bbbb00 []"
            ]
        );
        assert_eq!(resources.skipped, 10);
        assert_eq!(resources.refused, ["..", "./r-a", "r-a/../r-b", "r//a"]);
    }

    #[test]
    fn a_resource_without_a_reason_is_read() {
        for text in [
            r#"{"available":false,"reason":null}"#,
            r#"{"available":false}"#,
        ] {
            let raw: RawAvailability = serde_json::from_str(text).expect("reads");
            assert_eq!(raw.read().bookable(), Bookable::Held, "a person's");
        }
    }

    #[test]
    fn a_reason_is_cut_at_a_character() {
        assert_eq!(bounded("fire"), "fire");
        assert_eq!(bounded(&"\u{20ac}".repeat(10_000)).len(), 999);
    }

    #[test]
    fn a_token_is_used_for_half_its_life() {
        let minted = Timestamp::from_second(1_000_000).expect("in range");
        for (age, fresh) in [
            (0, true),
            (1_799, true),
            (1_800, false),
            (9_999, false),
            (-1, false),
        ] {
            let now = minted + jiff::SignedDuration::from_secs(age);
            assert_eq!(is_fresh(minted, now), fresh, "{age}");
        }
    }

    #[test]
    fn bookings_are_read_as_far_as_they_are_needed() {
        let booking = json!({
            "name": "b1", "user": "student-1", "policy": "p", "slot": "sl-a", "started": true, "cancelled_by": "user",
            "when": {"start": "2026-11-21T00:00:00Z", "end": "2026-11-21T00:30:00.5Z"},
        });
        let booking: Booking = serde_json::from_value(booking).expect("a booking");
        assert!(booking.started && !booking.cancelled && booking.slot == "sl-a");
        assert_eq!(booking.when.end, "2026-11-21T00:30:00.5Z".parse().ok());
        assert!(!format!("{booking:?}").contains("student-1"));
    }

    #[test]
    fn a_strange_clock_does_not_hide_the_status() {
        let status: BookStatus =
            serde_json::from_value(json!({"locked": true, "resources": 12, "now": "soon"}))
                .expect("a status");
        assert_eq!(
            status,
            BookStatus {
                locked: true,
                resources: 12,
                ..BookStatus::default()
            }
        );
    }

    /// book's responses in the recordings, call by call, are parsed as intended.
    #[test]
    fn the_recordings_are_understood() {
        let mut read = 0;
        for version in ["relay-v0.7", "relay-v0.8"] {
            let path = format!(
                "{}/tests/recordings/{version}/book.jsonl",
                env!("CARGO_MANIFEST_DIR")
            );
            for line in std::fs::read_to_string(path).expect("a recording").lines() {
                let line: Value = serde_json::from_str(line).expect("a line");
                let (path, body) = (
                    line["path"].as_str().unwrap_or_default(),
                    line["body"].clone(),
                );
                match (line["method"].as_str(), path, line["status"].as_u64()) {
                    (Some("GET"), "/admin/resources", Some(200)) => {
                        let resources =
                            read_resources(serde_json::from_value(body.clone()).expect("a map"));
                        assert_eq!(
                            resources.listed.len(),
                            body.as_object().map_or(0, serde_json::Map::len)
                        );
                    }
                    (Some("GET"), "/admin/status", Some(200)) => {
                        let status: BookStatus = serde_json::from_value(body).expect("a status");
                        assert!(
                            status.now.is_some()
                                && !status.locked
                                && [0, 12].contains(&status.resources),
                            "{status:?}"
                        );
                    }
                    (Some("GET"), "/admin/bookings", Some(200)) => {
                        serde_json::from_value::<Vec<Readable<Booking>>>(body).expect("bookings");
                    }
                    (Some("GET"), _, Some(200)) => {
                        let raw: RawAvailability =
                            serde_json::from_value(body).expect("an availability");
                        assert!(!raw.read().reason.is_empty());
                    }
                    _ => continue,
                }
                read += 1;
            }
        }
        assert!(read > 20, "{read}");
    }

    #[tokio::test]
    async fn what_is_set_is_read_back_whatever_the_name() {
        let book = FakeBook::start().await;
        let client = book.client(Duration::from_secs(5));
        for text in [
            "r-pend00",
            "spin 01/a",
            "50% off?",
            "\u{e9}t\u{e9}",
            "a+b&c=d#e",
        ] {
            book.put(text, "pend00", true, "new");
            let resource = name(text);
            client
                .switch(
                    &resource,
                    false,
                    "labwatch: no video & sound = sorry + 100%",
                )
                .await
                .expect("switches");
            let availability = client.availability(&resource).await.expect("reads");
            assert!(!availability.available, "{text}");
            assert_eq!(
                availability.reason, "labwatch: no video & sound = sorry + 100%",
                "{text}"
            );
            assert_eq!(
                book.stored(text),
                Some((false, availability.reason)),
                "{text}"
            );
        }
        assert_eq!(client.resources().await.expect("lists").listed.len(), 5);
        assert_eq!(client.status().await.expect("answers").resources, 5);
    }

    #[tokio::test]
    async fn bookings_name_no_user_whatever_comes() {
        let book = FakeBook::start().await;
        let client = book.client(Duration::from_secs(5));
        let good = json!({"user": "alice", "slot": "sl-a", "cancelled_by": "alice", "when": {"start": "2026-11-21T00:00:00Z"}});
        book.says(
            "bookings",
            &json!(["alice", good, {"user": "alice"}, {"slot": "sl-a", "started": "alice"}]),
        );
        let bookings = client.bookings().await.expect("reads");
        assert_eq!((bookings.listed.len(), bookings.skipped), (1, 3));
        assert!(!format!("{bookings:?}").contains("alice"), "{bookings:?}");
        for answer in [
            r#"answers 200 "alice""#,
            r#"answers 200 {"alice": 1}"#,
            r#"answers 503 {"code": 503, "message": "alice broke it"}"#,
        ] {
            book.answers("bookings", answer);
            let fault = client.bookings().await.expect_err("a fault");
            assert!(!format!("{fault:?} {fault}").contains("alice"), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_resource_that_is_gone_is_not_a_wrong_path() {
        let book = FakeBook::start().await;
        let client = book.client(Duration::from_secs(5));
        let fault = client
            .availability(&name("r-nope"))
            .await
            .expect_err("is not there");
        assert!(resource_is_gone(&fault), "{fault:?}");
        let fault = client
            .switch(&name("r-nope"), true, "labwatch: x")
            .await
            .expect_err("is not there");
        assert!(resource_is_gone(&fault), "{fault:?}");
        let fault = book
            .client_at("/wrong")
            .resources()
            .await
            .expect_err("a wrong path");
        assert_eq!(fault.as_str(), "not-found");
        assert!(!resource_is_gone(&fault), "{fault:?}");
    }

    #[tokio::test]
    async fn faults_are_told_apart() {
        let rows = [
            ("http book * hangs", "timeout"),
            ("book refuses tokens", "credentials"),
            ("http book * status 503", "sick"),
            ("http book * answers 200 []", "protocol"),
        ];
        for (caused, as_str) in rows {
            let book = FakeBook::start().await;
            book.cause(caused);
            let fault = book
                .client(Duration::from_millis(200))
                .resources()
                .await
                .expect_err("a fault");
            assert_eq!(fault.as_str(), as_str, "{fault}");
        }
        let dead = FakeBook::dead_address().await;
        let fault = dead.resources().await.expect_err("no server there");
        assert_eq!(fault.as_str(), "refused", "{fault}");
    }

    #[tokio::test]
    async fn one_token_serves_many_calls_and_is_dropped_when_refused() {
        let book = FakeBook::start().await;
        let client = book.client(Duration::from_secs(5));
        client.status().await.expect("answers");
        client.clone().status().await.expect("answers");
        assert_eq!(book.tokens_seen(), 1);
        assert!(
            !format!("{client:?}").contains("eyJ"),
            "a token is not shown"
        );
        book.cause("book refuses tokens");
        client.status().await.expect_err("refused");
        assert!(client.kept().is_none());
    }
}
