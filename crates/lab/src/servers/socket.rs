//! One websocket of relay or jump, from the upgrade to its end: framing, pings, deadlines. Does not
//! decide who may listen.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::frames::cut;
use super::http::{Request, Stream};
use super::hub::{Hub, Kind, Mood, STATS, Seat};
use super::quirks::Parcel;

/// How often the servers ping.
const PING_EVERY: Duration = Duration::from_secs(54);

/// How long they wait for a pong, or for anything before the first one.
const PONG_WITHIN: Duration = Duration::from_secs(60);

/// How long one write may take.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How long a socket without a good code stays open.
const MUTE_FOR: Duration = Duration::from_secs(110);

/// How often a topic without messages is checked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A byte that no UTF-8 has.
const NOT_UTF_8: [u8; 1] = [0xff];

/// The largest write that is buffered: a report of 10,000 experiments is about 7 MB.
const MAX_WRITE_BYTES: usize = 64 << 20;

/// The key and the protocol that accept an upgrade; `None` when the peer did not ask for one properly.
pub(super) fn acceptance(request: &Request) -> Option<(String, Option<&'static str>)> {
    let accept = derive_accept_key(request.header("sec-websocket-key")?.as_bytes());
    let offered = request.header("sec-websocket-protocol").unwrap_or_default();
    let null = offered.split(',').any(|one| one.trim() == "null");
    Some((accept, null.then_some("null")))
}

/// Serves a client after the upgrade until it leaves or is cut.
pub(super) async fn converse(
    hub: &Hub,
    seat: Seat,
    stream: Stream,
    topic: String,
    expires: Timestamp,
) {
    let conversation = Conversation::new(hub, seat, stream, topic).await;
    conversation.run(expires).await;
}

/// Keeps a socket open without sending, as the servers do after a bad code.
pub(super) async fn stay_mute(mut stream: Stream) {
    let mut thrown_away = [0; 1024];
    let silence = async {
        while stream
            .read(&mut thrown_away)
            .await
            .is_ok_and(|read| read > 0)
        {}
    };
    let _ = timeout(MUTE_FOR, silence).await;
}

/// A listener's connection.
struct Conversation<'a> {
    hub: &'a Hub,
    seat: Seat,
    socket: WebSocketStream<Stream>,
    mood: watch::Receiver<Mood>,
    topic: String,
    /// The number of the last message of the topic's stream that was sent.
    sent: u64,
    /// When the connection is closed, if that is its fault.
    close_at: Option<Instant>,
}

/// The next event of a conversation.
enum Turn {
    MoodChanged,
    Queued(Option<Parcel>),
    Came(Option<Result<Message, Error>>),
    Ping,
    Look,
    Over,
}

impl<'a> Conversation<'a> {
    /// Takes the stream over after the upgrade.
    async fn new(hub: &'a Hub, seat: Seat, stream: Stream, topic: String) -> Self {
        let max_message = if hub.kind == Kind::Jump {
            65_535
        } else {
            10 << 20
        };
        let config = WebSocketConfig::default()
            .max_write_buffer_size(MAX_WRITE_BYTES)
            .max_message_size(Some(max_message))
            .read_buffer_size(4 << 10);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        Self {
            hub,
            seat,
            socket,
            mood: hub.mood(),
            topic,
            sent: 0,
            close_at: None,
        }
    }

    /// Runs it until the client leaves or is cut: `expires` ends it without a close frame.
    async fn run(mut self, expires: Timestamp) {
        let start = Instant::now();
        let life = expires.duration_since(Timestamp::now()).unsigned_abs();
        let end = start.checked_add(life);
        let mut pings = interval_at(start + PING_EVERY, PING_EVERY);
        let mut last_pong = start;
        loop {
            if self
                .mood
                .wait_for(|mood| *mood != Mood::Frozen)
                .await
                .is_err()
            {
                break;
            }
            let turn = tokio::select! {
                biased;
                _ = self.mood.changed() => Turn::MoodChanged,
                () = until(end) => Turn::Over,
                () = until(self.close_at) => Turn::Over,
                () = sleep_until(last_pong + PONG_WITHIN) => Turn::Over,
                parcel = self.seat.parcels.recv() => Turn::Queued(parcel),
                message = self.socket.next() => Turn::Came(message),
                _ = pings.tick() => Turn::Ping,
                () = next_look(self.hub, &self.topic) => Turn::Look,
            };
            if matches!(turn, Turn::Came(Some(Ok(Message::Pong(_))))) {
                last_pong = Instant::now();
            }
            if self.take(turn).await.is_none() {
                break;
            }
        }
        self.hub.leave(self.seat.id);
    }

    async fn take(&mut self, turn: Turn) -> Option<()> {
        match turn {
            Turn::MoodChanged => Some(()),
            Turn::Queued(parcel) => self.deliver(parcel?).await,
            Turn::Came(message) => {
                self.receive(message?.ok()?);
                Some(())
            }
            Turn::Ping => self.write(vec![Message::Ping(Bytes::new())]).await,
            Turn::Look => self.look().await,
            Turn::Over => None,
        }
    }

    /// Sends a message; relay puts everything that is waiting behind it into the same message, and the first one's opcode holds.
    async fn deliver(&mut self, first: Parcel) -> Option<()> {
        self.mood
            .wait_for(|mood| *mood != Mood::Frozen)
            .await
            .ok()?;
        let opcode = if first.binary {
            Data::Binary
        } else {
            Data::Text
        };
        if let Some(due) = first.due {
            sleep_until(due).await;
        }
        let mut is_report = first.report;
        let mut pieces = vec![first.body];
        if self.hub.kind != Kind::Jump {
            while let Ok(next) = self.seat.parcels.try_recv() {
                is_report |= next.report;
                pieces.push(next.body);
            }
        }
        let quirks = self.hub.quirks();
        if quirks.garbled && opcode == Data::Text {
            pieces.insert(0, Bytes::from_static(&NOT_UTF_8));
        }
        if let Some(wait) = quirks.close_after.filter(|_| is_report) {
            self.close_at.get_or_insert(Instant::now() + wait);
        }
        self.write(framed(opcode, &pieces, self.buffer())).await
    }

    fn receive(&self, message: Message) {
        match message {
            Message::Text(text) => self
                .hub
                .receive(self.seat.id, &Parcel::of(false, Bytes::from(text))),
            Message::Binary(body) => self.hub.receive(self.seat.id, &Parcel::of(true, body)),
            // After a close frame the next read sends ours and ends.
            Message::Close(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }

    /// Sends the newest message of the topic's stream, if it is a new one.
    async fn look(&mut self) -> Option<()> {
        let frame = {
            let fleet = self
                .hub
                .fleet
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let delay = self.hub.quirks().forwarding.of(&self.topic, true);
            let sent = delay.and_then(|delay| Timestamp::now().checked_sub(delay).ok());
            sent.and_then(|sent| fleet.newest_frame(&self.topic, sent))
        };
        let Some(frame) =
            frame.filter(|frame| frame.number != self.sent && *self.mood.borrow() == Mood::Well)
        else {
            return Some(());
        };
        self.sent = frame.number;
        let body = Bytes::from(vec![
            if frame.video { 0x47 } else { b'0' };
            frame.size as usize
        ]);
        self.hub.count_received(self.seat.id, body.len());
        let opcode = if frame.video {
            Data::Binary
        } else {
            Data::Text
        };
        self.write(framed(opcode, &[body], self.buffer())).await
    }

    async fn write(&mut self, messages: Vec<Message>) -> Option<()> {
        let writing = async {
            for message in messages {
                self.socket.feed(message).await?;
            }
            self.socket.flush().await
        };
        timeout(WRITE_WITHIN, writing).await.ok()?.ok()
    }

    fn buffer(&self) -> usize {
        if self.hub.kind == Kind::Jump {
            65_535
        } else {
            4096
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// When a listener to a stream is due for a look at it; never for a listener to reports.
async fn next_look(hub: &Hub, topic: &str) {
    if topic == STATS || hub.kind == Kind::Jump {
        return std::future::pending().await;
    }
    let pace = {
        let fleet = hub
            .fleet
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        fleet.pace(topic)
    };
    sleep(pace.map_or(LOOK_EVERY, |pace| pace.min(LOOK_EVERY))).await;
}

/// The frames of a message, as messages to be written one after another.
fn framed(opcode: Data, pieces: &[Bytes], buffer: usize) -> Vec<Message> {
    let payloads = cut(pieces, buffer);
    let last = payloads.len().saturating_sub(1);
    let frame = |(index, payload): (usize, Bytes)| {
        let opcode = if index == 0 { opcode } else { Data::Continue };
        Message::Frame(Frame::message(payload, OpCode::Data(opcode), index == last))
    };
    payloads.into_iter().enumerate().map(frame).collect()
}
