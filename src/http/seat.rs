//! A connection's place among those served at the same time, and its lifetime.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::places::Place;

/// A connection's place among those served at the same time. Every request carries that of its
/// connection.
#[derive(Debug, Clone)]
pub(super) struct Seat(Arc<Held>);

#[derive(Debug)]
struct Held {
    place: Mutex<Option<Place>>,
    streams: CancellationToken,
    cut: CancellationToken,
    displaced: CancellationToken,
}

impl Seat {
    pub(super) fn new(place: Place) -> Self {
        Self(Arc::new(Held {
            displaced: place.displaced(),
            place: Mutex::new(Some(place)),
            streams: CancellationToken::new(),
            cut: CancellationToken::new(),
        }))
    }

    /// Marks the connection as long-lived (SSE): it lives longer, and frees its place for another
    /// connection. The caller bounds the number of streams.
    pub(super) fn becomes_a_stream(&self) {
        self.0.streams.cancel();
        drop(self.place().take());
    }

    /// Is cancelled when another connection gets the place.
    pub(super) fn displaced(&self) -> CancellationToken {
        self.0.displaced.clone()
    }

    /// Ends the connection, because its client does not read.
    pub(super) fn cut(&self) {
        self.0.cut.cancel();
    }

    /// Marks a request as being answered until the answer's body is dropped.
    pub(super) fn answers(&self) -> Answering {
        if let Some(place) = &*self.place() {
            place.waits(false);
        }
        Answering(self.clone())
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until its maximum lifetime.
    pub(super) async fn lived(&self, life: Duration, stream_life: Duration) {
        let over = async {
            tokio::select! { () = sleep(life) => {} () = self.0.streams.cancelled() => sleep(stream_life).await }
        };
        tokio::select! { () = over => {} () = self.0.cut.cancelled() => {} }
    }
}

/// A request that is being answered. Meanwhile its connection keeps its place.
pub(super) struct Answering(Seat);

impl Answering {
    /// The answer, which is given until its body is dropped.
    pub(super) fn until_read(self, answer: Response<Body>) -> Response<Answered> {
        answer.map(|body| Answered {
            body,
            _answering: self,
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(place) = &*self.0.place() {
            place.waits(true);
        }
    }
}

/// The body of an answer until it has been sent.
pub(super) struct Answered {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
