//! What is done to the cluster and when, made from a seed alone.

use std::time::Duration;

use fastrand::Rng;

use super::super::tcp_proxy::Way;

/// How many replicas and members of etcd there are.
pub const REPLICAS: usize = 3;
pub const MEMBERS: usize = 3;

/// How many experiments break and are mended.
const BREAKING: usize = 40;

/// Each breaks so often at most: of what breaks more often within a day it is not mailed each time.
const TIMES: usize = 3;

/// Their names.
pub fn breaking() -> impl Iterator<Item = String> {
    (0..BREAKING).map(stub)
}

pub fn stub(n: usize) -> String {
    format!("pend{n:02}")
}

/// The experiment that is broken all the time, and acknowledged.
pub const BROKEN: &str = "dead00";

/// The experiment that is silenced and well.
pub const SILENCED: &str = "trus00";

/// Something that is done at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Stop(usize),
    Kill(usize),
    Start(usize),
    Freeze(usize),
    Thaw(usize),
    Cut(usize, Way),
    Reconnect(usize),
    Resign(usize),
    KillEtcd(usize),
    StartEtcd(usize),
    FreezeEtcd(usize),
    ThawEtcd(usize),
    CompactEtcd,
    Break(usize),
    Mend(usize),
    MailIsBusy(bool),
    Acknowledge(usize),
    Silence(usize),
    EndSilence(usize),
}

/// What is done, in the order of its time since the beginning.
pub type Plan = Vec<(Duration, Action)>;

/// The first action comes after this, and the last before the end by this.
const CALM: f64 = 3.0;

/// The plan of this seed. At its end everything is mended.
pub fn plan(seed: u64, length: Duration) -> Plan {
    let mut rng = Rng::with_seed(seed);
    let end = length.as_secs_f64() - CALM;
    let mut all = Vec::new();
    replicas(&mut rng, end, &mut all);
    members(&mut rng, end, &mut all);
    experiments(&mut rng, end, &mut all);
    spans(&mut rng, end, (30.0, 90.0), (3.0, 10.0), |_, span| {
        all.push((span.0, Action::MailIsBusy(true)));
        all.push((span.1, Action::MailIsBusy(false)));
    });
    spans(&mut rng, end, (15.0, 40.0), (0.0, 0.1), |_, span| {
        all.push((span.0, Action::CompactEtcd));
    });
    spans(&mut rng, end, (1.0, 6.0), (0.0, 0.1), |rng, span| {
        all.push((span.0, command(rng)));
    });
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let timed = |(at, action)| (Duration::from_secs_f64(at), action);
    all.into_iter().map(timed).collect()
}

/// One after another breaks, and is mended a while later.
fn experiments(rng: &mut Rng, end: f64, all: &mut Vec<(f64, Action)>) {
    let breaks = BREAKING * TIMES;
    let number = u32::try_from(breaks).expect("small");
    let (mut at, slowest) = (CALM, end / f64::from(number));
    for n in (0..BREAKING).cycle().take(breaks) {
        at += slowest.max(between(rng, 1.0, 9.0));
        let until = (at + between(rng, 4.0, 25.0)).min(end);
        if at >= end {
            return;
        }
        all.push((at, Action::Break(n)));
        all.push((until, Action::Mend(n)));
    }
}

fn command(rng: &mut Rng) -> Action {
    let replica = rng.usize(..REPLICAS);
    match rng.u8(..5) {
        0 | 1 => Action::Acknowledge(replica),
        2 | 3 => Action::Silence(replica),
        _ => Action::EndSilence(replica),
    }
}

/// Two strands of faults, so that at times two replicas have one; never all of them.
fn replicas(rng: &mut Rng, end: f64, all: &mut Vec<(f64, Action)>) {
    let mut busy_until = [0.0_f64; REPLICAS];
    let mut next = [CALM, CALM + 7.0];
    loop {
        let strand = usize::from(next[1] < next[0]);
        let begin = next[strand];
        if begin >= end {
            return;
        }
        let until = (begin + between(rng, 1.0, 14.0)).min(end);
        let free: Vec<usize> = (0..REPLICAS).filter(|n| busy_until[*n] < begin).collect();
        if let Some(n) = rng.choice(&free).copied() {
            busy_until[n] = until + 2.0;
            let (first, last) = replica_fault(rng, n);
            all.push((begin, first));
            all.extend(last.map(|last| (until, last)));
        }
        next[strand] = until + between(rng, 2.0, 12.0);
    }
}

fn replica_fault(rng: &mut Rng, n: usize) -> (Action, Option<Action>) {
    match rng.u8(..12) {
        0 | 1 => (Action::Stop(n), Some(Action::Start(n))),
        2 | 3 => (Action::Kill(n), Some(Action::Start(n))),
        4..=6 => (Action::Freeze(n), Some(Action::Thaw(n))),
        7 | 8 => (Action::Cut(n, Way::CUT), Some(Action::Reconnect(n))),
        9 => (Action::Cut(n, Way::NO_ANSWERS), Some(Action::Reconnect(n))),
        10 => (Action::Cut(n, Way::NO_REQUESTS), Some(Action::Reconnect(n))),
        _ => (Action::Resign(n), None),
    }
}

/// Mostly one member at a time; at times two, so that there is no quorum.
fn members(rng: &mut Rng, end: f64, all: &mut Vec<(f64, Action)>) {
    spans(rng, end, (6.0, 25.0), (2.0, 12.0), |rng, (begin, until)| {
        let first = rng.usize(..MEMBERS);
        let count = if rng.u8(..4) == 0 { 2 } else { 1 };
        for n in (first..first + count).map(|n| n % MEMBERS) {
            let (fault, end) = if rng.bool() {
                (Action::KillEtcd(n), Action::StartEtcd(n))
            } else {
                (Action::FreezeEtcd(n), Action::ThawEtcd(n))
            };
            all.push((begin, fault));
            all.push((until, end));
        }
    });
}

/// Spans one after another, with gaps and lengths between these; none goes beyond the end.
fn spans(
    rng: &mut Rng,
    end: f64,
    gap: (f64, f64),
    length: (f64, f64),
    mut take: impl FnMut(&mut Rng, (f64, f64)),
) {
    let mut at = CALM;
    loop {
        let begin = at + between(rng, gap.0, gap.1);
        if begin >= end {
            return;
        }
        let until = (begin + between(rng, length.0, length.1)).min(end);
        take(rng, (begin, until));
        at = until;
    }
}

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + rng.f64() * (high - low)
}
