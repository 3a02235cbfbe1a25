//! The pages that students open: a server of its own, as the real ones are, that answers every address below `/ui`.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::calls::Calls;
use super::door::{Door, accept};
use super::error::LabError;
use super::http::{Answer, HttpFaults, Request, serve};
use crate::{HttpFault, Server};

/// A running server of pages.
pub(super) struct PagesServer {
    door: Door,
    shelf: Arc<Shelf>,
}

#[derive(Default)]
struct Shelf {
    faults: watch::Sender<HttpFaults>,
    calls: Calls,
}

impl PagesServer {
    /// Takes the port and starts.
    pub async fn start(port: u16) -> Result<Self, LabError> {
        let (door, listener) = Door::bind(Server::Pages, port).await?;
        let shelf = Arc::default();
        let pages = Self { door, shelf };
        pages.open(listener).await;
        Ok(pages)
    }

    /// Where it is, for example `http://127.0.0.1:3000`.
    pub fn address(&self) -> String {
        format!("http://{}", self.door.address)
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<String> {
        let calls = self.shelf.calls.all().into_iter();
        calls.map(|call| call.asked).collect()
    }

    /// Closes the port.
    pub async fn close(&self) {
        self.door.close().await;
    }

    /// Closes the port, or listens again.
    pub async fn refuse(&self, refuse: bool) -> Result<(), LabError> {
        if refuse {
            self.close().await;
        } else if !self.door.is_open().await {
            self.open(self.door.listen().await?).await;
        }
        Ok(())
    }

    /// Freezes it, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        let change = |faults: &mut HttpFaults| faults.frozen = frozen;
        self.shelf.faults.send_modify(change);
    }

    /// Sets how calls to a path are answered.
    pub fn set_http(&self, path: &str, fault: HttpFault) {
        let change = |faults: &mut HttpFaults| faults.set(path, fault);
        self.shelf.faults.send_modify(change);
    }

    async fn open(&self, listener: TcpListener) {
        let pages = Arc::clone(&self.shelf);
        let handle = move |stream| {
            let pages = Arc::clone(&pages);
            async move {
                let faults = pages.faults.subscribe();
                serve(
                    stream,
                    faults,
                    |_| {},
                    async |request| pages.answer(&request),
                )
                .await;
            }
        };
        self.door.run(accept(listener, handle)).await;
    }
}

impl Shelf {
    fn answer(&self, request: &Request) -> Answer {
        self.calls.note(request);
        let is_page = request
            .segments()
            .first()
            .is_some_and(|first| first == "ui");
        Answer::Page {
            status: if is_page { 200 } else { 404 },
        }
    }
}
