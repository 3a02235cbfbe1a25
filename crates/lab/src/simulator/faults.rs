//! Faults in the simulator.

use std::time::Duration;

use engine::model::{CallError, ConnectError, SourceName};
use engine::{Input, Link};

use super::{Event, Simulator, steady};
use crate::{Fault, Forwarding, Place, Server, Timeline};

/// How long the experiments take to return to a restarted server, and how far apart they come.
const RETURN_WITHIN: Duration = Duration::from_secs(8);
const RETURN_APART: Duration = Duration::from_millis(700);

/// How often the client tries a source that fails.
const TRIES_EVERY: Duration = Duration::from_secs(20);

impl Simulator {
    /// Whether a fault can be simulated without sockets.
    #[must_use]
    pub fn can(fault: &Fault) -> bool {
        match fault {
            Fault::Vanish(_)
            | Fault::Back(_)
            | Fault::Silent(_)
            | Fault::Sends(_)
            | Fault::Twin(_)
            | Fault::Untwin(_)
            | Fault::Join(_)
            | Fault::Leave(_)
            | Fault::Appears(_)
            | Fault::Goes(_)
            | Fault::Forwarding(_)
            | Fault::Hold(..)
            | Fault::Release(..)
            | Fault::Upload
            | Fault::UploadNothing
            | Fault::UploadBookings => true,
            Fault::Kill(server) | Fault::Start(server) => *server != Server::Mail,
            Fault::Http(place, ..) => *place == Place::Api(Server::Pages),
            Fault::Blink(server) | Fault::Mute(server, _) | Fault::LeaveOut(server, _) => {
                matches!(server, Server::Relay | Server::Jump)
            }
            Fault::Freeze(server, _) => *server == Server::Book,
            Fault::Refuse(..)
            | Fault::RefuseSockets(..)
            | Fault::RefuseTokens(..)
            | Fault::Secret(..)
            | Fault::Clock(..)
            | Fault::Flood(..)
            | Fault::Junk(_)
            | Fault::Unreadable(..)
            | Fault::Garbled(..)
            | Fault::CloseAfterReport(..)
            | Fault::Deny(_) => false,
        }
    }

    /// A fault that cannot be simulated, or that names nothing, changes nothing.
    pub(super) fn apply(&mut self, fault: &Fault, plan: &mut Timeline<Event>) -> Vec<Input> {
        let now = steady(plan.now().mono());
        if let Fault::Back(topic) = fault
            && topic.contains("-st-")
            && self.fleet.stream(topic).is_none()
        {
            self.fleet.add_stray(topic, now);
        }
        if self.fleet.apply(fault, now).is_some() {
            return Vec::new();
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others need sockets")]
        match fault {
            Fault::Kill(Server::Book) => {
                self.book.restart();
                self.fail_book(true, plan);
            }
            Fault::Start(Server::Book) => self.fail_book(false, plan),
            Fault::Kill(Server::Pages) => self.pages.refuse = true,
            Fault::Start(Server::Pages) => self.pages.refuse = false,
            Fault::Http(Place::Api(Server::Pages), path, how) => self.pages.set(path, how),
            Fault::Kill(server) => {
                return named(*server).map_or_else(Vec::new, |name| self.dies(name));
            }
            Fault::Start(server) => {
                if let Some(name) = named(*server) {
                    self.starts(name, plan);
                }
            }
            Fault::Blink(server) => {
                if let Some(name) = named(*server) {
                    self.source(name).started += 1;
                }
            }
            Fault::Mute(server, mute) => {
                if let Some(name) = named(*server) {
                    self.source(name).mute = *mute;
                }
            }
            Fault::LeaveOut(server, count) => {
                if let Some(name) = named(*server) {
                    self.source(name).leaves_out = *count;
                }
            }
            Fault::Freeze(Server::Book, frozen) => self.fail_book(*frozen, plan),
            Fault::Forwarding(forwarding) => self.forwarding = forwarding.clone(),
            Fault::Hold(name, reason) => drop(self.book.set(name, false, reason)),
            Fault::Release(name, reason) => drop(self.book.set(name, true, reason)),
            Fault::Upload => self.book.upload(&self.manifest, "Loaded again"),
            Fault::UploadNothing => self.book.restart(),
            Fault::UploadBookings => self.book.reset("new"),
            _ => {}
        }
        Vec::new()
    }

    fn fail_book(&mut self, fails: bool, plan: &mut Timeline<Event>) {
        self.book_fails = fails;
        self.book_ticks += 1;
        let tick = Event::Tick(SourceName::Book, self.book_ticks);
        plan.after(Duration::ZERO, tick);
    }

    fn dies(&mut self, name: SourceName) -> Vec<Input> {
        self.source(name).up = false;
        let closed = Input::Link(name, Link::Closed("reset by peer".to_owned()));
        let failed = Input::Link(
            name,
            Link::Failed(ConnectError::access(CallError::Refused(
                "connection refused".to_owned(),
            ))),
        );
        vec![closed, failed]
    }

    /// It is connected as before, and cannot be reached from here.
    pub(super) fn fails(
        &mut self,
        name: SourceName,
        link: Link,
        plan: &mut Timeline<Event>,
    ) -> Vec<Input> {
        let source = self.source(name);
        let was_up = std::mem::replace(&mut source.up, false);
        source.failures += 1;
        source.fails = Some(link);
        let failures = source.failures;
        let mut inputs = self.tries(name, failures, plan);
        if was_up {
            let closed = Link::Closed("reset by peer".to_owned());
            inputs.insert(0, Input::Link(name, closed));
        }
        inputs
    }

    /// One attempt after the other. What cannot be read comes over an open connection.
    pub(super) fn tries(
        &mut self,
        name: SourceName,
        failures: u32,
        plan: &mut Timeline<Event>,
    ) -> Vec<Input> {
        let source = self.source(name);
        let is_this = source.failures == failures;
        let Some(link) = source.fails.clone().filter(|_| is_this) else {
            return Vec::new();
        };
        plan.after(TRIES_EVERY, Event::Tries(name, failures));
        let mut links = vec![Link::Connecting];
        if matches!(
            link,
            Link::Unreadable(_) | Link::Closed(_) | Link::Broken(_)
        ) {
            links.push(Link::Open);
        }
        links.push(link);
        let inputs = links.into_iter().map(|link| Input::Link(name, link));
        inputs.collect()
    }

    /// What was connected comes back one after the other.
    fn starts(&mut self, name: SourceName, plan: &mut Timeline<Event>) {
        let source = self.source(name);
        (source.up, source.mute, source.fails) = (true, false, None);
        source.started += 1;
        let now = steady(plan.now().mono());
        let mut next = Duration::ZERO;
        let wait = || {
            let wait = next;
            next += RETURN_APART;
            if next >= RETURN_WITHIN {
                next -= RETURN_WITHIN;
            }
            wait
        };
        if name == SourceName::Jump {
            self.fleet.return_to_jump(now, wait);
        } else {
            self.forwarding = Forwarding::Works;
            self.fleet.return_to_relay(now, wait);
        }
        plan.after(Duration::from_millis(500), Event::Opens(name));
    }
}

/// relay or jump as a source.
fn named(server: Server) -> Option<SourceName> {
    match server {
        Server::Relay => Some(SourceName::Relay),
        Server::Jump => Some(SourceName::Jump),
        Server::Book | Server::Mail | Server::Pages => None,
    }
}
