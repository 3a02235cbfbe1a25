//! A simulated laboratory. The model (experiments, book) is pure and has a virtual clock; `servers`
//! puts it on real sockets as book, jump,
//! relay and a mail server that speak the real protocols. All faults are listed once, in [`Fault`].

mod fault;
mod http_fault;
mod model;
mod plan;
mod script;
#[cfg(feature = "servers")]
mod servers;
mod simulator;
mod stage;

pub use fault::{Fault, Forwarding, Place, Server, UnknownFault};
pub use http_fault::HttpFault;
pub use model::{Book, Fleet, Frame, Link, Manifest, Resource, Role, Stream, Tally, expiry};
pub use plan::{Audiences, ExperimentPlan, Plan, Ports, RelayVersion, Secrets, StreamPlan};
pub use script::{Script, Step};
#[cfg(feature = "servers")]
pub use servers::{
    Answer, AwkwardSetup, AwkwardSmtp, Called, CaughtMail, GREETING, Lab, LabError, MailCatcher,
    MailMood, Rule, Switched, TakenMail,
};
pub use simulator::{Deed, Event, Mood, Output, Simulator, Wanted};
pub use stage::{Moved, Stage, Timeline, World};
