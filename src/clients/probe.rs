//! A single probe of everything that a subscription to relay or jump needs: access, a websocket, a
//! report, and for relay a sample of one stream. Keeps nothing open, and reports which step failed
//! and where.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::sampling::{Sampler, listen};
use super::socket::{PACE, Socket, Use};
use super::subscription::UPDATE;
use super::ticket;
use ::parse::parse;
use engine::model::{CallError, SourceName, Topic};
use engine::{Report, Sample, SampleOutcome, Scopes};

/// The lifetime of the token of a probe.
const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// How long a report is waited for. An answer to a command takes a second.
const REPORT_WAIT: Duration = Duration::from_secs(10);

/// How long a stream is sampled.
const LISTEN: Duration = Duration::from_secs(2);

/// Result of a probe.
#[derive(Debug)]
pub struct Found {
    /// Scheme, host and port of the websocket.
    pub websocket: String,
    /// How many connections the report has.
    pub connections: usize,
    /// The stream that was sampled, and whether it sent data; `None` where there is none.
    pub sample: Option<(Topic, bool)>,
}

/// The step at which a probe failed, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// The request to the access API, at this address.
    Access(String),
    /// Opening the websocket that it returned.
    Websocket(String),
    /// Waiting for a report over it.
    Report(String),
    /// Sampling this stream.
    Sample(Topic),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(place) => write!(f, "access request to {place}"),
            Self::Websocket(place) => write!(f, "websocket at {place}"),
            Self::Report(place) => write!(f, "report over the websocket at {place}"),
            Self::Sample(topic) => write!(f, "sample of {topic}"),
        }
    }
}

/// Probes relay or jump.
///
/// # Errors
/// The step that failed, and how.
pub async fn probe(sampler: &Sampler, source: SourceName) -> Result<Found, (Doing, CallError)> {
    let Sampler { address, http, tls } = sampler;
    let access = Doing::Access(address.connect.to_string());
    let ticket = ticket::to_reports(http, address, source, TOKEN_LIFE)
        .await
        .map_err(|error| (access, error))?;
    let websocket = ticket.url().origin().ascii_serialization();
    let mut socket = Socket::open(&ticket, tls, Use::Reports, PACE)
        .await
        .map_err(|error| (Doing::Websocket(websocket.clone()), error))?;
    let report = first_report(&mut socket, source)
        .await
        .map_err(|error| (Doing::Report(websocket.clone()), error))?;
    socket.close().await;
    let sample = match stream_of(&report).filter(|_| source == SourceName::Relay) {
        Some(topic) => Some(sample(sampler, topic).await?),
        None => None,
    };
    Ok(Found {
        websocket,
        connections: report.len(),
        sample,
    })
}

async fn first_report(socket: &mut Socket, source: SourceName) -> Result<Report, CallError> {
    let protocol = |why: &dyn fmt::Display| CallError::Protocol(why.to_string());
    socket.send(UPDATE).await.map_err(|end| protocol(&end))?;
    let mut unreadable = None;
    let work = async {
        loop {
            let message = socket.next().await.map_err(|end| protocol(&end))?;
            let parsed = parse(source, &message);
            if let Some(report) = parsed.report {
                return Ok(report);
            }
            unreadable = parsed.unreadable.or(unreadable.take());
        }
    };
    match timeout(REPORT_WAIT, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(unreadable.map_or_else(
            || {
                CallError::NoAnswer(format!(
                    "the websocket is open, but no report came within {} s of being asked for: it does not accept our access code, or \
                     its hub is stuck",
                    REPORT_WAIT.as_secs()
                ))
            },
            |why| protocol(&format_args!("what it sends cannot be read: {why}")),
        )),
    }
}

/// A stream of an experiment.
fn stream_of(report: &Report) -> Option<Topic> {
    report
        .iter()
        .filter(|connection| connection.scopes.has(Scopes::EXPT))
        .find_map(|connection| Topic::try_new(connection.topic).ok())
}

async fn sample(sampler: &Sampler, topic: Topic) -> Result<(Topic, bool), (Doing, CallError)> {
    let request = Sample {
        topic: topic.clone(),
        listen: LISTEN,
    };
    match listen(sampler, &request).await {
        Ok(outcome) => Ok((topic, outcome == SampleOutcome::Received)),
        Err(error) => Err((Doing::Sample(topic), error)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use engine::model::Visibility;

    use std::sync::Arc;

    use super::*;
    use crate::clients::testing::{FakeServer, address, http};
    use crate::clients::{Address, client_config};

    const REPORT: &str = r#"[{"topic":"stats","scopes":["read","stats"]},{"topic":"pend00-st-data","scopes":["read","write","expt"]}]"#;

    async fn tried(there: &Address, source: SourceName) -> Result<Found, (Doing, CallError)> {
        let sampler = Sampler {
            address: there.clone(),
            http: http(),
            tls: Arc::new(client_config(false).expect("TLS")),
        };
        probe(&sampler, source).await
    }

    #[tokio::test]
    async fn a_report_and_a_sample_are_taken() {
        for (source, sends) in [
            (SourceName::Relay, true),
            (SourceName::Relay, false),
            (SourceName::Jump, false),
        ] {
            let mut server = FakeServer::start().await;
            let there = server.address();
            let serving = async {
                let mut peer = server.accept().await;
                assert_eq!(peer.receive().await, UPDATE);
                peer.say("not a report").await;
                peer.say(REPORT).await;
                assert_eq!(peer.receive().await, "close 1000");
                if source == SourceName::Relay {
                    let mut stream = server.accept().await;
                    if sends {
                        stream.say("x").await;
                    }
                    assert_eq!(stream.receive().await, "close 1000");
                }
            };
            let (found, ()) = tokio::join!(tried(&there, source), serving);
            let found = found.expect("all is well");
            assert!(found.websocket.starts_with("ws://127.0.0.1:"));
            assert_eq!(found.connections, 2);
            let sample = found
                .sample
                .map(|(topic, sends)| (topic.to_string(), sends));
            let expected =
                (source == SourceName::Relay).then(|| ("pend00-st-data".to_owned(), sends));
            assert_eq!(sample, expected);
        }
    }

    #[tokio::test]
    async fn the_step_that_fails_is_named() {
        let step = async |there: &Address| {
            let (doing, error) = tried(there, SourceName::Relay).await.expect_err("it fails");
            (doing.to_string(), error.as_str())
        };
        let nowhere = address(SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(
            step(&nowhere).await,
            (
                "access request to http://127.0.0.1:1/".to_owned(),
                "refused"
            )
        );
        for (uri, place, error) in [
            ("ws://127.0.0.1:1/", "ws://127.0.0.1:1", "refused"),
            (
                "ws://no-such-host.invalid:3001/",
                "ws://no-such-host.invalid:3001",
                "name-lookup",
            ),
        ] {
            let server = FakeServer::start().await;
            server.refuse(200, &format!(r#"{{"uri":"{uri}"}}"#));
            let expected = (format!("websocket at {place}"), error);
            assert_eq!(step(&server.address()).await, expected);
        }
        let mut server = FakeServer::start().await;
        let there = server.address();
        let serving = async { drop(server.accept().await) };
        let (failed, ()) = tokio::join!(step(&there), serving);
        assert!(failed.0.starts_with("report over the websocket at ws://"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_mute_websocket_is_said_to_be() {
        let (mut socket, _peer) = crate::clients::testing::pair(PACE).await;
        let failed = first_report(&mut socket, SourceName::Jump).await;
        let failed = failed.expect_err("nothing comes");
        let said = failed.words(Visibility::MAINTAINER);
        assert!(said.contains("no report came within 10 s"), "{said}");
    }
}
