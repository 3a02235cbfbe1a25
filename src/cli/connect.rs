//! Tries the servers of a configuration, each once and within a time limit, and reports for each in
//! one line what is wrong and what to do. Reads only: asks book for its counts, jump and relay for
//! a
//! report and relay for a sample of one stream, the mail server whether it would accept a mail.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::recipients::refusals;
use crate::clients::probe::{Doing, Found, probe};
use crate::clients::sampling::Sampler;
use crate::clients::{self, BookClient, Http, TOKEN_BACKDATE};
#[cfg(feature = "etcd")]
use crate::config::PublishTo;
use crate::config::{BookSettings, Config, FeedSettings, MailSettings, NotificationSettings};
use crate::effects::mail::Mailer;
use engine::model::{CallError, SourceName, Visibility, format_duration};

/// The time limit for jump and for relay. Book and mail have limits of their own in the
/// configuration.
const TRY_FOR: Duration = Duration::from_secs(10);

/// Clocks that differ by less than this agree: a slow answer looks the same.
const CLOCKS_AGREE: Duration = Duration::from_secs(2);

/// Outcome for one server.
#[derive(Debug)]
pub struct Finding {
    /// The server's name.
    pub server: &'static str,
    /// Its state, or what is wrong and what to do.
    pub outcome: Result<String, String>,
}

/// Tries all servers at the same time.
pub async fn try_all(config: &Config) -> Vec<Finding> {
    let (book, jump, relay) = tokio::join!(
        try_book(&config.book),
        try_feed(&config.jump, SourceName::Jump),
        try_feed(&config.relay, SourceName::Relay)
    );
    let book = book.map_err(|error| {
        let advice = advice(&error, SourceName::Book);
        let place = &config.book.address.connect;
        let what = error.words(Visibility::MAINTAINER);
        format!("{what}{advice}; at the call to {place}")
    });
    let named = |server: SourceName, outcome| Finding {
        server: server.as_str(),
        outcome,
    };
    let mut findings = vec![
        named(SourceName::Book, book),
        named(SourceName::Jump, jump),
        named(SourceName::Relay, relay),
    ];
    if let Some(mail) = &config.mail {
        findings.push(Finding {
            server: "mail",
            outcome: try_mail(mail, &config.notifications).await,
        });
    }
    findings.extend(try_etcd(config).await);
    findings
}

/// Whether etcd accepts us, where it is used, and lets us read the keys of replicas, publication
/// and
/// policy.
#[cfg(feature = "etcd")]
async fn try_etcd(config: &Config) -> Option<Finding> {
    let publication = config.publication.as_ref();
    let published = publication.and_then(|publication| match &publication.to {
        PublishTo::Etcd(etcd) => Some((etcd, vec![format!("{}/", publication.prefix)])),
        PublishTo::Files(_) => None,
    });
    let policy = config.policy.as_ref();
    let policy = policy.map(|policy| (&policy.etcd, policy.keys().to_vec()));
    let cluster = config.cluster.as_ref();
    let uses = || published.iter().chain(&policy);
    // All of them use the same access.
    let etcd = cluster.map(|cluster| &cluster.etcd);
    let etcd = etcd.or_else(|| uses().next().map(|(etcd, _)| *etcd))?;
    let keys: Vec<String> = uses().flat_map(|(_, keys)| keys.clone()).collect();
    let reached = async {
        let words = Box::pin(clients::etcd::reach(etcd, &keys)).await?;
        match cluster {
            Some(cluster) => Box::pin(crate::cluster::reach(cluster)).await,
            None => Ok(words),
        }
        .map_err(|fault| fault.to_string())
    };
    Some(Finding {
        server: "etcd",
        outcome: Box::pin(reached).await,
    })
}

/// Without this feature the configuration cannot ask for etcd.
#[cfg(not(feature = "etcd"))]
fn try_etcd(_: &Config) -> std::future::Ready<Option<Finding>> {
    std::future::ready(None)
}

async fn try_book(book: &BookSettings) -> Result<String, CallError> {
    let before = Timestamp::now();
    let http = Http::new(book.timeout, clients::client_config(false)?)?;
    let status = BookClient::new(book.address.clone(), http).status().await?;
    let now = status
        .now
        .ok_or_else(|| CallError::Protocol("its status is not that of a book".to_owned()))?;
    let took = Timestamp::now().duration_since(before);
    let skew = now.duration_since(before + took / 2);
    let resources = match status.resources {
        0 => "it has no resources, so there is nothing to watch until a manifest is uploaded"
            .to_owned(),
        n => format!("it has {n} resources"),
    };
    let locked = match (status.locked, status.message.as_str()) {
        (false, _) => String::new(),
        (true, "") => "; it is locked to users".to_owned(),
        (true, message) => format!("; it is locked to users, who see: {message}"),
    };
    Ok(format!("{resources}; {}{locked}", clocks(skew)))
}

/// What it means for tokens that a server's clock is so far ahead: it rejects tokens that are not
/// valid yet or not any more, to the second.
fn clocks(ahead: SignedDuration) -> String {
    let apart = ahead.unsigned_abs();
    let (shown, which) = (
        format_duration(Duration::from_secs(apart.as_secs())),
        if ahead.is_negative() {
            "behind"
        } else {
            "ahead"
        },
    );
    if apart <= CLOCKS_AGREE {
        "the clocks agree".to_owned()
    } else if ahead.is_negative() && apart >= TOKEN_BACKDATE {
        format!(
            "its clock is {shown} {which}, too much for tokens to be valid there at once: set the clocks by NTP"
        )
    } else {
        format!("its clock is {shown} {which}: set the clocks by NTP")
    }
}

/// Does what the service does: access, a websocket, a report, and a sample of a stream.
async fn try_feed(feed: &FeedSettings, server: SourceName) -> Result<String, String> {
    let tls = clients::client_config(false).map_err(|error| error.to_string())?;
    let http = Http::new(TRY_FOR, tls.clone()).map_err(|error| error.to_string())?;
    let sampler = Sampler {
        address: feed.address.clone(),
        http,
        tls: Arc::new(tls),
    };
    match probe(&sampler, server).await {
        Ok(found) => Ok(words_of(&found)),
        Err((doing, error)) => {
            let advice = match &doing {
                Doing::Access(_) => advice(&error, server),
                Doing::Websocket(_) => advice_of_websocket(&error, server),
                Doing::Report(_) | Doing::Sample(_) => String::new(),
            };
            Err(format!(
                "{}{advice}; at the {doing}",
                error.words(Visibility::MAINTAINER)
            ))
        }
    }
}

fn words_of(found: &Found) -> String {
    let Found {
        websocket,
        connections,
        sample,
    } = found;
    let sample = match sample {
        Some((topic, true)) => format!("; {topic} sends"),
        Some((topic, false)) => format!("; {topic} can be subscribed to and sends nothing"),
        None => String::new(),
    };
    format!("it lets us in and reports {connections} connections at {websocket}{sample}")
}

/// Advice about a websocket, whose address the server itself gives.
fn advice_of_websocket(error: &CallError, server: SourceName) -> String {
    let leads_nowhere = matches!(
        error,
        CallError::NameLookup(_)
            | CallError::Refused(_)
            | CallError::NoRoute(_)
            | CallError::Unreachable(_)
            | CallError::TimedOut
            | CallError::NoAnswer(_)
            | CallError::Dropped
    );
    if !leads_nowhere {
        return String::new();
    }
    format!(
        ": the address is the one that {server} hands out; correct it there, or set url_{server}_socket"
    )
}

/// As far as possible without sending.
async fn try_mail(
    mail: &MailSettings,
    notifications: &NotificationSettings,
) -> Result<String, String> {
    let server = format!("{}:{}", mail.host, mail.port);
    let mailer = Mailer::new(mail.clone(), &notifications.routes)
        .map_err(|error| format!("{server}: {error}"))?;
    let found = mailer
        .preflight()
        .await
        .map_err(|error| error.at(&server))?;
    let failures = || {
        let answers = found.iter();
        answers.filter_map(|(recipient, answer)| Some((recipient, answer.as_ref().err()?)))
    };
    let (passing, lasting): (Vec<_>, Vec<_>) =
        failures().partition(|(_, error)| error.code().is_some_and(|code| code < 500));
    if !lasting.is_empty() {
        let why = refusals(lasting.into_iter()).join("; ");
        return Err(format!("{server} does not take mail for {why}"));
    }
    let put_off = refusals(passing.into_iter());
    let put_off = match put_off.as_slice() {
        [] => String::new(),
        some => format!("; it does not take it at once for {}", some.join("; ")),
    };
    Ok(format!(
        "{server} takes our connection, lets us in and knows the recipients{put_off}; send a real mail to be sure that it is delivered"
    ))
}

/// Whether the text of a fault ends with advice.
fn says_what_to_do(words: &str) -> bool {
    [": check ", ": set ", "? set ", "? Set "]
        .iter()
        .any(|advice| words.contains(advice))
}

/// Advice, where the fault's text has none.
fn advice(fault: &CallError, server: SourceName) -> String {
    let is_unreached = matches!(
        fault,
        CallError::NameLookup(_)
            | CallError::Refused(_)
            | CallError::NoRoute(_)
            | CallError::Unreachable(_)
            | CallError::TimedOut
            | CallError::NoAnswer(_)
    );
    if is_unreached {
        return format!(
            ": check host_{server}, scheme_{server} and url_{server}, and that it runs"
        );
    }
    if let CallError::Sick { status: 500.., .. } = fault {
        return ": look into its log".to_owned();
    }
    let is_vague = |said: &str| !says_what_to_do(said);
    let is_other = *fault == CallError::Dropped
        || matches!(fault, CallError::Protocol(said) if is_vague(said));
    if is_other {
        format!(": check that the address is {server}'s own")
    } else {
        String::new()
    }
}

#[cfg(test)]
#[allow(clippy::large_futures, reason = "tests await whole checks")]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::http::header::LOCATION;
    use axum::routing::{get, post};
    use tokio::task::JoinSet;

    use super::*;
    use crate::clients::testing::FakeServer;
    use crate::config::{Sources, load};
    use lab::{Answer, AwkwardSetup, AwkwardSmtp, Rule};

    /// A configuration whose three servers are all at `port` of this host.
    fn config_at(port: u16, more: &[(&str, &str)]) -> Config {
        let sources = Sources::of_laboratory(&format!("127.0.0.1:{port}"), more);
        load(&sources).expect("loads").config
    }

    /// The outcomes of trying `servers`, each after its name.
    async fn outcomes(servers: Router, more: &[(&str, &str)]) -> Vec<String> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, servers).await });
        let findings = try_all(&config_at(port, more)).await;
        findings
            .into_iter()
            .map(|Finding { server, outcome }| format!("{server} {outcome:?}"))
            .collect()
    }

    #[tokio::test]
    async fn servers_that_work_are_said_to() {
        let status = || async { format!(r#"{{"resources":12,"now":"{}"}}"#, Timestamp::now()) };
        let servers = Router::new()
            .route("/api/v1/admin/status", get(status))
            .route(
                "/session/stats",
                post(|| async { r#"{"uri":"ws://127.0.0.1:1/session/stats?code=one-time-code"}"# }),
            );
        let found = outcomes(servers, &[]).await;
        assert_eq!(
            found[0],
            r#"book Ok("it has 12 resources; the clocks agree")"#
        );
        assert_eq!(
            found[2],
            "relay Err(\"cannot connect (websocket: 127.0.0.1:1 refused the connection): the address is the one that relay hands out; \
             correct it there, or set url_relay_socket; at the websocket at ws://127.0.0.1:1\")"
        );
    }

    #[tokio::test]
    async fn what_answers_in_the_place_of_book_is_named_with_one_advice() {
        let locked = || async {
            format!(
                r#"{{"resources":2,"locked":true,"message":"maintenance","now":"{}"}}"#,
                Timestamp::now()
            )
        };
        let moved = || async {
            let to = [(LOCATION, "https://127.0.0.1/login?code=c0de")];
            (StatusCode::MOVED_PERMANENTLY, to, "<html>")
        };
        let page = || async { "<!doctype html><title>Welcome</title>" };
        let sick = || async { (StatusCode::BAD_GATEWAY, "<html>") };
        let secure = || async {
            (
                StatusCode::BAD_REQUEST,
                "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
            )
        };
        for (answer, words) in [
            (
                get(locked),
                "Ok(\"it has 2 resources; the clocks agree; it is locked to users, who see: maintenance\")",
            ),
            (
                get(moved),
                "Err(\"it answered 301 (it redirects to https://127.0.0.1/login: set scheme_book=https); at the call to http://",
            ),
            (
                get(page),
                "Err(\"it does not speak as it should: it answered with a web page instead of JSON: check host_book and basepath_book; at the call",
            ),
            (
                get(secure),
                "Err(\"it does not speak as it should: it speaks https there: set scheme_book=https; at the call to http://",
            ),
            (
                get(sick),
                "Err(\"it answered 502 (<html>): look into its log; at the call to http://",
            ),
        ] {
            let servers = Router::new().route("/api/v1/admin/status", answer);
            let outcomes = outcomes(servers, &[]).await;
            let book = outcomes[0].strip_prefix("book ").expect("book");
            assert!(book.starts_with(words), "{book}");
        }
    }

    #[tokio::test]
    async fn a_feed_that_works_is_said_to() {
        let mut server = FakeServer::start().await;
        let feed = FeedSettings {
            address: server.address(),
            reconnect_every: Duration::from_secs(3600),
        };
        let serving = async {
            let mut peer = server.accept().await;
            peer.receive().await;
            peer.say(r#"[{"topic":"pend00-st-data","scopes":["read","write","expt"]}]"#)
                .await;
            server.accept().await.say("x").await;
        };
        let (found, ()) = tokio::join!(try_feed(&feed, SourceName::Relay), serving);
        let found = found.expect("it works");
        assert!(
            found.starts_with("it lets us in and reports 1 connections at ws://127.0.0.1:")
                && found.ends_with("; pend00-st-data sends"),
            "{found}"
        );
    }

    #[tokio::test]
    async fn servers_that_do_not_are_said_to_with_what_to_do() {
        let relay = || async {
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"code":500,"message":"token invalid"}"#,
            )
        };
        let servers = Router::new()
            .route(
                "/api/v1/admin/status",
                get(|| async { r#"{"some":"other server"}"# }),
            )
            .route("/session/stats", post(relay));
        let mail = [
            ("email_host", "127.0.0.1"),
            ("email_port", "1"),
            ("email_to", "a@x.org"),
            ("email_from", "b@x.org"),
        ];
        let outcomes = outcomes(servers, &mail).await;
        let expected = [
            r#"book Err("it does not speak as it should: its status is not that of a book: check that the address is book's own; at the call to http://"#,
            r#"jump Err("nothing there: check the base path"#,
            r#"relay Err("it does not accept our token or password: check the secret and that the clocks agree (it said: token invalid; its clock agrees with ours, so the secret is another); at the access request to http://"#,
            r#"mail Err("127.0.0.1:1 refused the connection")"#,
        ];
        for (outcome, expected) in outcomes.iter().zip(expected) {
            assert!(outcome.starts_with(expected), "{outcome}");
        }
        assert_eq!(outcomes.len(), expected.len());
    }

    /// The reply to each recipient is reported before anything is sent, deferred ones apart from
    /// refused ones.
    #[tokio::test]
    async fn a_mail_server_is_asked_about_each_recipient() {
        let bob = Rule::on("RCPT TO:<bob@", Answer::line("550 5.1.1 no such user"));
        let cy = Rule::on("RCPT TO:<cy@", Answer::line("450 4.2.0 greylisted"));
        for (rules, start, end) in [
            (
                vec![],
                "Ok(\"127.0.0.1:",
                "knows the recipients; send a real mail to be sure that it is delivered\")",
            ),
            (
                vec![cy.clone()],
                "Ok(\"127.0.0.1:",
                "; it does not take it at once for cy@x.org: it answered 450 to RCPT (it said: 450 4.2.0 greylisted); send a real mail to be sure \
                 that it is delivered\")",
            ),
            (
                vec![bob, cy],
                "Err(\"127.0.0.1:",
                "does not take mail for bob@x.org: it answered 550 to RCPT (it said: 550 5.1.1 no such user)\")",
            ),
        ] {
            let setup = AwkwardSetup {
                rules,
                ..AwkwardSetup::default()
            };
            let server = AwkwardSmtp::start(setup).await.expect("starts");
            let port = server.address().port().to_string();
            let mail = [
                ("email_host", "127.0.0.1"),
                ("email_port", port.as_str()),
                ("email_to", "ann@x.org bob@x.org cy@x.org"),
                ("email_from", "lab@x.org"),
            ];
            let config = config_at(1, &mail);
            let found = try_mail(config.mail.as_ref().expect("mail"), &config.notifications).await;
            let found = format!("{found:?}");
            assert!(found.starts_with(start) && found.ends_with(end), "{found}");
            assert!(server.mails().is_empty());
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let findings = try_all(&config_at(1, &[])).await;
        for finding in findings {
            let notified = finding.outcome.expect_err("no server is there");
            let advice = format!(
                ": check host_{0}, scheme_{0} and url_{0}, and that it runs",
                finding.server
            );
            assert!(
                notified.starts_with("cannot connect (") && notified.contains(&advice),
                "{notified}"
            );
        }
    }

    #[test]
    fn clocks_that_differ() {
        for (ahead, words) in [
            (1, "the clocks agree"),
            (-1, "the clocks agree"),
            (90, "its clock is 1m30s ahead: set the clocks by NTP"),
            (-10, "its clock is 10s behind: set the clocks by NTP"),
            (
                -45,
                "its clock is 45s behind, too much for tokens to be valid there at once: set the clocks by NTP",
            ),
        ] {
            assert_eq!(clocks(SignedDuration::from_secs(ahead)), words);
        }
    }
}
