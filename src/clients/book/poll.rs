//! Polls book: the list of resources and the availability of each, then its timetable. Evaluates
//! nothing and writes nothing.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::clients::book::timetable::Reader;
use crate::clients::{BookClient, resource_is_gone};
use engine::model::{Availability, CallError};
use engine::{BookReading, Input, ResourceReading};

/// How many availabilities are requested at the same time.
pub const AT_ONCE: usize = 16;

/// After so many consecutive equal failures book as a whole has failed: the rest is not requested.
pub const ALIKE_FAILURES: usize = AT_ONCE;

/// The pause after the first failed poll. It doubles with each that follows, up to
/// [`LONGEST_BACK_OFF`] or the usual interval.
pub const FIRST_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest pause after a failed poll.
pub const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// The longest pause after an empty manifest: an operator is about to upload one.
pub const EMPTY_PAUSE: Duration = Duration::from_secs(10);

/// The most names of resources in a line of the log.
const MAX_NAMED: usize = 20;

/// When book's clock is further from ours than this, an operator should look at the clocks: tokens
/// depend on them.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// What is polled, and how often.
#[derive(Debug, Clone)]
pub struct Poller {
    /// The client for book.
    pub client: BookClient,
    /// `QUERY_BOOK_EVERY`: the pause after a successful poll.
    pub every: Duration,
}

/// Polls at once, then again and again until `stop`; sooner when a poll failed, and at once on
/// `poll_now`. Each poll ends in one `Input::Book` or `Input::BookFailed`; one that found resources
/// is followed by an `Input::Timetable`, where book gives it. Ends by itself when the inputs are
/// not taken any more.
pub async fn run(
    poller: Poller,
    inputs: mpsc::Sender<Input>,
    mut poll_now: mpsc::Receiver<()>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = poll_on(&poller, &inputs, &mut poll_now) => {}
    }
}

async fn poll_on(poller: &Poller, inputs: &mpsc::Sender<Input>, poll_now: &mut mpsc::Receiver<()>) {
    let mut story = Story::default();
    let mut reader = Reader::default();
    let mut failures = 0;
    loop {
        let reading = poll(&poller.client, &mut story).await;
        let outcome = Outcome::of(&reading).lasting(story.gap_lasts);
        story.log(outcome, &reading);
        let input = reading.map_or_else(Input::BookFailed, Input::Book);
        if inputs.send(input).await.is_err() {
            return;
        }
        if outcome.has_resources()
            && let Some(timetable) = reader.read(&poller.client).await
            && inputs.send(Input::Timetable(timetable)).await.is_err()
        {
            return;
        }
        if outcome != Outcome::Failed {
            compare_clocks(&poller.client, &mut story).await;
        }
        failures = if outcome.is_whole() { 0 } else { failures + 1 };
        wait(jittered(pause(outcome, failures, poller.every)), poll_now).await;
    }
}

/// The outcome of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything was read.
    Whole,
    /// Book has no manifest.
    Empty,
    /// Some availabilities could not be read.
    Partial,
    /// Some availabilities cannot be read, however often they are requested: nothing answers at
    /// their addresses.
    Gap,
    /// book did not answer correctly.
    Failed,
}

impl Outcome {
    fn of(polled: &Result<BookReading, CallError>) -> Self {
        match polled {
            Err(_) => Self::Failed,
            Ok(reading) if reading.resources.is_empty() => Self::Empty,
            Ok(reading) => {
                let mut resources = reading.resources.iter();
                let is_whole = resources.all(|resource| resource.availability.is_some());
                if is_whole { Self::Whole } else { Self::Partial }
            }
        }
    }

    /// A lasting gap instead of a temporary failure.
    fn lasting(self, gap_lasts: bool) -> Self {
        if self == Self::Partial && gap_lasts {
            Self::Gap
        } else {
            self
        }
    }

    fn has_resources(self) -> bool {
        matches!(self, Self::Whole | Self::Partial | Self::Gap)
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Whole | Self::Empty | Self::Gap)
    }
}

/// The pause after a poll with this outcome, the last of `failures` in a row that were not whole.
fn pause(outcome: Outcome, failures: u32, every: Duration) -> Duration {
    match outcome {
        Outcome::Whole | Outcome::Gap => every,
        Outcome::Empty => every.min(EMPTY_PAUSE),
        Outcome::Partial | Outcome::Failed => {
            let doubled =
                FIRST_BACK_OFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
            doubled.min(LONGEST_BACK_OFF).min(every)
        }
    }
}

/// Between three quarters of the pause and all of it, so that replicas do not poll in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + fastrand::f64() / 4.0)
}

async fn wait(pause: Duration, poll_now: &mut mpsc::Receiver<()>) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        Some(()) = poll_now.recv() => {}
    }
    while poll_now.try_recv().is_ok() {}
}

async fn poll(client: &BookClient, story: &mut Story) -> Result<BookReading, CallError> {
    let resources = client.resources().await?;
    story.log_skipped(resources.skipped, &resources.refused);
    let asked = resources
        .listed
        .into_iter()
        .map(|(name, listed)| async move {
            let answer = client.availability(&name).await;
            (name, listed, answer)
        });
    let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut failures = Failures::default();
    let mut reading = BookReading::default();
    let (mut unread, mut gap_lasts) = (Vec::new(), true);
    while let Some((name, listed, answer)) = answers.next().await {
        failures.note(&answer)?;
        if let Err(fault) = &answer {
            debug!(resource = %name, %fault, "no availability from book");
            unread.push(name.to_string());
            gap_lasts &= matches!(fault, CallError::NotFound(_)) && !resource_is_gone(fault);
        }
        let availability = answer.ok();
        reading.resources.push(ResourceReading {
            name,
            stub: listed.stub,
            streams: listed.streams,
            availability,
        });
    }
    failures.conclude()?;
    unread.sort();
    (story.unread, story.gap_lasts) = (unread, gap_lasts);
    reading.resources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(reading)
}

/// Distinguishes a failing book from single resources that fail.
#[derive(Default)]
struct Failures {
    row: usize,
    last: Option<CallError>,
    any_good: bool,
}

impl Failures {
    /// Counts an answer. A 404 of one resource is no failure of book.
    fn note(&mut self, answer: &Result<Availability, CallError>) -> Result<(), CallError> {
        match answer {
            Ok(_) => {
                *self = Self {
                    any_good: true,
                    ..Self::default()
                }
            }
            Err(CallError::NotFound(_)) => {}
            Err(fault) => {
                let alike = self
                    .last
                    .as_ref()
                    .is_some_and(|last| last.as_str() == fault.as_str());
                self.row = if alike { self.row + 1 } else { 1 };
                self.last = Some(fault.clone());
            }
        }
        if self.row >= ALIKE_FAILURES {
            self.failed()
        } else {
            Ok(())
        }
    }

    /// Whether book as a whole failed, when all have been requested.
    fn conclude(self) -> Result<(), CallError> {
        if self.any_good { Ok(()) } else { self.failed() }
    }

    fn failed(&self) -> Result<(), CallError> {
        self.last.clone().map_or(Ok(()), Err)
    }
}

/// What was logged last, so that only changes are logged.
#[derive(Default)]
struct Story {
    notified: Option<&'static str>,
    skipped: usize,
    skewed: bool,
    /// The resources whose availability the last poll could not read.
    unread: Vec<String>,
    /// Whether another request will not help.
    gap_lasts: bool,
}

impl Story {
    fn log(&mut self, outcome: Outcome, polled: &Result<BookReading, CallError>) {
        let as_str = match polled {
            Err(fault) => fault.as_str(),
            Ok(_) if outcome == Outcome::Whole => "whole",
            Ok(_) if outcome == Outcome::Empty => "empty",
            Ok(_) if outcome == Outcome::Gap => "gap",
            Ok(_) => "partial",
        };
        if self.notified.replace(as_str) == Some(as_str) {
            debug!(outcome = as_str, "book polled, as before");
            return;
        }
        match polled {
            Err(fault) if fault.refuses_us() => error!(
                source = "book",
                fault = as_str,
                "polling book failed: {fault}"
            ),
            Err(fault) => warn!(
                source = "book",
                fault = as_str,
                "polling book failed: {fault}"
            ),
            Ok(reading) => log_reading(outcome, reading, &self.unread),
        }
    }

    fn log_skipped(&mut self, skipped: usize, refused: &[String]) {
        if std::mem::replace(&mut self.skipped, skipped) == skipped || skipped == 0 {
            return;
        }
        warn!(
            source = "book",
            skipped,
            "resources of book's manifest are left out: their names are empty, too long or not usable"
        );
        if !refused.is_empty() {
            warn!(
                source = "book",
                resources = some_of(refused),
                "these resources are refused: in an address their names are steps to other resources; rename them"
            );
        }
    }

    fn log_skew(&mut self, skew: SignedDuration) {
        let skewed = skew.abs() > MAX_SKEW;
        if std::mem::replace(&mut self.skewed, skewed) == skewed {
            return;
        }
        if skewed {
            warn!(
                source = "book",
                ahead_seconds = skew.as_secs(),
                "book's clock and ours differ: tokens fail when they drift apart further"
            );
        } else {
            info!(source = "book", "book's clock and ours agree again");
        }
    }
}

/// The first few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let first = names.get(..MAX_NAMED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn log_reading(outcome: Outcome, reading: &BookReading, unread: &[String]) {
    let resources = reading.resources.len();
    match outcome {
        Outcome::Whole | Outcome::Failed => info!(source = "book", resources, "book polled"),
        Outcome::Empty => warn!(
            source = "book",
            "book has no manifest: an operator must upload one"
        ),
        Outcome::Partial => warn!(
            source = "book",
            resources,
            unread = some_of(unread),
            "book does not report the availability of some resources, so they cannot be switched"
        ),
        Outcome::Gap => warn!(
            source = "book",
            resources,
            unread = some_of(unread),
            "nothing answers for some resources, so they cannot be switched: a proxy in front may change their names; rename them"
        ),
    }
}

/// Compares book's clock with ours. A failure to do so does not fail the poll.
async fn compare_clocks(client: &BookClient, story: &mut Story) {
    let before = Timestamp::now();
    let Ok(status) = client.status().await else {
        return;
    };
    if let Some(theirs) = status.now {
        story.log_skew(skew(before, theirs, Timestamp::now()));
    }
}

/// How far their clock is ahead of ours, given that it was read between our two readings.
fn skew(before: Timestamp, theirs: Timestamp, after: Timestamp) -> SignedDuration {
    if theirs < before {
        theirs.duration_since(before)
    } else if theirs > after {
        theirs.duration_since(after)
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::book::fake_book::FakeBook;

    const SOON: Duration = Duration::from_secs(5);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    async fn poll_once(client: &BookClient) -> Result<BookReading, CallError> {
        poll(client, &mut Story::default()).await
    }

    #[test]
    fn the_pause_follows_the_outcome() {
        use Outcome::{Empty, Failed, Gap, Partial, Whole};
        let rows = [
            (Gap, 0, 900, 900),
            (Whole, 0, 900, 900),
            (Empty, 0, 900, 10),
            (Empty, 0, 3, 3),
            (Failed, 1, 900, 1),
            (Failed, 2, 900, 2),
            (Partial, 3, 900, 4),
            (Failed, 7, 900, 60),
            (Failed, u32::MAX, 900, 60),
            (Failed, 7, 5, 5),
        ];
        for (outcome, failures, every, expected) in rows {
            assert_eq!(
                pause(outcome, failures, seconds(every)),
                seconds(expected),
                "{outcome:?} {failures} {every}"
            );
        }
        for _ in 0..100 {
            let jittered = jittered(seconds(60));
            assert!(
                jittered >= seconds(45) && jittered <= seconds(60),
                "{jittered:?}"
            );
        }
    }

    #[test]
    fn a_clock_is_ahead_only_beyond_what_the_call_took() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        for (theirs, expected) in [(90, -10), (100, 0), (101, 0), (102, 0), (112, 10)] {
            assert_eq!(
                skew(at(100), at(theirs), at(102)).as_secs(),
                expected,
                "{theirs}"
            );
        }
    }

    #[test]
    fn book_fails_when_many_fail_alike_or_none_is_good() {
        let good = || {
            Ok(Availability {
                available: true,
                reason: String::new(),
            })
        };
        let slow = || Err(CallError::TimedOut);
        let gone = || Err(CallError::NotFound("resource x not found".into()));
        let rows = [
            (vec![good(), slow()], false),
            (vec![slow(), gone()], true),
            (vec![gone(), gone()], false),
            (vec![], false),
            (
                [vec![good()], vec![slow(); ALIKE_FAILURES - 1]].concat(),
                false,
            ),
            ([vec![good()], vec![slow(); ALIKE_FAILURES]].concat(), true),
            (
                [
                    vec![good()],
                    vec![slow(); ALIKE_FAILURES - 1],
                    vec![good()],
                    vec![slow()],
                ]
                .concat(),
                false,
            ),
            (
                [
                    vec![good()],
                    vec![[slow(), Err(CallError::Dropped)]; ALIKE_FAILURES].concat(),
                ]
                .concat(),
                false,
            ),
        ];
        for (answers, fails) in rows {
            let mut failures = Failures::default();
            let noted = answers.iter().try_for_each(|answer| failures.note(answer));
            assert_eq!(
                noted.and_then(|()| failures.conclude()).is_err(),
                fails,
                "{answers:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_poll_reads_every_resource() {
        let book = FakeBook::start().await;
        assert_eq!(
            poll_once(&book.client(SOON)).await,
            Ok(BookReading::default())
        );
        for n in 0..40 {
            book.put(
                &format!("r-pend{n:02}"),
                &format!("pend{n:02}"),
                n != 3,
                "labwatch: no video",
            );
        }
        let reading = poll_once(&book.client(SOON)).await.expect("reads");
        assert_eq!(reading.resources.len(), 40);
        assert!(
            reading
                .resources
                .is_sorted_by_key(|resource| &resource.name)
        );
        let third = &reading.resources[3];
        assert_eq!(
            (third.name.as_str(), third.stub.as_str()),
            ("r-pend03", "pend03")
        );
        assert_eq!(
            third.availability,
            Some(Availability {
                available: false,
                reason: "labwatch: no video".into()
            })
        );
        assert!(
            reading
                .resources
                .iter()
                .all(|resource| resource.streams.len() == 2 && resource.availability.is_some())
        );
    }

    #[tokio::test]
    async fn one_odd_resource_does_not_spoil_the_poll() {
        let book = FakeBook::start().await;
        for name in ["r-a", "r-b", "r-c"] {
            book.put(name, "stub", true, "new");
        }
        book.answers("resources/r-b", "status 500");
        let polled = poll_once(&book.client(SOON)).await;
        assert_eq!(Outcome::of(&polled), Outcome::Partial);
        let known: Vec<_> = polled
            .expect("reads")
            .resources
            .iter()
            .map(|resource| resource.availability.is_some())
            .collect();
        assert_eq!(known, [true, false, true]);
    }

    #[tokio::test]
    async fn a_resource_that_nothing_answers_for_is_a_lasting_gap() {
        for (fault, expected) in [
            ("status 404", Outcome::Gap),
            ("status 502", Outcome::Partial),
        ] {
            let book = FakeBook::start().await;
            book.put("r-a", "stub", true, "new");
            book.put("r-b", "stub", true, "new");
            book.answers("resources/r-b", fault);
            let mut story = Story::default();
            let polled = poll(&book.client(SOON), &mut story).await;
            assert_eq!(Outcome::of(&polled).lasting(story.gap_lasts), expected);
            assert_eq!(story.unread, ["r-b"]);
        }
    }

    #[test]
    fn not_too_many_names_are_said() {
        let names: Vec<String> = (0..MAX_NAMED + 2).map(|n| format!("r{n}")).collect();
        assert_eq!(some_of(&names[..2]), "r0, r1");
        assert!(some_of(&names).ends_with("r19 and 2 more"));
    }

    #[tokio::test]
    async fn a_book_that_gives_only_the_list_has_failed_and_is_not_polled_to_the_end() {
        let book = FakeBook::start().await;
        for n in 0..200 {
            book.put(&format!("r-{n:03}"), "stub", true, "new");
            book.answers(&format!("resources/r-{n:03}"), "hangs");
        }
        let polled = poll_once(&book.client(Duration::from_millis(300))).await;
        assert_eq!(polled, Err(CallError::TimedOut));
        assert!(book.take_calls().len() < 4 * ALIKE_FAILURES);
    }

    #[tokio::test]
    async fn failures_and_recoveries_come_as_inputs() {
        let book = FakeBook::start().await;
        book.cause("book refuses tokens");
        let (sender, mut inputs) = mpsc::channel(1);
        let (now, poll_now) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let poller = Poller {
            client: book.client(SOON),
            every: seconds(3_600),
        };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(run(poller, sender, poll_now, stop.clone()));
        assert!(matches!(
            inputs.recv().await,
            Some(Input::BookFailed(CallError::Credentials(_)))
        ));
        book.cause("book accepts tokens");
        assert!(
            matches!(inputs.recv().await, Some(Input::Book(reading)) if reading.resources.is_empty()),
            "polled again by itself"
        );
        book.put("r-a", "aaaa00", true, "new");
        now.send(()).await.expect("listens");
        assert!(
            matches!(inputs.recv().await, Some(Input::Book(reading)) if reading.resources.len() == 1)
        );
        book.cause("upload nothing");
        now.send(()).await.expect("listens");
        assert!(
            matches!(inputs.recv().await, Some(Input::Book(reading)) if reading.resources.is_empty())
        );
        stop.cancel();
        tasks
            .join_next()
            .await
            .expect("one task")
            .expect("it ended well");
    }

    #[tokio::test]
    async fn a_timetable_follows_a_poll_that_found_resources() {
        let book = FakeBook::start().await;
        let (sender, mut inputs) = mpsc::channel(1);
        let (now, poll_now) = mpsc::channel(1);
        let mut tasks = tokio::task::JoinSet::new();
        let poller = Poller {
            client: book.client(SOON),
            every: seconds(3_600),
        };
        tasks.spawn(run(poller, sender, poll_now, CancellationToken::new()));
        book.says(
            "manifest",
            &serde_json::json!({"slots": {"sl-a": {"resource": "r-a"}}}),
        );
        assert!(
            matches!(inputs.recv().await, Some(Input::Book(reading)) if reading.resources.is_empty())
        );
        book.put("r-a", "aaaa00", true, "new");
        now.send(()).await.expect("listens");
        assert!(
            matches!(inputs.recv().await, Some(Input::Book(reading)) if reading.resources.len() == 1)
        );
        assert!(
            matches!(inputs.recv().await, Some(Input::Timetable(timetable)) if timetable.slots.len() == 1)
        );
        book.answers("manifest", "status 500");
        for _ in 0..2 {
            now.send(()).await.expect("listens");
            assert!(
                matches!(inputs.recv().await, Some(Input::Book(reading)) if reading.resources.len() == 1)
            );
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_logged_once() {
        let book = FakeBook::start().await;
        let client = book.client(SOON);
        let mut story = Story::default();
        for (clock, skewed) in [
            ("ahead 0s", false),
            ("ahead 20s", true),
            ("ahead 20s", true),
            ("ahead 0s", false),
            ("behind 20s", true),
        ] {
            book.cause(&format!("book clock {clock}"));
            compare_clocks(&client, &mut story).await;
            assert_eq!(story.skewed, skewed, "{clock}");
        }
    }
}
