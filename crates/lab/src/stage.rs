//! An engine in virtual time: events around it happen in order, deadlines are met exactly, and
//! nothing waits.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use engine::model::Moment;
use engine::{Effect, Engine, Input, Policy, Record, Route, Rules, State, StateChange, Step};

/// The environment of the engine: it makes events happen, and answers what the engine asks for.
pub trait World {
    /// An event at a planned time.
    type Event;

    /// Lets an event happen. Returns the resulting inputs of the engine.
    fn happen(&mut self, event: Self::Event, plan: &mut Timeline<Self::Event>) -> Vec<Input>;

    /// Stores changes of the durable state. A world in which no engine is restarted has no need to.
    fn keep(&mut self, _changes: Vec<StateChange>) {}

    /// Keeps a record.
    fn record(&mut self, record: Record, plan: &Timeline<Self::Event>);

    /// Takes an effect of the engine; answers are planned for later.
    fn act(&mut self, effect: Effect, plan: &mut Timeline<Self::Event>);
}

/// The virtual time, and the planned events.
#[derive(Debug)]
pub struct Timeline<E> {
    origin: Timestamp,
    elapsed: Duration,
    shift: SignedDuration,
    queue: BTreeMap<(Duration, u64), E>,
    planned: u64,
}

impl<E> Timeline<E> {
    fn new(origin: Timestamp) -> Self {
        Self {
            origin,
            elapsed: Duration::ZERO,
            shift: SignedDuration::ZERO,
            queue: BTreeMap::new(),
            planned: 0,
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        let origin = self.origin.checked_add(self.shift).unwrap_or(self.origin);
        Moment::new(origin, Duration::ZERO) + self.elapsed
    }

    /// Plans an event for this long after the start; a past one happens at once. Equal times keep
    /// their order.
    pub fn at(&mut self, elapsed: Duration, event: E) {
        self.planned += 1;
        self.queue
            .insert((elapsed.max(self.elapsed), self.planned), event);
    }

    /// Plans an event for this long after the present time.
    pub fn after(&mut self, wait: Duration, event: E) {
        self.at(self.elapsed.saturating_add(wait), event);
    }

    /// Sets the wall clock forth or back, as an operator or NTP does. The virtual time runs on.
    pub fn set_clock(&mut self, by: SignedDuration) {
        self.shift = self.shift.saturating_add(by);
    }

    fn next_at(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }
}

/// What advanced the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Something happened in the world.
    Event,
    /// The engine's own deadline was reached.
    Wake,
}

/// An engine with a world around it.
#[derive(Debug)]
pub struct Stage<W: World> {
    /// The engine.
    pub engine: Engine,
    /// Its environment.
    pub world: W,
    /// The virtual time.
    pub plan: Timeline<W::Event>,
}

impl<W: World> Stage<W> {
    /// A stage whose time starts when the wall clock shows `origin`.
    pub fn new(policy: Policy, routes: Vec<Route>, origin: Timestamp, world: W) -> Self {
        let plan = Timeline::new(origin);
        Self {
            engine: Engine::resume(Rules::new(policy, routes), &State::new(), plan.now()),
            world,
            plan,
        }
    }

    /// Runs to the end of this time, counted from the start.
    pub fn run_until(&mut self, end: Duration) {
        while self.advance(end).is_some() {}
    }

    /// Lets the world run to the end of this time while no engine runs. Inputs to the engine are
    /// lost.
    pub fn idle_until(&mut self, end: Duration) {
        while self.plan.next_at().is_some_and(|at| at <= end) {
            if let Some(((at, _), event)) = self.plan.queue.pop_first() {
                self.plan.elapsed = self.plan.elapsed.max(at);
                self.world.happen(event, &mut self.plan);
            }
        }
        self.plan.elapsed = self.plan.elapsed.max(end);
    }

    /// Runs to the next event, if that is not after `end`; otherwise to `end` and returns `None`.
    /// An event at the time of a deadline comes
    /// before it.
    pub fn advance(&mut self, end: Duration) -> Option<Moved> {
        let deadline = self.engine.next_deadline().map(Moment::mono);
        let planned = self.plan.next_at();
        let Some(next) = [deadline, planned]
            .into_iter()
            .flatten()
            .min()
            .filter(|at| *at <= end)
        else {
            self.plan.elapsed = self.plan.elapsed.max(end);
            return None;
        };
        self.plan.elapsed = self.plan.elapsed.max(next);
        if planned != Some(next) {
            self.step(Input::Wake);
            return Some(Moved::Wake);
        }
        if let Some((_, event)) = self.plan.queue.pop_first() {
            for input in self.world.happen(event, &mut self.plan) {
                self.step(input);
            }
        }
        Some(Moved::Event)
    }

    fn step(&mut self, input: Input) {
        let Step {
            changes,
            records,
            effects,
        } = self.engine.step(input, self.plan.now());
        self.world.keep(changes);
        for record in records {
            self.world.record(record, &self.plan);
        }
        for effect in effects {
            self.world.act(effect, &mut self.plan);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::model::SourceName;

    /// A world that keeps what happened when.
    #[derive(Default)]
    struct BookingHistory(Vec<(u64, String)>);

    impl World for BookingHistory {
        type Event = &'static str;

        fn happen(&mut self, event: Self::Event, plan: &mut Timeline<Self::Event>) -> Vec<Input> {
            self.0.push((plan.now().mono().as_secs(), event.to_owned()));
            Vec::new()
        }

        fn record(&mut self, _: Record, _: &Timeline<Self::Event>) {}

        fn act(&mut self, effect: Effect, plan: &mut Timeline<Self::Event>) {
            if effect == Effect::Ask(SourceName::Book) {
                self.0.push((
                    plan.now().mono().as_secs(),
                    "the engine asks book".to_owned(),
                ));
                plan.after(Duration::from_secs(2), "an answer");
            }
        }
    }

    #[test]
    fn things_happen_in_order_and_deadlines_are_met_between_them() {
        let mut stage = Stage::new(
            Policy::default(),
            Vec::new(),
            Timestamp::UNIX_EPOCH,
            BookingHistory::default(),
        );
        for (second, event) in [
            (31, "third"),
            (10, "first"),
            (10, "second"),
            (99, "too late"),
        ] {
            stage.plan.at(Duration::from_secs(second), event);
        }
        stage.run_until(Duration::from_secs(60));
        let expected = [
            (10, "first"),
            (10, "second"),
            (30, "the engine asks book"),
            (30, "the engine asks book"),
            (31, "third"),
            (32, "an answer"),
            (32, "an answer"),
        ];
        assert_eq!(
            stage.world.0,
            expected.map(|(at, what)| (at, what.to_owned()))
        );
        assert_eq!(stage.plan.now().wall().as_second(), 60);
    }

    #[test]
    fn the_wall_clock_can_be_set() {
        let mut stage = Stage::new(
            Policy::default(),
            Vec::new(),
            Timestamp::UNIX_EPOCH,
            BookingHistory::default(),
        );
        stage.run_until(Duration::from_secs(10));
        stage.plan.set_clock(SignedDuration::from_secs(-7));
        let now = stage.plan.now();
        assert_eq!((now.wall().as_second(), now.mono().as_secs()), (3, 10));
    }
}
