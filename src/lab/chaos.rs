//! Everything that can be done to the laboratory while it runs. Each call takes effect at once and can be undone by its counterpart.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Lab;
use super::book::Manifest;
use super::error::{LabError, Server};
use super::fleet::{Fleet, Role};
use super::hub::{Mood, Parcel};
use super::plan::ExperimentPlan;
use super::station::Station;

/// What others say when they ask for a report.
const UPDATE: &str = r#"{"cmd":"update"}"#;

/// What other clients send that is no command.
const BINARY_JUNK: &str = "BINJUNK";

/// The same as text.
const TEXT_JUNK: &str = "not json";

/// Experiments. Topics are `<stub>-<stream key>`.
impl Lab {
    /// A stream stays connected but transmits nothing.
    ///
    /// # Errors
    /// [`LabError::Unknown`] for a topic that no experiment has; so do the others here, for topics and stubs.
    pub fn stream_silent(&self, topic: &str) -> Result<(), LabError> {
        known(topic, self.fleet().silence(topic, Timestamp::now()))
    }

    /// A stream disconnects from relay.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn stream_vanishes(&self, topic: &str) -> Result<(), LabError> {
        known(topic, self.fleet().leave(topic, Role::Experiment))
    }

    /// A stream is connected and transmits.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn stream_back(&self, topic: &str) -> Result<(), LabError> {
        known(topic, self.fleet().resume(topic, Timestamp::now()))
    }

    /// An experiment's connection to jump is lost.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn jump_lost(&self, stub: &str) -> Result<(), LabError> {
        known(stub, self.fleet().set_host(stub, None))
    }

    /// An experiment is connected to jump.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn jump_back(&self, stub: &str) -> Result<(), LabError> {
        known(stub, self.fleet().set_host(stub, Some(Timestamp::now())))
    }

    /// An experiment is switched off: all its connections are gone.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn power_off(&self, stub: &str) -> Result<(), LabError> {
        known(stub, self.fleet().power_off(stub))
    }

    /// It is switched on.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn power_on(&self, stub: &str) -> Result<(), LabError> {
        known(stub, self.fleet().power_on(stub, Timestamp::now()))
    }

    /// A stream is connected twice, and the second connection transmits nothing.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn twin_appears(&self, topic: &str) -> Result<(), LabError> {
        known(
            topic,
            self.fleet().join(topic, Role::Twin, Timestamp::now()),
        )
    }

    /// The second connection is gone.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn twin_leaves(&self, topic: &str) -> Result<(), LabError> {
        known(topic, self.fleet().leave(topic, Role::Twin))
    }

    /// A student connects to a stream.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn user_joins(&self, topic: &str) -> Result<(), LabError> {
        known(
            topic,
            self.fleet().join(topic, Role::User, Timestamp::now()),
        )
    }

    /// The student leaves.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn user_leaves(&self, topic: &str) -> Result<(), LabError> {
        known(topic, self.fleet().leave(topic, Role::User))
    }

    /// An experiment appears. Book does not hear of it before a manifest with it is uploaded.
    pub fn experiment_appears(&self, plan: &ExperimentPlan) {
        self.fleet().add(plan, Timestamp::now());
    }

    /// An experiment goes for good.
    ///
    /// # Errors
    /// [`LabError::Unknown`]
    pub fn experiment_goes(&self, stub: &str) -> Result<(), LabError> {
        known(stub, self.fleet().remove(stub))
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Servers.
impl Lab {
    /// Kills a server: its ports are closed and its sockets dropped without a goodbye. Book loses its manifest, relay and jump all they know.
    pub async fn kill(&self, server: Server) {
        match server {
            Server::Book => self.book.kill().await,
            Server::Jump => self.jump.kill().await,
            Server::Relay => self.relay.kill().await,
            Server::Mail => self.mail.refuse().await,
        }
    }

    /// Starts a killed server on its old ports. Experiments come back to relay and jump within the plan's time; book has no manifest until one is uploaded.
    ///
    /// # Errors
    /// [`LabError::Port`] when somebody else has taken a port.
    pub async fn start_again(&self, server: Server) -> Result<(), LabError> {
        match server {
            Server::Book => self.book.open_again().await?,
            Server::Mail => self.mail.open_again().await?,
            Server::Jump if self.jump.start_again().await? => self
                .fleet()
                .return_to_jump(Timestamp::now(), self.plan.return_within),
            Server::Relay if self.relay.start_again().await? => self
                .fleet()
                .return_to_relay(Timestamp::now(), self.plan.return_within),
            Server::Jump | Server::Relay => {}
        }
        Ok(())
    }

    /// Makes relay or jump mute, or well again: sockets are accepted and calls answered, but nothing is reported. Sockets that were opened meanwhile stay mute.
    ///
    /// # Errors
    /// [`LabError::NotFor`] book and mail.
    pub fn mute(&self, server: Server, mute: bool) -> Result<(), LabError> {
        self.station(server)?
            .hub
            .set_mood(if mute { Mood::Mute } else { Mood::Well });
        Ok(())
    }

    /// Stops a server in its tracks, or lets it go on: connections are accepted, and nothing is answered.
    pub fn freeze(&self, server: Server, frozen: bool) {
        let mood = if frozen { Mood::Frozen } else { Mood::Well };
        match server {
            Server::Book => self.book.ail(|ailments| ailments.frozen = frozen),
            Server::Jump => self.jump.hub.set_mood(mood),
            Server::Relay => self.relay.hub.set_mood(mood),
            Server::Mail => self.mail.set_mood(if frozen {
                super::MailMood::Hanging
            } else {
                super::MailMood::Well
            }),
        }
    }

    /// Closes a server's HTTP port alone, or opens it again; open websockets go on, and nothing is forgotten.
    ///
    /// # Errors
    /// [`LabError::Port`] when somebody else has taken the port.
    pub async fn refuse(&self, server: Server, refuse: bool) -> Result<(), LabError> {
        match (server, refuse) {
            (Server::Book, true) => self.book.refuse().await,
            (Server::Book, false) => self.book.open_again().await?,
            (Server::Mail, true) => self.mail.refuse().await,
            (Server::Mail, false) => self.mail.open_again().await?,
            (Server::Jump | Server::Relay, true) => self.station(server)?.refuse().await,
            (Server::Jump | Server::Relay, false) => self.station(server)?.welcome().await?,
        }
        Ok(())
    }

    /// Changes a server's secret, so that tokens signed with the old one are refused.
    ///
    /// # Errors
    /// [`LabError::NotFor`] mail.
    pub fn set_secret(&self, server: Server, secret: &str) -> Result<(), LabError> {
        match server {
            Server::Book => self.book.set_secret(secret),
            Server::Jump | Server::Relay | Server::Mail => self.station(server)?.set_secret(secret),
        }
        Ok(())
    }

    /// Another client on the topic of the reports sends so many `update` commands, then junk, and a report goes out right behind.
    ///
    /// From relay all of it comes as one text message, joined as relay joins what is waiting; from jump one message after another.
    ///
    /// # Errors
    /// [`LabError::NotFor`] book and mail.
    pub fn flood(&self, server: Server, updates: usize) -> Result<(), LabError> {
        let mut parcels = vec![Parcel::text(UPDATE); updates];
        parcels.extend([Parcel::binary(BINARY_JUNK), Parcel::text(TEXT_JUNK)]);
        self.blurt(server, &parcels)
    }

    /// The same with the binary junk first, so that from relay everything comes as one binary message, the report included.
    ///
    /// # Errors
    /// [`LabError::NotFor`] book and mail.
    pub fn junk(&self, server: Server) -> Result<(), LabError> {
        self.blurt(
            server,
            &[Parcel::binary(BINARY_JUNK), Parcel::text(TEXT_JUNK)],
        )
    }

    fn blurt(&self, server: Server, parcels: &[Parcel]) -> Result<(), LabError> {
        self.station(server)?.hub.at_once(|hub| {
            for parcel in parcels {
                hub.hear_stranger(parcel);
            }
            hub.report();
        });
        Ok(())
    }

    /// Denies a booking id in relay: its connections are cut, and it gets no new ones.
    pub fn deny_booking(&self, booking: &str) {
        self.relay.hub.deny(booking);
    }

    fn station(&self, server: Server) -> Result<&Station, LabError> {
        match server {
            Server::Jump => Ok(&self.jump),
            Server::Relay => Ok(&self.relay),
            Server::Book | Server::Mail => Err(LabError::NotFor(server)),
        }
    }
}

/// Book.
impl Lab {
    /// An admin uploads the plan's manifest: everything can be booked again, for the reason `Loaded at` and the time.
    pub fn upload_manifest(&self) {
        self.book.upload_manifest(self.manifest());
    }

    /// An admin uploads another manifest. An empty one makes book forget everything.
    pub fn upload(&self, manifest: Manifest) {
        self.book.upload_manifest(manifest);
    }

    /// An admin uploads bookings: everything can be booked again, for the reason `new`.
    pub fn upload_bookings(&self) {
        self.book.upload_bookings();
    }

    /// An admin withdraws a resource by hand, for a reason in his own words.
    ///
    /// # Errors
    /// [`LabError::Unknown`] for a resource that is not in the manifest.
    pub fn hold(&self, resource: &str, reason: &str) -> Result<(), LabError> {
        known(resource, self.book.set(resource, false, reason))
    }

    /// An admin gives it back.
    ///
    /// # Errors
    /// [`LabError::Unknown`] for a resource that is not in the manifest.
    pub fn release(&self, resource: &str, reason: &str) -> Result<(), LabError> {
        known(resource, self.book.set(resource, true, reason))
    }

    /// Every call to book takes this much longer.
    pub fn slow_book(&self, delay: Duration) {
        self.book.ail(|ailments| ailments.delay = delay);
    }

    /// Every call to book is answered with 500, until this is called with `false`.
    pub fn fail_book(&self, failing: bool) {
        self.book.ail(|ailments| ailments.failing = failing);
    }
}

fn known(name: &str, known: bool) -> Result<(), LabError> {
    if known {
        Ok(())
    } else {
        Err(LabError::Unknown(name.to_owned()))
    }
}
