//! Makes of a summary what is said: sections by their importance, each fact once. Pure.

use std::time::Duration;

use jiff::Timestamp;

use engine::model::Health;
use engine::{AlertLine, Line, Occasion, Summary};

use super::bookings::needed;
use super::groups::{Group, Turn, groups};
use super::names::names;
use super::words::{self, Clock, clip, sentence};
use super::{Content, Entry, Letter, Section, lead, state, title};

/// How many groups of experiments a section has.
pub const MAX_GROUPS: usize = 30;

/// How many alerts are said.
const MAX_ALERTS: usize = 10;

/// How many things of one kind are said that are worth knowing.
const MAX_BACKGROUND: usize = 10;

/// The longest sentence that comes from elsewhere, in characters.
const MAX_TEXT_CHARS: usize = 600;

/// The longest advice, in characters.
const MAX_ADVICE_CHARS: usize = 300;

/// The longest text of an acknowledgement, in characters.
const MAX_ACKNOWLEDGEMENT_CHARS: usize = 200;

/// The longest address of the page, in bytes.
const MAX_ADDRESS_BYTES: usize = 500;

/// How many names or runs of names a group has.
const MAX_NAMES: usize = 8;

/// What is said of an experiment that is new to relay.
const UNLISTED: &str =
    "ok, but not listed in book: put it into the manifest, or remove it from relay";

/// When an experiment was last seen is said where it differs so much from since when it is bad.
const SEEN_BEFORE: Duration = Duration::from_secs(60);

/// What a summary says.
#[must_use]
pub fn content(summary: &Summary, letter: &Letter) -> Content {
    let clock = Clock {
        now: summary.at,
        zone: &letter.zone,
    };
    let writer = Writer { clock, letter };
    let foot = words::counts(&summary.counts)
        .into_iter()
        .chain([format!("Sent {}.", clock.exact(summary.at))]);
    Content {
        title: title::title(summary, &letter.subject),
        lead: lead::lead(summary, clock)
            .into_iter()
            .chain(causes(summary))
            .collect(),
        sections: writer.sections(summary),
        foot: foot.collect(),
        link: link(letter),
        state: state::state(summary),
    }
}

/// Where all of it can be seen.
fn link(letter: &Letter) -> String {
    let page = letter.page.as_ref().map(|page| format!("{page}/"));
    let page = page.filter(|_| letter.link.is_empty());
    clip(page.as_deref().unwrap_or(&letter.link), MAX_TEXT_CHARS)
}

fn causes(summary: &Summary) -> impl Iterator<Item = String> {
    let causes = summary.background.causes.iter().take(MAX_BACKGROUND);
    causes.map(|cause| sentence(&clip(cause, MAX_TEXT_CHARS)))
}

struct Writer<'a> {
    clock: Clock<'a>,
    letter: &'a Letter,
}

impl Writer<'_> {
    fn sections(&self, summary: &Summary) -> Vec<Section> {
        let is_told_above = |line: &Line| summary.news.iter().any(|news| news.stub == line.stub);
        let is_news = summary.occasion == Occasion::News;
        let (new, known): (Vec<&AlertLine>, Vec<&AlertLine>) =
            summary.alerts.iter().partition(|alert| alert.new);
        let (well, bad): (Vec<&Line>, Vec<&Line>) = summary
            .news
            .iter()
            .partition(|line| line.health == Health::Ok);
        let (unlisted, back): (Vec<&Line>, Vec<&Line>) = well
            .into_iter()
            .partition(|line| Turn::of(line) == Turn::Unlisted);
        let open = summary.problems.iter().filter(|line| !is_told_above(line));
        let (acknowledged, open): (Vec<&Line>, Vec<&Line>) =
            open.partition(|line| line.acknowledged.is_some());
        let open_title = if is_news { "Also open" } else { "Open" };
        let background = &summary.background;
        let all = [
            self.section("The whole laboratory", &new, MAX_ALERTS, |alert| {
                self.alert(alert)
            }),
            self.grouped("New problems", &bad, true, |group| self.full(group)),
            texts("Booked and too few", &background.short_pools),
            self.grouped("Back", &back, true, |group| self.back(group)),
            self.grouped("New", &unlisted, true, |group| {
                self.entry(group, UNLISTED.to_owned())
            }),
            self.section(
                "The whole laboratory, known before",
                &known,
                MAX_ALERTS,
                |alert| self.alert(alert),
            ),
            self.grouped(open_title, &open, false, |group| {
                if summary.occasion == Occasion::Reminder {
                    self.full(group)
                } else {
                    self.brief(group)
                }
            }),
            self.grouped("Acknowledged", &acknowledged, false, |group| {
                self.brief(group)
            }),
            texts("labwatch itself has a problem", &self.letter.own),
            texts("People hold these", &background.forgotten_holds),
            texts("Silenced", &background.silences),
        ];
        let mut all: Vec<Section> = all.into_iter().flatten().collect();
        // What is said first of a single thing needs no title.
        if let Some(first) = all
            .first_mut()
            .filter(|first| first.entries.len() == 1 && is_news)
        {
            first.title.clear();
        }
        all
    }

    fn section<T>(
        &self,
        title: &str,
        all: &[T],
        max: usize,
        show: impl Fn(&T) -> Entry,
    ) -> Option<Section> {
        (!all.is_empty()).then(|| Section {
            title: title.to_owned(),
            entries: all.iter().take(max).map(show).collect(),
            more: all.len().saturating_sub(max),
        })
    }

    /// The same of experiments, those of which the same is to be said together.
    fn grouped(
        &self,
        title: &str,
        lines: &[&Line],
        is_news: bool,
        show: impl Fn(&Group<'_>) -> Entry,
    ) -> Option<Section> {
        let groups = groups(lines.iter().copied(), is_news);
        let left_out = groups.iter().skip(MAX_GROUPS);
        let more = left_out.map(|group| group.lines.len()).sum();
        let section = self.section(
            &format!("{title} ({})", lines.len()),
            &groups,
            MAX_GROUPS,
            show,
        )?;
        Some(Section { more, ..section })
    }

    fn alert(&self, alert: &AlertLine) -> Entry {
        let text = sentence(&clip(&alert.text, MAX_TEXT_CHARS));
        let when = match alert.ended {
            None => self.clock.since(alert.since, alert.since),
            Some(lasted) => {
                let end = alert.since.checked_add(lasted).unwrap_or(self.clock.now);
                format!(
                    "the problem was there {} ({})",
                    self.clock.during(alert.since, end),
                    words::spell(lasted)
                )
            }
        };
        Entry {
            said: format!("{text} {}", sentence(&when)),
            ..Entry::default()
        }
    }

    /// A group with all that helps whoever mends it.
    fn full(&self, group: &Group<'_>) -> Entry {
        let story = &group.story;
        let seen = self.last_seen(group);
        let why = [story.why.clone(), seen.unwrap_or_default()];
        let why: Vec<&str> = why
            .iter()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        let advice = story
            .advice
            .as_deref()
            .map(|advice| clip(advice, MAX_ADVICE_CHARS));
        let facts = [
            ("Needed", needed(&group.lines, self.clock)),
            ("Why", (!why.is_empty()).then(|| why.join("; "))),
            ("Booking", Some(story.bookable.to_owned())),
            ("To do", advice),
            ("Acknowledged", acknowledged(group)),
        ];
        let facts = facts
            .into_iter()
            .filter_map(|(what, text)| Some((what, text?)));
        Entry {
            facts: facts.collect(),
            links: self.links(group),
            ..self.entry(group, format!("{} {}", story.state, self.since(group)))
        }
    }

    /// A group in one line: it is known.
    fn brief(&self, group: &Group<'_>) -> Entry {
        let story = &group.story;
        let why = if story.why.is_empty() {
            String::new()
        } else {
            format!(": {}", story.why)
        };
        let needed = needed(&group.lines, self.clock).map(|needed| format!("; {needed}"));
        let said = format!(
            "{} {}{why}; {}{}",
            story.state,
            self.since(group),
            story.bookable,
            needed.unwrap_or_default()
        );
        let facts = acknowledged(group).map(|by| ("Acknowledged", by));
        Entry {
            facts: facts.into_iter().collect(),
            ..self.entry(group, said)
        }
    }

    /// What is well again.
    fn back(&self, group: &Group<'_>) -> Entry {
        let mut said = self.was(group);
        if group.story.bookable != "bookable" {
            said = format!("{said}; {}", group.story.bookable);
        }
        self.entry(group, said)
    }

    /// What it was before it was well, and from when to when.
    fn was(&self, group: &Group<'_>) -> String {
        let ended = group
            .lines
            .iter()
            .filter_map(|line| Some((line, line.lasted?)));
        let times = ended.map(|(line, lasted)| {
            let begin = line.since.checked_sub(lasted).unwrap_or(line.since);
            (begin, line.since, lasted)
        });
        let times: Vec<(Timestamp, Timestamp, Duration)> = times.collect();
        let Some((begin, end)) = times.iter().map(|(begin, end, _)| (*begin, *end)).reduce(
            |(begin, end), (other_begin, other_end)| (begin.min(other_begin), end.max(other_end)),
        ) else {
            return "back".to_owned();
        };
        let was = match group.lines.first().map(|line| line.notified) {
            Some(Health::Ok) | None => "had a problem",
            Some(Health::Down) => "was down",
            Some(Health::Degraded) => "was degraded",
            Some(Health::Flapping) => "was flapping",
            Some(Health::Unknown) => "was not evaluated",
        };
        let was = if group.lines.len() == 1 {
            was.to_owned()
        } else {
            was.replacen("was", "were", 1)
        };
        let longest = times
            .iter()
            .map(|(_, _, lasted)| *lasted)
            .max()
            .unwrap_or_default();
        let lasted = words::spell(longest);
        if longest < Duration::from_secs(1) {
            return format!("back; {was} for a moment at {}", self.clock.at(end));
        }
        let upto = if times.len() > 1 { "up to " } else { "" };
        format!(
            "back; {was} {} ({upto}{lasted})",
            self.clock.during(begin, end)
        )
    }

    fn entry(&self, group: &Group<'_>, said: String) -> Entry {
        Entry {
            health: group.lines.first().map(|line| line.health),
            name: names(group.lines.iter().map(|line| line.stub.as_str()), MAX_NAMES),
            said,
            ..Entry::default()
        }
    }

    fn since(&self, group: &Group<'_>) -> String {
        let times = || group.lines.iter().map(|line| line.since);
        let first = times().min().unwrap_or(self.clock.now);
        self.clock.since(first, times().max().unwrap_or(first))
    }

    /// When what is lacking was last reported, where that is well before it was found bad.
    fn last_seen(&self, group: &Group<'_>) -> Option<String> {
        let (line, seen) = group
            .lines
            .iter()
            .filter_map(|line| Some((line, line.last_seen?)))
            .min_by_key(|(_, seen)| *seen)?;
        let before = words::length(line.since.duration_since(seen));
        (before >= SEEN_BEFORE).then(|| format!("last reported {}", self.clock.at(seen)))
    }

    /// The page of a single experiment, and the form to acknowledge it.
    fn links(&self, group: &Group<'_>) -> Vec<(&'static str, String)> {
        let (Some(page), [line]) = (&self.letter.page, group.lines.as_slice()) else {
            return Vec::new();
        };
        let name = line.stub.as_str();
        let form = format!("{page}/do/acknowledge?");
        let form = url::form_urlencoded::Serializer::for_suffix(form.clone(), form.len())
            .append_pair("name", name)
            .finish();
        let mut links = vec![("Page", format!("{page}/experiments/{}", segment(name)))];
        if line.acknowledged.is_none() && line.health.is_bad() {
            links.push(("Acknowledge", form));
        }
        links.retain(|(_, address)| address.len() <= MAX_ADDRESS_BYTES);
        links
    }
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    // What a form makes a plus is %20 in a path.
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .map(|part| if part == "+" { "%20" } else { part })
        .collect()
}

fn acknowledged(group: &Group<'_>) -> Option<String> {
    let (who, text) = group.story.acknowledged.as_ref()?;
    Some(clip(
        &format!("by {who}: {text}"),
        MAX_ACKNOWLEDGEMENT_CHARS,
    ))
}

/// Sentences that come from elsewhere.
fn texts(title: &str, all: &[String]) -> Option<Section> {
    (!all.is_empty()).then(|| Section {
        title: title.to_owned(),
        entries: all
            .iter()
            .take(MAX_BACKGROUND)
            .map(|text| Entry {
                said: clip(text, MAX_TEXT_CHARS),
                ..Entry::default()
            })
            .collect(),
        more: all.len().saturating_sub(MAX_BACKGROUND),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use engine::Affected;
    use engine::model::Stub;

    use super::*;

    /// An experiment in this health of which nothing else is known.
    pub(in crate::effects::notification) fn line(stub: &str, health: Health) -> Line {
        Line {
            stub: Stub::try_new(stub).expect("a name"),
            health,
            notified: Health::Ok,
            bookable: None,
            listed: true,
            issues: vec![],
            since: Timestamp::UNIX_EPOCH,
            lasted: None,
            affected: Affected::default(),
            advice: None,
            notified_issues: vec![],
            last_seen: None,
            acknowledged: None,
        }
    }

    #[test]
    fn a_name_is_one_segment_of_an_address() {
        for (name, said) in [
            ("pend00", "pend00"),
            ("a/b c?d", "a%2Fb%20c%3Fd"),
            ("\u{e9}", "%C3%A9"),
        ] {
            assert_eq!(segment(name), said);
        }
    }
}
