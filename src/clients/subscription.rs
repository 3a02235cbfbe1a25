//! The subscription to the reports of relay or of jump, kept up for as long as the program runs.
//!
//! It connects, requests a report, hands reports over, and reconnects when the connection ends,
//! before its token does, or on a command. Whether a source is late or down is not evaluated here.
//! It never waits for the engine: of the inputs that the engine has not taken yet, only the newest
//! report and the newest state of the connection are kept.

mod plan;

use std::fmt;
use std::mem::replace;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_util::sync::CancellationToken;

use self::plan::{Plan, Turn, next_message};
use super::newest::Outbox;
use crate::clients::Http;
use crate::clients::backoff::{Backoff, LASTING, RENEWAL_RETRY, jittered};
use crate::clients::socket::{End, PACE, Socket, Use};
use crate::clients::ticket;
use crate::clients::token::{TOKEN_SPARE, renew_after};
use crate::config::FeedSettings;
use ::parse::parse;
use engine::model::{CallError, ConnectError, SourceName};
use engine::{FeedCommand, Input, Link, Report};

/// The command by which relay or jump sends a report now.
pub(super) const UPDATE: &str = r#"{"cmd":"update"}"#;

/// The shortest interval between two log lines about unreadable entries of reports.
const UNREADABLE_SAID_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long a new connection may take to its first report before it, or the old one, is closed. An
/// answer to a command takes a second.
const PROOF_WAIT: Duration = Duration::from_secs(10);

/// Dependencies of a subscription.
#[derive(Debug)]
pub struct Feed {
    /// Relay or jump.
    pub source: SourceName,
    /// Its address, and how often the connection is renewed.
    pub settings: FeedSettings,
    /// For the access request.
    pub http: Http,
    /// For the websocket.
    pub tls: Arc<ClientConfig>,
}

/// Keeps up the subscription until `stop`, or until `inputs` is closed.
pub async fn run(
    feed: Feed,
    inputs: mpsc::Sender<Input>,
    mut commands: mpsc::Receiver<FeedCommand>,
    stop: CancellationToken,
) {
    let mut subscription = Subscription::new(feed);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            place = inputs.reserve(), if !subscription.outbox.is_empty() => {
                let Ok(place) = place else { break };
                if let Some(input) = subscription.outbox.take() {
                    place.send(input);
                }
            }
            Some(command) = commands.recv() => subscription.obey(command).await,
            received = next_message(subscription.line.as_mut()) => subscription.on_message(received),
            turn = subscription.plan.turn() => subscription.turn(turn).await,
        }
    }
    subscription.close().await;
}

struct Subscription {
    feed: Arc<Feed>,
    /// The current connection.
    line: Option<Socket>,
    /// Whether a report was received over the line.
    proven: bool,
    /// Since when the line is the current one.
    line_since: Instant,
    /// How many lines have ended in a row before they had lasted.
    ends: u32,
    plan: Plan,
    backoff: Backoff,
    /// The kind of the last logged failure: a failure that goes on is logged once.
    logged: Option<&'static str>,
    /// When unreadable entries of reports were last logged.
    unreadable_said: Option<Instant>,
    outbox: Outbox,
}

impl Subscription {
    fn new(feed: Feed) -> Self {
        Self {
            feed: Arc::new(feed),
            line: None,
            proven: false,
            line_since: Instant::now(),
            ends: 0,
            plan: Plan::wait(Duration::ZERO),
            backoff: Backoff::default(),
            logged: None,
            unreadable_said: None,
            outbox: Outbox::default(),
        }
    }

    async fn obey(&mut self, command: FeedCommand) {
        match (command, &mut self.line) {
            (FeedCommand::Ask, Some(socket)) => {
                if let Err(end) = socket.send(UPDATE).await {
                    self.lost(&end);
                }
            }
            (FeedCommand::Reconnect, Some(_)) => {
                self.plan = Plan::wait(Duration::ZERO);
                self.line = None;
                tracing::info!(source = %self.feed.source, "the connection is open but sends no report: reconnecting");
                self.outbox.put(self.link(Link::GivenUp));
            }
            (FeedCommand::Ask | FeedCommand::Reconnect, None) => {}
        }
    }

    fn on_message(&mut self, received: Result<Bytes, End>) {
        match received {
            Ok(message) => match self.read(&message) {
                Ok(report) => {
                    self.hand_over(report);
                    if let Plan::Verifying { line_reported, .. } = &mut self.plan {
                        *line_reported = true;
                    }
                }
                // Receiving anything shows that the other side is not mute.
                Err(Some(why)) => self.outbox.put(self.link(Link::Unreadable(why))),
                Err(None) => {}
            },
            Err(end) => self.lost(&end),
        }
    }

    async fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Due => match self.take_plan() {
                Plan::Verifying {
                    replacement,
                    line_reported,
                    ..
                } => self.not_proven(replacement, line_reported).await,
                Plan::Wait(_) | Plan::Dial(_) => self.dial(),
            },
            Turn::Dialled(Ok(replacement)) if self.line.is_some() => {
                self.plan = Plan::Verifying {
                    replacement,
                    until: Instant::now() + PROOF_WAIT,
                    line_reported: false,
                };
            }
            Turn::Dialled(Ok(socket)) => {
                let opened = open(&socket);
                self.take_line(socket);
                self.outbox.put(self.link(opened));
            }
            Turn::Dialled(Err(fault)) => self.not_dialled(fault),
            Turn::ReplacementMessage(Ok(message)) => {
                let Ok(report) = self.read(&message) else {
                    return;
                };
                if let Plan::Verifying { replacement, .. } = self.take_plan() {
                    let old = self.succeed(replacement);
                    self.hand_over(report);
                    close(old).await;
                }
            }
            Turn::ReplacementMessage(Err(end)) => self.not_renewed("ended", &end),
        }
    }

    fn dial(&mut self) {
        if self.line.is_none() {
            self.outbox.put(self.link(Link::Connecting));
        }
        self.plan = Plan::Dial(Box::pin(dial(Arc::clone(&self.feed))));
    }

    fn take_line(&mut self, socket: Socket) {
        self.line = Some(socket);
        self.line_since = Instant::now();
        self.proven = false;
        self.plan = Plan::wait(renew_after(self.feed.settings.reconnect_every));
    }

    /// The replacement becomes the line. Returns the old line, which is to be closed only now.
    fn succeed(&mut self, replacement: Socket) -> Option<Socket> {
        let old = self.line.take();
        self.take_line(replacement);
        old
    }

    /// The replacement has sent no report. If the line has, the replacement is mute; otherwise they
    /// are alike, and the newer one has the token that lives longer.
    async fn not_proven(&mut self, replacement: Socket, line_reported: bool) {
        let dropped = if line_reported {
            self.not_renewed("mute", &"the new connection sent no report");
            Some(replacement)
        } else {
            self.succeed(replacement)
        };
        close(dropped).await;
    }

    /// The line has ended. An open replacement takes its place; one that is being connected will.
    fn lost(&mut self, end: &End) {
        self.line = None;
        self.take_note_of_lasting();
        self.ends = self.ends.saturating_add(1);
        let why = match self.ends {
            1 => end.to_string(),
            ends => format!("{end}, as {ends} connections in a row have within a minute"),
        };
        match self.ends {
            1 => tracing::warn!(source = %self.feed.source, "connection lost: {end}"),
            // Less and less often.
            ends if ends.is_power_of_two() && ends > 2 => {
                tracing::warn!(source = %self.feed.source, ends, "connections are lost again and again: {end}");
            }
            ends => tracing::debug!(source = %self.feed.source, ends, "connection lost: {end}"),
        }
        self.outbox.put(self.link(match end {
            End::Broken(_) => Link::Broken(why),
            End::Closed { .. } | End::Cut | End::Dead(_) | End::Stuck => Link::Closed(why),
        }));
        match self.take_plan() {
            Plan::Verifying { replacement, .. } => {
                let opened = open(&replacement);
                self.take_line(replacement);
                self.outbox.put(self.link(opened));
            }
            Plan::Dial(dial) => {
                self.plan = Plan::Dial(dial);
                self.outbox.put(self.link(Link::Connecting));
            }
            Plan::Wait(_) => self.plan = Plan::wait(self.backoff.after(None, Instant::now())),
        }
    }

    /// Resets the backoff once the line has lasted: only that shows that the next failure is a
    /// first
    /// one. One report does not: a server may end each connection after it.
    fn take_note_of_lasting(&mut self) {
        if self.line_since.elapsed() < LASTING {
            return;
        }
        self.backoff.reset();
        self.logged = None;
        let ends = replace(&mut self.ends, 0);
        if ends > 1 {
            tracing::info!(source = %self.feed.source, ends, "a connection lasts again");
        }
    }

    fn not_dialled(&mut self, failure: ConnectError) {
        let as_str = failure.error.as_str();
        if self.line.is_some() {
            return self.not_renewed(as_str, &failure);
        }
        self.plan = Plan::wait(self.backoff.after(Some(&failure.error), Instant::now()));
        if self.is_news(as_str) {
            if failure.error.refuses_us() {
                tracing::error!(source = %self.feed.source, fault = as_str, "cannot subscribe: {failure}");
            } else {
                tracing::warn!(source = %self.feed.source, fault = as_str, "cannot subscribe: {failure}");
            }
        }
        self.outbox.put(self.link(Link::Failed(failure)));
    }

    fn not_renewed(&mut self, as_str: &'static str, why: &dyn fmt::Display) {
        self.plan = Plan::wait(jittered(RENEWAL_RETRY));
        if self.is_news(as_str) {
            tracing::warn!(source = %self.feed.source, fault = as_str, "cannot renew the connection, the old one still serves: {why}");
        }
    }

    /// Whether this kind of failure differs from the last one.
    fn is_news(&mut self, as_str: &'static str) -> bool {
        self.logged.replace(as_str) != Some(as_str)
    }

    /// The report in a message.
    ///
    /// # Errors
    /// Why there is none; `None` of an empty message.
    fn read(&self, message: &[u8]) -> Result<Report, Option<String>> {
        let parsed = parse(self.feed.source, message);
        if parsed.ignored > 0 {
            let (bytes, reports, ignored) = (message.len(), parsed.arrays, parsed.ignored);
            tracing::debug!(
                source = %self.feed.source, bytes, reports, ignored, why = parsed.unreadable,
                "a message contains more than a report"
            );
        }
        parsed.report.ok_or(parsed.unreadable)
    }

    /// Hands a report over. The first one of a connection proves it good: an open websocket alone
    /// does not, because one with a bad code is open too.
    fn hand_over(&mut self, report: Report) {
        let is_first = !replace(&mut self.proven, true);
        if is_first && self.ends <= 1 {
            tracing::info!(source = %self.feed.source, connections = report.len(), "reports are coming");
            self.logged = None;
        }
        self.take_note_of_lasting();
        if let Some((entries, why)) = report.unreadable() {
            self.say_unreadable(entries, why);
        }
        self.outbox
            .put(Input::Report(self.feed.source, Arc::new(report)));
    }

    fn say_unreadable(&mut self, entries: usize, why: &str) {
        let is_news = self
            .unreadable_said
            .is_none_or(|said| said.elapsed() >= UNREADABLE_SAID_EVERY);
        if is_news {
            self.unreadable_said = Some(Instant::now());
            tracing::warn!(source = %self.feed.source, entries, why, "entries of a report cannot be read, in part or at all");
        }
    }

    fn link(&self, link: Link) -> Input {
        Input::Link(self.feed.source, link)
    }

    fn take_plan(&mut self) -> Plan {
        replace(&mut self.plan, Plan::wait(Duration::ZERO))
    }

    async fn close(self) {
        let replacement = if let Plan::Verifying { replacement, .. } = self.plan {
            Some(replacement)
        } else {
            None
        };
        join(close(self.line), close(replacement)).await;
    }
}

fn open(socket: &Socket) -> Link {
    if socket.is_by_proxy() {
        Link::OpenByProxy
    } else {
        Link::Open
    }
}

async fn close(socket: Option<Socket>) {
    if let Some(socket) = socket {
        socket.close().await;
    }
}

/// A new connection over which a report was requested.
async fn dial(feed: Arc<Feed>) -> Result<Socket, ConnectError> {
    let life = renew_after(feed.settings.reconnect_every) + TOKEN_SPARE;
    let ticket = ticket::to_reports(&feed.http, &feed.settings.address, feed.source, life)
        .await
        .map_err(ConnectError::access)?;
    let mut socket = Socket::open(&ticket, &feed.tls, Use::Reports, PACE)
        .await
        .map_err(ConnectError::websocket)?;
    match socket.send(UPDATE).await {
        Ok(()) => Ok(socket),
        Err(_) => Err(ConnectError::websocket(CallError::Dropped)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinSet;
    use tokio::time::timeout;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;
    use crate::clients::testing::{FakeServer, PATIENCE, Peer, address, http, listener, pair};
    use crate::clients::token::SHORTEST_RENEWAL;
    use crate::clients::{Address, client_config};
    use engine::model::Step;

    const HOUR: Duration = Duration::from_secs(3600);
    const A: &str = r#"[{"topic":"a"}]"#;
    const B: &str = r#"[{"topic":"b"},{"topic":"c"}]"#;

    /// A running subscription.
    struct Running {
        inputs: mpsc::Receiver<Input>,
        commands: mpsc::Sender<FeedCommand>,
        stop: CancellationToken,
        tasks: JoinSet<()>,
    }

    impl Running {
        fn start(
            source: SourceName,
            address: Address,
            reconnect_every: Duration,
            queue: usize,
        ) -> Self {
            let (give, inputs) = mpsc::channel(queue);
            let (commands, obeyed) = mpsc::channel(4);
            let stop = CancellationToken::new();
            let tls = Arc::new(client_config(false).expect("a client configuration"));
            let feed = Feed {
                source,
                settings: FeedSettings {
                    address,
                    reconnect_every,
                },
                http: http(),
                tls,
            };
            let mut tasks = JoinSet::new();
            tasks.spawn(run(feed, give, obeyed, stop.clone()));
            Self {
                inputs,
                commands,
                stop,
                tasks,
            }
        }

        fn relay(server: &FakeServer) -> Self {
            Self::start(SourceName::Relay, server.address(), HOUR, 16)
        }

        /// Expects these inputs, as text.
        async fn expect(&mut self, inputs: &[&str]) {
            for expected in inputs {
                let input = timeout(PATIENCE, self.inputs.recv())
                    .await
                    .unwrap_or_else(|_| panic!("in time: {expected}"));
                assert_eq!(words(&input.expect("an input")), *expected);
            }
        }

        async fn stopped_within(mut self, time: Duration) {
            self.stop.cancel();
            timeout(time, self.tasks.join_next())
                .await
                .expect("stops in time")
                .expect("a task")
                .expect("no panic");
        }
    }

    fn words(input: &Input) -> String {
        if let Input::Report(source, report) = input {
            return report
                .iter()
                .fold(format!("{source} reports"), |words, connection| {
                    format!("{words} {}", connection.topic)
                });
        }
        let Input::Link(_, link) = input else {
            panic!("not from a feed: {input:?}")
        };
        match link {
            Link::Connecting => "connecting".to_owned(),
            Link::Open => "open".to_owned(),
            Link::OpenByProxy => "open by proxy".to_owned(),
            Link::Unreadable(why) => format!("unreadable: {why}"),
            Link::Failed(failure) => words_of(failure),
            Link::Closed(why) | Link::Broken(why) => format!("closed: {why}"),
            Link::GivenUp => "given up".to_owned(),
        }
    }

    fn words_of(failure: &ConnectError) -> String {
        match failure.step {
            Step::Access => format!("failed: {}", failure.error.as_str()),
            Step::Websocket => format!("websocket failed: {}", failure.error.as_str()),
        }
    }

    /// A subscription that does not run.
    fn subscription() -> Subscription {
        Subscription::new(Feed {
            source: SourceName::Relay,
            settings: FeedSettings {
                address: address(SocketAddr::from(([127, 0, 0, 1], 1))),
                reconnect_every: HOUR,
            },
            http: http(),
            tls: Arc::new(client_config(false).expect("a client configuration")),
        })
    }

    async fn accept(server: &mut FakeServer) -> Peer {
        let mut peer = server.accept().await;
        assert_eq!(peer.receive().await, UPDATE);
        peer
    }

    #[tokio::test]
    async fn it_asks_at_once_and_hands_reports_over() {
        for (source, path) in [
            (SourceName::Relay, "/session/stats *"),
            (SourceName::Jump, "/api/v1/connect/stats *"),
        ] {
            let mut server = FakeServer::start().await;
            let mut feed = Running::start(source, server.address(), HOUR, 16);
            let mut peer = accept(&mut server).await;
            assert_eq!(server.request().await, path);
            peer.say(A).await;
            feed.expect(&["connecting", "open", &format!("{source} reports a")])
                .await;
            feed.commands.send(FeedCommand::Ask).await.expect("it runs");
            assert_eq!(peer.receive().await, UPDATE);
        }
    }

    #[tokio::test]
    async fn reports_come_in_every_dress() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::relay(&server);
        let mut peer = accept(&mut server).await;
        feed.expect(&["connecting", "open"]).await;
        peer.say("not json").await;
        peer.say(r#"{"action":"disconnect","uri":"","uuid":"86fb"}"#)
            .await;
        peer.say(r#"[{"topic":"a","scopes":7}]"#).await;
        feed.expect(&[
            "unreadable: expected ident at line 1 column 2",
            "unreadable: it is no array of connections",
            "relay reports a",
        ])
        .await;
        peer.say(&format!("{UPDATE}{A}{B}")).await;
        feed.expect(&["relay reports b c"]).await;
        peer.send(Message::binary(format!("BINTXT{A}").into_bytes()))
            .await;
        feed.expect(&["relay reports a"]).await;
        for (payload, opcode, last) in [(B, Data::Text, false), ("", Data::Continue, true)] {
            peer.send(Message::Frame(Frame::message(
                payload.to_owned(),
                OpCode::Data(opcode),
                last,
            )))
            .await;
        }
        feed.expect(&["relay reports b c"]).await;
        let large = format!("[{}]", vec![r#"{"topic":"x"}"#; 50_000].join(","));
        peer.say(&large).await;
        let input = timeout(PATIENCE, feed.inputs.recv())
            .await
            .expect("in time");
        assert!(matches!(input, Some(Input::Report(_, report)) if report.len() == 50_000));
    }

    #[tokio::test]
    async fn access_refusals_are_distinguished() {
        for (status, body, as_str) in [
            (
                500,
                r#"{"code":500,"message":"token invalid"}"#,
                "credentials",
            ),
            (
                500,
                r#"{"code":500,"message":"aud [x] does not match this host y"}"#,
                "audience",
            ),
            (401, r#""Token Wrong Topic""#, "forbidden"),
            (
                404,
                r#"{"code":404,"message":"path /nope was not found"}"#,
                "not-found",
            ),
            (200, "<html></html>", "protocol"),
        ] {
            let server = FakeServer::start().await;
            server.refuse(status, body);
            let mut feed = Running::relay(&server);
            feed.expect(&["connecting", &format!("failed: {as_str}")])
                .await;
        }
    }

    /// The fault of the first attempt to subscribe there, with its step and its class.
    async fn first_failure(there: Address) -> String {
        let mut feed = Running::start(SourceName::Relay, there, HOUR, 16);
        loop {
            let input = timeout(PATIENCE, feed.inputs.recv()).await;
            if let Input::Link(_, Link::Failed(failure)) =
                input.expect("in time").expect("an input")
            {
                return format!("{} {}", words_of(&failure), failure.class().as_str());
            }
        }
    }

    /// A server that answers every connection with these bytes, once it has received something.
    async fn answering(answer: &'static str, tasks: &mut JoinSet<()>) -> SocketAddr {
        let (listener, there) = listener().await;
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        there
    }

    #[tokio::test]
    async fn a_fault_of_the_access_request_is_given_its_class() {
        const HTML: &str = "<html><title>502 Bad Gateway</title></html>";
        for (status, body, expected) in [
            (
                500,
                r#"{"code":500,"message":"token invalid"}"#,
                "failed: credentials ours",
            ),
            (
                500,
                r#"{"code":500,"message":"aud [x] does not match this host y"}"#,
                "failed: audience ours",
            ),
            (403, "blocked by the firewall", "failed: forbidden ours"),
            (404, "nothing here", "failed: not-found ours"),
            (301, "moved", "failed: sick ours"),
            (407, "who are you?", "failed: proxy ours"),
            (408, "too slow", "failed: sick undecided"),
            (429, "too often", "failed: sick undecided"),
            (501, "no POST here", "failed: sick ours"),
            (500, "panic", "failed: sick theirs"),
            (502, HTML, "failed: sick theirs"),
            (503, HTML, "failed: sick theirs"),
            (200, "<html>a login page</html>", "failed: protocol ours"),
            (200, r#"{"uri":"http://h/"}"#, "failed: protocol ours"),
        ] {
            let server = FakeServer::start().await;
            server.refuse(status, body);
            assert_eq!(
                first_failure(server.address()).await,
                expected,
                "{status} {body}"
            );
        }
    }

    #[tokio::test]
    async fn an_access_api_that_cannot_be_reached_is_given_its_class() {
        let mut tasks = JoinSet::new();
        let no_http = answering("SSH-2.0-OpenSSH_9.2\r\n\r\n", &mut tasks).await;
        let rows = [
            ("http://127.0.0.1:1".to_owned(), "failed: refused theirs"),
            (
                "http://no-such-host.invalid".to_owned(),
                "failed: name-lookup ours",
            ),
            (format!("https://{no_http}"), "failed: tls ours"),
            (format!("http://{no_http}"), "failed: protocol ours"),
        ];
        for (there, expected) in rows {
            let there = Address {
                connect: there.parse().expect("a url"),
                ..address(SocketAddr::from(([127, 0, 0, 1], 1)))
            };
            assert_eq!(first_failure(there.clone()).await, expected, "{there:?}");
        }
    }

    #[tokio::test]
    async fn a_fault_of_the_websocket_is_given_its_class() {
        let mut tasks = JoinSet::new();
        let mut answers = Vec::new();
        for answer in [
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "",
        ] {
            answers.push(answering(answer, &mut tasks).await);
        }
        let rows = [
            (format!("ws://{}", answers[0]), "sick theirs"),
            (format!("ws://{}", answers[1]), "sick ours"),
            (format!("ws://{}", answers[2]), "forbidden ours"),
            (format!("ws://{}", answers[3]), "sick ours"),
            (format!("ws://{}", answers[4]), "protocol ours"),
            (format!("ws://{}", answers[5]), "dropped undecided"),
            (format!("wss://{}", answers[4]), "tls ours"),
            ("ws://127.0.0.1:1".to_owned(), "refused ours"),
            ("ws://no-such-host.invalid".to_owned(), "name-lookup ours"),
        ];
        for (origin, expected) in rows {
            let server = FakeServer::start().await;
            server.refuse(
                200,
                &format!(r#"{{"uri":"{origin}/session/stats?code=c0de"}}"#),
            );
            assert_eq!(
                first_failure(server.address()).await,
                format!("websocket failed: {expected}"),
                "{origin}"
            );
        }
    }

    #[tokio::test]
    async fn lost_and_missing_access_are_distinguished() {
        let (listener, there) = listener().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { while listener.accept().await.is_ok() {} });
        let mut dropped = Running::start(SourceName::Relay, address(there), HOUR, 16);
        dropped.expect(&["connecting", "failed: dropped"]).await;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut unreachable = Running::start(SourceName::Relay, address(nowhere), HOUR, 16);
        unreachable
            .expect(&[
                "connecting",
                "failed: refused",
                "connecting",
                "failed: refused",
            ])
            .await;
    }

    #[tokio::test]
    async fn a_mute_connection_is_dropped_on_command() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::relay(&server);
        let mut mute = accept(&mut server).await;
        feed.expect(&["connecting", "open"]).await;
        feed.commands
            .send(FeedCommand::Reconnect)
            .await
            .expect("it runs");
        feed.expect(&["given up", "connecting", "open"]).await;
        assert_eq!(mute.receive().await, "gone");
        accept(&mut server).await.say(A).await;
        feed.expect(&["relay reports a"]).await;
    }

    #[tokio::test]
    async fn a_connection_that_ends_is_made_again() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::relay(&server);
        let mut peer = accept(&mut server).await;
        peer.say(A).await;
        feed.expect(&["connecting", "open", "relay reports a"])
            .await;
        drop(peer);
        feed.expect(&["closed: the connection was cut", "connecting", "open"])
            .await;
        let mut peer = accept(&mut server).await;
        peer.say(B).await;
        feed.expect(&["relay reports b c"]).await;
        peer.send(Message::Close(None)).await;
        feed.expect(&[
            "closed: it closed the connection (code 1005), as 2 connections in a row have within a minute",
            "connecting",
            "open",
        ])
        .await;
    }

    #[tokio::test]
    async fn only_a_connection_that_lasted_starts_the_backoff_anew() {
        let mut subscription = subscription();
        let mut inputs = Vec::new();
        let mut lose = async |lasted: Duration| {
            let (line, _peer) = pair(PACE).await;
            subscription.take_line(line);
            subscription.line_since = Instant::now().checked_sub(lasted).expect("in range");
            subscription.hand_over(parse(SourceName::Relay, A.as_bytes()).report.expect("one"));
            subscription.lost(&End::Cut);
            while let Some(input) = subscription.outbox.take() {
                inputs.push(words(&input));
            }
            let Plan::Wait(until) = subscription.plan else {
                panic!("it waits")
            };
            (until.duration_since(Instant::now()), inputs.pop())
        };
        for _ in 0..5 {
            lose(Duration::from_secs(1)).await;
        }
        let (wait, said) = lose(LASTING.checked_sub(Duration::from_secs(1)).unwrap()).await;
        assert!(wait > Duration::from_secs(7), "{wait:?}");
        assert_eq!(
            said.as_deref(),
            Some("closed: the connection was cut, as 6 connections in a row have within a minute")
        );
        let (wait, said) = lose(LASTING).await;
        assert!(wait < Duration::from_secs(1), "{wait:?}");
        assert_eq!(said.as_deref(), Some("closed: the connection was cut"));
    }

    #[tokio::test]
    async fn the_new_connection_is_good_before_the_old_one_is_dropped() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::start(SourceName::Relay, server.address(), SHORTEST_RENEWAL, 16);
        let mut old = accept(&mut server).await;
        old.say(A).await;
        feed.expect(&["connecting", "open", "relay reports a"])
            .await;
        let mut new = accept(&mut server).await;
        old.say(B).await;
        feed.expect(&["relay reports b c"]).await;
        new.say(r#"{"action":"disconnect"}"#).await;
        old.say(A).await;
        feed.expect(&["relay reports a"]).await;
        new.say(B).await;
        feed.expect(&["relay reports b c"]).await;
        assert_eq!(old.receive().await, "close 1000");
        new.say(A).await;
        feed.expect(&["relay reports a"]).await;
    }

    #[tokio::test]
    async fn a_renewal_that_fails_leaves_the_old_connection_alone() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::start(SourceName::Relay, server.address(), SHORTEST_RENEWAL, 16);
        let mut old = accept(&mut server).await;
        feed.expect(&["connecting", "open"]).await;
        drop(accept(&mut server).await);
        old.say(A).await;
        feed.expect(&["relay reports a"]).await;
        assert!(!server.has_visitor());
    }

    #[tokio::test]
    async fn a_successor_that_is_open_takes_the_place_of_a_line_that_ends() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::start(SourceName::Relay, server.address(), SHORTEST_RENEWAL, 16);
        let old = accept(&mut server).await;
        feed.expect(&["connecting", "open"]).await;
        let mut new = accept(&mut server).await;
        drop(old);
        feed.expect(&["open"]).await;
        new.say(A).await;
        feed.expect(&["relay reports a"]).await;
    }

    #[tokio::test]
    async fn of_two_without_reports_the_newer_stays_and_of_two_the_one_that_reports() {
        for line_reported in [false, true] {
            let mut subscription = subscription();
            let (line, mut line_peer) = pair(PACE).await;
            let (replacement, mut replacement_peer) = pair(PACE).await;
            subscription.line = Some(line);
            let (dropped, kept) = if line_reported {
                (&mut replacement_peer, &mut line_peer)
            } else {
                (&mut line_peer, &mut replacement_peer)
            };
            let (received, ()) = join(
                dropped.receive(),
                subscription.not_proven(replacement, line_reported),
            )
            .await;
            assert_eq!(received, "close 1000", "{line_reported}");
            subscription.obey(FeedCommand::Ask).await;
            assert_eq!(kept.receive().await, UPDATE, "{line_reported}");
        }
    }

    #[tokio::test]
    async fn it_stops_within_a_second_and_says_goodbye() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::relay(&server);
        let mut peer = accept(&mut server).await;
        feed.expect(&["connecting", "open"]).await;
        let stopping = feed.stopped_within(Duration::from_secs(1));
        let (received, ()) = join(peer.receive(), stopping).await;
        assert_eq!(received, "close 1000");
    }

    #[tokio::test]
    async fn it_stops_within_a_second_even_without_any_answer() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::relay(&server);
        let _never_read_again = accept(&mut server).await;
        feed.expect(&["connecting", "open"]).await;
        feed.stopped_within(Duration::from_secs(1)).await;
        let (_never_accepts, there) = listener().await;
        let mut feed = Running::start(SourceName::Jump, address(there), HOUR, 16);
        feed.expect(&["connecting"]).await;
        feed.stopped_within(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn an_engine_that_does_not_take_gets_the_newest_only() {
        let mut server = FakeServer::start().await;
        let mut feed = Running::start(SourceName::Relay, server.address(), HOUR, 1);
        let mut peer = accept(&mut server).await;
        for n in 0..50 {
            peer.say(&format!(r#"[{{"topic":"report-{n}"}}]"#)).await;
        }
        peer.send(Message::Ping(vec![].into())).await;
        assert_eq!(peer.receive().await, "pong");
        feed.expect(&["connecting", "open", "relay reports report-49"])
            .await;
        assert!(feed.inputs.is_empty());
        peer.say(A).await;
        feed.expect(&["relay reports a"]).await;
    }

    #[test]
    fn a_connection_is_renewed_in_good_time_before_its_token_ends() {
        let rows = [
            (0, 1),
            (600, 600),
            (3_300, 3_300),
            (3_600, 3_300),
            (86_400, 3_300),
        ];
        for (every, after) in rows {
            assert_eq!(
                renew_after(Duration::from_secs(every)),
                Duration::from_secs(after),
                "{every}"
            );
        }
    }
}
