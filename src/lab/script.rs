//! A timeline of faults with a sentence for each: what `labwatch demo` shows. Data, and one loop that plays it.

use std::time::Duration;

use tokio::time::sleep;

use super::Lab;
use super::error::{LabError, Server};
use super::plan::{ExperimentPlan, Plan};

/// The name of the experiment that turns up in the demonstration without being listed in book.
const STRANGER: &str = "newx00";

/// Something that is done to the laboratory.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// [`Lab::stream_silent`]
    StreamSilent(String),
    /// [`Lab::stream_vanishes`]
    StreamVanishes(String),
    /// [`Lab::stream_back`]
    StreamBack(String),
    /// [`Lab::jump_lost`]
    JumpLost(String),
    /// [`Lab::jump_back`]
    JumpBack(String),
    /// [`Lab::power_off`]
    PowerOff(String),
    /// [`Lab::power_on`]
    PowerOn(String),
    /// [`Lab::experiment_appears`]
    Appears(ExperimentPlan),
    /// [`Lab::experiment_goes`]
    Goes(String),
    /// [`Lab::hold`], with the reason.
    Hold(String, String),
    /// [`Lab::release`], with the reason.
    Release(String, String),
    /// [`Lab::upload_manifest`]
    UploadManifest,
    /// [`Lab::kill`]
    Kill(Server),
    /// [`Lab::start_again`]
    StartAgain(Server),
    /// [`Lab::mute`], on or off.
    Mute(Server, bool),
    /// [`Lab::flood`], with the number of updates.
    Flood(Server, usize),
}

/// A fault, when it comes, and how to say it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How long after the step before.
    pub after: Duration,
    /// A sentence for people, without a full stop.
    pub say: String,
    /// What is done.
    pub fault: Fault,
}

/// Steps that are played in order, again and again. The last ones put right what the others broke.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Script {
    /// What the demonstration plays: the faults of a real laboratory, one after another, on the plan's first experiments; empty for an empty plan.
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
        script.people(at(4));
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
                Fault::StreamSilent(topic.clone()),
            );
            self.step(
                25,
                format!("{stub}'s camera is back"),
                Fault::StreamBack(topic.clone()),
            );
            self.step(
                5,
                format!("{stub}'s video cable comes loose: {topic} disconnects"),
                Fault::StreamVanishes(topic.clone()),
            );
            self.step(
                20,
                format!("somebody plugs {stub}'s video cable in"),
                Fault::StreamBack(topic),
            );
        }
    }

    fn experiment_faults(&mut self, one: &ExperimentPlan, other: &ExperimentPlan) {
        let (one, other) = (&one.stub, &other.stub);
        self.step(
            10,
            format!("{one} loses its remote login"),
            Fault::JumpLost(one.clone()),
        );
        self.step(
            5,
            format!("somebody trips over {other}'s power cable"),
            Fault::PowerOff(other.clone()),
        );
        self.step(
            25,
            format!("{other} is plugged in again"),
            Fault::PowerOn(other.clone()),
        );
        self.step(
            5,
            format!("{one}'s remote login is back"),
            Fault::JumpBack(one.clone()),
        );
    }

    fn people(&mut self, experiment: &ExperimentPlan) {
        let stranger = ExperimentPlan::unlisted(STRANGER);
        self.step(
            5,
            format!("{STRANGER} appears, which book does not list"),
            Fault::Appears(stranger),
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
            Fault::UploadManifest,
        );
        self.step(5, format!("{STRANGER} goes"), Fault::Goes(STRANGER.into()));
    }

    fn server_faults(&mut self) {
        self.step(
            10,
            "another client floods relay's topic of reports".into(),
            Fault::Flood(Server::Relay, 40),
        );
        self.step(10, "relay is killed".into(), Fault::Kill(Server::Relay));
        self.step(
            20,
            "relay is started again".into(),
            Fault::StartAgain(Server::Relay),
        );
        self.step(
            25,
            "jump's hub gets stuck: it answers, but reports nothing".into(),
            Fault::Mute(Server::Jump, true),
        );
        self.step(25, "somebody kills jump".into(), Fault::Kill(Server::Jump));
        self.step(
            2,
            "jump is started again".into(),
            Fault::StartAgain(Server::Jump),
        );
        self.step(
            20,
            "book is killed, and its manifest with it".into(),
            Fault::Kill(Server::Book),
        );
        self.step(
            10,
            "book is started again, empty".into(),
            Fault::StartAgain(Server::Book),
        );
        self.step(
            15,
            "an admin uploads the manifest".into(),
            Fault::UploadManifest,
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

impl Lab {
    /// Does what the fault says.
    ///
    /// # Errors
    /// As the method that the fault stands for.
    pub async fn cause(&self, fault: &Fault) -> Result<(), LabError> {
        match fault {
            Fault::StreamSilent(topic) => self.stream_silent(topic),
            Fault::StreamVanishes(topic) => self.stream_vanishes(topic),
            Fault::StreamBack(topic) => self.stream_back(topic),
            Fault::JumpLost(stub) => self.jump_lost(stub),
            Fault::JumpBack(stub) => self.jump_back(stub),
            Fault::PowerOff(stub) => self.power_off(stub),
            Fault::PowerOn(stub) => self.power_on(stub),
            Fault::Goes(stub) => self.experiment_goes(stub),
            Fault::Hold(resource, reason) => self.hold(resource, reason),
            Fault::Release(resource, reason) => self.release(resource, reason),
            Fault::StartAgain(server) => self.start_again(*server).await,
            Fault::Mute(server, mute) => self.mute(*server, *mute),
            Fault::Flood(server, updates) => self.flood(*server, *updates),
            Fault::Appears(plan) => {
                self.experiment_appears(plan);
                Ok(())
            }
            Fault::UploadManifest => {
                self.upload_manifest();
                Ok(())
            }
            Fault::Kill(server) => {
                self.kill(*server).await;
                Ok(())
            }
        }
    }

    /// Plays a script again and again, telling of each step as it is done; at once for an empty one.
    ///
    /// # Errors
    /// That of the first step that fails; the script stops there.
    pub async fn play(&self, script: &Script, tell: impl Fn(&Step)) -> Result<(), LabError> {
        while !script.steps.is_empty() {
            self.play_once(script, &tell).await?;
        }
        Ok(())
    }

    /// Plays it once.
    ///
    /// # Errors
    /// That of the first step that fails; the script stops there.
    pub async fn play_once(&self, script: &Script, tell: impl Fn(&Step)) -> Result<(), LabError> {
        for step in &script.steps {
            sleep(step.after).await;
            tell(step);
            self.cause(&step.fault).await?;
        }
        Ok(())
    }
}
