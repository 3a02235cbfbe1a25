//! Scheduling of samples: few streams at a time, each within `HEALTH_LAST_ACTIVE` if possible.
//!
//! A message proves that a stream is active. Its absence proves silence only once the time listened
//! adds up to what the rule asks, so a stream without messages in one sample is sampled again at
//! once, for the rest of that time. It also needs a relay that reports afterwards as it did before:
//! a stuck relay forwards nothing of any stream. Where most of the streams that were sampled since
//! then are silent, a second round of samples must confirm it.

mod second_look;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::experiments::evaluate::SampleEvidence;
use crate::experiments::fleet::{Fleet, StreamId};
use crate::experiments::mass::MassSilence;
use crate::experiments::stream::Stream;
use crate::model::{CallError, Moment, Topic, earliest};
use crate::protocol::{Policy, Sample, SampleOutcome, SamplingView};

/// A stream without messages for this long is silent, also where `HEALTH_LAST_ACTIVE` is longer.
const SILENCE_AT_MOST: Duration = Duration::from_secs(30);

/// A sample whose outcome has not come this long after it should have ended counts as failed.
const OUTCOME_WITHIN: Duration = Duration::from_secs(30);

/// A round over all streams aims at this part of `HEALTH_LAST_ACTIVE`, in percent.
const ROUND_PERCENT: u32 = 80;

/// After this many failures in a row sampling is broken; connected then counts as active.
const BROKEN_AFTER: u32 = 10;

/// After this many failures in a row of one stream, its earlier evidence is forgotten.
const FORGOTTEN_AFTER: u32 = 3;

/// The wait between samples while sampling is broken.
const BROKEN_PAUSE: Duration = Duration::from_secs(5);

/// A sample under way.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    began: Moment,
    give_up: Moment,
    is_proof: bool,
}

/// A stream that may be silent.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// When the first of its samples without messages in a row began.
    began: Moment,
    /// For how long no message has come so far.
    silent_for: Duration,
}

/// The latest sample of a stream.
#[derive(Debug, Clone, Copy)]
struct Latest {
    began: Moment,
    is_silent: bool,
}

/// The state of sampling.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampler {
    order: Vec<StreamId>,
    order_version: Option<u64>,
    cursor: usize,
    /// Streams that have just connected: they are sampled first.
    returned: VecDeque<Topic>,
    doubts: BTreeMap<Topic, Doubt>,
    /// Without messages for as long as the rule asks, until the next report clears relay; with
    /// since when.
    unconfirmed: BTreeMap<Topic, Moment>,
    /// The latest sample of each stream that was not silent before.
    latest: BTreeMap<Topic, Latest>,
    mass: MassSilence,
    /// Since when most streams seem to be silent, and how far sampling has gone through them since.
    mass_since: Option<Moment>,
    mass_cursor: usize,
    /// When the first sample of a second look began in which a message came.
    received_again: Option<Moment>,
    under_way: BTreeMap<Topic, UnderWay>,
    /// How many samples of a stream have failed in a row.
    failed: BTreeMap<Topic, u32>,
    next_at: Moment,
    round_since: Moment,
    round: Duration,
    round_before: Duration,
    failures: u32,
    failing: Option<(Moment, CallError)>,
    /// Whether a sample has had a result since the start.
    pub(crate) has_worked: bool,
}

impl Sampler {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            next_at: now,
            round_since: now,
            ..Self::default()
        }
    }

    /// Notes streams that have just connected.
    pub(crate) fn returned(&mut self, topics: Vec<Topic>) {
        for topic in &topics {
            self.doubts.remove(topic);
            self.unconfirmed.remove(topic);
            self.failed.remove(topic);
        }
        self.returned.extend(topics);
    }

    /// Stops sampling; samples under way may still end.
    pub(crate) fn pause(&mut self, now: Moment) {
        self.returned.clear();
        self.start_over();
        self.order.clear();
        self.order_version = None;
        self.next_at = now;
    }

    /// Since when sampling has failed and why, once that is more than a few passing failures.
    pub(crate) fn broken(&self) -> Option<(Moment, &CallError)> {
        let (since, fault) = self.failing.as_ref()?;
        (self.failures >= BROKEN_AFTER).then_some((*since, fault))
    }

    fn fail(&mut self, fault: CallError, now: Moment) {
        let since = self.failing.as_ref().map_or(now, |(since, _)| *since);
        self.failing = Some((since, fault));
        self.failures = self.failures.saturating_add(1);
    }

    fn succeed(&mut self) {
        self.failures = 0;
        self.failing = None;
        self.has_worked = true;
    }

    /// The samples to begin now.
    pub(crate) fn due(&mut self, fleet: &Fleet, policy: &Policy, now: Moment) -> Vec<Sample> {
        self.expire(now);
        self.refresh_order(fleet, now);
        let mut samples = Vec::new();
        while self.under_way.len() < self.at_once(policy) {
            let Some((topic, listen, is_proof)) = self.next(fleet, policy, now) else {
                break;
            };
            self.under_way.insert(
                topic.clone(),
                UnderWay {
                    began: now,
                    give_up: now + listen + OUTCOME_WITHIN,
                    is_proof,
                },
            );
            samples.push(Sample { topic, listen });
        }
        samples
    }

    fn next(
        &mut self,
        fleet: &Fleet,
        policy: &Policy,
        now: Moment,
    ) -> Option<(Topic, Duration, bool)> {
        if self.broken().is_some() && now < self.next_at {
            return None;
        }
        let proof = self
            .next_doubt(policy)
            .or_else(|| self.next_in_mass(fleet, policy));
        if let Some((topic, listen)) = proof {
            return Some((topic, listen, true));
        }
        while let Some(topic) = self.returned.pop_front() {
            if !self.under_way.contains_key(&topic) && is_connected(fleet, &topic) {
                return Some((topic, policy.sample_for, false));
            }
        }
        if now < self.next_at {
            return None;
        }
        let gap = if self.broken().is_some() {
            BROKEN_PAUSE
        } else {
            self.gap(policy)
        };
        let topic = self.next_in_turn(fleet, now);
        let is_behind = topic.is_none() || now.since(self.next_at) > policy.last_active;
        self.next_at = if is_behind {
            now + gap
        } else {
            self.next_at + gap
        };
        topic.map(|topic| (topic, policy.sample_for, false))
    }

    /// A stream that may be silent, and how long to listen. Such proofs take half of the places, so
    /// that others get their turn; all while most are silent, the streams in question first.
    fn next_doubt(&self, policy: &Policy) -> Option<(Topic, Duration)> {
        let proofs = self
            .under_way
            .values()
            .filter(|sample| sample.is_proof)
            .count();
        let places = match self.mass {
            MassSilence::None => policy.sample_at_once.div_ceil(2),
            MassSilence::Suspected { .. } | MassSilence::Confirmed => self.at_once(policy),
        };
        if proofs >= places {
            return None;
        }
        if let MassSilence::Suspected { since } = self.mass {
            let mut again = self.to_look_at_again(since);
            let again = again.find(|topic| !self.under_way.contains_key(*topic));
            if let Some(topic) = again {
                return Some((topic.clone(), silence(policy).min(second_look::LISTEN_FOR)));
            }
        }
        let mut waiting = self.doubts.iter();
        let (topic, doubt) = waiting.find(|(topic, _)| !self.under_way.contains_key(*topic))?;
        let listen = silence(policy).saturating_sub(doubt.silent_for);
        Some((topic.clone(), listen.max(policy.sample_for)))
    }

    fn next_in_turn(&mut self, fleet: &Fleet, now: Moment) -> Option<Topic> {
        for _ in 0..self.order.len() {
            if self.cursor >= self.order.len() {
                self.cursor = 0;
                self.round_before = std::mem::replace(&mut self.round, now.since(self.round_since));
                self.round_since = now;
            }
            let stream = self.order.get(self.cursor).and_then(|at| fleet.stream(*at));
            self.cursor += 1;
            if let Some(stream) = stream.filter(|stream| {
                stream.is_connected() && !self.under_way.contains_key(&stream.topic)
            }) {
                return Some(stream.topic.clone());
            }
        }
        None
    }

    fn gap(&self, policy: &Policy) -> Duration {
        let streams = u32::try_from(self.order.len()).unwrap_or(u32::MAX).max(1);
        policy.last_active * ROUND_PERCENT / 100 / streams
    }

    fn refresh_order(&mut self, fleet: &Fleet, now: Moment) {
        if self.order_version == Some(fleet.streams_version) {
            return;
        }
        let resumed = self.order_version.is_none();
        self.order_version = Some(fleet.streams_version);
        self.failed.clear();
        self.latest
            .retain(|topic, _| fleet.peek_stream(topic.as_str()).is_some());
        self.order = fleet.required_streams().collect();
        self.cursor = self.cursor.min(self.order.len());
        if resumed {
            self.cursor = 0;
            (self.round_since, self.next_at) = (now, now);
            (self.round, self.round_before) = (Duration::ZERO, Duration::ZERO);
        }
    }

    fn expire(&mut self, now: Moment) {
        let before = self.under_way.len();
        self.under_way.retain(|_, sample| now < sample.give_up);
        for _ in self.under_way.len()..before {
            self.fail(CallError::TimedOut, now);
        }
    }

    /// Applies the outcome of a sample. Returns the new evidence of the stream, where it changed.
    pub(crate) fn sampled(
        &mut self,
        topic: &Topic,
        outcome: &SampleOutcome,
        was: SampleEvidence,
        policy: &Policy,
        now: Moment,
    ) -> Option<SampleEvidence> {
        let began = self.under_way.remove(topic)?.began;
        self.note_latest(topic, outcome, was, began);
        match outcome {
            SampleOutcome::Failed(fault) => {
                self.fail(fault.clone(), now);
                self.doubts.remove(topic);
                let failed = self.failed.entry(topic.clone()).or_default();
                *failed = failed.saturating_add(1);
                let forgotten = *failed >= FORGOTTEN_AFTER && was != SampleEvidence::Unverified;
                forgotten.then_some(SampleEvidence::Unverified)
            }
            SampleOutcome::Received => {
                self.succeed();
                self.failed.remove(topic);
                self.doubts.remove(topic);
                self.unconfirmed.remove(topic);
                Some(SampleEvidence::At(now))
            }
            SampleOutcome::Silent(listened) => {
                self.succeed();
                self.failed.remove(topic);
                self.note_silence(topic, *listened, was, began, policy);
                None
            }
        }
    }

    fn note_silence(
        &mut self,
        topic: &Topic,
        listened: Duration,
        was: SampleEvidence,
        began: Moment,
        policy: &Policy,
    ) {
        let first = Doubt {
            began,
            silent_for: Duration::ZERO,
        };
        let before = self.doubts.remove(topic).unwrap_or(first);
        let silent_for = before.silent_for + listened;
        if was == SampleEvidence::Nothing {
            return;
        }
        if silent_for >= silence(policy) {
            self.unconfirmed
                .entry(topic.clone())
                .or_insert(before.began);
        } else {
            let began = before.began;
            self.doubts
                .insert(topic.clone(), Doubt { began, silent_for });
        }
    }

    /// When to continue although no input came.
    pub(crate) fn deadline(&self, policy: &Policy) -> Option<Moment> {
        let give_up = self.under_way.values().map(|sample| sample.give_up).min();
        let has_room = self.under_way.len() < policy.sample_at_once && !self.order.is_empty();
        earliest([give_up, has_room.then_some(self.next_at)])
    }

    /// Whether a round fits into `HEALTH_LAST_ACTIVE`. One long round alone does not count.
    pub(crate) fn keeps_up(&self, policy: &Policy) -> bool {
        self.round.min(self.round_before) <= policy.last_active
    }

    pub(crate) fn view(&self, policy: &Policy) -> SamplingView {
        SamplingView {
            streams: self.order.len(),
            round: self.round,
            keeps_up: self.keeps_up(policy),
            failures: self.failures,
        }
    }
}

/// How long a stream has to be without messages in one go to count as silent.
fn silence(policy: &Policy) -> Duration {
    policy
        .last_active
        .min(SILENCE_AT_MOST)
        .max(policy.sample_for)
}

fn is_connected(fleet: &Fleet, topic: &Topic) -> bool {
    fleet
        .peek_stream(topic.as_str())
        .is_some_and(Stream::is_connected)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    /// The evidence of a stream after samples with these outcomes.
    fn after(was: SampleEvidence, outcomes: &[SampleOutcome]) -> SampleEvidence {
        let topic = Topic::try_new("pend00-st-data").expect("a topic");
        let mut sampler = Sampler::new(at(0));
        let mut evidence = was;
        for outcome in outcomes {
            let under_way = UnderWay {
                began: at(9),
                give_up: at(60),
                is_proof: false,
            };
            sampler.under_way.insert(topic.clone(), under_way);
            let news = sampler.sampled(&topic, outcome, evidence, &Policy::default(), at(9));
            evidence = news.unwrap_or(evidence);
        }
        evidence
    }

    #[test]
    fn samples_that_fail_leave_no_old_verdict_standing() {
        let fails = || SampleOutcome::Failed(CallError::TimedOut);
        let is_silent = || SampleOutcome::Silent(Duration::from_secs(1));
        for was in [SampleEvidence::Nothing, SampleEvidence::At(at(1))] {
            assert_eq!(after(was, &[fails(), fails()]), was);
            assert_eq!(after(was, &[fails(), fails(), is_silent(), fails()]), was);
            assert_eq!(
                after(was, &[fails(), fails(), fails()]),
                SampleEvidence::Unverified,
                "{was:?}"
            );
        }
        let evidence = [fails(), fails(), fails(), SampleOutcome::Received];
        assert_eq!(
            after(SampleEvidence::Nothing, &evidence),
            SampleEvidence::At(at(9))
        );
    }
}
