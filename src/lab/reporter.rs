//! When relay and jump report: their pace, what `{"cmd":"update"}` does to it, and how other messages upset it. Decides only when.

use tokio::time::{sleep, timeout};

use super::hub::{Hub, Kind, Mood, Pokes};

/// Reports for as long as it is polled.
///
/// Three habits of the real servers are kept. Once an update was asked for, any message on the topic brings a report. Before that, any message restarts
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

/// How many reports come now: `None` for the pokes is the end of a quiet wait.
fn answers(kind: Kind, asked_ever: bool, pokes: Option<Pokes>) -> u32 {
    match (pokes, kind) {
        (None, _) => 1,
        (Some(_), _) if !asked_ever => 0,
        (Some(_), Kind::Relay(_)) => 1,
        (Some(pokes), Kind::Jump) => pokes.updates + pokes.junk,
    }
}

async fn thawed(hub: &Hub) {
    // An error would mean that the hub is gone, and then so is whoever runs this.
    let _ = hub.mood().wait_for(|mood| *mood != Mood::Frozen).await;
}

#[cfg(test)]
mod tests {
    use super::super::plan::RelayVersion;
    use super::*;

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
            assert_eq!(answers(kind, asked_ever, pokes), reports, "{kind:?} {asked_ever} {pokes:?}");
        }
    }
}
