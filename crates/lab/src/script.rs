//! A timeline of faults with a sentence for each, which `labwatch demo` plays. Data only.

use std::time::Duration;

use crate::plan::{ExperimentPlan, Plan};
use crate::{Fault, Forwarding, HttpFault, Place, Server};

/// The experiment in the demonstration that appears without being listed in book.
const UNLISTED: &str = "newx00";

/// How often the flapping experiment loses its data, and the durations with and without data, in
/// seconds: each loss must be long enough to
/// count, and all of them must fall into the demonstration's time for flapping.
const FLAPS: usize = 6;
const GONE_FOR: u64 = 9;
const BACK_FOR: u64 = 4;

/// A fault, its time, and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How long after the step before.
    pub after: Duration,
    /// A sentence that describes it, without a full stop.
    pub say: String,
    /// The fault.
    pub fault: Fault,
}

/// Steps that are played in order, again and again. The last ones end the faults of the others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Script {
    /// The script of the demonstration: the faults of a real laboratory, one after another, on the
    /// plan's first experiments; empty for an empty plan.
    #[must_use]
    pub fn demo(plan: &Plan) -> Self {
        let Some(first) = plan.experiments.first() else {
            return Self::default();
        };
        let at = |index: usize| {
            plan.experiments
                .get(index % plan.experiments.len())
                .unwrap_or(first)
        };
        let mut script = Self::default();
        script.stream_faults(at(0), at(1));
        script.experiment_faults(at(2), at(3));
        script.students(at(4));
        script.flapping(at(5));
        script.server_faults();
        script
    }

    fn stream_faults(&mut self, one: &ExperimentPlan, other: &ExperimentPlan) {
        for (experiment, stream) in [one, other]
            .iter()
            .filter_map(|one| Some((one, one.streams.last()?)))
        {
            let (stub, topic) = (
                &experiment.stub,
                format!("{}-{}", experiment.stub, stream.key),
            );
            self.step(
                10,
                format!("{stub}'s camera freezes: {topic} is connected but sends nothing"),
                Fault::Silent(topic.clone()),
            );
            self.step(
                25,
                format!("{stub}'s camera is back"),
                Fault::Back(topic.clone()),
            );
            self.step(
                5,
                format!("{stub}'s video cable comes loose: {topic} disconnects"),
                Fault::Vanish(topic.clone()),
            );
            self.step(
                20,
                format!("{stub}'s video cable is plugged in"),
                Fault::Back(topic),
            );
        }
    }

    fn experiment_faults(&mut self, one: &ExperimentPlan, other: &ExperimentPlan) {
        let (one, other) = (&one.stub, &other.stub);
        self.step(
            10,
            format!("{one} loses its remote login"),
            Fault::Vanish(format!("{one}/jump")),
        );
        self.step(
            5,
            format!("{other}'s power cable is pulled"),
            Fault::Vanish(other.clone()),
        );
        self.step(
            25,
            format!("{other} is plugged in again"),
            Fault::Back(other.clone()),
        );
        self.step(
            5,
            format!("{one}'s remote login is back"),
            Fault::Back(format!("{one}/jump")),
        );
    }

    fn students(&mut self, experiment: &ExperimentPlan) {
        self.step(
            5,
            format!("{UNLISTED} appears, which book does not list"),
            Fault::Appears(UNLISTED.into()),
        );
        if let Some(resource) = &experiment.resource {
            let (stub, reason) = (&experiment.stub, "maintenance until Friday");
            self.step(
                5,
                format!("an admin withdraws {stub} by hand: {reason}"),
                Fault::Hold(resource.clone(), reason.into()),
            );
            self.step(
                20,
                format!("the admin gives {stub} back"),
                Fault::Release(resource.clone(), "maintenance done".into()),
            );
        }
        self.step(
            5,
            "an admin uploads the manifest, which makes everything bookable".into(),
            Fault::Upload,
        );
        self.step(5, format!("{UNLISTED} goes"), Fault::Goes(UNLISTED.into()));
    }

    /// The only experiment that flaps: the others fail too seldom for that.
    fn flapping(&mut self, experiment: &ExperimentPlan) {
        let Some(stream) = experiment.streams.first() else {
            return;
        };
        let (stub, topic) = (
            &experiment.stub,
            format!("{}-{}", experiment.stub, stream.key),
        );
        for number in 1..=FLAPS {
            let say = match number {
                1 => format!("{stub} has a bad cable: its data comes and goes"),
                _ => format!("{stub}'s data is gone again"),
            };
            self.step(BACK_FOR, say, Fault::Vanish(topic.clone()));
            let say = match number {
                FLAPS => format!("{stub}'s cable is replaced"),
                _ => format!("{stub}'s data is back"),
            };
            self.step(GONE_FOR, say, Fault::Back(topic.clone()));
        }
    }

    fn server_faults(&mut self) {
        self.step(
            30,
            "another client floods relay's topic of reports".into(),
            Fault::Flood(Server::Relay, 40),
        );
        self.step(
            15,
            "relay stops forwarding: it reports, and no message arrives any more".into(),
            Fault::Forwarding(Forwarding::Nothing),
        );
        self.step(
            30,
            "relay forwards messages again".into(),
            Fault::Forwarding(Forwarding::Works),
        );
        self.pages();
        self.step(25, "relay is killed".into(), Fault::Kill(Server::Relay));
        self.step(
            20,
            "relay is started again".into(),
            Fault::Start(Server::Relay),
        );
        self.step(
            25,
            "jump's hub gets stuck: it answers, but reports nothing".into(),
            Fault::Mute(Server::Jump, true),
        );
        self.step(25, "jump is killed".into(), Fault::Kill(Server::Jump));
        self.step(
            2,
            "jump is started again".into(),
            Fault::Start(Server::Jump),
        );
        self.step(
            20,
            "book is killed, and its manifest with it".into(),
            Fault::Kill(Server::Book),
        );
        self.step(
            10,
            "book is started again, empty".into(),
            Fault::Start(Server::Book),
        );
        self.step(15, "an admin uploads the manifest".into(), Fault::Upload);
    }

    fn pages(&mut self) {
        let every = || (Place::Api(Server::Pages), "/ui/".to_owned());
        let (place, path) = every();
        self.step(
            15,
            "the pages that students open answer 404".into(),
            Fault::Http(place, path, HttpFault::Page(404)),
        );
        let (place, path) = every();
        self.step(
            35,
            "the pages are there again".into(),
            Fault::Http(place, path, HttpFault::Works),
        );
    }

    fn step(&mut self, after_seconds: u64, say: String, fault: Fault) {
        self.steps.push(Step {
            after: Duration::from_secs(after_seconds),
            say,
            fault,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine::model::{Health, SourceName};
    use engine::{FlapRule, Policy, Record, Role, Route};
    use jiff::Timestamp;

    use super::*;
    use crate::{Deed, Event, Output, Simulator, Stage};

    /// How often the script is played in the test: for three hours.
    const ROUNDS: u32 = 25;

    fn demo_policy() -> Policy {
        let five = Duration::from_secs(5);
        Policy {
            startup: five,
            last_active: five,
            last_checked: five,
            settle: five * 2,
            flap: FlapRule {
                window: Duration::from_secs(90),
                ..FlapRule::default()
            },
            ..Policy::default()
        }
    }

    #[test]
    fn the_story_can_go_on_for_hours_and_flapping_stays_in_its_scene() {
        let plan = Plan::fleet(6);
        let script = Script::demo(&plan);
        let length: Duration = script.steps.iter().map(|step| step.after).sum();
        let mut stage = Stage::new(
            demo_policy(),
            vec![Route::everybody()],
            Timestamp::UNIX_EPOCH,
            Simulator::default(),
        );
        let mut at = |time, deed| stage.plan.at(time, Event::Do(deed));
        for experiment in &plan.experiments {
            let keys = experiment.streams.iter().map(|stream| stream.key.clone());
            let deed = Deed::Experiment(experiment.stub.clone(), keys.collect());
            at(Duration::ZERO, deed);
        }
        at(Duration::ZERO, Deed::Role(Role::Leader));
        at(
            Duration::ZERO,
            Deed::Every(SourceName::Book, Duration::from_secs(5)),
        );
        let mut time = Duration::ZERO;
        for _ in 0..ROUNDS {
            for step in &script.steps {
                time += step.after;
                at(time, Deed::Fault(step.fault.clone()));
            }
        }
        Simulator::begin(&mut stage.plan);
        stage.run_until(length * ROUNDS + Duration::from_secs(15));
        let mut flapped = BTreeSet::new();
        let mut times = 0;
        for (_, output) in &stage.world.log {
            if let Output::Record(Record::Event { stub, event }) = output
                && event.health == Health::Flapping
            {
                flapped.insert(stub.to_string());
                times += 1;
            }
        }
        assert_eq!(flapped, BTreeSet::from(["trus01".to_owned()]));
        assert_eq!(times, ROUNDS, "once in each round");
        let counts = stage.engine.snapshot().counts;
        assert_eq!((counts.ok, counts.unlisted), (6, 1), "{counts:?}");
    }
}
