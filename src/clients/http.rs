//! HTTP calls with limits on everything, and failures classified by what to do about them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use reqwest::header::{HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use url::Url;

use super::answer::error_of_answer;
use super::classify::{Sent, Way, error_of, root_cause};
use super::connect::Lookup;
use super::proxies::Proxies;
use engine::model::{CallError, SourceName};

/// The largest answer that is read, in bytes. Book's list of 10,000 resources is about 2 MB.
pub const MAX_ANSWER_BYTES: usize = 32 << 20;

/// A client with a time limit for each call.
#[derive(Debug, Clone)]
pub struct Http {
    ways: Arc<Ways>,
    timeout: Duration,
}

/// Direct and proxied connections: the choice is made here, and not by the library, which would use
/// a proxy for calls to this very host too.
#[derive(Debug)]
struct Ways {
    proxies: Proxies,
    straight: Connections,
    /// `None` when the environment names no proxy.
    proxied: Option<Connections>,
}

/// Connections that are kept for the next call, and the means to make a fresh one.
#[derive(Debug)]
struct Connections {
    kept: Client,
    settings: Settings,
    fresh: OnceLock<Option<Client>>,
}

#[derive(Debug, Clone)]
struct Settings {
    tls: rustls::ClientConfig,
    lookup: Lookup,
    is_proxied: bool,
}

/// The response from an address that may hold a secret, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenAnswer {
    /// Its status.
    pub status: u16,
    /// The pause that it asks for (Retry-After in seconds).
    pub retry_after: Option<Duration>,
}

/// The response of a page, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BareAnswer {
    pub(super) status: u16,
    /// Where it redirects to.
    pub(super) location: Option<String>,
    /// Whether the configured proxy answered, and may have made the response up.
    pub(super) by_proxy: bool,
}

impl HiddenAnswer {
    /// An error response.
    #[must_use]
    pub fn into_error(self) -> CallError {
        CallError::Sick {
            status: self.status,
            body: "its text is not kept, because it may repeat the address".to_owned(),
        }
    }
}

impl Settings {
    fn client(&self, keeps_connections: bool) -> Result<Client, CallError> {
        let mut client = Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Arc::new(self.lookup))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("labwatch/", env!("CARGO_PKG_VERSION")));
        if !self.is_proxied {
            client = client.no_proxy();
        }
        if !keeps_connections {
            client = client.pool_max_idle_per_host(0);
        }
        client
            .build()
            .map_err(|error| CallError::Unreachable(root_cause(&error)))
    }

    fn connections(self) -> Result<Connections, CallError> {
        Ok(Connections {
            kept: self.client(true)?,
            settings: self,
            fresh: OnceLock::new(),
        })
    }
}

impl Http {
    /// A client whose calls take at most `timeout`, connecting included.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] when no TLS set-up can be made, for example without any CA
    /// certificates.
    pub fn new(timeout: Duration, tls: rustls::ClientConfig) -> Result<Self, CallError> {
        Self::by(Proxies::from_env(), timeout, tls)
    }

    /// A client without proxy, for labwatch's own servers.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn straight(timeout: Duration, tls: rustls::ClientConfig) -> Result<Self, CallError> {
        Self::by(Proxies::none(), timeout, tls)
    }

    fn by(
        proxies: Proxies,
        timeout: Duration,
        tls: rustls::ClientConfig,
    ) -> Result<Self, CallError> {
        let straight = Settings {
            tls,
            lookup: Lookup::for_calls_of(timeout),
            is_proxied: false,
        };
        let through = proxies.are_set().then(|| Settings {
            is_proxied: true,
            ..straight.clone()
        });
        let ways = Arc::new(Ways {
            straight: straight.connections()?,
            proxied: through.map(Settings::connections).transpose()?,
            proxies,
        });
        Ok(Self { ways, timeout })
    }

    /// The same client, with the connections that it keeps, for calls that take at most `timeout`.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Sends a request to a server with a bare token and returns the response's body, if the status
    /// is a success.
    ///
    /// # Errors
    /// A [`CallError`] that says what to do about it.
    pub async fn call(
        &self,
        server: SourceName,
        method: Method,
        url: Url,
        token: &str,
    ) -> Result<Vec<u8>, CallError> {
        let sent = Sent::new(&self.ways.proxies, Some(server), &url);
        let may_repeat = method == Method::GET;
        let response = self
            .send(&sent, may_repeat, |client| {
                client
                    .request(method.clone(), url.clone())
                    .header(reqwest::header::AUTHORIZATION, token)
            })
            .await?;
        let (status, headers, body) = read_bounded(response, MAX_ANSWER_BYTES, &sent).await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(error_of_answer(status, &headers, &body, &sent))
        }
    }

    /// Sends a request to an address that may hold a secret, and returns only the status: the body
    /// may repeat the address.
    ///
    /// # Errors
    /// A [`CallError`] when there is no good answer within the time limit. It quotes nothing.
    pub async fn call_hidden(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(), CallError> {
        let answer = self
            .call_hidden_for_status(method, url, headers, body)
            .await?;
        match answer.status {
            200..300 => Ok(()),
            _ => Err(answer.into_error()),
        }
    }

    /// The same, and returns the status whatever it is.
    ///
    /// # Errors
    /// A [`CallError`] when there is no answer within the time limit.
    pub async fn call_hidden_for_status(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<HiddenAnswer, CallError> {
        let sent = Sent::new(&self.ways.proxies, None, &url);
        let request = self.ways.to(&sent).kept.request(method, url);
        let response = request
            .timeout(self.timeout)
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|error| error_of(&error, &sent))?;
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(HiddenAnswer {
            status: response.status().as_u16(),
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    /// Requests an address, or its first byte, and returns the status whatever it is. No body is
    /// read.
    ///
    /// # Errors
    /// A [`CallError`] when there is no answer within the time limit.
    pub(super) async fn ask_bare(&self, method: Method, url: Url) -> Result<BareAnswer, CallError> {
        let sent = Sent::new(&self.ways.proxies, None, &url);
        let response = self
            .send(&sent, true, |client| {
                let request = client.request(method.clone(), url.clone());
                if method == Method::GET {
                    request.header(RANGE, "bytes=0-0")
                } else {
                    request
                }
            })
            .await?;
        let status = response.status();
        let location = response.headers().get(LOCATION);
        let location = location.filter(|_| status.is_redirection());
        Ok(BareAnswer {
            status: status.as_u16(),
            location: location.and_then(|to| Some(to.to_str().ok()?.to_owned())),
            by_proxy: matches!(sent.way, Way::Proxy(_)),
        })
    }

    /// Whether the configured proxy itself answers requests to this address, so that it may have
    /// made the response up.
    #[must_use]
    pub fn is_answered_by_proxy(&self, url: &Url) -> bool {
        matches!(Way::to(&self.ways.proxies, url), Way::Proxy(_))
    }

    /// Sends a request, with a bearer token or without, and returns the response's status and body,
    /// whatever the status.
    ///
    /// # Errors
    /// A [`CallError`] when there is no answer, or one of more than `at_most` bytes.
    pub async fn look(
        &self,
        url: Url,
        token: Option<&str>,
        at_most: usize,
    ) -> Result<(u16, Vec<u8>), CallError> {
        let sent = Sent::new(&self.ways.proxies, None, &url);
        let response = self
            .send(&sent, true, |client| {
                let request = client
                    .get(url.clone())
                    .header(reqwest::header::ACCEPT, "application/json, */*;q=0.5");
                token.into_iter().fold(request, RequestBuilder::bearer_auth)
            })
            .await?;
        let (status, headers, body) = read_bounded(response, at_most, &sent).await?;
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED && sent.way.proxy().is_some() {
            return Err(error_of_answer(status, &headers, &body, &sent));
        }
        Ok((status.as_u16(), body))
    }

    /// Forwards a request unchanged to another labwatch, and returns its whole response, whatever
    /// the status.
    ///
    /// # Errors
    /// A [`CallError`] when there is no answer, or one of more than `at_most` bytes.
    pub async fn pass_on(
        &self,
        method: Method,
        url: Url,
        (headers, body): (HeaderMap, Bytes),
        at_most: usize,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), CallError> {
        let sent = Sent::new(&self.ways.proxies, None, &url);
        let response = self
            .send(&sent, false, |client| {
                client
                    .request(method.clone(), url.clone())
                    .headers(headers.clone())
                    .body(body.clone())
            })
            .await?;
        read_bounded(response, at_most, &sent).await
    }

    /// Sends a request. One that may be repeated and whose connection ends without a response is
    /// repeated once, over a connection of its own: a proxy in front of a server may close a kept
    /// connection only when it is used again.
    async fn send(
        &self,
        sent: &Sent,
        may_repeat: bool,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, CallError> {
        let connections = self.ways.to(sent);
        let request = |client: &Client| request(client).timeout(self.timeout);
        let error = match request(&connections.kept).send().await {
            Ok(response) => return Ok(response),
            Err(error) => error_of(&error, sent),
        };
        match connections.fresh() {
            Some(fresh) if may_repeat && sent.is_lost(&error) => request(fresh)
                .send()
                .await
                .map_err(|error| error_of(&error, sent)),
            _ => Err(error),
        }
    }
}

impl Ways {
    fn to(&self, sent: &Sent) -> &Connections {
        match (&sent.way, &self.proxied) {
            (Way::Proxy(_) | Way::Tunnel(_), Some(proxied)) => proxied,
            _ => &self.straight,
        }
    }
}

impl Connections {
    /// A client that keeps no connections; created when it is first needed.
    fn fresh(&self) -> Option<&Client> {
        let fresh = self.fresh.get_or_init(|| self.settings.client(false).ok());
        fresh.as_ref()
    }
}

async fn read_bounded(
    mut response: Response,
    at_most: usize,
    sent: &Sent,
) -> Result<(StatusCode, HeaderMap, Vec<u8>), CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error_of(&error, sent))?
    {
        if body.len() + chunk.len() > at_most {
            return Err(CallError::Protocol(format!(
                "its answer is longer than {at_most} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), response.headers().clone(), body))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hyper_util::client::proxy::matcher::Matcher;
    use reqwest::dns::{Name, Resolve, Resolving};
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinSet;

    use engine::model::Visibility;

    use super::*;
    use crate::clients::client_config;
    use crate::clients::connect::addresses;
    use crate::clients::testing::{PATIENCE, listener};

    /// The server's handler of a connection; it receives the number of the connection, counted from
    /// 0.
    async fn serve<F>(
        tasks: &mut JoinSet<()>,
        manner: impl Fn(usize, TcpStream) -> F + Send + Sync + 'static,
    ) -> (u16, Arc<AtomicUsize>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (listener, there) = listener().await;
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        tasks.spawn(async move {
            let mut answering = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                answering.spawn(manner(number, stream));
            }
        });
        (there.port(), taken)
    }

    async fn answer(stream: &mut TcpStream, answer: &str) {
        let mut asked = [0; 4096];
        let _ = stream.read(&mut asked).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    fn by(proxies: Proxies) -> Http {
        Http::by(proxies, PATIENCE, client_config(false).expect("TLS")).expect("a client")
    }

    async fn call(http: &Http, method: Method, url: &str) -> Result<Vec<u8>, CallError> {
        let url = Url::parse(url).expect("a URL");
        http.call(SourceName::Book, method, url, "token").await
    }

    /// A certificate for this name that ends in this year, and a server that shows it.
    async fn secure(
        tasks: &mut JoinSet<()>,
        name: &str,
        ends: i32,
    ) -> (u16, rustls::pki_types::CertificateDer<'static>) {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(ends, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("a server configuration");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let shake = move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(GOOD.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        };
        let (port, _) = serve(tasks, shake).await;
        (port, certificate)
    }

    #[tokio::test]
    async fn certificate_faults_are_distinguished_from_trust() {
        let mut tasks = JoinSet::new();
        for (name, ends, is_trusted, outcome) in [
            ("localhost", 2090, true, "fine"),
            ("localhost", 2090, false, "tls"),
            ("localhost", 2021, true, "certificate"),
            ("other.example", 2090, true, "certificate"),
        ] {
            let (port, certificate) = secure(&mut tasks, name, ends).await;
            let mut roots = rustls::RootCertStore::empty();
            if is_trusted {
                roots.add(certificate).expect("an anchor");
            }
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            let http = Http::by(Proxies::none(), PATIENCE, tls).expect("a client");
            let url = format!("https://localhost:{port}/");
            let found = call(&http, Method::GET, &url).await;
            let found = found.map_or_else(|error| error.as_str(), |_| "fine");
            assert_eq!(found, outcome, "{name} {ends} {is_trusted}");
        }
    }

    /// Name servers that do not answer.
    struct Silent;

    impl Resolve for Silent {
        fn resolve(&self, _: Name) -> Resolving {
            let never = std::future::pending::<io::Result<std::vec::IntoIter<SocketAddr>>>();
            Box::pin(addresses(never, Duration::from_millis(100)))
        }
    }

    #[tokio::test]
    async fn a_name_server_that_does_not_answer_is_no_fault_of_the_server() {
        let client = Client::builder()
            .tls_backend_preconfigured(client_config(false).expect("TLS"))
            .no_proxy()
            .dns_resolver(Arc::new(Silent))
            .build();
        let url = Url::parse("http://slow.example/").expect("a URL");
        let sent = Sent::new(&Proxies::none(), None, &url);
        let request = client.expect("a client").get(url).timeout(PATIENCE);
        let error = request.send().await.expect_err("no address");
        let error = error_of(&error, &sent);
        assert_eq!(error.as_str(), "name-lookup");
        let said = error.words(Visibility::MAINTAINER);
        assert!(
            said.contains("(no name server answered within 0.1 s)"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_get_that_dies_on_a_kept_connection_is_repeated_once() {
        let mut tasks = JoinSet::new();
        let once = |_, mut stream: TcpStream| async move {
            answer(&mut stream, GOOD).await;
            // The connection stays open, and ends when it is used again.
            let _ = stream.read(&mut [0; 1]).await;
        };
        let (port, taken) = serve(&mut tasks, once).await;
        let http = by(Proxies::none());
        let url = format!("http://127.0.0.1:{port}/");
        for n in 0..6 {
            assert_eq!(
                call(&http, Method::GET, &url).await,
                Ok(b"{}".to_vec()),
                "{n}"
            );
        }
        assert!(taken.load(Ordering::SeqCst) >= 6);
        let (port, taken) = serve(&mut tasks, |_, stream| async move { drop(stream) }).await;
        let url = format!("http://127.0.0.1:{port}/");
        let dropped = call(&http, Method::GET, &url).await;
        assert_eq!(dropped, Err(CallError::Dropped));
        assert_eq!(taken.load(Ordering::SeqCst), 2);
        let dropped = call(&http, Method::PUT, &url).await;
        assert_eq!(dropped, Err(CallError::Dropped));
        assert_eq!(taken.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn failures_name_the_proxy_and_this_host_needs_none() {
        let mut tasks = JoinSet::new();
        let good = |_, mut stream: TcpStream| async move { answer(&mut stream, GOOD).await };
        let (server, _) = serve(&mut tasks, good).await;
        for (said, words) in [
            (
                "HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n",
                "wants another user or password (HTTP_PROXY)",
            ),
            (
                "HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n",
                "answered 502",
            ),
            (
                "HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n",
                "nothing there",
            ),
            ("", "closed the connection without an answer"),
            ("SSH-2.0\r\n\r\n", "no HTTP"),
        ] {
            let manner = move |_, mut stream: TcpStream| async move {
                answer(&mut stream, said).await;
            };
            let (port, taken) = serve(&mut tasks, manner).await;
            let matcher = Matcher::builder().all(format!("http://lab:pa55@127.0.0.1:{port}"));
            let http = by(Proxies::new(matcher.build(), ""));
            let near = format!("http://localhost:{server}/");
            assert_eq!(call(&http, Method::GET, &near).await, Ok(b"{}".to_vec()));
            assert_eq!(taken.load(Ordering::SeqCst), 0);
            // The library reads the environment itself, which names no proxy here; so only the
            // texts
            // are checked.
            let url = Url::parse("http://book.example/").expect("a URL");
            let sent = Sent::new(&http.ways.proxies, Some(SourceName::Book), &url);
            let direct = Url::parse(&format!("http://127.0.0.1:{port}/")).expect("a URL");
            let outcome = http.ways.straight.kept.get(direct).send().await;
            let error = match outcome {
                Ok(answer) => {
                    let headers = answer.headers().clone();
                    error_of_answer(answer.status(), &headers, b"", &sent)
                }
                Err(error) => error_of(&error, &sent),
            };
            let error = error.words(Visibility::MAINTAINER);
            let place = format!("the proxy 127.0.0.1:{port}");
            assert!(
                error.contains(words) && error.contains(&place) && !error.contains("pa55"),
                "{error}"
            );
        }
    }
}
