//! The canary against relay's access side and two websockets that the test plays.

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;
use crate::clients::client_config;
use crate::clients::testing::{FakeServer, PATIENCE, Peer, http};

const RULE: Rule = Rule {
    every: Duration::from_millis(50),
    late: Duration::from_millis(100),
    misses: 3,
};

struct Running {
    inputs: mpsc::Receiver<Input>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    fn start(server: &FakeServer) -> Self {
        let (give, inputs) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let canary = Canary {
            address: server.address(),
            topic: Topic::try_new("canary-t-st-data").expect("a topic"),
            rule: RULE,
            reconnect_every: Duration::from_secs(3600),
            http: http(),
            tls: Arc::new(client_config(false).expect("a client configuration")),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(run(canary, give, stop.clone()));
        Self {
            inputs,
            stop,
            tasks,
        }
    }

    /// The next reported state.
    async fn shows(&mut self) -> Forwarding {
        let input = timeout(PATIENCE, self.inputs.recv()).await;
        let input = input.expect("in time").expect("an input");
        let Input::Canary(view) = input else {
            panic!("not from the canary: {input:?}")
        };
        view.forwarding
    }
}

/// Both connections, the speaker first: the one that a message comes from.
async fn pair(server: &mut FakeServer) -> (Peer, Peer, String) {
    let (mut a, mut b) = (server.accept().await, server.accept().await);
    tokio::select! {
        said = a.receive() => (a, b, said),
        said = b.receive() => (b, a, said),
    }
}

#[tokio::test]
async fn a_message_is_forwarded_and_its_time_is_shown() {
    let mut server = FakeServer::start().await;
    let mut canary = Running::start(&server);
    let (_speaker, mut listener, said) = pair(&mut server).await;
    assert_eq!(server.request().await, "/session/canary-t-st-data *");
    assert!(
        said.starts_with(r#"{"canary":""#) && said.ends_with(r#","number":0}"#),
        "{said}"
    );
    listener.say(r#"{"canary":"another","number":0}"#).await;
    listener.say(&said).await;
    assert_eq!(canary.shows().await, Forwarding::Works);
    canary.stop.cancel();
    timeout(PATIENCE, canary.tasks.join_next())
        .await
        .expect("stops in time");
}

#[tokio::test]
async fn only_new_connections_that_bring_nothing_either_show_that_relay_is_stuck() {
    let mut server = FakeServer::start().await;
    let mut canary = Running::start(&server);
    let (_speaker, mut listener, said) = pair(&mut server).await;
    listener.say(&said).await;
    assert_eq!(canary.shows().await, Forwarding::Works);
    let (_new_speaker, mut new_listener, _) = pair(&mut server).await;
    assert!(
        canary.inputs.try_recv().is_err(),
        "new connections come first"
    );
    assert_eq!(canary.shows().await, Forwarding::Stopped);
    // A message of this canary arrives again.
    let number_of = |said: &str| said.rsplit_once(':').map(|(start, _)| start.to_owned());
    let start = number_of(&said).expect("a number");
    for number in 0..200 {
        new_listener.say(&format!("{start}:{number}}}")).await;
    }
    assert_eq!(canary.shows().await, Forwarding::Works);
}

#[tokio::test]
async fn a_relay_that_refuses_it_turns_it_off() {
    let mut server = FakeServer::start().await;
    server.refuse(401, r#""Token Missing Required Claims""#);
    server.refuse(401, r#""Token Missing Required Claims""#);
    let mut canary = Running::start(&server);
    assert_eq!(canary.shows().await, Forwarding::Off);
    assert!(!server.has_visitor());
    let _ = server.request().await;
}

#[tokio::test]
async fn connections_that_end_show_nothing() {
    let mut server = FakeServer::start().await;
    let mut canary = Running::start(&server);
    let (speaker, mut listener, said) = pair(&mut server).await;
    listener.say(&said).await;
    assert_eq!(canary.shows().await, Forwarding::Works);
    drop((speaker, listener));
    assert_eq!(canary.shows().await, Forwarding::Unknown);
    let (_speaker, mut listener, said) = pair(&mut server).await;
    listener.say(&said).await;
    assert_eq!(canary.shows().await, Forwarding::Works);
}
