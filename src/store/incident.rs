//! Incidents: the bad periods of experiments and sources, derived from their changes. Only reads;
//! every answer has a bound.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::error::ReadError;
use super::read::{MAX_ROWS, Reader};
use super::rows::{self, EVENT_COLUMNS, Range};
use super::text::{self, Names};
use engine::model::{Health, SourceHealth, SourceName, Stub};

/// The most changes that are read for one answer.
const MAX_CHANGES: u32 = 100_000;

/// The subject of an incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An experiment: from the first time that it was degraded or down until it was ok. Times
    /// without evaluation in between are part of it.
    Experiment(Stub),
    /// A source: while it was down.
    Source(SourceName),
}

/// One bad period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its subject.
    pub subject: Subject,
    /// When it began.
    pub begin: Timestamp,
    /// When it ended; `None` while it goes on, and of an experiment that was forgotten meanwhile.
    pub end: Option<Timestamp>,
    /// Whether it was ever down, and not only degraded.
    pub was_down: bool,
    /// All problems in its course, sorted: of experiments the issues' codes, of sources the notes.
    pub causes: BTreeSet<String>,
}

/// A page of incidents, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentPage {
    /// The incidents.
    pub incidents: Vec<Incident>,
    /// Whether there are more after the last one.
    pub more: bool,
}

impl Reader {
    /// Incidents that touch the range, newest first, of one subject or of all, at most `limit` and
    /// [`MAX_ROWS`]; `after` is the last one of the page before.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::TooMuch`] where too many changes would have to be read.
    pub async fn incidents(
        &self,
        of: Option<Subject>,
        range: Range,
        after: Option<(Timestamp, Subject)>,
        limit: usize,
    ) -> Result<IncidentPage, ReadError> {
        let found = self
            .ask(move |from| incidents(from, of.as_ref(), range))
            .await?
            .ok_or(ReadError::TooMuch)?;
        let limit = limit.clamp(1, MAX_ROWS);
        let is_before = |it: &Incident| {
            after
                .as_ref()
                .is_some_and(|(at, of)| (it.begin, &it.subject) >= (*at, of))
        };
        let mut incidents: Vec<Incident> = found
            .into_iter()
            .skip_while(is_before)
            .take(limit + 1)
            .collect();
        let more = incidents.len() > limit;
        incidents.truncate(limit);
        Ok(IncidentPage { incidents, more })
    }
}

/// A change of an experiment or a source, as far as it matters here.
struct Change {
    at: Timestamp,
    /// From then on. What is not evaluated goes on as before.
    health: Health,
    causes: Vec<String>,
}

/// The incidents that touch the range, newest first; of experiments, sources or both. `None` when
/// there is too much to read.
fn incidents(
    from: &Connection,
    of: Option<&Subject>,
    range: Range,
) -> rusqlite::Result<Option<Vec<Incident>>> {
    let mut changes: BTreeMap<Subject, Vec<Change>> = BTreeMap::new();
    let fits = match of {
        Some(Subject::Experiment(stub)) => of_experiments(from, Some(stub), range, &mut changes)?,
        Some(Subject::Source(_)) => of_sources(from, range, &mut changes)?,
        None => {
            of_experiments(from, None, range, &mut changes)?
                && of_sources(from, range, &mut changes)?
        }
    };
    if !fits {
        return Ok(None);
    }
    let wanted = changes
        .into_iter()
        .filter(|(subject, _)| of.is_none_or(|of| of == subject));
    let all = wanted.flat_map(|(subject, changes)| bad_times(&subject, changes));
    let mut all: Vec<Incident> = all
        .filter(|it| it.begin < range.until && it.end.is_none_or(|end| end > range.from))
        .collect();
    all.sort_by(|a, b| (b.begin, &b.subject).cmp(&(a.begin, &a.subject)));
    Ok(Some(all))
}

/// The changes of each experiment from the last time before the range at which it was ok. False
/// when that is too much.
fn of_experiments(
    from: &Connection,
    stub: Option<&Stub>,
    range: Range,
    changes: &mut BTreeMap<Subject, Vec<Change>>,
) -> rusqlite::Result<bool> {
    // All names, from the index, in as many steps as there are names.
    let all = "SELECT min(stub) FROM events UNION ALL \
               SELECT (SELECT min(stub) FROM events WHERE stub > names.stub) FROM names WHERE names.stub IS NOT NULL";
    let names = if stub.is_some() { "SELECT ?3" } else { all };
    let sql = format!(
        "WITH RECURSIVE names(stub) AS ({names}) SELECT {EVENT_COLUMNS}, events.stub FROM names JOIN events ON events.stub = names.stub \
         WHERE (?3 IS NULL OR names.stub = ?3) AND at >= coalesce((SELECT max(at) FROM events WHERE stub = names.stub AND at <= ?1 \
         AND health = 'ok'), -9e18) ORDER BY at, id LIMIT ?2"
    );
    let values = params![
        text::millis(range.from),
        MAX_CHANGES + 1,
        stub.map(Stub::as_str)
    ];
    let (mut names, mut unreadable) = (Names::default(), 0);
    let read = |row: &Row<'_>| {
        let event = rows::event(row, &mut names)?;
        let change = Change {
            at: event.when,
            health: event.health,
            causes: event.issues.iter().map(engine::Issue::code).collect(),
        };
        Ok((rows::word(row, 8)?, change))
    };
    let found = rows::all(from, &sql, values, read, &mut unreadable)?;
    let fits = found.len() as u64 + unreadable <= u64::from(MAX_CHANGES);
    for (stub, change) in found {
        let known = changes.entry(Subject::Experiment(stub)).or_default();
        // Repeated ok events begin no incident, and a year has many of them.
        let is_known = known.last().is_some_and(|last| last.health == Health::Ok);
        if change.health != Health::Ok || !is_known {
            known.push(change);
        }
    }
    Ok(fits)
}

/// The relevant changes of each source. False when that is too much.
fn of_sources(
    from: &Connection,
    range: Range,
    changes: &mut BTreeMap<Subject, Vec<Change>>,
) -> rusqlite::Result<bool> {
    let sql = "SELECT at, source, health, note FROM sources WHERE at >= coalesce((SELECT max(at) FROM sources s \
               WHERE s.source = sources.source AND s.at <= ?1 AND s.health = 'live'), -9e18) ORDER BY at, id LIMIT ?2";
    let values = params![text::millis(range.from), MAX_CHANGES + 1];
    let mut unreadable = 0;
    let found = rows::all(from, sql, values, of_source, &mut unreadable)?;
    let fits = found.len() as u64 + unreadable <= u64::from(MAX_CHANGES);
    for (source, change) in found {
        let known = changes.entry(Subject::Source(source)).or_default();
        known.push(change);
    }
    Ok(fits)
}

fn of_source(row: &Row<'_>) -> rusqlite::Result<(SourceName, Change)> {
    let health = match rows::word(row, 2)? {
        SourceHealth::Down => Health::Down,
        SourceHealth::Live | SourceHealth::Late => Health::Ok,
        SourceHealth::Starting => Health::Unknown,
    };
    let note: String = row.get(3)?;
    let change = Change {
        at: rows::time(row, 0)?,
        health,
        causes: Some(note)
            .filter(|note| !note.is_empty())
            .into_iter()
            .collect(),
    };
    Ok((rows::word(row, 1)?, change))
}

/// Combines changes, in the order of their times, into incidents.
fn bad_times(subject: &Subject, changes: Vec<Change>) -> Vec<Incident> {
    let mut all: Vec<Incident> = Vec::new();
    let mut open: Option<Incident> = None;
    for change in changes {
        match change.health {
            Health::Unknown => {}
            Health::Ok => all.extend(open.take().map(|it| Incident {
                end: Some(change.at),
                ..it
            })),
            Health::Degraded | Health::Flapping | Health::Down => {
                let begun = || Incident {
                    subject: subject.clone(),
                    begin: change.at,
                    end: None,
                    was_down: false,
                    causes: BTreeSet::new(),
                };
                let incident = open.get_or_insert_with(begun);
                incident.was_down |= change.health.is_unusable();
                incident.causes.extend(change.causes);
            }
        }
    }
    all.extend(open);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    /// Changes as letters (`o`k, de`g`raded, `d`own, `u`nknown), one a second; the incidents as
    /// `begin-end` with `!` for down.
    fn check(changes: &str, expect: &[&str]) {
        let health = |letter| match letter {
            'o' => Health::Ok,
            'g' => Health::Degraded,
            'd' => Health::Down,
            _ => Health::Unknown,
        };
        let changes = (0..)
            .zip(changes.chars())
            .map(|(at_second, letter)| Change {
                at: at(at_second),
                health: health(letter),
                causes: vec![letter.to_string()],
            });
        let found = bad_times(&Subject::Source(SourceName::Relay), changes.collect());
        let words = |it: Incident| {
            let end = it
                .end
                .map(|end| end.as_second().to_string())
                .unwrap_or_default();
            format!(
                "{}-{end}{} {}",
                it.begin.as_second(),
                if it.was_down { "!" } else { "" },
                it.causes.into_iter().collect::<String>()
            )
        };
        assert_eq!(found.into_iter().map(words).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_bad_time_ends_when_it_is_well() {
        check("", &[]);
        check("ooo", &[]);
        check("od", &["1-! d"]);
        check("odo", &["1-2! d"]);
        check("ogdgo", &["1-4! dg"]);
        check("uguo", &["1-3 g"]);
        check("gogouudd", &["0-1 g", "2-3 g", "6-! d"]);
    }
}
