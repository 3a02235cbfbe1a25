//! The writing thread: takes batches, commits waiting ones as one group, retries what the disk does
//! not accept, records heartbeats, and deletes what is too old. It waits for no reader, and no
//! caller waits for it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use tokio::sync::watch;

use super::agenda::{Agenda, FIRST_RETRY};
use super::entry::Entry;
use super::file::{Database, Failure, Folder};
use super::gap::{Gap, GapCause, HEARTBEAT, gap_between};
use super::health::{Progress, StoreHealth, StoreState};
use super::prune::{self, Walk};
use super::read::WallClock;
use super::refill::{Refill, fill};
use super::statement::WriteFault;
use super::write;
use crate::failpoints;

/// The most entries that wait in memory while the disk accepts none. When more come, the oldest are
/// lost.
pub const BACKLOG: usize = 8_192;

/// The most batches that are committed as one group.
const GROUP: usize = 256;

/// The most gaps that wait to be recorded; beyond that, the latest grows.
const MAX_GAPS: usize = 16;

/// The longest pause between two attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Entries that are stored as a whole or not at all.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) ticket: u64,
    pub(super) entries: Vec<Entry>,
}

/// The state of the thread.
pub(super) struct StoreWriter {
    pub(super) folder: Folder,
    pub(super) database: Option<Database>,
    pub(super) batches: Receiver<Batch>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) health: watch::Sender<StoreHealth>,
    pub(super) clock: WallClock,
    pub(super) history: SignedDuration,
    /// Gaps that are not recorded yet.
    pub(super) gaps: Vec<Gap>,
    pub(super) agenda: Agenda,
    /// The first content of a file that is begun anew.
    pub(super) refill: Refill,
}

impl StoreWriter {
    /// Runs until the store is closed, and then writes the rest.
    pub(super) fn run(mut self) {
        loop {
            let pause = self.agenda.next().saturating_duration_since(Instant::now());
            match self.batches.recv_timeout(pause) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.turn();
        }
        self.agenda.retry = None;
        self.agenda.next_beat = Instant::now();
        self.turn();
        self.give_up();
    }

    /// Takes a batch and those that wait behind it.
    fn take(&mut self, first: Batch) {
        self.agenda.waiting.push_back(first);
        for _ in 1..GROUP {
            match self.batches.try_recv() {
                Ok(batch) => self.agenda.waiting.push_back(batch),
                Err(_) => break,
            }
        }
    }

    fn turn(&mut self) {
        let last = self.agenda.waiting.back().map(|batch| batch.ticket);
        self.note_sleep();
        if self.agenda.may_try() {
            match self.attempt() {
                Ok(()) => self.recovered(),
                Err(failure) => self.failed(&failure),
            }
        }
        self.drop_oldest();
        self.report(last);
    }

    /// Writes everything that is due now.
    fn attempt(&mut self) -> Result<(), Failure> {
        self.reopen()?;
        while !self.agenda.waiting.is_empty() {
            self.commit_group()?;
        }
        self.commit_chores()
    }

    /// Makes sure that the file is open and is still the one at its path.
    fn reopen(&mut self) -> Result<(), Failure> {
        if self.database.as_ref().is_some_and(Database::still_there) {
            return Ok(());
        }
        if self.database.take().is_some() {
            tracing::error!(file = %self.folder.path().display(), "the data file was removed while labwatch ran");
        }
        let mut opened = self.folder.open(|_| Ok(()))?;
        if opened.new || opened.aside.is_some() {
            self.begun_anew(opened.aside);
            fill(&mut opened.database, &self.refill)?;
        }
        self.database = Some(opened.database);
        Ok(())
    }

    fn begun_anew(&self, aside: Option<(PathBuf, String)>) {
        tracing::warn!(file = %self.folder.path().display(), "a new data file is begun with the current state; the history begins today");
        let now = (self.clock)();
        self.health.send_modify(|health| {
            health.anew = Some(now);
            if let Some((path, why)) = aside {
                tracing::error!(aside = %path.display(), why, "the data file is broken and was moved aside");
                (health.set_aside, health.last_error) = (Some(path), Some(why));
            }
        });
    }

    /// Writes the oldest batches as one transaction. A batch that cannot be stored is left out, and
    /// counted.
    fn commit_group(&mut self) -> Result<(), Failure> {
        let Some(database) = self.database.as_mut() else {
            return Ok(());
        };
        let group = self.agenda.waiting.len().min(GROUP);
        let mut transaction = database.begin()?;
        let mut refused = 0;
        for batch in self.agenda.waiting.iter().take(group) {
            let savepoint = transaction.savepoint()?;
            match batch
                .entries
                .iter()
                .try_for_each(|entry| write::write(&savepoint, entry))
            {
                Ok(()) => savepoint.commit()?,
                Err(fault @ WriteFault::Disk(_)) => return Err(fault.into()),
                Err(fault @ WriteFault::Refused(_)) => {
                    tracing::error!(ticket = batch.ticket, entries = batch.entries.len(), %fault, "entries are lost");
                    refused += batch.entries.len();
                }
            }
        }
        transaction.commit()?;
        let written = self.agenda.waiting.drain(..group);
        for entry in written.flat_map(|batch| batch.entries) {
            passed(&entry);
            self.refill.note(entry);
        }
        self.count_lost(refused);
        Ok(())
    }

    /// Heartbeat, pending gaps, and a step of pruning, each when it is due.
    fn commit_chores(&mut self) -> Result<(), Failure> {
        let (now, instant) = ((self.clock)(), Instant::now());
        let (beat_due, step_due) = (
            self.agenda.next_beat <= instant,
            self.agenda.next_step <= instant,
        );
        let Some(database) = self
            .database
            .as_mut()
            .filter(|_| beat_due || step_due || !self.gaps.is_empty())
        else {
            return Ok(());
        };
        let transaction = database.begin()?;
        for gap in &self.gaps {
            write::write_gap(&transaction, gap)?;
        }
        let mut cut = 0;
        if beat_due {
            cut = write::cut_gaps(&transaction, now)?;
            write::write_alive(&transaction, now)?;
        }
        let mut over = false;
        if let Some(before) = now.checked_sub(self.history).ok().filter(|_| step_due) {
            over = self.agenda.walk.step(&transaction, before)?;
            if over {
                prune::ended_notes(&transaction, before)?;
            }
        }
        transaction.commit()?;
        if cut > 0 {
            tracing::warn!(
                gaps = cut,
                "the clock was ahead once: gaps of the history that reached into the future end now"
            );
        }
        self.gaps.clear();
        self.plan(instant, beat_due, step_due, over);
        Ok(())
    }

    fn plan(&mut self, now: Instant, beat: bool, step: bool, over: bool) {
        if beat {
            self.agenda.next_beat = now + HEARTBEAT;
        }
        if step {
            self.agenda.next_step = now
                + if over {
                    prune::BETWEEN_WALKS
                } else {
                    prune::PAUSE
                };
        }
        if over {
            self.agenda.walk = Walk::default();
        }
    }

    /// A machine that slept, or a clock that was set forward, leaves a gap in the history.
    fn note_sleep(&mut self) {
        let now = ((self.clock)(), Instant::now());
        let (last, last_instant) = self.agenda.beat;
        self.agenda.beat = now;
        let ran = SignedDuration::try_from(now.1 - last_instant).unwrap_or(SignedDuration::MAX);
        let awake_since = now.0.checked_sub(ran).unwrap_or(now.0);
        if let Some(gap) = gap_between(last, awake_since) {
            tracing::warn!(since = %gap.since, until = %gap.until, "the machine slept or the clock was set forward: the history has a gap");
            self.note_gap(gap);
        }
    }

    fn note_gap(&mut self, gap: Gap) {
        let full = self.gaps.len() >= MAX_GAPS;
        match self.gaps.last_mut().filter(|_| full) {
            Some(last) => last.until = last.until.max(gap.until),
            None => self.gaps.push(gap),
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let pause = self
            .agenda
            .retry
            .map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LONGEST_RETRY));
        self.agenda.retry = Some((Instant::now() + pause, pause));
        (self.agenda.next_beat, self.agenda.next_step) =
            (Instant::now() + HEARTBEAT, Instant::now() + HEARTBEAT);
        self.database = None;
        let aside = failure
            .broken
            .then(|| self.folder.set_aside())
            .and_then(Result::ok);
        if let Some(path) = &aside {
            tracing::error!(aside = %path.display(), why = failure.why, "the data file is broken and was moved aside");
        }
        let now = (self.clock)();
        self.health.send_modify(|health| {
            if health.state == StoreState::Ok {
                tracing::error!(
                    error = failure.why,
                    "the store cannot be written and is retried; evaluation, switching and notifications go on. \
                     Free space on its disk, or mend it, before the next restart"
                );
                (health.state, health.since) = (StoreState::Degraded, now);
            }
            health.last_error = Some(failure.why.clone());
            health.set_aside = aside.or_else(|| health.set_aside.take());
        });
    }

    fn recovered(&mut self) {
        self.agenda.retry = None;
        let now = (self.clock)();
        if let Some((since, until)) = self.agenda.lost.take() {
            self.note_gap(Gap {
                since,
                until,
                why: GapCause::Lost,
            });
            self.agenda.next_beat = Instant::now();
        }
        self.health.send_if_modified(|health| {
            let was_degraded = health.state == StoreState::Degraded;
            if was_degraded {
                tracing::info!(lost = health.lost, since = %health.since, "the store is written again");
                (health.state, health.since) = (StoreState::Ok, now);
            }
            was_degraded
        });
    }

    /// Keeps the backlog within its bound.
    fn drop_oldest(&mut self) {
        let mut entries = self.agenda.entries();
        let mut lost = 0;
        while entries > BACKLOG {
            let Some(batch) = self.agenda.waiting.pop_front() else {
                break;
            };
            entries -= batch.entries.len();
            lost += batch.entries.len();
        }
        if lost > 0 {
            // The oldest are from the beginning of the disk problem, the newest are older than now.
            let since = self
                .agenda
                .lost
                .map_or(self.health.borrow().since, |(since, _)| since);
            self.agenda.lost = Some((since, (self.clock)()));
        }
        self.count_lost(lost);
    }

    fn count_lost(&self, entries: usize) {
        if entries > 0 {
            self.health
                .send_modify(|health| health.lost += entries as u64);
        }
    }

    fn report(&self, last: Option<u64>) {
        let waiting = self.agenda.entries();
        self.health
            .send_if_modified(|health| std::mem::replace(&mut health.waiting, waiting) != waiting);
        self.progress.send_if_modified(|progress| {
            let settled = last.map_or(progress.settled, |last| last.max(progress.settled));
            let durable = self
                .agenda
                .waiting
                .front()
                .map_or(settled, |batch| batch.ticket.saturating_sub(1));
            let next = Progress { settled, durable };
            std::mem::replace(progress, next) != next
        });
    }

    /// Entries that still wait at the end are lost, which is logged.
    fn give_up(mut self) {
        let lost = self.agenda.entries();
        self.agenda.waiting.clear();
        if lost > 0 {
            tracing::error!(
                lost,
                "labwatch stops while the disk takes nothing: these entries are lost"
            );
        }
        self.count_lost(lost);
        self.report(None);
    }
}

fn passed(entry: &Entry) {
    if let Entry::Record { record, .. } = entry {
        failpoints::pass_after(record);
    }
}
