//! Faults as methods, for tests: each is one line of the list below and applies the [`Fault`] that
//! it names.

use std::time::Duration;

use super::{Lab, LabError};
use crate::model::{Manifest, Resource};
use crate::{Fault, HttpFault, Place, Server};

macro_rules! shorthand {
    ($($name:ident($($argument:ident: $kind:ty),*) $fault:expr;)*) => {
        impl Lab {$(
            #[doc = concat!("Causes `", stringify!($fault), "`.")]
            ///
            /// # Errors
            /// As [`Lab::cause`].
            pub fn $name(&self, $($argument: $kind),*) -> Result<(), LabError> {
                self.change(&$fault)
            }
        )*}
    };
}

shorthand! {
    stream_silent(topic: &str) Fault::Silent(topic.into());
    stream_vanishes(topic: &str) Fault::Vanish(topic.into());
    stream_back(topic: &str) Fault::Back(topic.into());
    jump_lost(stub: &str) Fault::Vanish(format!("{stub}/jump"));
    jump_back(stub: &str) Fault::Back(format!("{stub}/jump"));
    power_off(stub: &str) Fault::Vanish(stub.into());
    power_on(stub: &str) Fault::Back(stub.into());
    twin_appears(topic: &str) Fault::Twin(topic.into());
    twin_leaves(topic: &str) Fault::Untwin(topic.into());
    user_joins(topic: &str) Fault::Join(topic.into());
    user_leaves(topic: &str) Fault::Leave(topic.into());
    experiment_goes(stub: &str) Fault::Goes(stub.into());
    mute(server: Server, mute: bool) Fault::Mute(server, mute);
    set_secret(server: Server, secret: &str) Fault::Secret(server, secret.into());
    flood(server: Server, updates: u32) Fault::Flood(server, updates);
    junk(server: Server) Fault::Junk(server);
    hold(resource: &str, reason: &str) Fault::Hold(resource.into(), reason.into());
    release(resource: &str, reason: &str) Fault::Release(resource.into(), reason.into());
}

macro_rules! always {
    ($($name:ident($($argument:ident: $kind:ty),*) $fault:expr;)*) => {
        impl Lab {$(
            #[doc = concat!("Causes `", stringify!($fault), "`, which every laboratory can have.")]
            pub fn $name(&self, $($argument: $kind),*) {
                let caused = self.change(&$fault);
                debug_assert!(caused.is_ok(), "{caused:?}");
            }
        )*}
    };
}

always! {
    experiment_appears(stub: &str) Fault::Appears(stub.into());
    freeze(server: Server, frozen: bool) Fault::Freeze(server, frozen);
    deny_booking(booking: &str) Fault::Deny(booking.into());
    upload_manifest() Fault::Upload;
    upload_bookings() Fault::UploadBookings;
    slow_book(delay: Duration) Fault::Http(Place::Api(Server::Book), "*".into(), HttpFault::Slow(delay));
    fail_book(failing: bool) Fault::Http(
        Place::Api(Server::Book),
        "*".into(),
        if failing { HttpFault::Status(500) } else { HttpFault::Works }
    );
}

impl Lab {
    /// An admin uploads another manifest.
    pub fn upload(&self, manifest: &Manifest) {
        self.book.upload_manifest(manifest);
    }

    /// Book lists one more resource, which can be booked; the others stay as they are.
    pub fn list(&self, name: &str, resource: Resource) {
        self.book.list(name, resource);
    }
}
