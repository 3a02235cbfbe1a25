//! Content of a notification from a summary: sections by importance, each fact once. Pure.

use super::entries::{MAX_TEXT_CHARS, Writer, entry};
use super::groups::{Group, Turn, groups};
use super::parts::{Content, Entry, Presentation, Section};
use super::words::{self, Clock, clip, sentence};
use super::{lead, state, title};
use engine::model::Health;
use engine::{AlertLine, Line, Occasion, Summary};

/// The most groups of experiments in a section.
pub const MAX_GROUPS: usize = 30;

/// The most alerts that are listed.
const MAX_ALERTS: usize = 10;

/// The most entries of one kind of background facts.
const MAX_BACKGROUND: usize = 10;

/// The text for an experiment that is new to relay.
const UNLISTED: &str =
    "ok, but not listed in book: put it into the manifest, or remove it from relay";

/// The content of a notification.
#[must_use]
pub fn content(summary: &Summary, presentation: &Presentation) -> Content {
    let clock = Clock {
        now: summary.at,
        zone: &presentation.zone,
    };
    let writer = Writer {
        clock,
        presentation,
        open: &summary.problems,
    };
    let foot = words::counts(&summary.counts)
        .into_iter()
        .chain([format!("Sent {}.", clock.exact(summary.at))]);
    Content {
        title: title::title(summary, &presentation.subject),
        lead: lead::lead(summary, clock)
            .into_iter()
            .chain(causes(summary))
            .collect(),
        sections: writer.sections(summary),
        foot: foot.collect(),
        link: link(presentation),
        state: state::state(summary),
    }
}

/// The address of the whole status.
fn link(presentation: &Presentation) -> String {
    let page = presentation.page.as_ref().map(|page| format!("{page}/"));
    let page = page.filter(|_| presentation.link.is_empty());
    clip(
        page.as_deref().unwrap_or(&presentation.link),
        MAX_TEXT_CHARS,
    )
}

fn causes(summary: &Summary) -> impl Iterator<Item = String> {
    let causes = summary.background.causes.iter().take(MAX_BACKGROUND);
    causes.map(|cause| sentence(&clip(cause, MAX_TEXT_CHARS)))
}

impl Writer<'_> {
    fn sections(&self, summary: &Summary) -> Vec<Section> {
        let is_in_news = |line: &Line| summary.news.iter().any(|news| news.stub == line.stub);
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
        let open = summary.problems.iter().filter(|line| !is_in_news(line));
        let (acknowledged, open): (Vec<&Line>, Vec<&Line>) =
            open.partition(|line| line.acknowledged.is_some());
        let open_title = if is_news { "Also open" } else { "Open" };
        let background = &summary.background;
        let all = [
            section("The whole laboratory", &new, MAX_ALERTS, |alert| {
                self.alert(alert)
            }),
            grouped("New problems", &bad, true, |group| self.full(group)),
            texts("Booked and too few", &background.short_pools),
            grouped("Back", &back, true, |group| self.back(group)),
            grouped("New", &unlisted, true, |group| {
                entry(group, UNLISTED.to_owned())
            }),
            section(
                "The whole laboratory, known before",
                &known,
                MAX_ALERTS,
                |alert| self.alert(alert),
            ),
            grouped(open_title, &open, false, |group| {
                if summary.occasion == Occasion::Reminder {
                    self.full(group)
                } else {
                    self.brief(group)
                }
            }),
            grouped("Acknowledged", &acknowledged, false, |group| {
                self.brief(group)
            }),
            texts("labwatch itself has a problem", &background.own),
            texts("Manual holds", &background.forgotten_holds),
            texts("Silenced", &background.silences),
        ];
        let mut all: Vec<Section> = all.into_iter().flatten().collect();
        // A section of one entry at the start needs no title.
        if let Some(first) = all
            .first_mut()
            .filter(|first| first.entries.len() == 1 && is_news)
        {
            first.title.clear();
        }
        all
    }
}

/// Entries of experiments, those with the same facts grouped.
fn grouped(
    title: &str,
    lines: &[&Line],
    is_news: bool,
    show: impl Fn(&Group<'_>) -> Entry,
) -> Option<Section> {
    let groups = groups(lines.iter().copied(), is_news);
    let left_out = groups.iter().skip(MAX_GROUPS);
    let more = left_out.map(|group| group.lines.len()).sum();
    let section = section(
        &format!("{title} ({})", lines.len()),
        &groups,
        MAX_GROUPS,
        show,
    )?;
    Some(Section { more, ..section })
}

/// A section of the first entries; `None` if there are none.
fn section<T>(title: &str, all: &[T], max: usize, show: impl Fn(&T) -> Entry) -> Option<Section> {
    (!all.is_empty()).then(|| Section {
        title: title.to_owned(),
        entries: all.iter().take(max).map(show).collect(),
        more: all.len().saturating_sub(max),
    })
}

/// A section of sentences from other parts.
fn texts(title: &str, all: &[String]) -> Option<Section> {
    section(title, all, MAX_BACKGROUND, |text| Entry {
        said: clip(text, MAX_TEXT_CHARS),
        ..Entry::default()
    })
}

#[cfg(test)]
pub(super) mod tests {
    use engine::Affected;
    use engine::model::Stub;
    use jiff::Timestamp;

    use super::*;

    /// An experiment with this health and no other facts.
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
            worst: None,
            steadiness: None,
            last_seen: None,
            acknowledged: None,
        }
    }
}
