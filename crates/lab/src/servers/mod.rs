//! The laboratory on real sockets: book, jump and relay, speaking their real protocols, the pages that students open, and a server that
//! catches mail.
//!
//! It never reaches beyond 127.0.0.1.

mod access;
mod apply;
mod awkward_smtp;
mod book;
mod bookings;
mod calls;
mod codes;
mod door;
mod error;
mod frames;
mod http;
mod hub;
mod mail;
mod pages;
mod play;
mod quirks;
mod report;
mod reporter;
mod shorthand;
mod smtp_script;
mod socket;
mod station;
#[cfg(test)]
mod tests;
mod token;

pub use awkward_smtp::{AwkwardSetup, AwkwardSmtp, TakenMail};
pub use book::Switched;
pub use calls::Called;
pub use error::LabError;
pub use mail::{CaughtMail, MailCatcher, MailMood};
pub use smtp_script::{Answer, GREETING, Rule};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use crate::Server;
use crate::model::{Fleet, Manifest, Resource};
use crate::plan::{ExperimentPlan, Plan};
use book::BookServer;
use hub::{Hub, Kind, Pace, STATS, SharedFleet};
use pages::PagesServer;
use station::{Setup, Station};

/// The sender of mails to the maintainers of the simulated laboratory, and their addresses.
const MAIL_FROM: &str = "labwatch@lab.example";
const MAIL_TO: &str = "maintainers@lab.example";

/// A running laboratory. Everything stops when it is dropped; faults are applied by [`Lab::cause`].
pub struct Lab {
    plan: Plan,
    fleet: SharedFleet,
    relay: Station,
    jump: Station,
    book: BookServer,
    mail: MailCatcher,
    pages: PagesServer,
}

impl Lab {
    /// Starts all servers, connects the experiments and uploads their manifest.
    ///
    /// # Errors
    /// [`LabError::Port`] when a port of the plan is taken.
    pub async fn start(plan: Plan) -> Result<Self, LabError> {
        let fleet = Arc::new(Mutex::new(Fleet::new(&plan.experiments, Timestamp::now())));
        let relay = Station::start(relay_setup(&plan, Arc::clone(&fleet))).await?;
        let jump = Station::start(jump_setup(&plan, Arc::clone(&fleet))).await?;
        let pages = PagesServer::start(plan.ports.pages).await?;
        let book = BookServer::start(&plan, &pages.address()).await?;
        let mail = MailCatcher::start_on(plan.ports.mail).await?;
        let lab = Self {
            plan,
            fleet,
            relay,
            jump,
            book,
            mail,
            pages,
        };
        lab.upload_manifest();
        Ok(lab)
    }

    /// Stops everything and waits until it has.
    pub async fn stop(self) {
        for server in Server::ALL {
            self.kill(server).await;
        }
    }

    /// The environment that makes labwatch watch this laboratory.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut set =
            |name: &str, value: &str| variables.push((format!("STATUS_{name}"), value.to_owned()));
        let servers = [
            ("RELAY", self.relay.host(), &self.plan.secrets.relay),
            ("JUMP", self.jump.host(), &self.plan.secrets.jump),
            ("BOOK", self.book.host(), &self.plan.secrets.book),
        ];
        for (server, host, secret) in servers {
            set(&format!("SCHEME_{server}"), "http");
            set(&format!("HOST_{server}"), &host);
            set(&format!("BASEPATH_{server}"), "/");
            set(&format!("SECRET_{server}"), secret);
        }
        let port = self.mail.addr().port().to_string();
        let mail = [
            ("HOST", "127.0.0.1"),
            ("PORT", &port),
            ("AUTH_TYPE", "none"),
            ("TLS", "none"),
            ("FROM", MAIL_FROM),
            ("TO", MAIL_TO),
        ];
        for (name, value) in mail {
            set(&format!("EMAIL_{name}"), value);
        }
        variables
    }

    /// The address of a server's HTTP API, for example `http://127.0.0.1:3000`; book's and jump's
    /// are under `/api/v1` there.
    pub fn address(&self, server: Server) -> String {
        match server {
            Server::Book => format!("http://{}", self.book.host()),
            Server::Jump => format!("http://{}", self.jump.host()),
            Server::Relay => format!("http://{}", self.relay.host()),
            Server::Mail => format!("smtp://{}", self.mail.addr()),
            Server::Pages => self.pages.address(),
        }
    }

    /// A server's audience (`aud`); empty for mail.
    pub fn audience(&self, server: Server) -> &str {
        match server {
            Server::Book => self.book.audience(),
            Server::Jump => self.jump.audience(),
            Server::Relay => self.relay.audience(),
            Server::Mail | Server::Pages => "",
        }
    }

    /// The plan of the laboratory.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The mail catcher.
    pub fn mail(&self) -> &MailCatcher {
        &self.mail
    }

    /// The manifest that belongs to the plan.
    pub fn manifest(&self) -> Manifest {
        let listed =
            self.plan.experiments.iter().filter_map(|experiment| {
                Some((experiment.resource.clone()?, resource_of(experiment)))
            });
        listed.collect()
    }

    /// Whether a resource can be booked, and the reason as book stores it.
    pub fn availability(&self, resource: &str) -> Option<(bool, String)> {
        self.book.availability(resource)
    }

    /// Every switch of a resource over HTTP so far, oldest first.
    pub fn switched(&self) -> Vec<Switched> {
        self.book.journal()
    }

    /// Every call that book got so far, oldest first.
    pub fn called(&self) -> Vec<Called> {
        self.book.called()
    }

    /// Every request for a page so far, oldest first, as method and address without the host.
    pub fn page_requests(&self) -> Vec<String> {
        self.pages.requests()
    }

    /// How many clients are connected for a server's reports.
    pub fn listeners(&self, server: Server) -> usize {
        match server {
            Server::Jump => self.jump.hub.listeners(STATS),
            Server::Relay => self.relay.hub.listeners(STATS),
            Server::Book | Server::Mail | Server::Pages => 0,
        }
    }

    /// How many clients are connected to one of relay's streams, simulated students not counted.
    pub fn samplers(&self, topic: &str) -> usize {
        self.relay.hub.listeners(topic)
    }
}

fn relay_setup(plan: &Plan, fleet: SharedFleet) -> Setup {
    let pace = Pace {
        every: plan.relay_every,
        pause: plan.relay_pause,
    };
    Setup {
        server: Server::Relay,
        hub: Hub::new(Kind::Relay(plan.relay), pace, fleet),
        audience: plan.audiences.relay.clone(),
        secret: plan.secrets.relay.clone(),
        allow_no_booking_id: plan.allow_no_booking_id,
        access_port: plan.ports.relay_access,
        socket_port: plan.ports.relay_socket,
    }
}

fn jump_setup(plan: &Plan, fleet: SharedFleet) -> Setup {
    let pace = Pace {
        every: plan.jump_every,
        pause: Duration::ZERO,
    };
    Setup {
        server: Server::Jump,
        hub: Hub::new(Kind::Jump, pace, fleet),
        audience: plan.audiences.jump.clone(),
        secret: plan.secrets.jump.clone(),
        allow_no_booking_id: true,
        access_port: plan.ports.jump_access,
        socket_port: plan.ports.jump_socket,
    }
}

fn resource_of(experiment: &ExperimentPlan) -> Resource {
    let required = experiment.streams.iter().filter(|stream| stream.required);
    let keys: Vec<&str> = required.map(|stream| stream.key.as_str()).collect();
    Resource::new(&experiment.stub, &keys)
}
