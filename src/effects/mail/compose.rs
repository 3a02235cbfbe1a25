//! Puts a summary into the words of a mail: subject, plain text and HTML. Pure.
//!
//! The plain text keeps the phrases and status codes of the program that labwatch replaces, because people's filters look for them.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{html, words};
use crate::engine::{Alert, Background, Line, Summary};
use crate::model::{Health, Stub};

/// How many news are spelt out.
pub const MAX_NEWS: usize = 50;

/// How many problems are listed, new ones included.
pub const MAX_PROBLEMS: usize = 100;

/// How many alerts are spelt out.
pub const MAX_ALERTS: usize = 10;

/// How many experiments are named in the subject and in the first line.
const MAX_NAMES: usize = 4;

/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 160;

/// How much of an alert fits beside the rest of a subject, in characters.
const MAX_SUBJECT_ALERT_CHARS: usize = 70;

/// A shorter beginning of an alert says too little, in bytes.
const MIN_GIST_BYTES: usize = 12;

/// The longest alert, in characters: it may name what it hides.
const MAX_ALERT_CHARS: usize = 600;

/// The longest advice, in characters.
const MAX_ADVICE_CHARS: usize = 300;

/// How much of the background is told, in lines of each kind.
const MAX_BACKGROUND: usize = 10;

/// The longest name in subject and first line, in characters.
const MAX_NAME_CHARS: usize = 40;

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
    Composed { subject: subject(summary, &letter.subject), text: text(&content), html: html::render(&content) }
}

fn content(summary: &Summary, letter: &Letter) -> Content {
    let told_above: BTreeSet<&Stub> = summary.news.iter().take(MAX_NEWS).map(|line| &line.stub).collect();
    let new_oks = summary.news.iter().filter(|line| line.health == Health::Ok).count();
    Content {
        headline: headline(summary),
        time: summary.at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        counts: words::counts(&summary.counts),
        alerts: first(&summary.alerts, MAX_ALERTS, |alert| alert_words(alert, summary)),
        news: first(&summary.news, MAX_NEWS, |line| full_row(line, summary)),
        new_issues: summary.news.len() - new_oks,
        new_oks,
        problems: first(&summary.problems, MAX_PROBLEMS, |line| {
            if told_above.contains(&line.stub) { row(line, vec!["new, see above".to_owned()]) } else { full_row(line, summary) }
        }),
        background: background(&summary.background),
        link: words::clip(&letter.link, MAX_ALERT_CHARS),
    }
}

fn background(background: &Background) -> Listing<String> {
    let kinds = [&background.causes, &background.short_pools, &background.forgotten_holds, &background.forgotten_quiet];
    let shown = kinds.iter().flat_map(|kind| kind.iter().take(MAX_BACKGROUND)).map(|text| words::clip(text, MAX_ALERT_CHARS)).collect();
    let more = kinds.iter().map(|kind| kind.len().saturating_sub(MAX_BACKGROUND)).sum();
    Listing { shown, more }
}

fn first<T, U>(all: &[T], max: usize, show: impl Fn(&T) -> U) -> Listing<U> {
    Listing { shown: all.iter().take(max).map(show).collect(), more: all.len().saturating_sub(max) }
}

fn row(line: &Line, words: Vec<String>) -> Row {
    Row { name: words::name(line), code: words::code(line), health: line.health, words, advice: None }
}

fn full_row(line: &Line, summary: &Summary) -> Row {
    let advice = line.advice.as_deref().map(|advice| words::clip(advice, MAX_ADVICE_CHARS));
    Row { advice, ..row(line, words_of(line, summary)) }
}

fn words_of(line: &Line, summary: &Summary) -> Vec<String> {
    let mut words = vec![words::matter(line)];
    if line.health != Health::Ok {
        words.push(words::since(line.since, summary.at));
    }
    words.push(words::bookable(line).to_owned());
    words.extend(words::affected(line, summary.at));
    words.extend(words::told(line));
    words
}

fn alert_words(alert: &Alert, summary: &Summary) -> String {
    let text = words::clip(&alert.text, MAX_ALERT_CHARS);
    let when = alert.ended.map_or_else(|| words::since(alert.since, summary.at), |lasted| format!("after {}", words::spell(lasted)));
    let told = if alert.new { "" } else { "; told before" };
    format!("{}; {when}{told}", text.trim_end_matches('.'))
}

/// The subject says what happened: `lab 2 down, 1 back: pend03, spin01`.
fn subject(summary: &Summary, prefix: &str) -> String {
    let mut parts: Vec<String> = subject_alert(summary).into_iter().collect();
    parts.extend(subject_news(summary));
    if parts.is_empty() {
        parts.push(standing(summary));
    }
    let subject = format!("{} {}", prefix.trim(), parts.join("; "));
    words::clip(&subject, MAX_SUBJECT_CHARS)
}

/// The first new alert, and how many more there are.
fn subject_alert(summary: &Summary) -> Option<String> {
    let mut new = summary.alerts.iter().filter(|alert| alert.new);
    let first = gist(&new.next()?.text);
    Some(match new.count() {
        0 => first,
        1 => format!("{first} (and 1 more alert)"),
        more => format!("{first} (and {more} more alerts)"),
    })
}

/// What an alert says before it goes into detail: its words up to a colon or full stop, unless those are too few to say anything.
fn gist(text: &str) -> String {
    let ends = [": ", "; ", ". "].iter().filter_map(|mark| text.find(mark)).filter(|&at| at >= MIN_GIST_BYTES);
    let gist = ends.min().and_then(|at| text.get(..at)).unwrap_or(text);
    words::clip(gist.trim_end_matches('.'), MAX_SUBJECT_ALERT_CHARS)
}

fn subject_news(summary: &Summary) -> Option<String> {
    let groups = groups(summary);
    let (_, worst) = groups.first()?;
    let counted = |(health, lines): &(Health, Vec<&Line>)| {
        let word = if *health == Health::Ok { "back" } else { words::state(*health) };
        format!("{} {word}", lines.len())
    };
    let counts: Vec<String> = groups.iter().map(counted).collect();
    Some(format!("{}: {}", counts.join(", "), names(worst)))
}

/// The news by health, the worst first, without empty groups.
fn groups(summary: &Summary) -> Vec<(Health, Vec<&Line>)> {
    let of = |health| (health, summary.news.iter().filter(|line| line.health == health).collect::<Vec<_>>());
    [Health::Down, Health::Flapping, Health::Degraded, Health::Unknown, Health::Ok]
        .into_iter()
        .map(of)
        .filter(|(_, lines)| !lines.is_empty())
        .collect()
}

fn names(lines: &[&Line]) -> String {
    let named: Vec<String> = lines.iter().take(MAX_NAMES).map(|line| words::clip(line.stub.as_str(), MAX_NAME_CHARS)).collect();
    let more = lines.len().saturating_sub(MAX_NAMES);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}

/// How things are when nothing is new.
fn standing(summary: &Summary) -> String {
    match (summary.problems.len(), summary.alerts.iter().filter(|alert| alert.ended.is_none()).count()) {
        (0, 0) => "all is well".to_owned(),
        (0, 1) => "still 1 system alert".to_owned(),
        (0, alerts) => format!("still {alerts} system alerts"),
        (problems, _) => format!("still {problems} with issues"),
    }
}

/// The first line: the worst first, in plain words.
fn headline(summary: &Summary) -> String {
    let mut sentences: Vec<String> = summary.alerts.iter().filter(|alert| alert.new).take(1).map(|alert| sentence(&alert.text)).collect();
    sentences.extend(groups(summary).into_iter().map(|(health, lines)| group_sentence(health, &lines)));
    if sentences.is_empty() {
        sentences.push(sentence(&format!("nothing new: {}", standing(summary))));
    }
    sentences.join(" ")
}

fn group_sentence(health: Health, lines: &[&Line]) -> String {
    match lines {
        [line] if health == Health::Ok => format!("{} is {}.", words::clip(line.stub.as_str(), MAX_NAME_CHARS), words::matter(line)),
        [line] => {
            let why = if line.issues.is_empty() { String::new() } else { format!(": {}", words::issues(&line.issues)) };
            format!("{} is {}{why}.", words::clip(line.stub.as_str(), MAX_NAME_CHARS), words::state(health))
        }
        lines => format!("{} experiments are {}: {}.", lines.len(), words::state(health), names(lines)),
    }
}

/// With a capital at its start and one full stop at its end.
fn sentence(text: &str) -> String {
    let text = words::clip(text, MAX_ALERT_CHARS);
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

fn text(content: &Content) -> String {
    let mut out = format!("{}\n\nSystem time: {}\n{}\n", content.headline, content.time, content.counts);
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
        let _ = writeln!(out, "\nThere are {} new health events ({issues} issues, {oks} ok):", issues + oks);
        push_listing(&mut out, &content.news, row_text);
    }
    out.push_str("\nAll new and existing health issues:\n");
    if content.problems.shown.is_empty() {
        out.push_str("none\n");
    }
    push_listing(&mut out, &content.problems, row_text);
    if !content.link.is_empty() {
        let _ = writeln!(out, "\nFor the latest complete status information, please go to {}", content.link);
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
    let advice = row.advice.as_ref().map(|advice| format!("\n    {advice}")).unwrap_or_default();
    format!("{}{}{}{advice}", row.name, row.code, row.words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_an_alert_fits_a_subject() {
        for (text, expected) in [
            ("relay tells nothing: check that it runs. 130 experiments are not judged", "relay tells nothing"),
            ("relay: cannot connect. Check that it runs", "relay: cannot connect"),
            ("book has no manifest.", "book has no manifest"),
            ("relay: mute", "relay: mute"),
        ] {
            assert_eq!(gist(text), expected);
        }
        assert_eq!(gist(&"\u{e9}".repeat(200)).chars().count(), MAX_SUBJECT_ALERT_CHARS);
    }

    #[test]
    fn a_sentence_has_a_capital_and_one_full_stop() {
        assert_eq!(sentence("relay tells again.."), "Relay tells again.");
        assert_eq!(sentence(""), "");
    }
}
