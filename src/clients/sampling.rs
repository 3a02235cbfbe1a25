//! Samples single streams of relay: short subscriptions that show whether they transmit. Decides
//! nothing: the engine selects which and when.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clients::request_loop::{self, Bounds};
use crate::clients::socket::{End, PACE, Socket, Use};
use crate::clients::ticket;
use crate::clients::{Address, Http};
use engine::model::CallError;
use engine::{Input, Sample, SampleOutcome};

/// The most streams that are sampled at the same time; the engine keeps well below it. Beyond it
/// the
/// answer is [`CallError::Busy`].
pub const MAX_AT_ONCE: usize = 256;

/// How many answers may wait for the engine before requests have to wait too.
const MAX_ANSWERS: usize = 64;

const BOUNDS: Bounds = Bounds {
    at_once: MAX_AT_ONCE,
    answers: MAX_ANSWERS,
};

/// How much longer than the sample a token lives, for the access request and the opening of the
/// websocket.
const TOKEN_SPARE: Duration = Duration::from_secs(60);

/// Dependencies of sampling.
#[derive(Debug)]
pub struct Sampler {
    /// The address of relay.
    pub address: Address,
    /// For the access request.
    pub http: Http,
    /// For the websocket.
    pub tls: Arc<ClientConfig>,
}

/// Answers requests until `stop`, or until `inputs` is closed. Every request gets one answer.
pub async fn run(
    sampler: Sampler,
    inputs: mpsc::Sender<Input>,
    requests: mpsc::Receiver<Sample>,
    stop: CancellationToken,
) {
    let refuse = |request: Sample| Input::Sampled {
        topic: request.topic,
        outcome: SampleOutcome::Failed(CallError::Busy),
    };
    let answer = |request| answer(&sampler, request);
    request_loop::run((requests, inputs), BOUNDS, answer, refuse, stop).await;
}

async fn answer(sampler: &Sampler, request: Sample) -> Input {
    let outcome = listen(sampler, &request)
        .await
        .unwrap_or_else(SampleOutcome::Failed);
    Input::Sampled {
        topic: request.topic,
        outcome,
    }
}

/// Samples one stream.
///
/// # Errors
/// Why it could not be sampled.
pub(super) async fn listen(
    sampler: &Sampler,
    request: &Sample,
) -> Result<SampleOutcome, CallError> {
    let life = request.listen + TOKEN_SPARE;
    let ticket = ticket::to_stream(&sampler.http, &sampler.address, &request.topic, life).await?;
    let mut socket = Socket::open(&ticket, &sampler.tls, Use::Sample, PACE).await?;
    let ended = timeout(request.listen, first_message(&mut socket)).await;
    let outcome = match ended {
        _ if socket.has_carried() => SampleOutcome::Received,
        Ok(Err(end)) => return Err(fault_of(end)),
        Ok(Ok(())) | Err(_) => SampleOutcome::Silent(request.listen),
    };
    socket.leave().await;
    Ok(outcome)
}

/// Waits for a message that is not empty.
async fn first_message(socket: &mut Socket) -> Result<(), End> {
    while socket.next().await?.is_empty() {}
    Ok(())
}

/// A stream that ends during the sample shows nothing about whether it transmits.
fn fault_of(end: End) -> CallError {
    match end {
        End::Closed { .. } | End::Cut => CallError::Dropped,
        End::Dead(_) | End::Stuck => CallError::TimedOut,
        End::Broken(what) => CallError::Protocol(what),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::timeout;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;
    use crate::clients::client_config;
    use crate::clients::testing::{FakeServer, PATIENCE, address, http, listener};
    use engine::model::Topic;

    struct Running {
        inputs: mpsc::Receiver<Input>,
        requests: mpsc::Sender<Sample>,
        stop: CancellationToken,
        tasks: JoinSet<()>,
    }

    impl Running {
        fn start(address: Address) -> Self {
            let (give, inputs) = mpsc::channel(4);
            let (requests, taken) = mpsc::channel(4);
            let stop = CancellationToken::new();
            let tls = Arc::new(client_config(false).expect("a client configuration"));
            let mut tasks = JoinSet::new();
            tasks.spawn(run(
                Sampler {
                    address,
                    http: http(),
                    tls,
                },
                give,
                taken,
                stop.clone(),
            ));
            Self {
                inputs,
                requests,
                stop,
                tasks,
            }
        }

        async fn ask(&self, topic: &str, listen: Duration) {
            let topic = Topic::try_new(topic).expect("a topic");
            timeout(PATIENCE, self.requests.send(Sample { topic, listen }))
                .await
                .expect("taken in time")
                .expect("it runs");
        }

        /// The next answer, as text.
        async fn answer(&mut self) -> String {
            let input = timeout(PATIENCE, self.inputs.recv())
                .await
                .expect("in time")
                .expect("an answer");
            let Input::Sampled { topic, outcome } = input else {
                panic!("not from sampling: {input:?}")
            };
            match outcome {
                SampleOutcome::Received => format!("{topic} sends"),
                SampleOutcome::Silent(time) => {
                    format!("{topic} silent {}", time.as_millis())
                }
                SampleOutcome::Failed(fault) => format!("{topic} failed {}", fault.as_str()),
            }
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_first_message_that_is_not_empty_ends_a_sample() {
        let mut server = FakeServer::start().await;
        let mut sampler = Running::start(server.address());
        let frame = |opcode, is_final| {
            Message::Frame(Frame::message(
                &b"21\xb0"[..],
                OpCode::Data(opcode),
                is_final,
            ))
        };
        for message in [
            Message::text("{}"),
            Message::binary(vec![0x47]),
            frame(Data::Text, true),
        ] {
            sampler.ask("pend00-st-data", LONG).await;
            assert_eq!(server.request().await, "/session/pend00-st-data *");
            let mut peer = server.accept().await;
            peer.send(message).await;
            assert_eq!(sampler.answer().await, "pend00-st-data sends");
            assert_eq!(peer.receive().await, "close 1000");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_never_whole_is_a_sign_of_life() {
        let mut server = FakeServer::start().await;
        let mut sampler = Running::start(server.address());
        sampler.ask("a", Duration::from_millis(200)).await;
        let begun = Frame::message(&b"\xb0"[..], OpCode::Data(Data::Text), false);
        let mut peer = server.accept().await;
        peer.send(Message::Frame(begun)).await;
        assert_eq!(sampler.answer().await, "a sends");
        sampler.ask("b", LONG).await;
        let begun = Frame::message(&b"\xb0"[..], OpCode::Data(Data::Text), false);
        let mut peer = server.accept().await;
        peer.send(Message::Frame(begun)).await;
        drop(peer);
        assert_eq!(sampler.answer().await, "b sends");
    }

    #[tokio::test]
    async fn a_stream_that_sends_nothing_is_silent() {
        let mut server = FakeServer::start().await;
        let mut sampler = Running::start(server.address());
        sampler
            .ask("pend00-st-data", Duration::from_millis(100))
            .await;
        let mut peer = server.accept().await;
        peer.say("").await;
        peer.send(Message::Ping(vec![].into())).await;
        assert_eq!(sampler.answer().await, "pend00-st-data silent 100");
        assert_eq!(
            [peer.receive().await, peer.receive().await],
            ["pong", "close 1000"]
        );
    }

    #[tokio::test]
    async fn an_odd_topic_is_escaped() {
        let mut server = FakeServer::start().await;
        let mut sampler = Running::start(server.address());
        for (topic, path) in [
            ("a/b c?d", "/session/a%2Fb%20c%3Fd *"),
            ("50%", "/session/50%25 *"),
            ("\u{e9}", "/session/%C3%A9 *"),
        ] {
            server.refuse(404, "");
            sampler.ask(topic, LONG).await;
            assert_eq!(server.request().await, path);
            assert_eq!(sampler.answer().await, format!("{topic} failed not-found"));
        }
    }

    #[tokio::test]
    async fn sampling_failures_are_distinguished() {
        let mut server = FakeServer::start().await;
        let mut sampler = Running::start(server.address());
        server.refuse(500, r#"{"code":500,"message":"token invalid"}"#);
        sampler.ask("a", LONG).await;
        assert_eq!(sampler.answer().await, "a failed credentials");
        sampler.ask("b", LONG).await;
        drop(server.accept().await);
        assert_eq!(sampler.answer().await, "b failed dropped");
    }

    #[tokio::test]
    async fn many_are_listened_to_at_once_and_the_first_answer_comes_first() {
        let mut server = FakeServer::start().await;
        let mut sampler = Running::start(server.address());
        sampler.ask("slow", LONG).await;
        let _slow = server.accept().await;
        sampler.ask("fast", LONG).await;
        server.accept().await.say("x").await;
        assert_eq!(sampler.answer().await, "fast sends");
    }

    #[tokio::test]
    async fn too_many_are_turned_away_and_it_stops_at_once() {
        let (_never_answers, there) = listener().await;
        let mut sampler = Running::start(address(there));
        for n in 0..=MAX_AT_ONCE {
            sampler.ask(&format!("t{n}"), LONG).await;
        }
        assert_eq!(
            sampler.answer().await,
            format!("t{MAX_AT_ONCE} failed busy")
        );
        sampler.stop.cancel();
        timeout(Duration::from_secs(1), sampler.tasks.join_next())
            .await
            .expect("stops in time")
            .expect("a task")
            .expect("no panic");
    }
}
