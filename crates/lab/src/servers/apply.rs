//! Applies faults to the running laboratory. Each takes effect at once.

use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;

use super::hub::Mood;
use super::mail::MailMood;
use super::quirks::{Parcel, Quirks};
use super::station::Station;
use super::{Lab, LabError};
use crate::model::{Fleet, Manifest};
use crate::{Fault, Place, Server};

/// The command of a client that asks for a report.
const UPDATE: &str = r#"{"cmd":"update"}"#;

/// A message of another client that is no command.
const BINARY_JUNK: &str = "BINJUNK";

/// The same as text.
const TEXT_JUNK: &str = "not json";

impl Lab {
    /// Applies the fault.
    ///
    /// # Errors
    /// [`LabError::Unknown`] for a name that the laboratory does not have, [`LabError::NotFor`] for a server that cannot have the
    /// fault, [`LabError::Port`] when a port was taken meanwhile.
    pub async fn cause(&self, fault: &Fault) -> Result<(), LabError> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all others leave the ports as they are"
        )]
        match fault {
            Fault::Kill(server) => self.kill(*server).await,
            Fault::Start(server) => self.start_again(*server).await?,
            Fault::Refuse(server, refuse) => self.refuse(*server, *refuse).await?,
            Fault::RefuseSockets(server, refuse) => {
                self.station(*server)?.refuse_sockets(*refuse).await?;
            }
            other => self.change(other)?,
        }
        Ok(())
    }

    /// Does what the fault says at once, where it leaves every port as it is.
    ///
    /// # Errors
    /// As [`Lab::cause`]; [`LabError::Unknown`] for a fault that closes or opens a port.
    pub fn change(&self, fault: &Fault) -> Result<(), LabError> {
        if let Some(known) = self.fleet().apply(fault, Timestamp::now()) {
            return if known { Ok(()) } else { unknown(fault) };
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the others are about experiments or ports"
        )]
        match fault {
            Fault::Blink(server) => self.station(*server)?.hub.restart(),
            Fault::Mute(server, mute) => {
                let mood = if *mute { Mood::Mute } else { Mood::Well };
                self.station(*server)?.hub.set_mood(mood);
            }
            Fault::Freeze(server, frozen) => self.stand_still(*server, *frozen),
            Fault::RefuseTokens(Server::Book, refuse) => self.book.refuse_tokens(*refuse),
            Fault::RefuseTokens(server, refuse) => self.station(*server)?.refuse_tokens(*refuse),
            Fault::Secret(Server::Book, secret) => self.book.set_secret(secret),
            Fault::Secret(server, secret) => self.station(*server)?.set_secret(secret),
            Fault::Clock(Server::Book, ahead) => self.book.set_ahead(*ahead),
            Fault::Clock(server, _) => return Err(LabError::NotFor(*server)),
            Fault::Flood(server, updates) => self.send_flood(*server, *updates)?,
            Fault::Junk(server) => self.send_at_once(*server, &junk())?,
            Fault::Unreadable(server, entries) => {
                self.quirk(*server, |quirks| quirks.unreadable = *entries)?;
            }
            Fault::LeaveOut(server, count) => {
                self.quirk(*server, |quirks| quirks.leaves_out = *count)?;
            }
            Fault::Garbled(server, garbled) => {
                self.quirk(*server, |quirks| quirks.garbled = *garbled)?;
            }
            Fault::CloseAfterReport(server, wait) => {
                self.quirk(*server, |quirks| quirks.close_after = *wait)?;
            }
            Fault::Forwarding(forwarding) => {
                self.quirk(Server::Relay, |quirks| {
                    quirks.forwarding = forwarding.clone();
                })?;
            }
            Fault::Deny(booking) => self.relay.hub.deny(booking),
            Fault::Http(Place::Api(Server::Book), path, how) => {
                self.book.set_http(path, how.clone());
            }
            Fault::Http(Place::Api(Server::Pages), path, how) => {
                self.pages.set_http(path, how.clone());
            }
            Fault::Http(place, path, how) => {
                self.station(place.server())?
                    .set_http(*place, path, how.clone());
            }
            Fault::Hold(resource, reason) => self.set(fault, resource, false, reason)?,
            Fault::Release(resource, reason) => self.set(fault, resource, true, reason)?,
            Fault::Upload => self.book.upload_manifest(&self.manifest()),
            Fault::UploadNothing => self.book.upload_manifest(&Manifest::new()),
            Fault::UploadBookings => self.book.upload_bookings(),
            _ => return unknown(fault),
        }
        Ok(())
    }

    /// Causes [`Fault::Kill`], which every server can have.
    pub async fn kill(&self, server: Server) {
        match server {
            Server::Book => self.book.kill().await,
            Server::Jump => self.jump.kill().await,
            Server::Relay => self.relay.kill().await,
            Server::Mail => self.mail.refuse().await,
            Server::Pages => self.pages.close().await,
        }
    }

    /// Causes [`Fault::Start`].
    ///
    /// # Errors
    /// [`LabError::Port`] when a port was taken meanwhile.
    pub async fn start_again(&self, server: Server) -> Result<(), LabError> {
        let wait = || self.plan.return_within.mul_f64(fastrand::f64());
        let now = Timestamp::now();
        match server {
            Server::Book => self.book.refuse(false).await?,
            Server::Mail => self.mail.open_again().await?,
            Server::Pages => self.pages.refuse(false).await?,
            Server::Jump if self.jump.start_again().await? => {
                self.fleet().return_to_jump(now, wait);
            }
            Server::Relay if self.relay.start_again().await? => {
                self.fleet().return_to_relay(now, wait);
            }
            Server::Jump | Server::Relay => {}
        }
        Ok(())
    }

    /// Causes [`Fault::Refuse`].
    ///
    /// # Errors
    /// [`LabError::Port`] when a port was taken meanwhile.
    pub async fn refuse(&self, server: Server, refuse: bool) -> Result<(), LabError> {
        match server {
            Server::Book => self.book.refuse(refuse).await,
            Server::Mail if refuse => {
                self.mail.refuse().await;
                Ok(())
            }
            Server::Mail => self.mail.open_again().await,
            Server::Pages => self.pages.refuse(refuse).await,
            Server::Jump | Server::Relay => self.station(server)?.refuse(refuse).await,
        }
    }

    fn stand_still(&self, server: Server, frozen: bool) {
        let mood = if frozen { Mood::Frozen } else { Mood::Well };
        let mail = if frozen {
            MailMood::Hanging
        } else {
            MailMood::Well
        };
        match server {
            Server::Book => self.book.freeze(frozen),
            Server::Jump => self.jump.hub.set_mood(mood),
            Server::Relay => self.relay.hub.set_mood(mood),
            Server::Mail => self.mail.set_mood(mail),
            Server::Pages => self.pages.freeze(frozen),
        }
    }

    /// From relay all of it comes as one text message, joined as relay joins what is waiting; from jump one message after another.
    fn send_flood(&self, server: Server, updates: u32) -> Result<(), LabError> {
        let mut parcels = vec![Parcel::text(UPDATE); updates as usize];
        parcels.extend(junk());
        self.send_at_once(server, &parcels)
    }

    fn send_at_once(&self, server: Server, parcels: &[Parcel]) -> Result<(), LabError> {
        self.station(server)?.hub.at_once(|hub| {
            for parcel in parcels {
                hub.inject(parcel);
            }
            hub.report();
        });
        Ok(())
    }

    fn quirk(&self, server: Server, change: impl FnOnce(&mut Quirks)) -> Result<(), LabError> {
        self.station(server)?.hub.change_quirks(change);
        Ok(())
    }

    fn set(&self, fault: &Fault, name: &str, available: bool, why: &str) -> Result<(), LabError> {
        if self.book.set(name, available, why) {
            Ok(())
        } else {
            unknown(fault)
        }
    }

    fn station(&self, server: Server) -> Result<&Station, LabError> {
        match server {
            Server::Jump => Ok(&self.jump),
            Server::Relay => Ok(&self.relay),
            Server::Book | Server::Mail | Server::Pages => Err(LabError::NotFor(server)),
        }
    }

    pub(super) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn junk() -> [Parcel; 2] {
    [Parcel::binary(BINARY_JUNK), Parcel::text(TEXT_JUNK)]
}

fn unknown(fault: &Fault) -> Result<(), LabError> {
    Err(LabError::Unknown(fault.to_string()))
}
