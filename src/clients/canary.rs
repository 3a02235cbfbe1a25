//! The canary: labwatch's own messages through relay, sent over one connection and awaited at
//! another. Reports whether they arrive, and when; decides nothing.
//!
//! Connections without messages may be at fault themselves: relay leaves one with a bad code open
//! and mute. So they are replaced before a fault of relay is reported.

mod beats;

use std::mem::replace;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join, pending};
use futures_util::try_join;
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_util::sync::CancellationToken;

use self::beats::Beats;
pub use self::beats::Rule;
use super::backoff::{Backoff, LASTING, RENEWAL_RETRY, jittered};
use super::socket::{End, PACE, Socket, Use};
use super::token::{TOKEN_SPARE, renew_after};
use super::{Address, Http, ticket};
use engine::model::{CallError, ConnectError, Topic};
use engine::{Forwarding, Input};

/// The pause after relay has refused the canary.
const REFUSED_RETRY: Duration = Duration::from_secs(60 * 60);

/// How often the metrics are handed over while the state stays the same.
const METRICS_EVERY: Duration = Duration::from_secs(10);

/// Dependencies of a canary.
#[derive(Debug)]
pub struct Canary {
    /// The address of relay.
    pub address: Address,
    /// Its own topic (`CANARY_TOPIC`).
    pub topic: Topic,
    /// Interval, time limit and number of misses.
    pub rule: Rule,
    /// How often the connections are renewed (`RECONNECT_RELAY_EVERY`).
    pub reconnect_every: Duration,
    /// For the access requests.
    pub http: Http,
    /// For the websockets.
    pub tls: Arc<ClientConfig>,
}

/// Sends and awaits messages until `stop`, or until `inputs` is closed.
pub async fn run(canary: Canary, inputs: mpsc::Sender<Input>, stop: CancellationToken) {
    let mut runner = Runner::new(canary);
    loop {
        let (send_at, check_at) = (runner.send_at(), runner.check_at());
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            place = inputs.reserve(), if runner.news.is_some() => {
                let Ok(place) = place else { break };
                if let Some(input) = runner.news.take() {
                    place.send(input);
                }
            }
            received = next_message(runner.pair.as_mut()) => runner.on_message(received),
            () = until(send_at) => runner.send().await,
            () = until(check_at) => runner.check(),
            turn = runner.plan.turn() => runner.turn(turn).await,
        }
    }
    close(runner.pair).await;
}

/// The two connections.
struct Pair {
    speaker: Socket,
    listener: Socket,
}

enum Plan {
    /// To connect at this time.
    Wait(Instant),
    /// Dialling.
    Dial(BoxFuture<'static, Result<Pair, ConnectError>>),
}

/// Result of a plan.
enum Turn {
    Due,
    Dialled(Result<Pair, ConnectError>),
}

impl Plan {
    fn wait(time: Duration) -> Self {
        Self::Wait(Instant::now() + time)
    }

    /// Waits for the result. Loses nothing when it is dropped before it is done.
    async fn turn(&mut self) -> Turn {
        match self {
            Self::Wait(when) => {
                sleep_until(*when).await;
                Turn::Due
            }
            Self::Dial(dial) => Turn::Dialled(dial.await),
        }
    }
}

struct Runner {
    canary: Arc<Canary>,
    pair: Option<Pair>,
    pair_since: Instant,
    plan: Plan,
    backoff: Backoff,
    beats: Beats,
    next_send: Instant,
    shown: Forwarding,
    /// Whether connections are or were renewed because nothing arrives.
    verifying: bool,
    /// Whether the current connections are those renewed ones.
    is_fresh: bool,
    handed_over: Instant,
    news: Option<Input>,
}

impl Runner {
    fn new(canary: Canary) -> Self {
        let now = Instant::now();
        let tag = format!("{:016x}", fastrand::u64(..));
        Self {
            beats: Beats::new(canary.rule, tag, now),
            canary: Arc::new(canary),
            pair: None,
            pair_since: now,
            plan: Plan::wait(Duration::ZERO),
            backoff: Backoff::default(),
            next_send: now,
            shown: Forwarding::Unknown,
            verifying: false,
            is_fresh: false,
            handed_over: now,
            news: None,
        }
    }

    fn send_at(&self) -> Option<Instant> {
        self.pair.as_ref().map(|_| self.next_send)
    }

    fn check_at(&self) -> Option<Instant> {
        let now = Instant::now();
        self.pair.as_ref().and(self.beats.next_overdue(now))
    }

    async fn send(&mut self) {
        let now = Instant::now();
        self.next_send = now + self.canary.rule.every;
        let message = self.beats.send(now);
        let Some(pair) = &mut self.pair else { return };
        if let Err(end) = pair.speaker.send(message).await {
            self.lost(&end);
        }
        self.check();
    }

    fn on_message(&mut self, received: Result<Bytes, End>) {
        match received {
            Ok(bytes) => {
                if !self.beats.receive(&bytes, Instant::now()) {
                    return;
                }
                self.verifying = false;
                if self.pair_since.elapsed() >= LASTING {
                    self.backoff.reset();
                }
                self.show(self.beats.forwarding());
            }
            Err(end) => self.lost(&end),
        }
    }

    /// Checks whether messages are missing.
    fn check(&mut self) {
        let (now, misses) = (Instant::now(), self.canary.rule.misses);
        if self.pair.is_none() || self.shown == Forwarding::Stopped {
            return;
        }
        if self.verifying {
            if self.is_fresh && self.beats.misses(1, now) {
                self.plan = Plan::wait(RENEWAL_RETRY);
                self.show(Forwarding::Stopped);
            }
        } else if self.beats.misses(misses, now) {
            self.verifying = true;
            self.is_fresh = false;
            self.dial();
        }
    }

    async fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Due => self.dial(),
            Turn::Dialled(Ok(pair)) => {
                let now = Instant::now();
                let old = self.pair.replace(pair);
                self.pair_since = now;
                self.is_fresh = self.verifying;
                // Where all is well, messages in flight arrive at the new listener: it was on the
                // topic before the old speaker left.
                if old.is_none() || self.verifying {
                    self.beats.start_over(now);
                }
                self.next_send = now;
                self.plan = if self.shown == Forwarding::Stopped {
                    Plan::wait(RENEWAL_RETRY)
                } else {
                    Plan::wait(renew_after(self.canary.reconnect_every))
                };
                close(old).await;
            }
            Turn::Dialled(Err(failure)) => self.not_dialled(&failure),
        }
    }

    fn dial(&mut self) {
        self.plan = Plan::Dial(Box::pin(dial(Arc::clone(&self.canary))));
    }

    fn not_dialled(&mut self, failure: &ConnectError) {
        let is_refused = matches!(failure.error, CallError::Forbidden(_));
        if self.pair.is_some() && !self.verifying {
            self.plan = Plan::wait(jittered(RENEWAL_RETRY));
            return;
        }
        let wait = self.backoff.after(Some(&failure.error), Instant::now());
        self.plan = Plan::wait(if is_refused { REFUSED_RETRY } else { wait });
        tracing::debug!(%failure, "the canary cannot connect");
        self.show(if is_refused {
            Forwarding::Off
        } else {
            Forwarding::Unknown
        });
    }

    /// The connections have ended, which shows nothing new about whether relay forwards.
    fn lost(&mut self, end: &End) {
        tracing::debug!(%end, "a connection of the canary ended");
        self.pair = None;
        self.beats.start_over(Instant::now());
        if matches!(self.plan, Plan::Wait(_)) {
            self.plan = Plan::wait(self.backoff.after(None, Instant::now()));
        }
        if self.shown != Forwarding::Stopped {
            self.verifying = false;
            self.show(Forwarding::Unknown);
        }
    }

    /// Hands over the state when it differs from the last one, and at intervals the metrics.
    fn show(&mut self, forwarding: Forwarding) {
        let now = Instant::now();
        let was = replace(&mut self.shown, forwarding);
        if was != forwarding {
            log(was, forwarding);
        } else if now.duration_since(self.handed_over) < METRICS_EVERY {
            return;
        }
        self.handed_over = now;
        let view = self.beats.view(forwarding, now);
        self.news = Some(Input::Canary(Arc::new(view)));
    }
}

fn log(was: Forwarding, now: Forwarding) {
    match now {
        Forwarding::Works => tracing::info!("messages of the canary arrive"),
        Forwarding::Late => tracing::warn!("messages of the canary arrive late"),
        Forwarding::Stopped => {
            tracing::warn!("messages of the canary do not arrive, also over new connections");
        }
        Forwarding::Off => tracing::info!("relay refuses the canary: it is off"),
        Forwarding::Unknown => tracing::info!(was = was.as_str(), "the canary is not connected"),
    }
}

/// The next message at the listener. Messages of others at the speaker are ignored.
async fn next_message(pair: Option<&mut Pair>) -> Result<Bytes, End> {
    let Some(Pair { speaker, listener }) = pair else {
        return pending().await;
    };
    loop {
        tokio::select! {
            message = listener.next() => return message,
            spoken = speaker.next() => drop(spoken?),
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

async fn close(pair: Option<Pair>) {
    if let Some(Pair { speaker, listener }) = pair {
        join(speaker.close(), listener.close()).await;
    }
}

async fn dial(canary: Arc<Canary>) -> Result<Pair, ConnectError> {
    let (listener, speaker) = try_join!(open(&canary), open(&canary))?;
    Ok(Pair { speaker, listener })
}

async fn open(canary: &Canary) -> Result<Socket, ConnectError> {
    let life = renew_after(canary.reconnect_every) + TOKEN_SPARE;
    let ticket = ticket::to_canary(&canary.http, &canary.address, &canary.topic, life)
        .await
        .map_err(ConnectError::access)?;
    Socket::open(&ticket, &canary.tls, Use::Sample, PACE)
        .await
        .map_err(ConnectError::websocket)
}

#[cfg(test)]
mod tests;
