//! All that keeps mail quiet, in one place: whether an experiment is to be kept quiet now, and why. Sends and tells nothing.
//!
//! Quiet is a level, asked anew each time, and not an event. What is not told while it is quiet stays untold and is told when the quiet
//! ends, if it still differs from what people know. So nobody needs to remember what happened inside a window.
//!
//! Times are the wall clock's, because people and calendars mean that one. The answer to [`Quiet::quiet`] depends on the time alone, not on
//! whether [`Quiet::expire`] was called meanwhile.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::entry::{Acknowledgement, Ended, Ending, Maintenance, NamePattern, QuietEntry, QuietId, Silence};
use super::refused::{QuietLimit, Refused};
use super::window::Schedule;
use crate::model::{Health, Stub};

/// The most acknowledgements: one each for as many experiments as a large laboratory has.
pub const MAX_ACKNOWLEDGEMENTS: usize = 10_000;

/// The most silences. Each is compared with each experiment that changes.
pub const MAX_SILENCES: usize = 200;

/// The most maintenance windows, of all kinds. Each is compared with each experiment that changes.
pub const MAX_MAINTENANCES: usize = 200;

/// The most bytes of a text or a name that somebody gives.
pub const MAX_TEXT_BYTES: usize = 500;

/// The most days that a silence or a single window lasts: what is quiet for longer is forgotten.
pub const MAX_DAYS: i64 = 366;

/// Why an experiment is kept quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyQuiet<'a> {
    /// Somebody knows that it is bad.
    Acknowledged {
        /// The number of the acknowledgement.
        id: QuietId,
        /// Who knows.
        who: &'a str,
        /// What is done about it.
        text: &'a str,
        /// When it ends at the latest; `None`: when the experiment is well again.
        until: Option<Timestamp>,
    },
    /// Nobody wants to hear of it for a while.
    Silenced {
        /// The number of the silence.
        id: QuietId,
        /// Which experiments it is about.
        pattern: &'a NamePattern,
        /// Who wants it.
        who: &'a str,
        /// Why.
        reason: &'a str,
        /// When it ends.
        until: Timestamp,
    },
    /// It is worked on.
    Maintenance {
        /// The number of the maintenance.
        id: QuietId,
        /// Which experiments it is about.
        pattern: &'a NamePattern,
        /// Who works.
        who: &'a str,
        /// Why.
        reason: &'a str,
        /// When this window closes.
        until: Timestamp,
    },
}

/// All that keeps mail quiet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quiet {
    acknowledgements: BTreeMap<Stub, (QuietId, Acknowledgement)>,
    silences: BTreeMap<QuietId, Silence>,
    maintenances: BTreeMap<QuietId, Maintenance>,
    last_id: u64,
}

impl Quiet {
    /// What was kept by a store. `last_id` is the highest number ever given, so that none is given twice; 0 when none was.
    ///
    /// All is taken, however much: bounds are for what is added. What has ended meanwhile is reported by [`Quiet::expire`].
    #[must_use]
    pub fn restore(entries: impl IntoIterator<Item = (QuietId, QuietEntry)>, last_id: u64) -> Self {
        let mut quiet = Self { last_id, ..Self::default() };
        for (id, entry) in entries {
            quiet.last_id = quiet.last_id.max(id.0);
            quiet.insert(id, entry);
        }
        quiet
    }

    /// Why `stub` is to be kept quiet at `at`; `None` when it is not.
    ///
    /// Of several reasons the most personal one is given: an acknowledgement, else the silence or else the window that ends last.
    #[must_use]
    pub fn quiet(&self, stub: &str, at: Timestamp) -> Option<WhyQuiet<'_>> {
        self.acknowledged(stub, at).or_else(|| self.silenced(stub, at)).or_else(|| self.maintained(stub, at))
    }

    /// When something begins or ends to keep quiet next, strictly after `at`.
    ///
    /// Looks at every entry: ask again only when that time has come, or something was added, removed or ended.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let acknowledged = self.acknowledgements.values().filter_map(|(_, entry)| entry.until);
        let ends = acknowledged.chain(self.silences.values().map(|entry| entry.until)).filter(|end| *end > at);
        let windows = self.maintenances.values().filter_map(|entry| entry.schedule.next_change(at));
        ends.chain(windows).min()
    }

    /// A copy of everything that is kept, by kind and then by experiment or number, for lists and digests.
    pub fn entries(&self) -> impl Iterator<Item = (QuietId, QuietEntry)> {
        let acknowledgements = self.acknowledgements.values().map(|(id, entry)| (*id, QuietEntry::Acknowledgement(entry.clone())));
        let silences = self.silences.iter().map(|(id, entry)| (*id, QuietEntry::Silence(entry.clone())));
        let maintenances = self.maintenances.iter().map(|(id, entry)| (*id, QuietEntry::Maintenance(entry.clone())));
        acknowledgements.chain(silences).chain(maintenances)
    }

    /// Adds an acknowledgement, made at its `since`, of an experiment whose health is now `health`.
    ///
    /// # Errors
    /// [`Refused`] when the experiment is not bad or is acknowledged already, and for what cannot be. What is over counts until
    /// [`Quiet::expire`] lets go of it, so that its end is reported.
    pub fn acknowledge(&mut self, entry: Acknowledgement, health: Health) -> Result<QuietId, Refused> {
        check_text("who", &entry.who)?;
        check_text("text", &entry.text)?;
        if !matches!(health, Health::Degraded | Health::Down) {
            return Err(Refused::NotBad { stub: entry.stub, health });
        }
        entry.until.map_or(Ok(()), |until| check_end(until, entry.since))?;
        if let Some((id, other)) = self.acknowledgements.get(&entry.stub) {
            return Err(Refused::AlreadyAcknowledged { stub: entry.stub, id: *id, who: other.who.clone() });
        }
        check_room("acknowledgements", self.acknowledgements.len(), MAX_ACKNOWLEDGEMENTS)?;
        Ok(self.add(QuietEntry::Acknowledgement(entry)))
    }

    /// Adds a silence, made at its `since`.
    ///
    /// # Errors
    /// [`Refused`] for what cannot be.
    pub fn silence(&mut self, entry: Silence) -> Result<QuietId, Refused> {
        check_text("who", &entry.who)?;
        check_text("reason", &entry.reason)?;
        check_end(entry.until, entry.since)?;
        check_length(entry.since, entry.until)?;
        check_room("silences", self.silences.len(), MAX_SILENCES)?;
        Ok(self.add(QuietEntry::Silence(entry)))
    }

    /// Adds maintenance, planned at its `since`.
    ///
    /// # Errors
    /// [`Refused`] for what cannot be.
    pub fn maintain(&mut self, entry: Maintenance) -> Result<QuietId, Refused> {
        check_text("who", &entry.who)?;
        check_text("reason", &entry.reason)?;
        if let Schedule::Once { from, until } = entry.schedule {
            check_order(from, until)?;
            check_end(until, entry.since)?;
            check_length(from, until)?;
        }
        check_room("maintenance windows", self.maintenances.len(), MAX_MAINTENANCES)?;
        Ok(self.add(QuietEntry::Maintenance(entry)))
    }

    /// Ends something because a person says so.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is nothing with this number; [`Refused::Text`] when nobody says who.
    pub fn remove(&mut self, id: QuietId, who: &str, at: Timestamp) -> Result<Ended, Refused> {
        check_text("who", who)?;
        let entry = self.take(id).ok_or(Refused::NotFound(id))?;
        Ok(ended(id, entry, Ending::Removed { who: who.to_owned() }, at))
    }

    /// Ends the acknowledgement of an experiment that is well again.
    pub fn recovered(&mut self, stub: &str, at: Timestamp) -> Option<Ended> {
        self.end_acknowledgement(stub, Ending::Recovered, at)
    }

    /// Ends the acknowledgement of an experiment that is forgotten.
    pub fn gone(&mut self, stub: &str, at: Timestamp) -> Option<Ended> {
        self.end_acknowledgement(stub, Ending::Gone, at)
    }

    /// Lets go of everything that is over at `at`, in the order in which it ended. What returns every week is never over.
    pub fn expire(&mut self, at: Timestamp) -> Vec<Ended> {
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end <= at);
        let stubs: Vec<Stub> = self.acknowledgements.values().filter(|(_, e)| is_over(e.until)).map(|(_, e)| e.stub.clone()).collect();
        let silences = self.silences.iter().filter(|(_, entry)| is_over(Some(entry.until))).map(|(id, _)| *id);
        let windows = self.maintenances.iter().filter(|(_, entry)| is_over(entry.schedule.over_at())).map(|(id, _)| *id);
        let ids: Vec<QuietId> = silences.chain(windows).collect();
        let mut over: Vec<Ended> = stubs.iter().filter_map(|stub| self.end_acknowledgement(stub.as_str(), Ending::Expired, at)).collect();
        over.extend(ids.into_iter().filter_map(|id| Some(ended(id, self.take(id)?, Ending::Expired, at))));
        over.sort_by_key(|ended| (ended.at, ended.id));
        over
    }

    fn acknowledged(&self, stub: &str, at: Timestamp) -> Option<WhyQuiet<'_>> {
        let (id, entry) = self.acknowledgements.get(stub)?;
        let holds = entry.until.is_none_or(|until| at < until);
        holds.then_some(WhyQuiet::Acknowledged { id: *id, who: &entry.who, text: &entry.text, until: entry.until })
    }

    fn silenced(&self, stub: &str, at: Timestamp) -> Option<WhyQuiet<'_>> {
        let holding = self.silences.iter().filter(|(_, silence)| at < silence.until && silence.pattern.matches(stub));
        let (id, Silence { pattern, who, reason, until, .. }) = holding.max_by_key(|(_, silence)| silence.until)?;
        Some(WhyQuiet::Silenced { id: *id, pattern, who, reason, until: *until })
    }

    fn maintained(&self, stub: &str, at: Timestamp) -> Option<WhyQuiet<'_>> {
        let matching = self.maintenances.iter().filter(|(_, maintenance)| maintenance.pattern.matches(stub));
        let open = matching.filter_map(|(id, maintenance)| Some((id, maintenance, maintenance.schedule.open_until(at)?)));
        let (id, Maintenance { pattern, who, reason, .. }, until) = open.max_by_key(|(_, _, until)| *until)?;
        Some(WhyQuiet::Maintenance { id: *id, pattern, who, reason, until })
    }

    fn add(&mut self, entry: QuietEntry) -> QuietId {
        self.last_id += 1;
        let id = QuietId(self.last_id);
        self.insert(id, entry);
        id
    }

    fn insert(&mut self, id: QuietId, entry: QuietEntry) {
        match entry {
            QuietEntry::Acknowledgement(entry) => drop(self.acknowledgements.insert(entry.stub.clone(), (id, entry))),
            QuietEntry::Silence(entry) => drop(self.silences.insert(id, entry)),
            QuietEntry::Maintenance(entry) => drop(self.maintenances.insert(id, entry)),
        }
    }

    fn take(&mut self, id: QuietId) -> Option<QuietEntry> {
        if let Some(silence) = self.silences.remove(&id) {
            return Some(QuietEntry::Silence(silence));
        }
        if let Some(maintenance) = self.maintenances.remove(&id) {
            return Some(QuietEntry::Maintenance(maintenance));
        }
        let stub = self.acknowledgements.iter().find(|(_, (other, _))| *other == id).map(|(stub, _)| stub.clone())?;
        self.acknowledgements.remove(&stub).map(|(_, entry)| QuietEntry::Acknowledgement(entry))
    }

    fn end_acknowledgement(&mut self, stub: &str, ending: Ending, at: Timestamp) -> Option<Ended> {
        let (id, entry) = self.acknowledgements.remove(stub)?;
        Some(ended(id, QuietEntry::Acknowledgement(entry), ending, at))
    }
}

/// What ended at `at` by this ending or, where its own time was over before, by that.
fn ended(id: QuietId, entry: QuietEntry, ending: Ending, at: Timestamp) -> Ended {
    match entry.over_at().filter(|end| *end <= at) {
        Some(end) => Ended { id, entry, at: end, ending: Ending::Expired },
        None => Ended { id, entry, at, ending },
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refused> {
    let is_fine = !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control);
    if is_fine { Ok(()) } else { Err(Refused::Text { field, most: MAX_TEXT_BYTES }) }
}

fn check_order(from: Timestamp, until: Timestamp) -> Result<(), Refused> {
    if from < until { Ok(()) } else { Err(Refused::EndsBeforeItBegins { from, until }) }
}

fn check_end(until: Timestamp, now: Timestamp) -> Result<(), Refused> {
    if now < until { Ok(()) } else { Err(Refused::Past { until }) }
}

fn check_length(from: Timestamp, until: Timestamp) -> Result<(), Refused> {
    let is_fine = until.duration_since(from) <= SignedDuration::from_hours(24 * MAX_DAYS);
    if is_fine { Ok(()) } else { Err(Refused::TooLong { most_days: MAX_DAYS }) }
}

fn check_room(what: &'static str, count: usize, most: usize) -> Result<(), Refused> {
    if count < most { Ok(()) } else { Err(Refused::Full(QuietLimit { what, most })) }
}
