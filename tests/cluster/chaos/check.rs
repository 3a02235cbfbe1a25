//! The invariants, and the measurements.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::Switched;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Chaos;
use super::mails;
use super::orders::Orders;
use super::plan::{BROKEN, SILENCED, breaking};
use super::terms::foreign_write;

/// The time limit after the last fault until everything is ok.
const HEALS_WITHIN: Duration = Duration::from_secs(120);

/// What nothing may say that is well.
const NEVER_SAID: [&str; 2] = ["panicked at", "eyJ"];

impl Chaos {
    /// Waits until all replicas are there and the laboratory is ok except for one experiment.
    pub async fn begins(&mut self) {
        let begun = Instant::now();
        while let Some(why) = self.unwell(None).await {
            assert!(begun.elapsed() < HEALS_WITHIN, "it does not begin: {why}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// A process that ends by itself is a fault.
    pub fn notice_ended(&mut self) {
        for node in &mut self.nodes {
            if node.has_crashed() {
                self.faults.push(format!("{} ended by itself", node.name));
                node.start();
            }
        }
    }

    /// After the last fault is repaired: waits until all is ok, checks, and prints the numbers.
    pub async fn ends(mut self, orders: &Orders) {
        let begun = Instant::now();
        let mut unwell = self.unwell(Some(orders)).await;
        while unwell.is_some() && begun.elapsed() < HEALS_WITHIN {
            sleep(Duration::from_millis(200)).await;
            unwell = self.unwell(Some(orders)).await;
        }
        let healed = begun.elapsed();
        self.faults
            .extend(unwell.map(|why| format!("not well after {HEALS_WITHIN:?}: {why}")));
        for n in 0..self.nodes.len() {
            self.nodes[n].stop().await;
            let fault = self.nodes[n].ended().await;
            self.faults.extend(fault);
        }
        self.check_writes();
        self.check_logs();
        let mails = self.lab.mail().mails();
        let mut read = mails::read(&mails);
        self.faults.append(&mut read.faults);
        let terms = self.terms.all();
        println!(
            "chaos: {} terms and candidacies; {} writes to book, each by the leader of its time unless said otherwise",
            terms.len(),
            self.lab.switched().len()
        );
        println!(
            "chaos: {} mails, {} of them once more with the same Message-ID",
            mails.len(),
            read.repeated
        );
        println!("chaos: {}", orders.summary());
        println!(
            "chaos: well again {:.1} s after the last fault",
            healed.as_secs_f64()
        );
        for fault in &self.faults {
            println!("chaos: VIOLATED: {fault}");
        }
        if !self.faults.is_empty() {
            self.keep_logs();
        }
        assert!(
            self.faults.is_empty(),
            "{} promises are broken",
            self.faults.len()
        );
    }

    /// What is not ok now; with commands, also which of them are lost.
    async fn unwell(&mut self, orders: Option<&Orders>) -> Option<String> {
        let mut leaders = Vec::new();
        for node in &mut self.nodes {
            let name = &node.name;
            let Some(cluster) = node.get("/api/v2/cluster").await else {
                return Some(format!("{name} does not answer"));
            };
            let replicas = cluster["replicas"].as_array().map_or(0, Vec::len);
            if replicas != 3 || cluster["leader"].is_null() || cluster["etcd"]["ok"] != true {
                return Some(format!("{name} sees {cluster}"));
            }
            leaders.push(cluster["leader"]["name"].clone());
            let experiments = node.get("/api/v1/experiments").await?;
            if let Some(wrong) = wrong_experiment(&experiments) {
                return Some(format!("{name} sees {wrong}"));
            }
            if let Some(orders) = orders {
                let acknowledgements = node.get("/api/v2/acknowledgements").await?;
                let silences = node.get("/api/v2/silences?limit=500").await?;
                if let Some(lost) = orders.missing(&acknowledgements, &silences) {
                    return Some(format!("{name}: {lost}"));
                }
            }
        }
        if leaders.windows(2).any(|pair| pair[0] != pair[1]) {
            return Some(format!("the replicas name {leaders:?} as leaders"));
        }
        self.untrue()
    }

    /// What book or the last mails say that is not so.
    fn untrue(&self) -> Option<String> {
        let last = mails::read(&self.lab.mail().mails()).last;
        for (stub, is_well) in truth() {
            let available = self.lab.availability(&format!("r-{stub}"));
            if available.as_ref().map(|(available, _)| *available) != Some(is_well) {
                return Some(format!("book says of {stub}: {available:?}"));
            }
            let notified = last.get(&stub).map_or("ok", String::as_str);
            if (notified == "ok") != is_well {
                return Some(format!("the last mail about {stub} says {notified}"));
            }
        }
        None
    }

    fn check_writes(&mut self) {
        let names: BTreeMap<&str, &str> = self
            .nodes
            .iter()
            .map(|node| (node.calls_book.as_str(), node.name.as_str()))
            .collect();
        let writes: Vec<Switched> = self.lab.switched();
        let by = |write: &Switched| {
            *names
                .get(write.called.as_str())
                .unwrap_or(&"another client")
        };
        let pairs = writes.iter().map(|write| (write, by(write)));
        let terms = self.terms.all();
        self.faults.extend(foreign_write(&terms, pairs));
    }

    fn check_logs(&mut self) {
        for node in &self.nodes {
            let said = node.said();
            let bad = said
                .lines()
                .find(|line| NEVER_SAID.iter().any(|bad| line.contains(bad)));
            let fault = bad.map(|line| format!("{} says {line}", node.name));
            self.faults.extend(fault);
        }
    }

    /// Where a promise is broken, what led to it can be read.
    fn keep_logs(&self) {
        let Ok(folder) = std::env::var("CHAOS_LOGS") else {
            return;
        };
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = |name: &str| std::path::Path::new(&folder).join(name);
        for node in &self.nodes {
            std::fs::write(path(&node.name), node.said()).expect("written");
        }
        let mails: Vec<String> = self
            .lab
            .mail()
            .mails()
            .into_iter()
            .map(|mail| mail.raw)
            .collect();
        std::fs::write(path("mails"), mails.join("\n\n----\n\n")).expect("written");
        std::fs::write(path("terms"), format!("{:#?}", self.terms.all())).expect("written");
        std::fs::write(path("writes"), format!("{:#?}", self.lab.switched())).expect("written");
    }
}

/// How the laboratory is when all is mended.
pub fn truth() -> impl Iterator<Item = (String, bool)> {
    let well = breaking().chain([SILENCED.to_owned()]);
    well.map(|stub| (stub, true))
        .chain([(BROKEN.to_owned(), false)])
}

fn wrong_experiment(experiments: &Value) -> Option<String> {
    truth().find_map(|(stub, is_well)| {
        let all = experiments.as_array()?;
        let found = all.iter().find(|it| it["topic_name"] == stub);
        let Some(found) = found else {
            return Some(format!("no {stub}"));
        };
        let is = (found["health"] == "ok", found["bookable"] == "bookable");
        (is != (is_well, is_well))
            .then(|| format!("{stub} as {} and {}", found["health"], found["bookable"]))
    })
}
