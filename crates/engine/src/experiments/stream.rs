//! A stream of an experiment: its place in the reports, its transmission, and its view.

use std::sync::Arc;
use std::time::Duration;

use crate::experiments::evaluate::{
    self, Evaluation, Presence, SampleEvidence, StreamFacts, Transmission,
};
use crate::experiments::experiment::{EvaluationContext, FORGET_AFTER};
use crate::model::{Moment, StreamHealth, Topic};
use crate::protocol::{Connection, Evidence, LastConnection, Report, Seen, StreamView, Traffic};

/// Whether something is in the reports of its source.
#[derive(Debug, Clone)]
pub(crate) struct LastSeen {
    pub(crate) presence: Presence,
    /// The number of the last report that had it.
    pub(crate) report: u64,
    /// Its index in that report.
    pub(crate) entry: usize,
    /// How many entries of that report have no readable topic.
    pub(crate) nameless: usize,
    /// Its last connection, kept when it is gone.
    pub(crate) last: Option<Arc<LastConnection>>,
}

impl LastSeen {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            presence: Presence::Never { since: now },
            report: 0,
            entry: 0,
            nameless: 0,
            last: None,
        }
    }

    /// Updates the presence from the newest report, number `newest`, which came at `now`; `gone`
    /// gives the connection in the report before it, which came at `before`. Returns whether the
    /// presence changed.
    pub(crate) fn refresh(
        &mut self,
        newest: u64,
        now: Moment,
        before: Option<Moment>,
        gone: impl FnOnce(usize) -> Option<LastConnection>,
    ) -> bool {
        let is_there = self.report == newest;
        match (self.presence, is_there) {
            (Presence::Newest { .. }, true)
            | (Presence::Gone { .. } | Presence::Never { .. }, false) => return false,
            (Presence::Gone { .. } | Presence::Never { .. }, true) => {
                self.presence = Presence::Newest { since: now };
                self.last = None;
            }
            (Presence::Newest { since }, false) => {
                self.presence = Presence::Gone {
                    seen: before.unwrap_or(since),
                };
                self.last = gone(self.entry).map(Arc::new);
            }
        }
        true
    }

    /// Whether report number `newest` may have it in one of its `nameless` entries: it is not in it
    /// by name, and was when there were fewer.
    pub(crate) fn may_be_nameless(&self, newest: u64, nameless: usize) -> bool {
        let was_there = matches!(self.presence, Presence::Newest { .. });
        was_there && self.report != newest && self.nameless < nameless
    }

    /// Where its connection comes from, or last came from, as proxies wrote it.
    pub(crate) fn remote<'a>(&'a self, newest: Option<&'a Report>) -> Option<&'a str> {
        let connected = matches!(self.presence, Presence::Newest { .. });
        let now = newest
            .filter(|_| connected)
            .and_then(|report| report.get(self.entry))
            .map(|connection| connection.remote);
        now.or_else(|| self.last.as_deref().map(|last| last.remote.as_str()))
            .filter(|remote| !remote.is_empty())
    }

    pub(crate) fn seen(&self) -> Seen {
        match self.presence {
            Presence::Newest { .. } => Seen::InNewest,
            Presence::Gone { seen } => Seen::At(seen.wall()),
            Presence::Never { .. } => Seen::Never,
        }
    }

    /// When it was last seen, or expected from; `None` while it is there.
    pub(crate) fn absent_since(&self) -> Option<Moment> {
        match self.presence {
            Presence::Newest { .. } => None,
            Presence::Gone { seen: since } | Presence::Never { since } => Some(since),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) topic: Topic,
    pub(crate) required: bool,
    pub(crate) health: StreamHealth,
    pub(crate) sighting: LastSeen,
    transmission: Transmission,
    pub(crate) evidence: SampleEvidence,
    /// When sampling last received a message of it, also before it was silent or gone.
    last_received: Option<Moment>,
}

impl Stream {
    pub(crate) fn new(topic: Topic, required: bool, now: Moment) -> Self {
        Self {
            topic,
            required,
            health: StreamHealth::Unknown,
            sighting: LastSeen::new(now),
            transmission: Transmission::Unsaid,
            evidence: SampleEvidence::Unverified,
            last_received: None,
        }
    }

    /// Stores the evidence of a sample.
    pub(crate) fn note_evidence(&mut self, evidence: SampleEvidence) {
        self.evidence = evidence;
        if let SampleEvidence::At(when) = evidence {
            self.last_received = Some(when);
        }
    }

    /// A stream from the durable state. Whether it is required comes from book's manifest. One that
    /// was silent stays silent until it transmits or cannot be sampled: a restart of labwatch is no
    /// sign of life.
    pub(crate) fn recalled(topic: Topic, health: StreamHealth, now: Moment) -> Self {
        let was_silent = health == StreamHealth::Silent;
        Self {
            health,
            evidence: if was_silent {
                SampleEvidence::Nothing
            } else {
                SampleEvidence::Unverified
            },
            ..Self::new(topic, false, now)
        }
    }

    /// Notes that report number `report` has a connection of it, at index `entry`. Of several, the
    /// best counts.
    pub(crate) fn observe(&mut self, report: u64, entry: usize, tx: Option<Traffic>) {
        let transmission = match tx {
            None => Transmission::Unsaid,
            Some(Traffic { last: None, .. }) => Transmission::Never,
            Some(Traffic {
                last: Some(age), ..
            }) => Transmission::Ago(age),
        };
        if self.sighting.report != report || transmission.is_better_than(self.transmission) {
            self.sighting.report = report;
            self.sighting.entry = entry;
            self.transmission = transmission;
        }
    }

    /// Whether it is connected at the newest report.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.sighting.presence, Presence::Newest { .. })
    }

    /// Whether the newest report shows it lost: it is missing, or has not transmitted for longer
    /// than this.
    pub(crate) fn is_lost(&self, last_active: Duration) -> bool {
        let is_silent = match self.transmission {
            Transmission::Ago(age) => age > last_active,
            Transmission::Never => true,
            Transmission::Unsaid => false,
        };
        !self.is_connected() || is_silent
    }

    /// Whether relay's statistics say when it last transmitted.
    pub(crate) fn has_statistics(&self) -> bool {
        self.transmission != Transmission::Unsaid
    }

    pub(crate) fn evaluate(&self, context: &EvaluationContext) -> Evaluation<StreamHealth> {
        let facts = StreamFacts {
            presence: self.sighting.presence,
            transmission: self.transmission,
            evidence: self.evidence,
            sampled: context.sampling && self.required,
            was: self.health,
        };
        evaluate::stream(&facts, context.relay, &context.policy, context.now)
    }

    /// When it may be forgotten: a day after it was last seen, unless it is required or the only
    /// one of its experiment.
    pub(crate) fn forget_at(&self, listed: bool) -> Option<Moment> {
        (listed && !self.required)
            .then(|| self.sighting.absent_since())
            .flatten()
            .map(|seen| seen + FORGET_AFTER)
    }

    fn evidence(&self) -> Evidence {
        let is_gone = self.last_received.is_some() && !self.is_connected();
        match (self.has_statistics(), self.evidence) {
            (true, _) => Evidence::Statistics,
            (false, SampleEvidence::Unverified) if !is_gone => Evidence::Unverified,
            (
                false,
                SampleEvidence::At(_) | SampleEvidence::Nothing | SampleEvidence::Unverified,
            ) => Evidence::Sampled(self.last_received.map(Moment::wall)),
        }
    }

    pub(crate) fn view(&self) -> StreamView {
        StreamView {
            topic: self.topic.clone(),
            required: self.required,
            health: self.health,
            evidence: self.evidence(),
            seen: self.sighting.seen(),
            last: self.sighting.last.clone(),
        }
    }
}

impl From<Connection<'_>> for LastConnection {
    fn from(connection: Connection<'_>) -> Self {
        Self {
            connected: connection.connected.to_owned(),
            expires: connection.expires.to_owned(),
            remote: connection.remote.to_owned(),
            user_agent: connection.user_agent.to_owned(),
            scopes: connection.scopes,
            tx: connection.tx,
            rx: connection.rx,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_last_received_message_stays_known() {
        let at = |second| Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(second));
        let topic = Topic::try_new("pend00-st-video").expect("a name");
        let mut stream = Stream::new(topic, true, at(0));
        let report = |stream: &mut Stream, number, is_there: bool, now| {
            if is_there {
                stream.observe(number, 0, None);
            }
            stream.sighting.refresh(number, now, None, |_| None);
        };
        report(&mut stream, 1, true, at(1));
        assert_eq!(stream.view().evidence, Evidence::Unverified);
        stream.note_evidence(SampleEvidence::Nothing);
        assert_eq!(stream.view().evidence, Evidence::Sampled(None));
        stream.note_evidence(SampleEvidence::At(at(5)));
        let evidence = Evidence::Sampled(Some(at(5).wall()));
        assert_eq!(stream.view().evidence, evidence);
        stream.note_evidence(SampleEvidence::Nothing);
        assert_eq!(stream.view().evidence, evidence, "it is frozen");
        stream.note_evidence(SampleEvidence::Unverified);
        assert_eq!(stream.view().evidence, Evidence::Unverified, "it came back");
        report(&mut stream, 2, false, at(9));
        assert_eq!(stream.view().evidence, evidence, "it is gone");
    }
}
