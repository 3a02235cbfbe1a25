//! Puts a summary into the words of a mail: subject, plain text and HTML. Pure.
//!
//! The plain text keeps the phrases and status codes of the program that labwatch replaces, because people's filters look for them.

use std::collections::BTreeSet;
use std::fmt::Write;

use jiff::SignedDuration;

use super::subject::{headline, subject};
use super::{html, words};
use engine::model::{Health, Stub, escape_deceptive};
use engine::{AlertLine, Background, Line, Occasion, Summary};

/// How many news are spelt out.
pub const MAX_NEWS: usize = 50;

/// How many problems are listed, new ones included.
pub const MAX_PROBLEMS: usize = 100;

/// How many alerts are spelt out.
pub const MAX_ALERTS: usize = 10;

/// The longest alert, in characters: it may name what it hides.
pub(super) const MAX_ALERT_CHARS: usize = 600;

/// The longest advice, in characters.
const MAX_ADVICE_CHARS: usize = 300;

/// How much of the background is told, in lines of each kind.
const MAX_BACKGROUND: usize = 10;

/// That something is well again is said with its time when the mail comes so much later: mail was off, say.
const OLD_NEWS: SignedDuration = SignedDuration::from_mins(5);

/// What every mail has in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letter {
    /// `EMAIL_SUBJECT`: what every subject starts with; may be empty.
    pub subject: String,
    /// `EMAIL_LINK`: where the whole status can be seen; may be empty.
    pub link: String,
}

/// A mail in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The subject: one line, without white space at its ends.
    pub subject: String,
    /// The plain text, lines ending in `\n`.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// What a mail says, before it is laid out as text or HTML. All texts are clean and bounded.
pub(super) struct Content {
    pub(super) headline: String,
    pub(super) time: String,
    pub(super) counts: String,
    pub(super) alerts: Listing<String>,
    pub(super) news: Listing<Row>,
    pub(super) new_issues: usize,
    pub(super) new_oks: usize,
    pub(super) problems: Listing<Row>,
    /// What is worth knowing beside the problems.
    pub(super) background: Listing<String>,
    pub(super) link: String,
    /// Whether the headline says it all: a digest when all is well.
    is_one_line: bool,
}

/// The first of many, and how many more there are.
pub(super) struct Listing<T> {
    pub(super) shown: Vec<T>,
    pub(super) more: usize,
}

/// One experiment in a list.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) code: &'static str,
    pub(super) health: Health,
    /// What is the matter, then the rest, each a few words.
    pub(super) words: Vec<String>,
    /// What can be done about it, on a line of its own.
    pub(super) advice: Option<String>,
}

/// Writes the mail for a summary.
#[must_use]
pub fn compose(summary: &Summary, letter: &Letter) -> Composed {
    let content = content(summary, letter);
    let shown = |text: String| escape_deceptive(&text).into_owned();
    Composed {
        subject: shown(subject(summary, &letter.subject)),
        text: shown(text(&content)),
        html: shown(html::render(&content)),
    }
}

fn content(summary: &Summary, letter: &Letter) -> Content {
    let told_above: BTreeSet<&Stub> = summary
        .news
        .iter()
        .take(MAX_NEWS)
        .map(|line| &line.stub)
        .collect();
    let new_oks = summary
        .news
        .iter()
        .filter(|line| line.health == Health::Ok)
        .count();
    Content {
        headline: headline(summary),
        time: summary
            .at
            .strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            .to_string(),
        counts: words::counts(&summary.counts),
        alerts: first(&summary.alerts, MAX_ALERTS, |alert| {
            alert_words(alert, summary)
        }),
        news: first(&summary.news, MAX_NEWS, |line| full_row(line, summary)),
        new_issues: summary.news.len() - new_oks,
        new_oks,
        problems: first(&summary.problems, MAX_PROBLEMS, |line| {
            if told_above.contains(&line.stub) {
                row(line, vec!["new, see above".to_owned()])
            } else {
                full_row(line, summary)
            }
        }),
        background: background(&summary.background),
        link: words::clip(&letter.link, MAX_ALERT_CHARS),
        is_one_line: summary.occasion == Occasion::Digest
            && summary.problems.is_empty()
            && summary.alerts.is_empty(),
    }
}

fn background(background: &Background) -> Listing<String> {
    let kinds = [
        &background.causes,
        &background.short_pools,
        &background.forgotten_holds,
        &background.silences,
    ];
    let shown = kinds
        .iter()
        .flat_map(|kind| kind.iter().take(MAX_BACKGROUND))
        .map(|text| words::clip(text, MAX_ALERT_CHARS))
        .collect();
    let more = kinds
        .iter()
        .map(|kind| kind.len().saturating_sub(MAX_BACKGROUND))
        .sum();
    Listing { shown, more }
}

fn first<T, U>(all: &[T], max: usize, show: impl Fn(&T) -> U) -> Listing<U> {
    Listing {
        shown: all.iter().take(max).map(show).collect(),
        more: all.len().saturating_sub(max),
    }
}

fn row(line: &Line, words: Vec<String>) -> Row {
    Row {
        name: words::name(line),
        code: words::code(line),
        health: line.health,
        words,
        advice: None,
    }
}

fn full_row(line: &Line, summary: &Summary) -> Row {
    let advice = line
        .advice
        .as_deref()
        .map(|advice| words::clip(advice, MAX_ADVICE_CHARS));
    Row {
        advice,
        ..row(line, words_of(line, summary))
    }
}

fn words_of(line: &Line, summary: &Summary) -> Vec<String> {
    let mut words = vec![words::matter(line)];
    if line.health != Health::Ok || summary.at.duration_since(line.since) >= OLD_NEWS {
        words.push(words::since(line.since, summary.at));
    }
    words.push(words::bookable(line).to_owned());
    words.extend(words::affected(line, summary.at));
    words.extend(words::notified(line));
    words
}

fn alert_words(alert: &AlertLine, summary: &Summary) -> String {
    let text = words::clip(&alert.text, MAX_ALERT_CHARS);
    let when = alert.ended.map_or_else(
        || words::since(alert.since, summary.at),
        |lasted| {
            format!(
                "after {}, {}",
                words::spell(lasted),
                words::span(alert.since, lasted, summary.at)
            )
        },
    );
    let notified = if alert.new { "" } else { "; told before" };
    format!("{}; {when}{notified}", text.trim_end_matches('.'))
}

fn text(content: &Content) -> String {
    let mut out = format!(
        "{}\n\nSystem time: {}\n{}\n",
        content.headline, content.time, content.counts
    );
    if !content.alerts.shown.is_empty() {
        out.push_str("\nSystem alerts:\n");
        push_listing(&mut out, &content.alerts, Clone::clone);
    }
    if !content.background.shown.is_empty() {
        out.push_str("\nWorth knowing:\n");
        push_listing(&mut out, &content.background, Clone::clone);
    }
    if !content.news.shown.is_empty() {
        let (issues, oks) = (content.new_issues, content.new_oks);
        let _ = writeln!(
            out,
            "\nThere are {} new health events ({issues} issues, {oks} ok):",
            issues + oks
        );
        push_listing(&mut out, &content.news, row_text);
    }
    if !content.is_one_line {
        out.push_str("\nAll new and existing health issues:\n");
        if content.problems.shown.is_empty() {
            out.push_str("none\n");
        }
        push_listing(&mut out, &content.problems, row_text);
    }
    if !content.link.is_empty() {
        let _ = writeln!(
            out,
            "\nFor the latest complete status information, please go to {}",
            content.link
        );
    }
    out
}

fn push_listing<T>(out: &mut String, listing: &Listing<T>, show: impl Fn(&T) -> String) {
    for item in &listing.shown {
        let _ = writeln!(out, "{}", show(item));
    }
    if listing.more > 0 {
        let _ = writeln!(out, "... and {} more", listing.more);
    }
}

fn row_text(row: &Row) -> String {
    let advice = row
        .advice
        .as_ref()
        .map(|advice| format!("\n    {advice}"))
        .unwrap_or_default();
    format!("{}{}{}{advice}", row.name, row.code, row.words.join("; "))
}
