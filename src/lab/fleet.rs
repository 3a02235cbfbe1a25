//! The simulated experiments: which of their connections are there, and what each has transmitted by a given moment.
//!
//! Nothing runs here: what a stream has sent is arithmetic on the time, so ten thousand experiments cost only their memory. Reads no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::plan::{ExperimentPlan, StreamPlan};

/// How long the tokens of experiments live. The real ones live for years.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);

/// All experiments by their stub.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    experiments: BTreeMap<String, Experiment>,
}

#[derive(Debug)]
struct Experiment {
    streams: Vec<Stream>,
    host: Option<Timestamp>,
}

/// A topic of relay, with those who are connected to it.
#[derive(Debug)]
pub(super) struct Stream {
    pub plan: StreamPlan,
    topic: String,
    pub links: Vec<Link>,
}

/// A simulated connection to relay.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub role: Role,
    pub connected: Timestamp,
    /// Since when it transmits without a pause.
    sending: Option<Timestamp>,
    /// What it had sent before.
    before: Tally,
}

/// Who is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Experiment,
    /// A second connection of the experiment, which never sends.
    Twin,
    User,
}

/// How much somebody has sent or received.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub count: u64,
    pub bytes: u64,
    pub last: Option<Timestamp>,
}

/// A message of a stream that is due.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    pub number: u64,
    pub size: u32,
    pub video: bool,
}

impl Tally {
    /// Counts one message.
    pub fn add(&mut self, bytes: usize, now: Timestamp) {
        self.count += 1;
        self.bytes += bytes as u64;
        self.last = Some(now);
    }
}

impl Stream {
    /// The topic: the stub and the stream's key.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    fn link(&mut self, role: Role) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.role == role)
    }

    fn connect(&mut self, role: Role, now: Timestamp) {
        if self.link(role).is_none() {
            let sending = (role == Role::Experiment).then_some(now);
            self.links.push(Link {
                role,
                connected: now,
                sending,
                before: Tally::default(),
            });
        }
    }

    fn disconnect(&mut self, role: Role) {
        self.links.retain(|link| link.role != role);
    }
}

impl Link {
    /// What it has sent by now.
    pub fn sent(&self, plan: &StreamPlan, now: Timestamp) -> Tally {
        let Some(since) = self.sending.filter(|&since| since <= now) else {
            return self.before;
        };
        let steps = steps(now.duration_since(since), plan.fps);
        let count = self.before.count + steps + 1;
        Tally {
            count,
            bytes: count * u64::from(plan.size),
            last: Some(moment_of(since, steps, plan.fps)),
        }
    }

    fn stop(&mut self, plan: &StreamPlan, now: Timestamp) {
        self.before = self.sent(plan, now);
        self.sending = None;
    }

    fn reconnect(&mut self, at: Timestamp) {
        self.connected = at;
        self.sending = self.sending.map(|_| at);
        self.before = Tally::default();
    }
}

/// When such a connection's token ends.
pub(super) fn expiry(connected: Timestamp) -> Timestamp {
    connected.checked_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX)
}

impl Fleet {
    /// The fleet with all its connections made at `now`.
    pub fn new(plans: &[ExperimentPlan], now: Timestamp) -> Self {
        let mut fleet = Self::default();
        for plan in plans {
            fleet.add(plan, now);
        }
        fleet
    }

    /// Adds an experiment and connects it.
    pub fn add(&mut self, plan: &ExperimentPlan, now: Timestamp) {
        let stream = |stream: &StreamPlan| {
            let topic = format!("{}-{}", plan.stub, stream.key);
            let mut stream = Stream {
                plan: stream.clone(),
                topic,
                links: Vec::with_capacity(1),
            };
            stream.connect(Role::Experiment, now);
            stream
        };
        let experiment = Experiment {
            streams: plan.streams.iter().map(stream).collect(),
            host: Some(now),
        };
        self.experiments.insert(plan.stub.clone(), experiment);
    }

    /// Disconnects an experiment and forgets it.
    pub fn remove(&mut self, stub: &str) -> bool {
        self.experiments.remove(stub).is_some()
    }

    /// All streams, whoever is connected to them.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.experiments
            .values()
            .flat_map(|experiment| &experiment.streams)
    }

    /// The experiments that jump sees, and since when.
    pub fn hosts(&self, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        let connected = move |(stub, experiment)| -> Option<(&str, Timestamp)> {
            let experiment: &Experiment = experiment;
            let stub: &String = stub;
            experiment
                .host
                .filter(|&since| since <= now)
                .map(|since| (stub.as_str(), since))
        };
        self.experiments.iter().filter_map(connected)
    }

    /// The newest message of a topic, when the experiment is transmitting on it.
    pub fn newest_frame(&self, topic: &str, now: Timestamp) -> Option<Frame> {
        let stream = self.stream(topic)?;
        let link = stream
            .links
            .iter()
            .find(|link| link.role == Role::Experiment && link.connected <= now)?;
        link.sending.filter(|&since| since <= now)?;
        let number = link.sent(&stream.plan, now).count;
        Some(Frame {
            number,
            size: stream.plan.size,
            video: stream.plan.key.contains("video"),
        })
    }

    /// How long the messages of a topic are apart.
    pub fn pace(&self, topic: &str) -> Option<Duration> {
        Duration::try_from_secs_f64(1.0 / self.stream(topic)?.plan.fps).ok()
    }

    /// The stream stays connected, but transmits nothing.
    pub fn silence(&mut self, topic: &str, now: Timestamp) -> bool {
        self.change(topic, |stream| {
            let plan = stream.plan.clone();
            if let Some(link) = stream.link(Role::Experiment) {
                link.stop(&plan, now);
            }
        })
    }

    /// The stream is connected and transmits.
    pub fn resume(&mut self, topic: &str, now: Timestamp) -> bool {
        self.change(topic, |stream| {
            stream.connect(Role::Experiment, now);
            if let Some(link) = stream.link(Role::Experiment) {
                link.sending = link.sending.or(Some(now));
            }
        })
    }

    /// Somebody connects to a topic.
    pub fn join(&mut self, topic: &str, role: Role, now: Timestamp) -> bool {
        self.change(topic, |stream| stream.connect(role, now))
    }

    /// Somebody leaves a topic.
    pub fn leave(&mut self, topic: &str, role: Role) -> bool {
        self.change(topic, |stream| stream.disconnect(role))
    }

    /// Connects or disconnects an experiment and jump.
    pub fn set_host(&mut self, stub: &str, since: Option<Timestamp>) -> bool {
        self.experiments.get_mut(stub).is_some_and(|experiment| {
            experiment.host = since;
            true
        })
    }

    /// Switches an experiment off: every connection of it is gone.
    pub fn power_off(&mut self, stub: &str) -> bool {
        self.experiments.get_mut(stub).is_some_and(|experiment| {
            experiment.host = None;
            experiment
                .streams
                .iter_mut()
                .for_each(|stream| stream.links.retain(|link| link.role == Role::User));
            true
        })
    }

    /// Switches it on again.
    pub fn power_on(&mut self, stub: &str, now: Timestamp) -> bool {
        self.experiments.get_mut(stub).is_some_and(|experiment| {
            experiment.host = Some(now);
            experiment
                .streams
                .iter_mut()
                .for_each(|stream| stream.connect(Role::Experiment, now));
            true
        })
    }

    /// relay was restarted: everybody connects to it again, each at some moment up to `within` from now.
    pub fn return_to_relay(&mut self, now: Timestamp, within: Duration) {
        let streams = self
            .experiments
            .values_mut()
            .flat_map(|experiment| &mut experiment.streams);
        streams
            .flat_map(|stream| &mut stream.links)
            .for_each(|link| link.reconnect(later(now, within)));
    }

    /// The same for jump.
    pub fn return_to_jump(&mut self, now: Timestamp, within: Duration) {
        for experiment in self.experiments.values_mut() {
            experiment.host = experiment.host.map(|_| later(now, within));
        }
    }

    fn change(&mut self, topic: &str, change: impl FnOnce(&mut Stream)) -> bool {
        let Some(stub) = self.stub_of(topic).map(str::to_owned) else {
            return false;
        };
        let streams = self
            .experiments
            .get_mut(&stub)
            .map(|experiment| &mut experiment.streams);
        streams
            .into_iter()
            .flatten()
            .find(|stream| stream.topic == topic)
            .map(change)
            .is_some()
    }

    fn stream(&self, topic: &str) -> Option<&Stream> {
        let experiment = self.experiments.get(self.stub_of(topic)?)?;
        experiment
            .streams
            .iter()
            .find(|stream| stream.topic == topic)
    }

    /// The experiment that has this topic. Both stubs and keys may contain dashes.
    fn stub_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let has = |stub: &str| {
            self.experiments.get(stub).is_some_and(|experiment| {
                experiment
                    .streams
                    .iter()
                    .any(|stream| stream.topic == topic)
            })
        };
        topic
            .match_indices('-')
            .map(|(at, _)| &topic[..at])
            .find(|stub| has(stub))
    }
}

fn later(now: Timestamp, within: Duration) -> Timestamp {
    now.checked_add(within.mul_f64(fastrand::f64()))
        .unwrap_or(now)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither negative nor near 2^53"
)]
fn steps(since: SignedDuration, fps: f64) -> u64 {
    (since.as_secs_f64() * fps).floor() as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a stream does not send 2^53 messages"
)]
fn moment_of(since: Timestamp, steps: u64, fps: f64) -> Timestamp {
    since
        .checked_add(Duration::try_from_secs_f64(steps as f64 / fps).unwrap_or_default())
        .unwrap_or(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).expect("in range")
    }

    fn fleet() -> Fleet {
        Fleet::new(&[ExperimentPlan::new("pend00")], at(0))
    }

    fn last_ms(fleet: &Fleet, now: i64) -> Vec<Option<i64>> {
        let stream = fleet.stream("pend00-st-data").expect("there");
        let seen = stream.links.iter().filter(|link| link.connected <= at(now));
        seen.map(|link| {
            link.sent(&stream.plan, at(now))
                .last
                .map(Timestamp::as_millisecond)
        })
        .collect()
    }

    #[test]
    fn what_a_stream_has_sent_follows_from_the_time() {
        let mut fleet = fleet();
        assert_eq!(last_ms(&fleet, 0), [Some(0)]);
        assert_eq!(last_ms(&fleet, 250), [Some(200)]);
        assert!(fleet.silence("pend00-st-data", at(250)));
        assert_eq!(
            last_ms(&fleet, 9_000),
            [Some(200)],
            "silent, but it stays connected"
        );
        assert_eq!(fleet.newest_frame("pend00-st-data", at(9_000)), None);
        assert!(fleet.resume("pend00-st-data", at(9_050)));
        assert_eq!(last_ms(&fleet, 9_200), [Some(9_150)]);
        let frame = fleet
            .newest_frame("pend00-st-data", at(9_200))
            .expect("transmitting");
        assert_eq!(
            frame,
            Frame {
                number: 3 + 2,
                size: 102,
                video: false
            }
        );
    }

    #[test]
    fn connections_come_and_go() {
        let mut fleet = fleet();
        assert!(fleet.join("pend00-st-data", Role::Twin, at(0)));
        assert_eq!(last_ms(&fleet, 100), [Some(100), None]);
        assert!(
            fleet.leave("pend00-st-data", Role::Twin)
                && fleet.leave("pend00-st-data", Role::Experiment)
        );
        assert!(last_ms(&fleet, 100).is_empty());
        assert!(fleet.power_off("pend00"));
        assert_eq!(fleet.hosts(at(100)).count(), 0);
        assert!(fleet.power_on("pend00", at(500)));
        assert_eq!(
            (last_ms(&fleet, 400), last_ms(&fleet, 600)),
            (vec![], vec![Some(600)])
        );
        assert_eq!(
            fleet.hosts(at(600)).collect::<Vec<_>>(),
            [("pend00", at(500))]
        );
        assert!(
            !fleet.silence("nope", at(0))
                && !fleet.power_off("nope")
                && !fleet.set_host("nope", None)
        );
    }

    #[test]
    fn a_restarted_server_gets_its_experiments_back_in_time() {
        let mut fleet = fleet();
        fleet.silence("pend00-st-video", at(10));
        fleet.return_to_relay(at(1_000), Duration::from_secs(2));
        fleet.return_to_jump(at(1_000), Duration::from_secs(2));
        assert!(
            fleet
                .streams()
                .flat_map(|stream| &stream.links)
                .all(|link| link.connected >= at(1_000))
        );
        assert!(
            fleet
                .streams()
                .flat_map(|stream| &stream.links)
                .all(|link| link.connected <= at(3_000))
        );
        assert_eq!(fleet.hosts(at(3_000)).count(), 1);
        let video = fleet.stream("pend00-st-video").expect("there");
        assert_eq!(
            video.links[0].sent(&video.plan, at(3_000)),
            Tally::default(),
            "it was silent, and what it sent went to the old server"
        );
    }
}
