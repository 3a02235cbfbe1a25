//! The commands that are given to any replica, one after another, and what has to be there in the
//! end because of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::admin::try_order;
use super::plan::{BROKEN, SILENCED};

/// After this time a caller goes away.
const PATIENCE: Duration = Duration::from_secs(15);

/// A command.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    Acknowledge,
    Silence,
    EndSilence,
}

/// Whether the broken experiment is acknowledged.
#[derive(Debug, Default)]
enum Acknowledged {
    #[default]
    No,
    /// By this number and with this text.
    Yes(u64, String),
    /// A command was not answered, or not clearly.
    Unknown,
}

/// What was answered so far.
#[derive(Debug, Default)]
pub struct Orders {
    given: u32,
    pub accepted: u32,
    pub refused: u32,
    pub unanswered: u32,
    acknowledged: Acknowledged,
    /// The silences that have to be there, with their reasons.
    silences: BTreeMap<u64, String>,
    /// The silences that were ended.
    ended: BTreeSet<u64>,
}

impl Orders {
    /// Gives a command to the replica at this port.
    pub async fn give(&mut self, port: u16, order: Order) -> String {
        self.given += 1;
        let text = format!("chaos {}", self.given);
        match order {
            Order::Acknowledge => self.acknowledge(port, text).await,
            Order::Silence => self.silence(port, text).await,
            Order::EndSilence => self.end_silence(port).await,
        }
    }

    /// Makes it where there is none, and ends it where there is one.
    async fn acknowledge(&mut self, port: u16, text: String) -> String {
        let list = "/api/v2/acknowledgements";
        let known = match &self.acknowledged {
            Acknowledged::No => None,
            Acknowledged::Yes(id, _) => Some(*id),
            Acknowledged::Unknown => match ask(port, Method::GET, list, None).await {
                Some((200, page)) => items(&page).first().and_then(id_of),
                _ => return "acknowledge: what there is cannot be read".to_owned(),
            },
        };
        let answer = if let Some(id) = known {
            ask(port, Method::DELETE, &format!("{list}/{id}"), None).await
        } else {
            let body = json!({"experiments": BROKEN, "text": text});
            ask(port, Method::POST, list, Some(body)).await
        };
        let was_accepted = self.count(answer.as_ref());
        let made = answer.as_ref().and_then(|(_, body)| made(body));
        self.acknowledged = match (was_accepted, known, made) {
            (Some(true), None, Some(id)) => Acknowledged::Yes(id, text),
            (Some(true), Some(_), _) => Acknowledged::No,
            (Some(false), ..) => std::mem::take(&mut self.acknowledged),
            (Some(true), None, None) | (None, ..) => Acknowledged::Unknown,
        };
        let what = if known.is_some() {
            "end the acknowledgement"
        } else {
            "acknowledge"
        };
        said(what, answer.as_ref())
    }

    async fn silence(&mut self, port: u16, reason: String) -> String {
        let until = Timestamp::now() + SignedDuration::from_hours(24);
        let body = json!({"experiments": SILENCED, "until": until, "reason": reason});
        let answer = ask(port, Method::POST, "/api/v2/silences", Some(body)).await;
        self.count(answer.as_ref());
        if let Some((201, body)) = &answer {
            let id = made(body).expect("an id");
            self.silences.insert(id, reason);
        }
        said("silence", answer.as_ref())
    }

    async fn end_silence(&mut self, port: u16) -> String {
        let Some((&id, _)) = self.silences.first_key_value() else {
            return "nothing is silenced".to_owned();
        };
        let path = format!("/api/v2/silences/{id}");
        let answer = ask(port, Method::DELETE, &path, None).await;
        match self.count(answer.as_ref()) {
            Some(true) => {
                self.silences.remove(&id);
                self.ended.insert(id);
            }
            Some(false) => {}
            // It may be there, or not.
            None => drop(self.silences.remove(&id)),
        }
        said("end a silence", answer.as_ref())
    }

    /// Whether it was accepted; `None`: that is not known. An answer of the 5xx says that it was
    /// not carried out, or that it is not known.
    fn count(&mut self, answer: Option<&(u16, Value)>) -> Option<bool> {
        match answer {
            Some((200..=299, _)) => {
                self.accepted += 1;
                Some(true)
            }
            Some((400..=499, _)) => {
                self.refused += 1;
                Some(false)
            }
            Some(_) => {
                self.refused += 1;
                None
            }
            None => {
                self.unanswered += 1;
                None
            }
        }
    }

    /// What is missing in these acknowledgements and silences.
    pub fn missing(&self, acknowledgements: &Value, silences: &Value) -> Option<String> {
        let text = |it: &Value| it["text"].as_str().map(str::to_owned);
        let found: Vec<String> = items(acknowledgements).iter().filter_map(text).collect();
        let is_right = match &self.acknowledged {
            Acknowledged::No => found.is_empty(),
            Acknowledged::Yes(_, text) => found == [text.clone()],
            Acknowledged::Unknown => true,
        };
        if !is_right {
            return Some(format!(
                "acknowledged is {found:?} instead of {:?}",
                self.acknowledged
            ));
        }
        let there: BTreeMap<u64, String> = items(silences)
            .iter()
            .filter_map(|it| Some((id_of(it)?, it["reason"].as_str()?.to_owned())))
            .collect();
        let is_lost = |(id, reason): &(&u64, &String)| there.get(id) != Some(reason);
        let lost: Vec<_> = self.silences.iter().filter(is_lost).collect();
        let back: Vec<_> = self
            .ended
            .iter()
            .filter(|id| there.contains_key(id))
            .collect();
        (!lost.is_empty() || !back.is_empty())
            .then(|| format!("of the silences these are lost: {lost:?}, and these are back: {back:?}; there are {there:?}"))
    }

    pub fn summary(&self) -> String {
        format!(
            "{} commands: {} accepted, {} refused, {} without an answer; {} silences have to be there, {} not; acknowledged: {:?}",
            self.given,
            self.accepted,
            self.refused,
            self.unanswered,
            self.silences.len(),
            self.ended.len(),
            self.acknowledged
        )
    }
}

/// The number of the entry that a command made.
fn made(body: &Value) -> Option<u64> {
    body["ids"][0].as_u64()
}

fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().cloned().unwrap_or_default()
}

fn id_of(item: &Value) -> Option<u64> {
    item["id"].as_u64()
}

async fn ask(port: u16, method: Method, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
    timeout(PATIENCE, try_order(port, method, path, body))
        .await
        .ok()?
}

fn said(what: &str, answer: Option<&(u16, Value)>) -> String {
    match answer {
        Some((status, body)) if *status >= 400 => {
            format!(
                "{what}: {status} {}",
                body["detail"].as_str().unwrap_or_default()
            )
        }
        Some((status, _)) => format!("{what}: {status}"),
        None => format!("{what}: no answer"),
    }
}
