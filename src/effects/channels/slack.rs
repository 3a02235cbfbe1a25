//! Incoming webhooks of Slack, and of Mattermost and Rocket.Chat, which take the same. Pure.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::brief::{Markup, Room, lines, without_calls, worst};
use super::message::{Message, Size};
use crate::config::HttpTarget;
use crate::effects::notification::{colour, is_web};

/// The longest text, in bytes. Mattermost cuts at 4,000 characters by default.
const MAX_BYTES: usize = 3_500;

/// The most entries that are listed.
const MAX_ENTRIES: usize = 20;

pub(super) fn request(
    target: &HttpTarget,
    message: &Message<'_>,
    size: Size,
) -> (Method, Url, Value) {
    let room = Room::of(size, MAX_BYTES, MAX_ENTRIES);
    let text = lines(&message.content, room, &Mrkdwn).join("\n");
    let title = Mrkdwn.strong(&message.content.title);
    let body = json!({
        "text": title,
        "attachments": [{
            "fallback": Mrkdwn.plain(&message.content.title),
            "color": colour(worst(&message.content)),
            "text": text,
            "mrkdwn_in": ["text"],
        }],
    });
    (Method::POST, target.url.expose().clone(), body)
}

/// The markup of all three: mrkdwn.
struct Mrkdwn;

impl Markup for Mrkdwn {
    fn plain(&self, text: &str) -> String {
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        without_calls(&text)
    }

    fn strong(&self, text: &str) -> String {
        format!("*{}*", self.plain(text).replace('*', "\u{2217}"))
    }

    fn link(&self, text: &str, to: &str) -> String {
        if !is_web(to) || to.contains(['<', '>', '|']) {
            return self.plain(to);
        }
        format!("<{}|{}>", to.replace('&', "&amp;"), self.plain(text))
    }
}
