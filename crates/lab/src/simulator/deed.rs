//! Actions in a timeline of the simulator: faults, changes of the laboratory, and commands to
//! labwatch. Data only.

use std::time::Duration;

use engine::model::{ResourceName, SourceName};
use engine::{
    Command, Input, Link, NamePattern, Order, PageOutcome, Role, Rules, Schedule, Scope,
    SuppressionId,
};
use jiff::Timestamp;

use crate::Fault;

/// An action on the laboratory or on labwatch.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A fault, or its end. Those that only sockets have are not among them: see [`Simulator::can`](crate::Simulator::can).
    Fault(Fault),
    /// Adds an experiment, with these streams and a jump connection, and puts it into the manifest
    /// as `r-<stub>`.
    Experiment(String, Vec<String>),
    /// Puts a resource into the manifest: name, stub, stream keys.
    List(String, String, Vec<String>),
    /// Takes a resource out of the manifest.
    Unlist(String),
    /// The connection to a source ends, and every attempt from then on has this result, until it
    /// starts.
    Fails(SourceName, Link),
    /// relay's reports have entries with strange topics.
    Junk(bool),
    /// How often a source reports, or is polled.
    Every(SourceName, Duration),
    /// Whether relay's reports carry statistics.
    Statistics(bool),
    /// Book is polled now.
    Poll,
    /// How long a switch takes.
    SwitchesTake(Duration),
    /// Whether switches fail.
    SwitchesFail(bool),
    /// How long a mail takes.
    MailTakes(Duration),
    /// The outcome of sending, on every route.
    Mail(Mood),
    /// The outcome of sending on this route alone.
    Route(String, Mood),
    /// The outcome of samples.
    Samples(Mood),
    /// book's manifest has pages from now on: one for each kind of experiment.
    Pages,
    /// The outcome of every check of a page, whatever the state of the pages; `None`: by their
    /// state.
    PagesShow(Option<PageOutcome>),
    /// There is a canary from now on.
    Canary,
    /// The wall clock is set, by so many seconds.
    Clock(i64),
    /// This replica leads or follows from now on.
    Role(Role),
    /// The configuration is reloaded.
    Adopt(Box<Rules>),
    /// Ann gives a command; its times count from now.
    Command(Wanted),
}

/// A command of a maintainer, by names and lengths.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// Acknowledges experiments, a component (`relay/source`), or everything (`all`), for so long
    /// if that is given.
    Acknowledge(String, Option<Duration>),
    /// Takes it back.
    Unacknowledge(String),
    /// Silences experiments.
    Silence(String, Duration),
    /// Plans maintenance.
    Maintain(String, Schedule),
    /// Removes a silence or maintenance.
    Remove(u64),
    /// Withdraws a resource for this reason.
    Hold(String, String),
    /// Makes it available.
    Enable(String),
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It works.
    Works,
    /// It fails for now.
    Fails,
    /// Refused for good (mail).
    Refuses,
}

/// The command, given at this time; `None` for a name that labwatch would reject.
pub(super) fn ordered(wanted: Wanted, now: Timestamp) -> Option<Input> {
    let until = |length: Duration| now.checked_add(length).ok();
    let pattern = |name: &str| NamePattern::try_new(name).ok();
    let resource = |name: &str| ResourceName::try_new(name).ok();
    let command = match wanted {
        Wanted::Acknowledge(name, length) => Command::Acknowledge {
            scope: scope(&name)?,
            text: "I know".to_owned(),
            until: length.and_then(until),
        },
        Wanted::Unacknowledge(name) => Command::Unacknowledge {
            scope: scope(&name)?,
        },
        Wanted::Silence(name, length) => Command::Silence {
            pattern: pattern(&name)?,
            until: until(length)?,
            reason: "new cables".to_owned(),
        },
        Wanted::Maintain(name, schedule) => Command::Maintain {
            pattern: pattern(&name)?,
            schedule,
            reason: "cleaning".to_owned(),
        },
        Wanted::Remove(id) => Command::Remove {
            id: SuppressionId(id),
        },
        Wanted::Hold(name, reason) => Command::Hold {
            resource: resource(&name)?,
            reason,
        },
        Wanted::Enable(name) => Command::Enable {
            resource: resource(&name)?,
        },
    };
    Some(Input::Command(Order {
        command,
        by: "ann".to_owned(),
    }))
}

fn scope(name: &str) -> Option<Scope> {
    match name.strip_suffix("/source") {
        Some(source) => Some(Scope::Component(source.to_owned())),
        None if name == "all" => Some(Scope::Installation),
        None => NamePattern::try_new(name).ok().map(Scope::Experiments),
    }
}
