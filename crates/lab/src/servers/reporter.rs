//! Timing of the reports of relay and jump: their interval, the effect of `{"cmd":"update"}`, and
//! of other messages. Decides only when.

use tokio::time::{sleep, timeout};

use super::hub::{Hub, Kind, Mood, Pokes};

/// Reports for as long as it is polled.
///
/// Three habits of the real servers are kept. Once an update was requested, any message on the
/// topic brings a report. Before that, any message restarts
/// the wait, so that steady junk starves the listeners. And relay answers at most once per pause, however often it is asked.
pub(super) async fn run(hub: &Hub) {
    let mut asked_ever = false;
    loop {
        sleep(hub.pace.pause).await;
        let pokes = timeout(hub.pace.every, hub.pokes()).await.ok();
        thawed(hub).await;
        asked_ever |= pokes.is_some_and(|pokes| pokes.updates > 0);
        for _ in 0..answers(hub.kind, asked_ever, pokes) {
            hub.report();
        }
    }
}

/// How many reports are sent now: `None` for the pokes is the end of a wait without messages.
fn answers(kind: Kind, asked_ever: bool, pokes: Option<Pokes>) -> u32 {
    match (pokes, kind) {
        (Some(_), _) if !asked_ever => 0,
        (None, _) | (Some(_), Kind::Relay(_)) => 1,
        (Some(pokes), Kind::Jump) => pokes.updates + pokes.junk,
    }
}

async fn thawed(hub: &Hub) {
    // An error would mean that the hub is gone, and then so is the part that runs this.
    let _ = hub.mood().wait_for(|mood| *mood != Mood::Frozen).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep_until};

    use super::super::hub::{Pace, SharedFleet};
    use super::super::quirks::Parcel;
    use super::super::report::Guest;
    use super::super::token::Claims;
    use super::*;
    use crate::RelayVersion;

    #[test]
    fn what_comes_in_decides_how_many_reports_go_out() {
        let (relay, jump) = (Kind::Relay(RelayVersion::V08), Kind::Jump);
        let pokes = |updates, junk| Some(Pokes { updates, junk });
        let rows = [
            (relay, false, None, 1),
            (relay, true, None, 1),
            (relay, true, pokes(40, 2), 1),
            (relay, true, pokes(0, 1), 1),
            (relay, false, pokes(0, 1), 0),
            (jump, false, None, 1),
            (jump, true, pokes(2, 0), 2),
            (jump, true, pokes(0, 1), 1),
            (jump, false, pokes(0, 1), 0),
        ];
        for (kind, asked_ever, pokes, reports) in rows {
            assert_eq!(
                answers(kind, asked_ever, pokes),
                reports,
                "{kind:?} {asked_ever} {pokes:?}"
            );
        }
    }

    /// The server, the messages of others with their times, and the times of reports, in ms.
    type Row<'a> = (Kind, &'a [(u64, &'static str)], &'a [u128]);

    /// The times of reports to a listener within 12 s, in ms, while others send the messages of the
    /// first argument.
    async fn times(kind: Kind, sends: &[(u64, &'static str)]) -> Vec<u128> {
        let pause = u64::from(kind != Kind::Jump);
        let pace = Pace {
            every: Duration::from_secs(2),
            pause: Duration::from_secs(pause),
        };
        let hub = Hub::new(kind, pace, SharedFleet::default());
        let claims = Claims {
            topic: "stats".into(),
            scopes: vec!["read".into()],
            ..Claims::default()
        };
        let mut seat = hub
            .enter(Guest::new(&claims, "", ""), String::new())
            .expect("the hub is well");
        let start = Instant::now();
        let (mut reports, mut sends) = (Vec::new(), sends.iter().peekable());
        let mut running = std::pin::pin!(run(&hub));
        loop {
            let until = sends.peek().map_or(12_000, |(at, _)| *at);
            tokio::select! {
                biased;
                () = &mut running => unreachable!("it runs on"),
                Some(parcel) = seat.parcels.recv() => if parcel.body.starts_with(b"[") { reports.push(start.elapsed().as_millis()) },
                () = sleep_until(start + Duration::from_millis(until)) => match sends.next() {
                    Some((_, what)) => hub.inject(&Parcel::text(what)),
                    None => return reports,
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reports_come_when_the_real_ones_do() {
        const UPDATE: &str = r#"{"cmd":"update"}"#;
        let relay = Kind::Relay(RelayVersion::V07);
        let every_second: Vec<(u64, &'static str)> = (0..12)
            .map(|second| (second * 1000 + 500, "junk"))
            .collect();
        let rows: [Row<'_>; 8] = [
            (relay, &[], &[3000, 6000, 9000]),
            (Kind::Jump, &[], &[2000, 4000, 6000, 8000, 10_000]),
            (relay, &every_second, &[]),
            (Kind::Jump, &every_second, &[]),
            (
                relay,
                &[(500, UPDATE), (600, UPDATE), (1500, UPDATE)],
                &[1000, 2000, 5000, 8000, 11_000],
            ),
            (
                Kind::Jump,
                &[(500, UPDATE), (600, UPDATE)],
                &[500, 600, 2600, 4600, 6600, 8600, 10_600],
            ),
            (
                relay,
                &[(500, UPDATE), (2500, "junk")],
                &[1000, 2500, 5500, 8500, 11_500],
            ),
            (
                Kind::Jump,
                &[(500, UPDATE), (700, "junk")],
                &[500, 700, 2700, 4700, 6700, 8700, 10_700],
            ),
        ];
        for (kind, sends, expected) in rows {
            let mut got = times(kind, sends).await;
            got.retain(|at| *at < 12_000);
            assert_eq!(got, expected, "{kind:?} {sends:?}");
        }
    }
}
