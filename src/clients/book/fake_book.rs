//! The simulated laboratory's book, as the tests of its client use it. Only built for tests.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use lab::{Lab, Plan, Resource, Server};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::clients::{Address, BookClient, Http};

/// The book of a laboratory without experiments. It stops when it is dropped.
pub(crate) struct FakeBook {
    lab: Lab,
    /// How many calls were taken.
    taken: Cell<usize>,
}

impl FakeBook {
    /// A book without resources, and too old for a manifest and bookings to be read.
    pub(crate) async fn start() -> Self {
        let lab = Lab::start(Plan::new(Vec::new())).await.expect("ports");
        let taken = Cell::default();
        let book = Self { lab, taken };
        book.answers("manifest", "status 404");
        book.answers("bookings", "status 404");
        book
    }

    /// A client of it.
    pub(crate) fn client(&self, timeout: Duration) -> BookClient {
        client(self.address(""), timeout)
    }

    /// A client with a wrong base path.
    pub(crate) fn client_at(&self, path: &str) -> BookClient {
        client(self.address(path), Duration::from_secs(5))
    }

    /// A client of a book that is not reachable.
    pub(crate) async fn dead_address() -> BookClient {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        client(address(&base, "book", "secret"), Duration::from_secs(5))
    }

    /// Puts a resource into the manifest.
    pub(crate) fn put(&self, name: &str, stub: &str, available: bool, reason: &str) {
        let resource = Resource::new(stub, &["st-data", "st-video"]);
        self.lab.list(name, resource);
        let set = if available {
            self.lab.release(name, reason)
        } else {
            self.lab.hold(name, reason)
        };
        set.expect("it is listed");
    }

    /// The stored availability of a resource.
    pub(crate) fn stored(&self, name: &str) -> Option<(bool, String)> {
        self.lab.availability(name)
    }

    /// Causes a fault of the laboratory.
    pub(crate) fn cause(&self, fault: &str) {
        let fault = fault.parse().expect(fault);
        self.lab.change(&fault).expect("book can have it");
    }

    /// Sets how a path below `admin` is answered, in the words of the laboratory's faults.
    pub(crate) fn answers(&self, path: &str, how: &str) {
        self.cause(&format!("http book /api/v1/admin/{path} {how}"));
    }

    /// Has a path answered with this.
    pub(crate) fn says(&self, path: &str, body: &Value) {
        self.answers(path, &format!("answers 200 {body}"));
    }

    /// The calls for single resources since the last time, such as `PUT r-a`.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        let called = self.lab.called();
        let new = called.iter().skip(self.taken.replace(called.len()));
        let of_resource = |asked: &str| {
            let (method, rest) = asked.split_once(" /api/v1/admin/resources/")?;
            Some(format!("{method} {}", rest.split('?').next()?))
        };
        new.filter_map(|call| of_resource(&call.asked)).collect()
    }

    /// How many different tokens were received.
    pub(crate) fn tokens_seen(&self) -> usize {
        let called = self.lab.called();
        let tokens: BTreeSet<_> = called.iter().map(|call| &call.token).collect();
        tokens.len()
    }

    fn address(&self, path: &str) -> Address {
        let base = format!("{}{path}", self.lab.address(Server::Book));
        let audience = self.lab.audience(Server::Book);
        address(&base, audience, &self.lab.plan().secrets.book)
    }
}

fn address(base: &str, audience: &str, secret: &str) -> Address {
    Address {
        audience: audience.to_owned(),
        connect: base.parse().expect("a url"),
        websocket: None,
        secret: secret.into(),
    }
}

fn client(address: Address, timeout: Duration) -> BookClient {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    BookClient::new(address, Http::new(timeout, tls).expect("a client"))
}
