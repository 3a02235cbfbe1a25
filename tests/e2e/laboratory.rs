//! The laboratory of these tests, and what its book and its mail server have received.

use std::time::Duration;

use jiff::Timestamp;
use lab::{CaughtMail, ExperimentPlan, Lab, Plan, RelayVersion, Secrets, Switched};

use super::eventually::eventually;

/// What the rules of the tests allow a stream and a remote login before it counts.
pub const RULE: Duration = Duration::from_secs(3);

/// A laboratory with these experiments that reports once a second.
pub fn plan(relay: RelayVersion, stubs: &[&str]) -> Plan {
    let half = Duration::from_millis(500);
    Plan {
        relay,
        relay_every: half,
        relay_pause: half,
        jump_every: half * 2,
        return_within: Duration::from_secs(2),
        secrets: Secrets {
            book: "b00k-s3cr3t-x1".into(),
            jump: "jump-s3cr3t-x2".into(),
            relay: "r3lay-s3cr3t-x3".into(),
        },
        ..Plan::new(stubs.iter().map(|stub| ExperimentPlan::new(stub)).collect())
    }
}

/// Starts it.
pub async fn laboratory(relay: RelayVersion, stubs: &[&str]) -> Lab {
    Lab::start(plan(relay, stubs)).await.expect("a laboratory")
}

/// The switches of a resource so far: to available or not.
pub fn switches(lab: &Lab, resource: &str) -> Vec<bool> {
    of(lab, resource)
        .iter()
        .map(|switch| switch.available)
        .collect()
}

/// Waits until a resource has been switched so many times, and gives the last of them.
pub async fn switched(lab: &Lab, resource: &str, times: usize) -> Switched {
    let look = async || of(lab, resource).into_iter().nth(times - 1);
    eventually(
        &format!("{resource} is switched {times} times"),
        || format!("{:#?}", lab.switched()),
        look,
    )
    .await
}

/// The same, and says how long after `since` it was; `allowed` is what the rules take of it.
pub async fn reaction(
    lab: &Lab,
    resource: &str,
    times: usize,
    since: Timestamp,
    what: &str,
    allowed: Duration,
) -> Switched {
    let switch = switched(lab, resource, times).await;
    let took = switch.at.duration_since(since).as_secs_f64();
    println!(
        "measured: {what}: switched after {took:.2} s, {:+.2} s to the rule of {allowed:?}",
        took - allowed.as_secs_f64()
    );
    switch
}

/// Waits for the first mail that `is` wants.
pub async fn mail(lab: &Lab, what: &str, is: impl Fn(&CaughtMail) -> bool) -> CaughtMail {
    let look = async || lab.mail().mails().into_iter().find(|mail| is(mail));
    let caught = || {
        lab.mail()
            .mails()
            .iter()
            .map(|mail| [mail.subject.as_str(), &mail.text].join("\n"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    eventually(&format!("a mail: {what}"), caught, look).await
}

fn of(lab: &Lab, resource: &str) -> Vec<Switched> {
    lab.switched()
        .into_iter()
        .filter(|switch| switch.resource == resource)
        .collect()
}
