//! TCP connections to a host by name: all its addresses are tried, IPv6 and IPv4 in turn (RFC
//! 8305).
//! Knows nothing of the protocol above.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

/// The longest for looking a name up. A nameserver that does not answer costs 5 s before the next
/// is asked.
const LOOKUP_WAIT: Duration = Duration::from_secs(6);

/// The longest for one address: the first packet and two repetitions of it.
const ADDRESS_WAIT: Duration = Duration::from_secs(5);

/// How long the latest address is waited for before the next one is tried in parallel (RFC 8305,
/// section 5).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// The most addresses of a host that are tried.
const MAX_ADDRESSES: usize = 16;

/// Why there is no connection. Names host and port, which the operator has configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The host, as configured.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What failed.
    pub failure: ConnectFailure,
}

/// Reason of a failure. Where the addresses of a host fail in different ways, the last of these
/// variants is reported: a host that refuses is nearer than one that cannot be reached at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectFailure {
    /// The name cannot be looked up. Holds the system's text.
    Lookup(String),
    /// The name was not looked up within this time.
    LookupTimedOut(Duration),
    /// The name exists and has no address.
    NoAddress,
    /// There is no route to it from this host.
    NoRoute,
    /// Another error of the system. Holds its text.
    Other(String),
    /// No answer within this time.
    TimedOut(Duration),
    /// The host answers, and nothing listens on the port.
    Refused,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            port,
            failure,
        } = self;
        let at = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        match failure {
            ConnectFailure::Lookup(why) => write!(f, "the name {host} cannot be looked up: {why}"),
            ConnectFailure::LookupTimedOut(after) => write!(
                f,
                "the name {host} was not looked up within {:.0} s: check this host's DNS",
                after.as_secs_f64()
            ),
            ConnectFailure::NoAddress => write!(f, "the name {host} has no address"),
            ConnectFailure::NoRoute => write!(f, "there is no route to {at}"),
            ConnectFailure::Other(why) => write!(f, "{at}: {why}"),
            ConnectFailure::TimedOut(after) => write!(
                f,
                "{at} did not answer within {:.0} s",
                after.as_secs_f64().max(1.0)
            ),
            ConnectFailure::Refused => write!(f, "{at} refused the connection"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Looks names up for HTTP calls, within less time than a call has: so a name server that does not
/// answer is distinguished from a server that does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup {
    within: Duration,
}

impl Lookup {
    /// For calls that take at most this long.
    pub(super) fn for_calls_of(timeout: Duration) -> Self {
        Self {
            within: LOOKUP_WAIT.min(timeout * 4 / 5),
        }
    }
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let within = self.within;
        Box::pin(async move { addresses(lookup_host((name.as_str(), 0)), within).await })
    }
}

/// The result of a look-up within this time.
pub(super) async fn addresses<I>(
    lookup: impl Future<Output = io::Result<I>>,
    within: Duration,
) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>>
where
    I: Iterator<Item = SocketAddr>,
{
    let found = timeout(within, lookup).await.map_err(|_| {
        format!(
            "no name server answered within {:.1} s",
            within.as_secs_f64()
        )
    })??;
    Ok(Box::new(found.collect::<Vec<_>>().into_iter()))
}

/// A connection to a host, given by its name or address (an IPv6 address with or without brackets),
/// within a time limit for all of it.
///
/// # Errors
/// [`ConnectError`], which distinguishes a failed look-up, a refusal, a missing route and silence.
pub async fn dial(host: &str, port: u16, within: Duration) -> Result<TcpStream, ConnectError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let work = async {
        let addresses = look_up(host, port).await?;
        race(interleave(addresses), TcpStream::connect).await
    };
    timeout(within, work)
        .await
        .unwrap_or(Err(ConnectFailure::TimedOut(within)))
        .map_err(|failure| ConnectError {
            host: host.to_owned(),
            port,
            failure,
        })
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectFailure> {
    match timeout(LOOKUP_WAIT, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(ConnectFailure::Lookup(words_of_lookup(&error.to_string()))),
        Err(_) => Err(ConnectFailure::LookupTimedOut(LOOKUP_WAIT)),
    }
}

/// The resolver's text, without the words that repeat that it is about a look-up.
fn words_of_lookup(said: &str) -> String {
    let own = said.rsplit_once("address information: ");
    own.map_or(said, |(_, own)| own).to_owned()
}

/// Both families in turn, beginning with the one that the system prefers, each in the system's
/// order.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = Vec::new();
    while !(first.is_empty() && second.is_empty()) {
        mixed.extend(first.pop_front());
        mixed.extend(second.pop_front());
    }
    mixed.truncate(MAX_ADDRESSES);
    mixed
}

/// The first successful connection. When an address fails, the next is tried at once; when it is
/// slow, after [`NEXT_AFTER`].
async fn race<S, F>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<S, ConnectFailure>
where
    F: Future<Output = io::Result<S>>,
{
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut nearest = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(timeout(ADDRESS_WAIT, connect(address)));
        }
        let outcome = tokio::select! {
            outcome = attempts.next() => outcome,
            () = sleep(NEXT_AFTER), if waiting.len() > 0 => continue,
        };
        let failure = match outcome {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => failure_of(&error),
            Some(Err(_)) => ConnectFailure::TimedOut(ADDRESS_WAIT),
            None => return Err(nearest.unwrap_or(ConnectFailure::NoAddress)),
        };
        nearest = nearest.max(Some(failure));
    }
}

fn failure_of(error: &io::Error) -> ConnectFailure {
    use io::ErrorKind as Kind;
    let kind = error.kind();
    if kind == Kind::ConnectionRefused {
        ConnectFailure::Refused
    } else if matches!(kind, Kind::HostUnreachable | Kind::NetworkUnreachable) {
        ConnectFailure::NoRoute
    } else {
        ConnectFailure::Other(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// The behaviour of an address in a test, by its last number: how long it takes, and the
    /// result.
    type Manner = fn(u16) -> (u64, Result<(), io::ErrorKind>);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect()
    }

    /// The port that won or the failure, and after how many milliseconds.
    async fn raced(ports: &[u16], manner: Manner) -> (Result<u16, ConnectFailure>, u128) {
        let begin = Instant::now();
        let addresses = ports
            .iter()
            .map(|port| SocketAddr::from(([192, 0, 2, 1], *port)));
        let outcome = race(addresses.collect(), |address| async move {
            let (millis, outcome) = manner(address.port());
            sleep(Duration::from_millis(millis)).await;
            outcome.map(|()| address.port()).map_err(io::Error::from)
        })
        .await;
        (outcome, begin.elapsed().as_millis())
    }

    #[test]
    fn families_take_turns_and_the_preferred_one_begins() {
        let (a6, b6, c6) = ("[2001:db8::1]:25", "[2001:db8::2]:25", "[2001:db8::3]:25");
        let (a4, b4) = ("192.0.2.1:25", "192.0.2.2:25");
        for (given, mixed) in [
            (&[a6, b6, c6, a4, b4][..], &[a6, a4, b6, b4, c6][..]),
            (&[a4, b4, a6], &[a4, a6, b4]),
            (&[a4], &[a4]),
            (&[], &[]),
        ] {
            assert_eq!(interleave(addresses(given)), addresses(mixed));
        }
        let many = vec![addresses(&[a4])[0]; MAX_ADDRESSES + 5];
        assert_eq!(interleave(many).len(), MAX_ADDRESSES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_gives_way_to_the_next() {
        let (won, after) = raced(&[1, 2, 3], |port| match port {
            3 => (20, Ok(())),
            _ => (3_600_000, Ok(())),
        })
        .await;
        assert_eq!((won, after), (Ok(3), 520));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_does_not_wait_and_a_slow_winner_is_kept() {
        let (won, after) = raced(&[1, 2], |port| match port {
            1 => (1, Err(io::ErrorKind::NetworkUnreachable)),
            _ => (10, Ok(())),
        })
        .await;
        assert_eq!((won, after), (Ok(2), 11));
        let (won, after) = raced(&[1, 2], |port| match port {
            1 => (400, Ok(())),
            _ => (1, Err(io::ErrorKind::ConnectionRefused)),
        })
        .await;
        assert_eq!((won, after), (Ok(1), 400));
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearest_failure_is_reported_and_silence_ends() {
        let (outcome, _) = raced(&[1, 2, 3], |port| match port {
            2 => (5, Err(io::ErrorKind::ConnectionRefused)),
            _ => (5, Err(io::ErrorKind::NetworkUnreachable)),
        })
        .await;
        assert_eq!(outcome, Err(ConnectFailure::Refused));
        let (outcome, after) = raced(&[1, 2], |_| (3_600_000, Ok(()))).await;
        assert_eq!(outcome, Err(ConnectFailure::TimedOut(ADDRESS_WAIT)));
        assert_eq!(after, (ADDRESS_WAIT + NEXT_AFTER).as_millis());
        let (outcome, _) = raced(&[], |_| (0, Ok(()))).await;
        assert_eq!(outcome, Err(ConnectFailure::NoAddress));
    }

    #[tokio::test]
    async fn errors_name_what_failed_with_host_and_port() {
        let failure = async |host: &str, port| {
            let error = dial(host, port, Duration::from_secs(10)).await;
            error.expect_err("no connection").to_string()
        };
        assert_eq!(
            failure("127.0.0.1", 1).await,
            "127.0.0.1:1 refused the connection"
        );
        let unknown = failure("no-such-host.invalid", 25).await;
        assert!(
            unknown.starts_with("the name no-such-host.invalid ")
                && !unknown.contains("address information"),
            "{unknown}"
        );
        let error = |failure| ConnectError {
            host: "2001:db8::1".to_owned(),
            port: 25,
            failure,
        };
        let silent = error(ConnectFailure::TimedOut(Duration::from_secs(5)));
        assert_eq!(
            silent.to_string(),
            "[2001:db8::1]:25 did not answer within 5 s"
        );
        let no_route = error(ConnectFailure::NoRoute);
        assert_eq!(
            no_route.to_string(),
            "there is no route to [2001:db8::1]:25"
        );
    }

    #[tokio::test]
    async fn brackets_are_no_part_of_an_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let port = listener.local_addr().expect("bound").port();
        for host in ["127.0.0.1", "[127.0.0.1]", "localhost"] {
            dial(host, port, Duration::from_secs(5))
                .await
                .expect("connects");
        }
    }
}
