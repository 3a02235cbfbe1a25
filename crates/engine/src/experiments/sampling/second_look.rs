//! Confirmation that streams are silent: relay's next report, and a second round of samples where
//! most of them are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Latest, Sampler, silence};
use crate::experiments::evaluate::SampleEvidence;
use crate::experiments::fleet::{Fleet, Id};
use crate::experiments::mass::{MassSilence, Tally, Verdict};
use crate::experiments::stream::Stream;
use crate::model::Gather as _;
use crate::model::{Moment, Topic};
use crate::protocol::{Policy, SampleOutcome};

/// By how much more streams are sampled at the same time while most of them seem to be silent, so
/// that losses are known soon, however many there are.
const TIMES_MORE_IN_MASS: usize = 8;

/// The most streams that are sampled at the same time, whatever the settings say.
const MOST_AT_ONCE: usize = 64;

/// How long a stream is sampled in a second look: shorter than the second look itself.
pub(super) const LISTEN_FOR: Duration = Duration::from_secs(10);

impl Sampler {
    /// How many streams are sampled at the same time now.
    pub(super) fn at_once(&self, policy: &Policy) -> usize {
        match self.mass {
            MassSilence::None => policy.sample_at_once,
            MassSilence::Suspected { .. } | MassSilence::Confirmed => policy
                .sample_at_once
                .saturating_mul(TIMES_MORE_IN_MASS)
                .min(MOST_AT_ONCE.max(policy.sample_at_once)),
        }
    }

    /// Notes that relay reported as it should, so that the silence was not its own. Returns the
    /// streams that are silent.
    ///
    /// # Errors
    /// How many experiments are silent at once, where a second look at them begins.
    pub(crate) fn confirm(&mut self, fleet: &Fleet, now: Moment) -> Result<BTreeSet<Topic>, Tally> {
        let silent_since = self.unconfirmed.values().min().copied();
        let mut mass = self.mass;
        let seen = |since| self.seen_since(fleet, since);
        let has_looked = |since| self.to_look_at_again(since).next().is_none();
        let verdict = mass.evaluate(silent_since, connected(fleet), now, seen, has_looked);
        self.mass = mass;
        self.note_mass(now);
        match verdict {
            Verdict::Silent => Ok(std::mem::take(&mut self.unconfirmed).into_keys().collect()),
            Verdict::LookAgain(seen) => {
                self.received_again = None;
                Err(seen)
            }
            Verdict::Wait => Ok(BTreeSet::new()),
            Verdict::OnlyThoseSince(since) => {
                let dropped: BTreeSet<Topic> = self.to_look_at_again(since).cloned().gather();
                self.unconfirmed.retain(|topic, _| !dropped.contains(topic));
                Ok(std::mem::take(&mut self.unconfirmed).into_keys().collect())
            }
        }
    }

    /// Notes that relay was stuck or away: missing messages say nothing about any stream.
    pub(crate) fn start_over(&mut self) {
        self.doubts.clear();
        self.unconfirmed.clear();
        self.mass = MassSilence::None;
        self.mass_since = None;
    }

    /// While most are silent, every experiment is sampled once more, from the first on.
    fn note_mass(&mut self, now: Moment) {
        let since = (self.mass != MassSilence::None).then(|| self.mass_since.unwrap_or(now));
        if self.mass_since != since {
            self.mass_cursor = 0;
        }
        self.mass_since = since;
    }

    /// While most are silent: a stream of an experiment that has not been sampled since, and how
    /// long to listen. Silence is known within the time of one sample for each [`Sampler::at_once`]
    /// experiments; activity is known at once.
    pub(super) fn next_in_mass(
        &mut self,
        fleet: &Fleet,
        policy: &Policy,
    ) -> Option<(Topic, Duration)> {
        let since = self.mass_since?;
        while let Some(at) = self.order.get(self.mass_cursor).copied() {
            self.mass_cursor += 1;
            let Some(experiment) = fleet.get(at.experiment) else {
                continue;
            };
            let is_known = |stream: &Stream| {
                stream.evidence == SampleEvidence::Nothing
                    || self.under_way.contains_key(&stream.topic)
                    || self.unconfirmed.contains_key(&stream.topic)
                    || self.latest_since(&stream.topic, since).is_some()
            };
            let mut required = experiment.streams.iter().filter(|it| it.required);
            if experiment.health.is_unusable() || required.any(is_known) {
                continue;
            }
            let stream = fleet.stream(at).filter(|stream| stream.is_connected());
            if let Some(stream) = stream {
                return Some((stream.topic.clone(), silence(policy)));
            }
        }
        None
    }

    /// The latest sample of a stream, where it began then or later.
    fn latest_since(&self, topic: &Topic, since: Moment) -> Option<Latest> {
        let latest = self.latest.get(topic).copied();
        latest.filter(|latest| latest.began >= since)
    }

    /// Streams to sample again in a second look that began then: since others transmit, where any
    /// do.
    pub(super) fn to_look_at_again(&self, since: Moment) -> impl Iterator<Item = &Topic> {
        let since = self.received_again.unwrap_or(since);
        let unconfirmed = self.unconfirmed.keys();
        unconfirmed.filter(move |topic| self.latest_since(topic, since).is_none())
    }

    /// How many experiments had samples that began then or later, and how many of them have a
    /// silent stream.
    fn seen_since(&self, fleet: &Fleet, since: Moment) -> Tally {
        let mut experiments: BTreeMap<Id, bool> = BTreeMap::new();
        for (topic, latest) in self.latest.iter().filter(|(_, it)| it.began >= since) {
            if let Some(id) = fleet.owner(topic.as_str()) {
                *experiments.entry(id).or_default() |= latest.is_silent;
            }
        }
        Tally {
            lost: experiments.values().filter(|is_silent| **is_silent).count(),
            of: experiments.len(),
        }
    }

    /// A stream that was silent before says nothing about how many fall silent at once, nor does a
    /// failed sample.
    pub(super) fn note_latest(
        &mut self,
        topic: &Topic,
        outcome: &SampleOutcome,
        was: SampleEvidence,
        began: Moment,
    ) {
        let is_silent = match outcome {
            SampleOutcome::Received => false,
            SampleOutcome::Silent(_) if was != SampleEvidence::Nothing => true,
            SampleOutcome::Silent(_) | SampleOutcome::Failed(_) => {
                self.latest.remove(topic);
                return;
            }
        };
        self.latest
            .insert(topic.clone(), Latest { began, is_silent });
        if let MassSilence::Suspected { since } = self.mass
            && !is_silent
            && began >= since
        {
            self.received_again.get_or_insert(began);
        }
    }
}

/// How many experiments could be sampled.
fn connected(fleet: &Fleet) -> usize {
    let experiments = fleet.iter().filter(|(_, experiment)| {
        let mut required = experiment.streams.iter().filter(|it| it.required);
        required.any(Stream::is_connected)
    });
    experiments.count()
}
