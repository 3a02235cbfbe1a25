//! Everything at once, from a seed: replicas are stopped, killed, frozen and cut off, members of
//! etcd too, while the laboratory breaks and mends and commands come to any replica. What must hold
//! all the while is checked at the end.
//!
//! `scripts/chaos.sh` runs it; `CHAOS_SEED` and `CHAOS_MINUTES` say what and for how long. The plan
//! comes from the seed alone; how far each thing had come when the next was done does not.

#[path = "chaos/check.rs"]
mod check;
#[path = "chaos/mails.rs"]
mod mails;
#[path = "chaos/node.rs"]
mod node;
#[path = "chaos/orders.rs"]
mod orders;
#[path = "chaos/plan.rs"]
mod plan;
#[path = "chaos/terms.rs"]
mod terms;

use std::time::Duration;

use lab::{Lab, MailMood, RelayVersion};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::admin::SECRET;
use super::etcd::Etcd;
use super::laboratory::laboratory;
use super::tcp_proxy::Way;
use node::Node;
use orders::{Order, Orders};
use plan::{Action, BROKEN, MEMBERS};
use terms::Terms;

/// How long the leases are.
const LEASE: &str = "4s";

const SETTINGS: [(&str, &str); 6] = [
    ("CLUSTER_LEASE", LEASE),
    ("SECRET_API", SECRET),
    ("API_READ", "open"),
    // What breaks so often flaps, and would be down until long after the end.
    ("HEALTH_FLAP_WINDOW", "off"),
    ("LOG_LEVEL", "debug"),
    ("EMAIL_INTERVAL", "0s"),
];

/// All that takes part.
pub struct Chaos {
    pub lab: Lab,
    pub etcd: [Etcd; MEMBERS],
    pub nodes: Vec<Node>,
    pub terms: Terms,
    pub faults: Vec<String>,
    resigning: JoinSet<()>,
    orders: mpsc::Sender<(u16, Order)>,
}

/// How many commands may wait for those before them.
const ORDERS: usize = 64;

fn asked<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn chaos_from_a_seed_breaks_no_promise() {
    let (seed, minutes) = (asked("CHAOS_SEED", 1), asked("CHAOS_MINUTES", 1.0));
    let length = Duration::from_secs_f64(minutes * 60.0);
    println!("chaos: seed {seed}, {minutes} minutes");
    let all: Vec<String> = check::truth().map(|(stub, _)| stub).collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let lab = laboratory(RelayVersion::V07, &names).await;
    lab.power_off(BROKEN).expect("known");
    let etcd = Etcd::three().await;
    let mut nodes = Vec::new();
    for name in ["one", "two", "three"] {
        let mut node = Node::new(&lab, &etcd, name, &SETTINGS).await;
        node.start();
        nodes.push(node);
    }
    let (orders, queue) = mpsc::channel(ORDERS);
    let mut giving = JoinSet::new();
    giving.spawn(give(queue));
    let mut chaos = Chaos {
        terms: Terms::watch(etcd.iter().map(Etcd::url).collect()),
        lab,
        etcd,
        nodes,
        faults: Vec::new(),
        resigning: JoinSet::new(),
        orders,
    };
    chaos.begins().await;
    let begun = Instant::now();
    for (at, action) in plan::plan(seed, length) {
        sleep_until(begun + at).await;
        println!("chaos: {:7.2} s  {action:?}", at.as_secs_f64());
        chaos.act(action).await;
        chaos.notice_ended();
    }
    let (sender, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut chaos.orders, sender));
    let orders = giving.join_next().await.expect("one").expect("whole");
    chaos.ends(&orders).await;
}

/// Gives commands one after another, and returns their outcomes in the end.
async fn give(mut queue: mpsc::Receiver<(u16, Order)>) -> Orders {
    let mut orders = Orders::default();
    while let Some((port, order)) = queue.recv().await {
        let said = orders.give(port, order).await;
        println!("chaos:            {said}");
    }
    orders
}

impl Chaos {
    async fn act(&mut self, action: Action) {
        match action {
            Action::Stop(n) => self.nodes[n].stop().await,
            Action::Kill(n) => self.nodes[n].kill().await,
            Action::Start(n) => self.start(n).await,
            Action::Freeze(n) => self.nodes[n].signal("STOP").await,
            Action::Thaw(n) => self.nodes[n].signal("CONT").await,
            Action::Cut(n, way) => self.nodes[n].network.set(way),
            Action::Reconnect(n) => self.nodes[n].network.set(Way::OPEN),
            Action::Resign(n) => self.resign(n),
            Action::KillEtcd(n) => self.etcd[n].kill().await,
            Action::StartEtcd(n) => self.etcd[n].spawn(),
            Action::FreezeEtcd(n) => self.etcd[n].freeze(true).await,
            Action::ThawEtcd(n) => self.etcd[n].freeze(false).await,
            Action::CompactEtcd => self.compact().await,
            Action::Break(n) => self.lab.power_off(&plan::stub(n)).expect("known"),
            Action::Mend(n) => self.lab.power_on(&plan::stub(n)).expect("known"),
            Action::MailIsBusy(true) => self.lab.mail().set_mood(MailMood::Busy),
            Action::MailIsBusy(false) => self.lab.mail().set_mood(MailMood::Well),
            Action::Acknowledge(n) => self.order(n, Order::Acknowledge),
            Action::Silence(n) => self.order(n, Order::Silence),
            Action::EndSilence(n) => self.order(n, Order::EndSilence),
        }
    }

    /// Starts it again. Where it was stopped and not killed it has ended by itself before.
    async fn start(&mut self, n: usize) {
        if self.nodes[n].runs() {
            let fault = self.nodes[n].ended().await;
            self.faults.extend(fault);
        }
        self.nodes[n].start();
    }

    /// Whether it led is for it to say.
    fn resign(&mut self, n: usize) {
        let port = self.nodes[n].port;
        let path = "/api/v2/cluster/resign";
        self.resigning.spawn(async move {
            let asking = super::admin::try_order(port, reqwest::Method::POST, path, None);
            let _ = tokio::time::timeout(Duration::from_secs(10), asking).await;
        });
    }

    /// One that is full is a command less.
    fn order(&mut self, n: usize, order: Order) {
        let _ = self.orders.try_send((self.nodes[n].port, order));
    }

    /// A member that is away cannot be asked.
    async fn compact(&mut self) {
        for member in &self.etcd {
            let put = member.ctl(&["put", "/other", "1", "-w", "json"]).await;
            let Ok(put) = put else { continue };
            let answer: serde_json::Value = serde_json::from_str(&put).expect("JSON");
            let revision = answer["header"]["revision"].to_string();
            let _ = member.ctl(&["compact", &revision]).await;
            return;
        }
    }
}
