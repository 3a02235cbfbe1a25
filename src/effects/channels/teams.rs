//! Workflows of Microsoft Teams that post what a webhook request brings: an adaptive card. Pure.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::brief::{Markup, Room, lines, worst};
use super::message::{Message, Size};
use crate::config::HttpTarget;
use crate::effects::notification::is_web;
use engine::model::Health;

/// The longest text, in bytes: a whole message may have 28 KB, and JSON writes some characters in
/// six bytes.
const MAX_BYTES: usize = 4_000;

/// The most entries that are listed.
const MAX_ENTRIES: usize = 20;

pub(super) fn request(
    target: &HttpTarget,
    message: &Message<'_>,
    size: Size,
) -> (Method, Url, Value) {
    let content = &message.content;
    let room = Room::of(size, MAX_BYTES, MAX_ENTRIES);
    let title = json!({
        "type": "TextBlock",
        "text": Markdown.plain(&content.title),
        "weight": "Bolder",
        "size": "Medium",
        "wrap": true,
        "color": colour(worst(content)),
    });
    let text = |line: String| json!({ "type": "TextBlock", "text": line, "wrap": true });
    let rest = lines(content, room, &Markdown).into_iter().map(text);
    let blocks: Vec<Value> = [title].into_iter().chain(rest).collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": blocks,
    });
    let body = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    });
    (Method::POST, target.url.expose().clone(), body)
}

/// The subset of Markdown that adaptive cards support.
struct Markdown;

impl Markup for Markdown {
    fn plain(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if matches!(
                c,
                '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '`' | '~' | '#' | '<' | '>'
            ) {
                out.push('\\');
            }
            out.push(c);
        }
        out
    }

    fn strong(&self, text: &str) -> String {
        format!("**{}**", self.plain(text))
    }

    fn link(&self, text: &str, to: &str) -> String {
        if !is_web(to) || to.contains([')', '(', ' ']) {
            return self.plain(to);
        }
        format!("[{}]({to})", self.plain(text))
    }
}

fn colour(health: Health) -> &'static str {
    match health {
        Health::Ok => "Good",
        Health::Degraded | Health::Flapping => "Warning",
        Health::Down => "Attention",
        Health::Unknown => "Default",
    }
}
