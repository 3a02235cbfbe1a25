//! Writes availability to book: reads the resource, writes, and reads back. Never overwrites a
//! manual hold, unless a manual override asks for it; never retries by itself.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::side_by_side::side_by_side;
use super::{Window, while_open};
use crate::clients::{BookClient, resource_is_gone};
use crate::failpoints::{self, Point};
use engine::model::{Bookable, CallError, ResourceName};
use engine::{Input, Switch, SwitchOutcome};

/// How many switches are in flight at the same time. More wait in the queue.
pub const AT_ONCE: usize = 16;

/// Where switches are written.
#[derive(Clone)]
pub struct Switcher {
    /// The client for book.
    pub client: BookClient,
    /// Until when this replica may write; `None`: no limit, because this labwatch is the only one.
    pub window: Option<Window>,
}

/// Carries out switches until `stop`, or until the queue is closed. Each ends in one
/// `Input::Switched`. What is in flight at the stop is finished, or aborted after
/// [`STOP_GRACE`](super::STOP_GRACE).
pub async fn run(
    switcher: Switcher,
    queue: mpsc::Receiver<Switch>,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) {
    let carry_out = move |switch: Switch| carry_out(switcher.clone(), switch, inputs.clone());
    side_by_side("switches", queue, AT_ONCE, carry_out, stop).await;
}

async fn carry_out(switcher: Switcher, switch: Switch, inputs: mpsc::Sender<Input>) {
    let resource = switch.resource.clone();
    let input = answered(resource, set(&switcher, &switch)).await;
    if inputs.send(input).await.is_err() {
        debug!(resource = %switch.resource, "the driver ended before it received the outcome of the switch");
    }
}

/// The outcome of the work as an input, even if the work panics: an outcome that never comes would
/// block the resource for good.
async fn answered(resource: ResourceName, work: impl Future<Output = SwitchOutcome>) -> Input {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| {
        SwitchOutcome::Failed(CallError::Protocol(
            "its answer broke the program that read it".into(),
        ))
    });
    Input::Switched { resource, outcome }
}

async fn set(switcher: &Switcher, switch: &Switch) -> SwitchOutcome {
    try_to_set(switcher, switch).await.unwrap_or_else(|fault| {
        if resource_is_gone(&fault) {
            SwitchOutcome::Gone
        } else {
            SwitchOutcome::Failed(fault)
        }
    })
}

/// Reads the resource, writes if book's state differs, reads back. Reading first closes most of the
/// gap in which a manual hold could be overwritten; book has no way to close all of it.
async fn try_to_set(switcher: &Switcher, switch: &Switch) -> Result<SwitchOutcome, CallError> {
    let client = &switcher.client;
    let before = client.availability(&switch.resource).await?;
    if before.bookable() == Bookable::Held && !switch.by_person {
        return Ok(SwitchOutcome::Held(before));
    }
    if (before.available, &before.reason) == (switch.available, &switch.reason) {
        return Ok(SwitchOutcome::Confirmed(before)); // as when a poll that began before the last switch ended after it
    }
    write(switcher, switch).await?;
    failpoints::pass(Point::SwitchWritten);
    let after = client.availability(&switch.resource).await?;
    failpoints::pass(Point::SwitchReadBack);
    Ok(SwitchOutcome::Confirmed(after))
}

/// Writes, but not after this replica's lease ended: another one may lead then.
async fn write(switcher: &Switcher, switch: &Switch) -> Result<(), CallError> {
    let writing = switcher
        .client
        .switch(&switch.resource, switch.available, &switch.reason);
    let written = while_open(switcher.window.as_ref(), writing).await;
    written.unwrap_or(Err(CallError::TimedOut))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::clients::book::fake_book::FakeBook;
    use crate::effects::STOP_GRACE;
    use engine::model::{Availability, Stub};
    use tokio::task::JoinSet;

    const SOON: Duration = Duration::from_secs(5);
    const REASON: &str = "labwatch: the video is missing";

    fn withdraw(resource: &str) -> Switch {
        let resource = ResourceName::try_new(resource).expect("a name");
        Switch {
            resource,
            stub: Stub::try_new("pend00").expect("a stub"),
            available: false,
            reason: REASON.into(),
            by_person: false,
        }
    }

    fn alone(client: BookClient) -> Switcher {
        Switcher {
            client,
            window: None,
        }
    }

    #[tokio::test]
    async fn nothing_is_written_beyond_the_window() {
        let book = FakeBook::start().await;
        book.put("r-a", "pend00", true, "new");
        let within = |window: Duration| Switcher {
            client: book.client(SOON),
            window: Some(Arc::new(move || window)),
        };
        let refused = set(&within(Duration::ZERO), &withdraw("r-a")).await;
        assert_eq!(refused, SwitchOutcome::Failed(CallError::TimedOut));
        assert_eq!(book.take_calls(), ["GET r-a"]);
        let written = set(&within(SOON), &withdraw("r-a")).await;
        assert_eq!(written, SwitchOutcome::Confirmed(says(false, REASON)));
    }

    fn says(available: bool, reason: &str) -> Availability {
        Availability {
            available,
            reason: reason.into(),
        }
    }

    /// A running switcher whose input channel has room for every outcome.
    struct Bench {
        switches: mpsc::Sender<Switch>,
        inputs: mpsc::Receiver<Input>,
        stop: CancellationToken,
        task: JoinSet<()>,
    }

    impl Bench {
        fn new(client: BookClient, room: usize) -> Self {
            let (switches, queue) = mpsc::channel(room);
            let (sender, inputs) = mpsc::channel(room);
            let stop = CancellationToken::new();
            let mut task = JoinSet::new();
            task.spawn(run(alone(client), queue, sender, stop.clone()));
            Self {
                switches,
                inputs,
                stop,
                task,
            }
        }

        async fn outcome(&mut self) -> (String, SwitchOutcome) {
            match self.inputs.recv().await {
                Some(Input::Switched { resource, outcome }) => (resource.to_string(), outcome),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_person_may_write_over_a_persons_hold() {
        let book = FakeBook::start().await;
        book.put("r-a", "pend00", false, "fire");
        let switch = Switch {
            reason: "exam".into(),
            by_person: true,
            ..withdraw("r-a")
        };
        assert_eq!(
            set(&alone(book.client(SOON)), &switch).await,
            SwitchOutcome::Confirmed(says(false, "exam"))
        );
        let switch = Switch {
            available: true,
            by_person: true,
            ..withdraw("r-a")
        };
        assert_eq!(
            set(&alone(book.client(SOON)), &switch).await,
            SwitchOutcome::Confirmed(says(true, REASON))
        );
    }

    #[tokio::test]
    async fn a_resource_is_read_written_and_read_back() {
        let book = FakeBook::start().await;
        book.put("r 1/a", "pend00", true, "Loaded at 2026-11-21T00:52:06Z");
        assert_eq!(
            set(&alone(book.client(SOON)), &withdraw("r 1/a")).await,
            SwitchOutcome::Confirmed(says(false, REASON))
        );
        assert_eq!(
            book.take_calls(),
            ["GET r%201%2Fa", "PUT r%201%2Fa", "GET r%201%2Fa"]
        );
        assert_eq!(book.stored("r 1/a"), Some((false, REASON.into())));
    }

    #[tokio::test]
    async fn what_book_says_already_is_not_written() {
        let book = FakeBook::start().await;
        book.put("r-a", "pend00", false, REASON);
        assert_eq!(
            set(&alone(book.client(SOON)), &withdraw("r-a")).await,
            SwitchOutcome::Confirmed(says(false, REASON))
        );
        assert_eq!(book.take_calls(), ["GET r-a"]);
    }

    #[tokio::test]
    async fn every_state_of_book_has_its_outcome() {
        let held = SwitchOutcome::Held(says(false, "maintenance"));
        let rows = [
            (
                "an old withdrawal of ours",
                (false, "labwatch: x"),
                None,
                SwitchOutcome::Confirmed(says(false, REASON)),
            ),
            (
                "one of the program before us",
                (false, "status server: x"),
                None,
                SwitchOutcome::Confirmed(says(false, REASON)),
            ),
            ("a person's hold", (false, "maintenance"), None, held),
            (
                "a write that does not last",
                (true, "new"),
                Some("deaf"),
                SwitchOutcome::Confirmed(says(true, "new")),
            ),
            (
                "a sick book",
                (true, "new"),
                Some("status 500"),
                SwitchOutcome::Failed(CallError::Sick {
                    status: 500,
                    body: "internal server error".into(),
                }),
            ),
            (
                "a slow book",
                (true, "new"),
                Some("hangs"),
                SwitchOutcome::Failed(CallError::TimedOut),
            ),
        ];
        for (what, (available, reason), fault, expected) in rows {
            let book = FakeBook::start().await;
            book.put("r-a", "pend00", available, reason);
            if let Some(fault) = fault {
                book.answers("resources/r-a", fault);
            }
            assert_eq!(
                set(
                    &alone(book.client(Duration::from_millis(300))),
                    &withdraw("r-a")
                )
                .await,
                expected,
                "{what}"
            );
        }
    }

    #[tokio::test]
    async fn a_hold_is_not_touched_and_what_is_gone_is_said_to_be() {
        let book = FakeBook::start().await;
        book.put("r-held", "pend00", false, "maintenance");
        set(&alone(book.client(SOON)), &withdraw("r-held")).await;
        assert_eq!(book.take_calls(), ["GET r-held"]);
        assert_eq!(
            set(&alone(book.client(SOON)), &withdraw("r-nope")).await,
            SwitchOutcome::Gone
        );
        let wrong = set(&alone(book.client_at("/wrong")), &withdraw("r-held")).await;
        assert!(
            matches!(wrong, SwitchOutcome::Failed(CallError::NotFound(_))),
            "{wrong:?}"
        );
    }

    #[tokio::test]
    async fn a_broken_work_still_has_an_outcome() {
        let resource = ResourceName::try_new("r-a").expect("a name");
        let input = answered(resource, async { panic!("broken on purpose") }).await;
        assert!(
            matches!(
                input,
                Input::Switched {
                    outcome: SwitchOutcome::Failed(CallError::Protocol(_)),
                    ..
                }
            ),
            "{input:?}"
        );
    }

    #[tokio::test]
    async fn a_slow_resource_does_not_hold_up_the_others() {
        let book = FakeBook::start().await;
        book.put("r-slow", "pend00", true, "new");
        book.answers("resources/r-slow", "hangs");
        let mut bench = Bench::new(book.client(SOON), 64);
        bench
            .switches
            .send(withdraw("r-slow"))
            .await
            .expect("listens");
        for n in 0..40 {
            book.put(&format!("r-{n}"), "pend00", true, "new");
            bench
                .switches
                .send(withdraw(&format!("r-{n}")))
                .await
                .expect("listens");
        }
        for _ in 0..40 {
            let (resource, outcome) = bench.outcome().await;
            assert_eq!(
                outcome,
                SwitchOutcome::Confirmed(says(false, REASON)),
                "{resource}"
            );
        }
        bench.stop.cancel();
        let stopping = Instant::now();
        bench
            .task
            .join_next()
            .await
            .expect("one task")
            .expect("it ended well");
        assert!(
            stopping.elapsed() < STOP_GRACE + Duration::from_secs(1),
            "the slow one is given up"
        );
    }

    #[tokio::test]
    async fn never_more_than_the_bound_are_under_way() {
        let book = FakeBook::start().await;
        let mut bench = Bench::new(book.client(Duration::from_millis(400)), 64);
        for n in 0..(2 * AT_ONCE) {
            book.put(&format!("r-{n}"), "pend00", true, "new");
            book.answers(&format!("resources/r-{n}"), "hangs");
            bench
                .switches
                .send(withdraw(&format!("r-{n}")))
                .await
                .expect("listens");
        }
        bench.outcome().await;
        let asked = book.take_calls().len();
        assert!(
            asked <= AT_ONCE + 1,
            "{asked} were asked for before the first answer"
        );
        for _ in 1..(2 * AT_ONCE) {
            assert_eq!(
                bench.outcome().await.1,
                SwitchOutcome::Failed(CallError::TimedOut)
            );
        }
    }

    #[tokio::test]
    async fn what_is_under_way_is_finished_when_no_more_can_come() {
        let book = FakeBook::start().await;
        book.put("r-a", "pend00", true, "new");
        let mut bench = Bench::new(book.client(SOON), 4);
        bench.switches.send(withdraw("r-a")).await.expect("listens");
        drop(bench.switches);
        bench
            .task
            .join_next()
            .await
            .expect("one task")
            .expect("it ended well");
        assert!(matches!(
            bench.inputs.recv().await,
            Some(Input::Switched {
                outcome: SwitchOutcome::Confirmed(_),
                ..
            })
        ));
    }

    #[ignore = "a measurement: run it in release with --ignored --nocapture"]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_thousand_switches() {
        let book = FakeBook::start().await;
        for n in 0..1_000 {
            book.put(&format!("r-{n}"), "pend00", true, "new");
        }
        let mut bench = Bench::new(book.client(SOON), 1_000);
        let start = Instant::now();
        for n in 0..1_000 {
            bench
                .switches
                .send(withdraw(&format!("r-{n}")))
                .await
                .expect("listens");
        }
        for _ in 0..1_000 {
            assert!(matches!(
                bench.outcome().await.1,
                SwitchOutcome::Confirmed(_)
            ));
        }
        println!("1,000 switches (3,000 calls) took {:?}", start.elapsed());
    }
}
