//! The simulated experiments: their connections, and what each has transmitted at a given time.
//!
//! Nothing runs here: the messages of a stream are computed from the time, so ten thousand
//! experiments cost only their memory. Reads no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::model::Stub;
use jiff::{SignedDuration, Timestamp};

use crate::fault::Fault;
use crate::plan::{ExperimentPlan, StreamPlan};

/// How long the tokens of experiments are valid. The real ones are for years.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);

/// All streams by their topic, and all jump connections by the experiment's stub.
#[derive(Debug, Default)]
pub struct Fleet {
    streams: BTreeMap<String, Stream>,
    hosts: BTreeMap<String, Option<Timestamp>>,
}

/// A topic of relay, with its connections.
#[derive(Debug)]
pub struct Stream {
    /// The traffic that it sends.
    pub plan: StreamPlan,
    stub: String,
    topic: String,
    /// Its connections.
    pub links: Vec<Link>,
}

/// A simulated connection to relay.
#[derive(Debug, Clone)]
pub struct Link {
    /// The owner of the connection.
    pub role: Role,
    /// Since when it is connected; a future time for one that is going to reconnect.
    pub connected: Timestamp,
    /// Since when it transmits without interruption.
    sending: Option<Timestamp>,
    /// The traffic before that.
    before: Tally,
}

/// Owner of a simulated connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The experiment itself.
    Experiment,
    /// A second connection of the experiment, which never sends.
    Twin,
    /// A student.
    User,
}

/// Traffic of a connection in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// How many messages.
    pub count: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// When the last of them was.
    pub last: Option<Timestamp>,
}

/// A message of a stream that is due.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// Its number on this connection, from 1.
    pub number: u64,
    /// Its size in bytes.
    pub size: u32,
    /// Whether it is a frame of video.
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
    /// The experiment that it belongs to.
    pub fn stub(&self) -> &str {
        &self.stub
    }

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

    fn resume(&mut self, now: Timestamp) {
        self.connect(Role::Experiment, now);
        self.resume_connected(now);
    }

    fn resume_connected(&mut self, now: Timestamp) {
        if let Some(link) = self.link(Role::Experiment) {
            link.sending = link.sending.or(Some(now));
        }
    }

    fn vanish(&mut self) {
        self.links.retain(|link| link.role == Role::User);
    }

    fn silence(&mut self, now: Timestamp) {
        let plan = self.plan.clone();
        if let Some(link) = self.link(Role::Experiment) {
            link.stop(&plan, now);
        }
    }

    fn disconnect(&mut self, role: Role) {
        self.links.retain(|link| link.role != role);
    }
}

impl Link {
    /// The traffic up to now.
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

/// When the token of a connection expires.
pub fn expiry(connected: Timestamp) -> Timestamp {
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
        for stream in &plan.streams {
            let topic = format!("{}-{}", plan.stub, stream.key);
            let mut added = Stream {
                plan: stream.clone(),
                stub: plan.stub.clone(),
                topic: topic.clone(),
                links: Vec::with_capacity(1),
            };
            added.connect(Role::Experiment, now);
            self.streams.insert(topic, added);
        }
        self.hosts.insert(plan.stub.clone(), Some(now));
    }

    /// Disconnects and removes an experiment. Returns whether there was one.
    pub fn remove(&mut self, stub: &str) -> bool {
        self.streams.retain(|_, stream| stream.stub != stub);
        self.hosts.remove(stub).is_some()
    }

    /// All streams, connected or not.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values()
    }

    /// Whether an experiment is one of the first so many experiments, in the order of their names.
    pub fn is_among_first(&self, stub: &str, count: u32) -> bool {
        self.hosts
            .keys()
            .take(count as usize)
            .any(|first| first == stub)
    }

    /// The experiments that are connected to jump, and since when.
    pub fn hosts(&self, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        self.hosts.iter().filter_map(move |(stub, since)| {
            let since = since.filter(|&since| since <= now)?;
            Some((stub.as_str(), since))
        })
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

    /// Applies a fault of experiments: returns whether its name exists. `None` for all other
    /// faults.
    pub fn apply(&mut self, fault: &Fault, now: Timestamp) -> Option<bool> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the others are not about experiments"
        )]
        Some(match fault {
            Fault::Vanish(name) => self.each(name, None, Stream::vanish),
            Fault::Back(name) => self.each(name, Some(now), |stream| stream.resume(now)),
            Fault::Silent(name) => self.streams_of(name, |stream| stream.silence(now)),
            Fault::Sends(name) => self.streams_of(name, |stream| stream.resume_connected(now)),
            Fault::Twin(topic) => self.streams_of(topic, |stream| stream.connect(Role::Twin, now)),
            Fault::Untwin(topic) => self.streams_of(topic, |stream| stream.disconnect(Role::Twin)),
            Fault::Join(topic) => self.streams_of(topic, |stream| stream.connect(Role::User, now)),
            Fault::Leave(topic) => self.streams_of(topic, |stream| stream.disconnect(Role::User)),
            Fault::Goes(stub) => self.remove(stub),
            Fault::Appears(stub) => {
                self.add(&ExperimentPlan::unlisted(stub), now);
                true
            }
            _ => return None,
        })
    }

    /// Changes the streams, and sets the jump connections, of a name. Returns whether there are
    /// any.
    fn each(
        &mut self,
        name: &str,
        host: Option<Timestamp>,
        change: impl FnMut(&mut Stream),
    ) -> bool {
        let stub = name.strip_suffix("/jump");
        let found = stub.is_none() && self.streams_of(name, change);
        let wanted = stub.unwrap_or(name);
        let hosts = self.hosts.iter_mut();
        let meant = hosts.filter(|(stub, _)| wanted == "*" || *stub == wanted);
        meant.map(|(_, since)| *since = host).count() > 0 || found
    }

    /// Changes the streams of a name. Returns whether there are any.
    fn streams_of(&mut self, name: &str, change: impl FnMut(&mut Stream)) -> bool {
        let streams = self.streams.values_mut();
        let meant =
            streams.filter(|stream| name == "*" || stream.topic == name || stream.stub == name);
        meant.map(change).count() > 0
    }

    /// Connects a stream that belongs to no experiment of the plan.
    pub fn add_stray(&mut self, topic: &str, now: Timestamp) {
        let stub = Stub::of_stray_topic(topic).unwrap_or(topic).to_owned();
        let mut stream = Stream {
            plan: StreamPlan::data(),
            stub,
            topic: topic.to_owned(),
            links: Vec::new(),
        };
        stream.connect(Role::Experiment, now);
        self.streams.insert(topic.to_owned(), stream);
    }

    /// relay was restarted: all reconnect to it, those of each stream after the time that `wait`
    /// gives.
    pub fn return_to_relay(&mut self, now: Timestamp, mut wait: impl FnMut() -> Duration) {
        for stream in self.streams.values_mut() {
            let back = now.checked_add(wait()).unwrap_or(now);
            stream
                .links
                .iter_mut()
                .for_each(|link| link.reconnect(back));
        }
    }

    /// The same for jump and each experiment.
    pub fn return_to_jump(&mut self, now: Timestamp, mut wait: impl FnMut() -> Duration) {
        for host in self.hosts.values_mut() {
            let back = now.checked_add(wait()).unwrap_or(now);
            *host = host.map(|_| back);
        }
    }

    /// The stream of a topic.
    pub fn stream(&self, topic: &str) -> Option<&Stream> {
        self.streams.get(topic)
    }
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

    fn apply(fleet: &mut Fleet, fault: &str, now: i64) -> bool {
        let fault: Fault = fault.parse().expect("a fault");
        fleet.apply(&fault, at(now)).expect("about experiments")
    }

    #[test]
    fn what_a_stream_has_sent_follows_from_the_time() {
        let mut fleet = fleet();
        assert_eq!(last_ms(&fleet, 0), [Some(0)]);
        assert_eq!(last_ms(&fleet, 250), [Some(200)]);
        assert!(apply(&mut fleet, "silent pend00-st-data", 250));
        assert_eq!(
            last_ms(&fleet, 9_000),
            [Some(200)],
            "silent, but it stays connected"
        );
        assert_eq!(fleet.newest_frame("pend00-st-data", at(9_000)), None);
        assert!(apply(&mut fleet, "sends pend00-st-data", 9_050));
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
        assert!(apply(&mut fleet, "twin pend00-st-data", 0));
        assert_eq!(last_ms(&fleet, 100), [Some(100), None]);
        assert!(apply(&mut fleet, "untwin pend00-st-data", 100));
        assert!(apply(&mut fleet, "vanish pend00-st-data", 100));
        assert!(last_ms(&fleet, 100).is_empty());
        assert_eq!(fleet.hosts(at(100)).count(), 1);
        assert!(apply(&mut fleet, "vanish pend00", 100));
        assert_eq!(fleet.hosts(at(100)).count(), 0);
        assert!(apply(&mut fleet, "back *", 500));
        assert_eq!(
            (last_ms(&fleet, 400), last_ms(&fleet, 600)),
            (vec![], vec![Some(600)])
        );
        assert_eq!(
            fleet.hosts(at(600)).collect::<Vec<_>>(),
            [("pend00", at(500))]
        );
        assert!(apply(&mut fleet, "vanish pend00/jump", 600));
        assert_eq!(
            (last_ms(&fleet, 600).len(), fleet.hosts(at(600)).count()),
            (1, 0)
        );
        for unknown in ["silent nope", "vanish nope", "back nope/jump", "goes nope"] {
            assert!(!apply(&mut fleet, unknown, 0), "{unknown}");
        }
    }

    #[test]
    fn a_restarted_server_gets_its_experiments_back_in_time() {
        let mut fleet = fleet();
        assert!(apply(&mut fleet, "silent pend00-st-video", 10));
        let mut waits = [0, 700, 2_000]
            .map(Duration::from_millis)
            .into_iter()
            .cycle();
        fleet.return_to_relay(at(1_000), || waits.next().expect("endless"));
        fleet.return_to_jump(at(1_000), || Duration::from_secs(2));
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
