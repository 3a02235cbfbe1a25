//! The simulated laboratory under short names.

#[allow(unused_imports, reason = "not every test uses all of it")]
pub use lab::{Deed, Event, Fault, Mood, Output, Simulator as Lab, Wanted};

use engine::model::{ResourceName, SourceName};
use lab::Server;

pub fn resource(name: &str) -> ResourceName {
    ResourceName::try_new(name).expect("a resource's name")
}

/// A source as a server.
pub fn server(name: SourceName) -> Server {
    match name {
        SourceName::Book => Server::Book,
        SourceName::Jump => Server::Jump,
        SourceName::Relay => Server::Relay,
    }
}

/// The fault of this text, as a deed.
pub fn fault(text: &str) -> Deed {
    Deed::Fault(text.parse().expect("a fault"))
}
