//! A room of Matrix: one event, whose transaction is named after the message, so that the server
//! keeps one of several attempts. Pure.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::brief::{Markup, Plain, Room, lines};
use super::message::{Message, Size, below};
use crate::config::HttpTarget;
use crate::effects::notification::is_web;

/// The longest text, in bytes: an event may have 65,536 bytes, holds the text twice, and JSON
/// escapes make some characters longer.
const MAX_BYTES: usize = 8_000;

/// The most entries that are listed.
const MAX_ENTRIES: usize = 40;

pub(super) fn request(
    target: &HttpTarget,
    message: &Message<'_>,
    size: Size,
) -> Result<(Method, Url, Value), String> {
    let room = Room::of(size, MAX_BYTES, MAX_ENTRIES);
    let title = &message.content.title;
    let plain = lines(&message.content, room, &Plain).join("\n");
    let html = lines(&message.content, room, &Html).join("<br>");
    let body = json!({
        "msgtype": "m.text",
        "body": format!("{title}\n{plain}"),
        "format": "org.matrix.custom.html",
        "formatted_body": format!("{}<br>{html}", Html.strong(title)),
    });
    let id = message.summary.thread.id.to_string();
    let path = [
        "_matrix",
        "client",
        "v3",
        "rooms",
        &target.room,
        "send",
        "m.room.message",
        &id,
    ];
    Ok((Method::PUT, below(target.url.expose(), &path)?, body))
}

struct Html;

impl Markup for Html {
    fn plain(&self, text: &str) -> String {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
    }

    fn strong(&self, text: &str) -> String {
        format!("<strong>{}</strong>", self.plain(text))
    }

    fn link(&self, text: &str, to: &str) -> String {
        if !is_web(to) {
            return self.plain(to);
        }
        format!("<a href=\"{}\">{}</a>", self.plain(to), self.plain(text))
    }
}
