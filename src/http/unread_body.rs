//! Bodies that no handler read, as when a request is refused by its head: a short rest is read to
//! its end, so that the connection goes on; otherwise the answer announces the end of the
//! connection (RFC 9112, 9.6).

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, EXPECT};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

use super::middleware::MAX_BODY_BYTES;

/// How long the rest of a body may take to arrive.
const REST_WITHIN: Duration = Duration::from_secs(1);

/// Answers, and handles the unread rest of the request.
pub(super) async fn settle(mut request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // A client that waits for `100 Continue` learns from the refusal not to send.
    let waits = request.headers().contains_key(EXPECT);
    let lent = Lent(Arc::new(Mutex::new(std::mem::take(request.body_mut()))));
    *request.body_mut() = Body::new(lent.clone());
    let mut response = next.run(request).await;
    let rest = std::mem::take(&mut *lent.body());
    let is_read = rest.is_end_stream() || (!waits && is_read_to_the_end(rest).await);
    if !is_read {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

async fn is_read_to_the_end(rest: Body) -> bool {
    let read = timeout(REST_WITHIN, to_bytes(rest, MAX_BODY_BYTES)).await;
    matches!(read, Ok(Ok(_)))
}

/// A body that its lender can take back.
#[derive(Clone)]
struct Lent(Arc<Mutex<Body>>);

impl Lent {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;
    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// The answer to these pieces, sent one after another, of a server that refuses every request
    /// by its head.
    async fn answered(pieces: &[String]) -> String {
        let routes = Router::new()
            .route("/", post(async || StatusCode::UNAUTHORIZED))
            .layer(from_fn(settle));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let mut server = JoinSet::new();
        server.spawn(crate::http::serve(
            listener,
            routes,
            CancellationToken::new(),
        ));
        let mut stream = TcpStream::connect(address).await.expect("connects");
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.expect("sends");
            sleep(Duration::from_millis(20)).await;
        }
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("reads");
        answers
    }

    fn head(length: usize, more: &str) -> String {
        format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{more}\r\n")
    }

    #[tokio::test]
    async fn a_refusal_before_the_body_leaves_the_connection_whole() {
        let last = head(0, "connection: close\r\n");
        let answers = answered(&[head(2, ""), "{}".to_owned(), last]).await;
        assert_eq!(answers.matches("HTTP/1.1 401").count(), 2, "{answers}");
    }

    #[tokio::test]
    async fn a_refusal_of_what_never_comes_says_that_the_connection_ends() {
        for (length, more) in [
            (2, ""),
            (MAX_BODY_BYTES + 1, ""),
            (2, "expect: 100-continue\r\n"),
        ] {
            let answers = answered(&[head(length, more)]).await;
            assert!(
                answers.starts_with("HTTP/1.1 401") && answers.contains("connection: close"),
                "{answers}"
            );
        }
    }
}
