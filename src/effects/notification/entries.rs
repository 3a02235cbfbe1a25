//! Entries of a notification as text: experiments with the same symptoms, an alert. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::bookings::needed;
use super::groups::{Group, groups};
use super::names::names;
use super::parts::{Entry, Presentation};
use super::words::{self, Clock, clip, sentence};
use engine::model::Health;
use engine::{AlertLine, Line, matches};

/// The longest sentence from other parts, in characters.
pub(super) const MAX_TEXT_CHARS: usize = 600;

/// The longest advice, in characters.
const MAX_ADVICE_CHARS: usize = 300;

/// The longest text of an acknowledgement, in characters.
const MAX_ACKNOWLEDGEMENT_CHARS: usize = 200;

/// The longest address of the page, in bytes.
const MAX_ADDRESS_BYTES: usize = 500;

/// The most names or ranges of names in a group.
const MAX_NAMES: usize = 8;

/// The time of the last sample is shown where it is earlier than the start of the problem by this.
const SEEN_BEFORE: Duration = Duration::from_secs(60);

pub(super) struct Writer<'a> {
    pub(super) clock: Clock<'a>,
    pub(super) presentation: &'a Presentation,
    /// All current problems.
    pub(super) open: &'a [Line],
}

impl Writer<'_> {
    pub(super) fn alert(&self, alert: &AlertLine) -> Entry {
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

    /// A group with all facts that help to repair it.
    pub(super) fn full(&self, group: &Group<'_>) -> Entry {
        let story = &group.story;
        let mut why = vec![story.why.clone()];
        why.extend(self.last_seen(group));
        why.retain(|text| !text.is_empty());
        let advice = story
            .advice
            .as_deref()
            .map(|advice| clip(advice, MAX_ADVICE_CHARS));
        let facts = [
            ("Needed", needed(&group.lines, self.clock)),
            ("Why", (!why.is_empty()).then(|| why.join("; "))),
            ("Unsteady", story.steadiness.clone()),
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
            ..entry(group, format!("{} {}", story.state, self.since(group)))
        }
    }

    /// A group in one line: a problem that is known.
    pub(super) fn brief(&self, group: &Group<'_>) -> Entry {
        let story = &group.story;
        let why = if story.why.is_empty() {
            String::new()
        } else {
            format!(": {}", story.why)
        };
        let steadiness = story.steadiness.as_ref();
        let steadiness = steadiness.map_or(String::new(), |known| format!("; unsteady: {known}"));
        let needed = needed(&group.lines, self.clock).map(|needed| format!("; {needed}"));
        let said = format!(
            "{} {}{why}; {}{steadiness}{}",
            story.state,
            self.since(group),
            story.bookable,
            needed.unwrap_or_default()
        );
        let facts = acknowledged(group).map(|by| ("Acknowledged", by));
        Entry {
            facts: facts.into_iter().collect(),
            ..entry(group, said)
        }
    }

    /// A group that is ok again.
    pub(super) fn back(&self, group: &Group<'_>) -> Entry {
        let mut said = self.was(group);
        if group.story.bookable != "bookable" {
            said = format!("{said}; {}", group.story.bookable);
        }
        if let Some(steadiness) = &group.story.steadiness {
            said = format!("{said}; it was unsteady: {steadiness}");
        }
        entry(group, said)
    }

    /// The worst health of an incident that is over, from when to when.
    fn was(&self, group: &Group<'_>) -> String {
        let ended = group.lines.iter();
        let times = ended.filter_map(|line| {
            let begin = |lasted| line.since.checked_sub(lasted).unwrap_or(line.since);
            Some((begin(line.lasted?), line.since, line.lasted?))
        });
        let times: Vec<(Timestamp, Timestamp, Duration)> = times.collect();
        let begin = times.iter().map(|(begin, ..)| *begin).min();
        let end = times.iter().map(|(_, end, _)| *end).max();
        let Some((begin, end)) = begin.zip(end) else {
            return "back".to_owned();
        };
        let was = match group.story.was {
            _ if group.story.steadiness.is_some() => "came and went",
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

    fn since(&self, group: &Group<'_>) -> String {
        let times = || group.lines.iter().map(|line| line.since);
        let first = times().min().unwrap_or(self.clock.now);
        self.clock.since(first, times().max().unwrap_or(first))
    }

    /// When the missing streams were last reported, where that is well before the problem was
    /// found.
    fn last_seen(&self, group: &Group<'_>) -> Option<String> {
        let (line, seen) = group
            .lines
            .iter()
            .filter_map(|line| Some((line, line.last_seen?)))
            .min_by_key(|(_, seen)| *seen)?;
        let before = words::length(line.since.duration_since(seen));
        (before >= SEEN_BEFORE).then(|| format!("last reported {}", self.clock.at(seen)))
    }

    /// The page of an experiment, or the list with those of a group, and the form to acknowledge
    /// all of them.
    fn links(&self, group: &Group<'_>) -> Vec<(&'static str, String)> {
        let (Some(page), Some(first)) = (&self.presentation.page, group.lines.first()) else {
            return Vec::new();
        };
        let stubs: Vec<&str> = group.lines.iter().map(|line| line.stub.as_str()).collect();
        let is_open = first.acknowledged.is_none() && first.health.is_bad();
        let pattern = || self.pattern(&stubs);
        let form = is_open.then(pattern).flatten().map(|pattern| {
            let form = format!("{page}/do/acknowledge");
            address(&form, &[("name", &pattern)])
        });
        let links = if let [name] = stubs.as_slice() {
            [
                ("Page", page_of(name, self.presentation)),
                ("Acknowledge", form),
            ]
        } else {
            let list = format!("{page}/experiments");
            let list = address(
                &list,
                &[("q", common(&stubs)), ("state", first.health.as_str())],
            );
            [("List", Some(list)), ("Acknowledge all", form)]
        };
        let short = |to: &String| to.len() <= MAX_ADDRESS_BYTES;
        links
            .into_iter()
            .filter_map(|(what, to)| Some((what, to.filter(short)?)))
            .collect()
    }

    /// The pattern that matches these experiments, and none of the others that could be
    /// acknowledged now; `None` where there is none.
    fn pattern(&self, stubs: &[&str]) -> Option<String> {
        if let [name] = stubs {
            return Some((*name).to_owned());
        }
        let stem = Some(common(stubs)).filter(|stem| !stem.is_empty())?;
        let length = stubs.first()?.chars().count() - stem.chars().count();
        let patterns = [format!("{stem}{}", "?".repeat(length)), format!("{stem}*")];
        let is_fit = |pattern: &String| {
            let takes = |name: &str| matches(pattern, name);
            let mut others = self
                .open
                .iter()
                .filter(|line| line.acknowledged.is_none() && !stubs.contains(&line.stub.as_str()));
            stubs.iter().all(|name| takes(name)) && !others.any(|line| takes(line.stub.as_str()))
        };
        patterns.into_iter().find(is_fit)
    }
}

/// The common prefix of these names.
fn common<'a>(names: &[&'a str]) -> &'a str {
    let (Some(least), Some(greatest)) = (names.iter().min(), names.iter().max()) else {
        return "";
    };
    let same = least.char_indices().zip(greatest.chars());
    let mut same = same.skip_while(|((_, a), b)| a == b);
    let end = same.next().map_or(least.len(), |((at, _), _)| at);
    least.get(..end).unwrap_or_default()
}

/// An address with a query.
fn address(path: &str, query: &[(&str, &str)]) -> String {
    let start = format!("{path}?");
    let length = start.len();
    url::form_urlencoded::Serializer::for_suffix(start, length)
        .extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()))
        .finish()
}

/// An entry for a group with this text.
pub(super) fn entry(group: &Group<'_>, said: String) -> Entry {
    Entry {
        health: group.lines.first().map(|line| line.health),
        name: names(group.lines.iter().map(|line| line.stub.as_str()), MAX_NAMES),
        said,
        ..Entry::default()
    }
}

/// The page of an experiment, where the page's address is known.
#[must_use]
pub fn page_of(name: &str, presentation: &Presentation) -> Option<String> {
    let page = format!(
        "{}/experiments/{}",
        presentation.page.as_ref()?,
        segment(name)
    );
    (page.len() <= MAX_ADDRESS_BYTES).then_some(page)
}

/// A single experiment: its state in a line, and all facts that help to repair it.
#[must_use]
pub fn one_line(line: &Line, presentation: &Presentation, now: Timestamp) -> (String, String) {
    let clock = Clock {
        now,
        zone: &presentation.zone,
    };
    let writer = Writer {
        clock,
        presentation,
        open: &[],
    };
    let mut said = groups([line], true).into_iter().map(|group| {
        if line.health == Health::Ok {
            writer.back(&group)
        } else {
            writer.full(&group)
        }
    });
    let entry = said.next_back().unwrap_or_default();
    let facts = entry
        .facts
        .iter()
        .map(|(what, fact)| format!("{what}: {fact}"));
    let facts: Vec<String> = facts.collect();
    (format!("{}: {}", entry.name, entry.said), facts.join("; "))
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    // Form encoding writes a space as a plus; in a path it is %20.
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

#[cfg(test)]
mod tests {
    use engine::Acknowledged;

    use super::super::content::tests::line;
    use super::*;

    #[test]
    fn a_group_is_acknowledged_by_a_pattern_that_takes_in_no_other() {
        let of = |name: &str| line(name, Health::Down);
        let known = |name: &str| Line {
            acknowledged: Some(Acknowledged {
                who: "ADA".to_owned(),
                text: "ordered".to_owned(),
            }),
            ..of(name)
        };
        let (none, spin, pend) = (vec![], vec![of("spin00")], vec![of("pend100")]);
        let (inside, acknowledged) = (vec![of("pend05")], vec![known("pend05")]);
        for (names, others, pattern) in [
            (&["pend03"][..], &none, Some("pend03")),
            (&["pend00", "pend09"], &none, Some("pend0?")),
            (&["pend00", "pend43"], &spin, Some("pend??")),
            (&["pend00", "pend43"], &pend, Some("pend??")),
            (&["pend99", "pend100"], &none, Some("pend*")),
            (&["pend00", "pend09"], &inside, None),
            (&["pend00", "pend09"], &acknowledged, Some("pend0?")),
            (&["pend00", "spin00"], &none, None),
            (&["\u{e9}a", "\u{e8}a"], &none, None),
            (&["\u{e9}a", "\u{e9}"], &none, Some("\u{e9}*")),
        ] {
            let own = names.iter().map(|name| of(name));
            let open: Vec<Line> = own.chain(others.iter().cloned()).collect();
            let writer = Writer {
                clock: Clock {
                    now: Timestamp::UNIX_EPOCH,
                    zone: &jiff::tz::TimeZone::UTC,
                },
                presentation: &Presentation::default(),
                open: &open,
            };
            assert_eq!(writer.pattern(names).as_deref(), pattern, "{names:?}");
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
