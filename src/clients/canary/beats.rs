//! The canary's messages: which were sent, which arrived, and what that shows. Pure: the time is an
//! argument.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use engine::{CANARY_BOUNDS_MS, CANARY_MINUTES, CanaryMinute, CanaryView, Forwarding};

/// The most messages in flight; of more, the oldest count as lost.
const MAX_ON_THEIR_WAY: usize = 64;

/// The period of the metrics.
const HOUR: Duration = Duration::from_secs(3600);

/// The resolution of the hour.
const MINUTE: Duration = Duration::from_secs(60);

/// The most messages in the metrics of the last hour: one a second.
const MAX_REMEMBERED: usize = 3600;

/// Interval, time limit and number of misses.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `CANARY_EVERY`: how often a message is sent.
    pub every: Duration,
    /// `CANARY_LATE`: a message that takes longer is late.
    pub late: Duration,
    /// `CANARY_MISSES`: how many messages in a row must be missing, or late, to count.
    pub misses: u32,
}

/// A message on the wire.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    /// The sender: others may use the same topic.
    canary: String,
    number: u64,
}

/// The messages of one canary.
#[derive(Debug)]
pub(super) struct Beats {
    rule: Rule,
    tag: String,
    next: u64,
    on_their_way: VecDeque<(u64, Instant)>,
    /// When a message last arrived, or the connections were opened.
    alive: Instant,
    late_in_a_row: u32,
    /// The messages of the last hour: when each was found, and how long it took, if it arrived.
    hour: VecDeque<(Instant, Option<Duration>)>,
    metrics: CanaryView,
}

impl Beats {
    pub(super) fn new(rule: Rule, tag: String, now: Instant) -> Self {
        Self {
            rule,
            tag,
            next: 0,
            on_their_way: VecDeque::new(),
            alive: now,
            late_in_a_row: 0,
            hour: VecDeque::new(),
            metrics: CanaryView::default(),
        }
    }

    /// Starts over with new connections, or none: messages in flight over the old ones show
    /// nothing.
    pub(super) fn start_over(&mut self, now: Instant) {
        self.on_their_way.clear();
        self.alive = now;
        self.late_in_a_row = 0;
    }

    /// The next message, to be sent now.
    pub(super) fn send(&mut self, now: Instant) -> String {
        if self.on_their_way.len() >= MAX_ON_THEIR_WAY {
            self.on_their_way.pop_front();
            self.lose(1, now);
        }
        let number = self.next;
        self.next += 1;
        self.on_their_way.push_back((number, now));
        let canary = self.tag.clone();
        serde_json::to_string(&Message { canary, number }).unwrap_or_default()
    }

    /// Takes bytes from the topic: relay may join several messages to one. Returns whether a
    /// message of this canary arrived.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> bool {
        let messages = serde_json::Deserializer::from_slice(bytes).into_iter::<Message>();
        let ours: Vec<u64> = messages
            .map_while(Result::ok)
            .filter(|message| message.canary == self.tag)
            .map(|message| message.number)
            .collect();
        let arrived = ours.iter().filter(|number| self.arrived(**number, now));
        arrived.count() > 0
    }

    /// Relay keeps the order, so messages that were sent before and have not arrived are lost.
    fn arrived(&mut self, number: u64, now: Instant) -> bool {
        let Some(at) = self
            .on_their_way
            .iter()
            .position(|(sent, _)| *sent == number)
        else {
            return false;
        };
        self.lose(at, now);
        let took = self.on_their_way.drain(..=at).next_back();
        let Some(took) = took.map(|(_, sent)| now.duration_since(sent)) else {
            return false;
        };
        self.alive = now;
        let is_late = took > self.rule.late;
        self.late_in_a_row = if is_late {
            self.late_in_a_row.saturating_add(1)
        } else {
            0
        };
        self.remember(Some(took), now);
        self.metrics.last = Some(took);
        self.metrics.sum += took;
        let within = |bound: &u64| took <= Duration::from_millis(*bound);
        let bucket = CANARY_BOUNDS_MS.iter().position(within);
        let bucket = bucket.unwrap_or(CANARY_BOUNDS_MS.len());
        if let Some(count) = self.metrics.counts.get_mut(bucket) {
            *count += 1;
        }
        true
    }

    fn lose(&mut self, count: usize, now: Instant) {
        for _ in 0..count {
            self.metrics.lost += 1;
            self.remember(None, now);
        }
    }

    fn remember(&mut self, took: Option<Duration>, now: Instant) {
        if self.hour.len() >= MAX_REMEMBERED {
            self.hour.pop_front();
        }
        self.hour.push_back((now, took));
    }

    /// How many messages in a row are overdue. Those that arrived since are newer than none of
    /// them.
    fn overdue(&self, now: Instant) -> u32 {
        let is_overdue = |(_, sent): &&(u64, Instant)| now.duration_since(*sent) >= self.rule.late;
        let overdue = self.on_their_way.iter().take_while(is_overdue).count();
        u32::try_from(overdue).unwrap_or(u32::MAX)
    }

    /// Whether so many messages in a row are missing, and nothing has arrived meanwhile: late
    /// messages still arrive.
    pub(super) fn misses(&self, count: u32, now: Instant) -> bool {
        let patience = self.rule.every * (count - 1) + self.rule.late;
        self.overdue(now) >= count && now.duration_since(self.alive) >= patience
    }

    /// The state, by the messages that arrived.
    pub(super) fn forwarding(&self) -> Forwarding {
        if self.late_in_a_row >= self.rule.misses {
            Forwarding::Late
        } else {
            Forwarding::Works
        }
    }

    /// When the next message is overdue.
    pub(super) fn next_overdue(&self, now: Instant) -> Option<Instant> {
        let due = self
            .on_their_way
            .iter()
            .map(|(_, sent)| *sent + self.rule.late);
        due.into_iter().find(|due| *due > now)
    }

    /// The metrics, with the state.
    pub(super) fn view(&mut self, forwarding: Forwarding, now: Instant) -> CanaryView {
        while self
            .hour
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > HOUR)
        {
            self.hour.pop_front();
        }
        let mut took: Vec<Duration> = self.hour.iter().filter_map(|(_, took)| *took).collect();
        took.sort_unstable();
        let rank =
            |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1));
        let lost = self.hour.len() - took.len();
        CanaryView {
            forwarding,
            median: rank(50).copied(),
            p99: rank(99).copied(),
            loss: share(lost, self.hour.len()),
            minutes: self.minutes(now),
            ..self.metrics.clone()
        }
    }
}

impl Beats {
    /// The minutes of the last hour, oldest first.
    fn minutes(&self, now: Instant) -> Arc<[CanaryMinute]> {
        let mut minutes: Vec<(Vec<Duration>, u32)> = vec![Default::default(); CANARY_MINUTES];
        for (at, took) in &self.hour {
            let ago = now.duration_since(*at).as_secs() / MINUTE.as_secs();
            let ago = usize::try_from(ago).unwrap_or(usize::MAX);
            let place = (CANARY_MINUTES - 1).checked_sub(ago);
            let Some((arrived, lost)) = place.and_then(|place| minutes.get_mut(place)) else {
                continue;
            };
            match took {
                Some(took) => arrived.push(*took),
                None => *lost += 1,
            }
        }
        let minute = |(mut arrived, lost): (Vec<Duration>, u32)| {
            let middle = arrived.len() / 2;
            CanaryMinute {
                arrived: u32::try_from(arrived.len()).unwrap_or(u32::MAX),
                lost,
                median: (middle < arrived.len()).then(|| *arrived.select_nth_unstable(middle).1),
            }
        };
        minutes.into_iter().map(minute).collect()
    }
}

/// A ratio of counts up to [`MAX_REMEMBERED`]; `None` if the whole is 0.
fn share(part: usize, whole: usize) -> Option<f64> {
    let (part, whole) = (u32::try_from(part).ok()?, u32::try_from(whole).ok()?);
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        every: Duration::from_secs(1),
        late: Duration::from_secs(1),
        misses: 3,
    };

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    fn beats() -> (Beats, Instant) {
        let start = Instant::now();
        (Beats::new(RULE, "t".to_owned(), start), start)
    }

    #[test]
    fn the_minutes_of_the_last_hour_are_distinguished() {
        let (mut beats, start) = beats();
        for (minute, took) in [(0, 10), (0, 30), (0, 20), (58, 700), (59, 5)] {
            let sent = after(start, minute * 60_000);
            let message = beats.send(sent);
            assert!(beats.receive(message.as_bytes(), sent + Duration::from_millis(took)));
        }
        beats.send(after(start, 59 * 60_000));
        let last = beats.send(after(start, 59 * 60_000 + 1_000));
        assert!(beats.receive(last.as_bytes(), after(start, 59 * 60_000 + 1_005)));
        let view = beats.view(Forwarding::Works, after(start, 59 * 60_000 + 2_000));
        assert_eq!(view.minutes.len(), CANARY_MINUTES);
        let minutes: Vec<(usize, CanaryMinute)> = (0..)
            .zip(view.minutes.iter().copied())
            .filter(|(_, minute)| minute.arrived + minute.lost > 0)
            .collect();
        let minute = |arrived, lost, millis| CanaryMinute {
            arrived,
            lost,
            median: Some(Duration::from_millis(millis)),
        };
        assert_eq!(
            minutes,
            [
                (0, minute(3, 0, 20)),
                (58, minute(1, 0, 700)),
                (59, minute(2, 1, 5))
            ]
        );
    }

    #[test]
    fn messages_are_found_among_those_of_others() {
        let (mut beats, start) = beats();
        let (first, second) = (beats.send(start), beats.send(after(start, 1_000)));
        assert!(!beats.receive(br#"{"canary":"other","number":0}"#, after(start, 1_001)));
        assert!(!beats.receive(b"\xff", after(start, 1_001)));
        assert!(beats.receive(format!("{first}{second}").as_bytes(), after(start, 1_020)));
        assert!(
            !beats.receive(second.as_bytes(), after(start, 1_030)),
            "once"
        );
        let view = beats.view(Forwarding::Works, after(start, 1_030));
        assert_eq!(
            (view.last, view.lost, view.loss),
            (Some(Duration::from_millis(20)), 0, Some(0.0))
        );
        assert_eq!(view.counts, [0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(view.p99, Some(Duration::from_millis(1_020)));
        assert_eq!(view.median, Some(Duration::from_millis(20)));
    }

    #[test]
    fn three_missing_in_a_row_are_found_after_their_time() {
        let (mut beats, start) = beats();
        for second in 0..=3 {
            assert!(
                !beats.misses(3, after(start, second * 1_000 - u64::from(second > 0))),
                "{second}"
            );
            beats.send(after(start, second * 1_000));
        }
        assert!(beats.misses(3, after(start, 3_000)));
        assert!(beats.receive(br#"{"canary":"t","number":3}"#, after(start, 3_010)));
        assert!(!beats.misses(1, after(start, 3_010)));
        let view = beats.view(Forwarding::Works, after(start, 3_010));
        assert_eq!((view.lost, view.loss), (3, Some(0.75)));
        assert_eq!(
            beats.view(Forwarding::Works, after(start, 4_000_000)).loss,
            None
        );
    }

    #[test]
    fn messages_that_arrive_late_are_late_and_not_missing() {
        let (mut beats, start) = beats();
        let delay = 2_500;
        for second in 0..20 {
            let now = after(start, second * 1_000);
            beats.send(now);
            if second >= 3 {
                let arrives = format!(r#"{{"canary":"t","number":{}}}"#, second - 3);
                assert!(beats.receive(
                    arrives.as_bytes(),
                    after(start, (second - 3) * 1_000 + delay)
                ));
                assert!(!beats.misses(3, now), "{second}");
            }
            let expected = if second >= 5 {
                Forwarding::Late
            } else {
                Forwarding::Works
            };
            assert_eq!(beats.forwarding(), expected, "{second}");
        }
    }

    #[test]
    fn what_is_on_its_way_is_bounded() {
        let (mut beats, start) = beats();
        for second in 0..100 {
            beats.send(after(start, second * 1_000));
        }
        assert_eq!(beats.on_their_way.len(), MAX_ON_THEIR_WAY);
        assert_eq!(beats.metrics.lost, 36);
        beats.start_over(after(start, 100_000));
        assert!(!beats.misses(1, after(start, 200_000)));
    }
}
