//! A topic of ntfy. Pure.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::brief::{Plain, Room, lines, worst};
use super::message::{Message, Size};
use crate::config::HttpTarget;
use crate::effects::notification::is_web;
use engine::Occasion;
use engine::model::Health;

/// The longest text, in bytes: ntfy turns a longer text than 4,096 into an attachment.
const MAX_BYTES: usize = 3_800;

/// The most entries that are listed.
const MAX_ENTRIES: usize = 20;

/// The priority high: a longer sound.
const HIGH: u8 = 4;

/// The default priority.
const USUAL: u8 = 3;

/// The priority low: no sound.
const LOW: u8 = 2;

pub(super) fn request(
    target: &HttpTarget,
    message: &Message<'_>,
    size: Size,
) -> Result<(Method, Url, Value), String> {
    let content = &message.content;
    let mut url = target.url.expose().clone();
    let topic = url
        .path_segments()
        .and_then(Iterator::last)
        .filter(|topic| !topic.is_empty())
        .ok_or_else(|| "its address has no topic".to_owned())?
        .to_owned();
    url.path_segments_mut()
        .map_err(|()| "its address has no path".to_owned())?
        .pop()
        .push("");
    let room = Room::of(size, MAX_BYTES, MAX_ENTRIES);
    let text = lines(content, room, &Plain).join("\n");
    let mut body = json!({
        "topic": topic,
        "title": content.title,
        "message": text,
        "priority": priority(message),
        "tags": [tag(worst(content))],
    });
    let page = message
        .presentation
        .page
        .as_ref()
        .map(|page| format!("{page}/"));
    let click = Some(content.link.clone())
        .filter(|link| is_web(link))
        .or(page);
    if let (Some(click), Some(fields)) = (click, body.as_object_mut()) {
        fields.insert("click".to_owned(), Value::String(click));
    }
    Ok((Method::POST, url, body))
}

/// High for what cannot be used now, low for what is known already.
fn priority(message: &Message<'_>) -> u8 {
    match message.summary.occasion {
        Occasion::News => {
            let mut news = message.summary.news.iter();
            let is_worse = news.any(|line| line.health.is_unusable());
            if is_worse { HIGH } else { USUAL }
        }
        Occasion::Test => USUAL,
        Occasion::Reminder | Occasion::Digest => LOW,
    }
}

fn tag(health: Health) -> &'static str {
    match health {
        Health::Ok => "white_check_mark",
        Health::Degraded | Health::Flapping => "warning",
        Health::Down => "rotating_light",
        Health::Unknown => "grey_question",
    }
}
