//! Killed at every step of deciding, recording, sending and marking, and started anew on the same
//! folder: nothing is lost, nothing is notified twice but what was in flight, and book comes to say
//! what is true. Needs a build with debug assertions: see `labwatch::faults`.

use std::os::unix::process::ExitStatusExt;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use lab::{Lab, RelayVersion};
use labwatch::failpoints::Point;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{SECRET, try_order};
use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, environment};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

/// How many processes are killed at the same time.
const AT_ONCE: usize = 4;

/// Which of the two events is cut off, and whether it is over before the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// pend00 breaks, and the handling of that is cut off.
    Bad,
    /// The same, and pend00 is mended while labwatch is off.
    BadAndOver,
    /// pend00 is repaired, and the handling of that is cut off.
    Good,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_mailing_loses_nothing() {
    all(&Point::ALL[..5], &[Cut::Bad, Cut::BadAndOver, Cut::Good]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_switching_loses_nothing() {
    all(&Point::ALL[5..11], &[Cut::Bad, Cut::BadAndOver, Cut::Good]).await;
}

async fn all(points: &[Point], cuts: &[Cut]) {
    let cases: Vec<(Point, Cut)> = points
        .iter()
        .flat_map(|point| cuts.iter().map(|cut| (*point, *cut)))
        .collect();
    for some in cases.chunks(AT_ONCE) {
        join_all(some.iter().map(|(point, cut)| cut_off(*point, *cut))).await;
    }
}

async fn cut_off(point: Point, cut: Cut) {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("DATA_DIR", folder.path().to_str().expect("a name"))];
    let mut variables = environment(&lab, &settings);
    let pass = if cut == Cut::Good { 2 } else { 1 };
    variables.push((
        "LABWATCH_FAULT".to_owned(),
        format!("{}:{pass}", point.as_str()),
    ));
    let first = Monitor::start_with(variables).await;
    first.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    if cut == Cut::Good {
        switched(&lab, "r-pend00", 1).await;
        mail(&lab, "pend00 is down", |mail| mail.subject.contains(DOWN)).await;
        first.logs(&[" sent\""]).await;
        lab.stream_back("pend00-st-data").expect("known");
    }
    let ended = first.ends(&lab).await;
    assert_eq!(ended.signal(), Some(9), "{point:?} {cut:?}: {ended}");

    if cut == Cut::BadAndOver {
        lab.stream_back("pend00-st-data").expect("known");
    }
    let second = Monitor::start(&lab, &settings).await;
    if cut == Cut::Bad {
        second
            .sees("pend00", "is withdrawn", |it| {
                it["health"] == "down" && it["bookable"] == "withdrawn"
            })
            .await;
        mail(&lab, "pend00 is down", |mail| mail.subject.contains(DOWN)).await;
        second
            .logs_times(
                &["experiments are ok"],
                second.lines(&["experiments are ok"]).len() + 3,
            )
            .await;
        lab.stream_back("pend00-st-data").expect("known");
    }
    second.sees_well(&ALL).await;
    if notified(&lab, DOWN) > 0 {
        mail(&lab, "pend00 is back", |mail| mail.subject.contains(BACK)).await;
    }
    second
        .logs_times(
            &["experiments are ok"],
            second.lines(&["experiments are ok"]).len() + 4,
        )
        .await;
    check(&lab, point, cut);
    second.stop("TERM", &lab).await;
}

const DOWN: &str = "down: pend00";
const BACK: &str = "back: pend00";

/// How many mails say this.
fn notified(lab: &Lab, what: &str) -> usize {
    lab.mail()
        .mails()
        .iter()
        .filter(|mail| mail.subject.contains(what))
        .count()
}

fn check(lab: &Lab, point: Point, cut: Cut) {
    let subjects: Vec<String> = lab
        .mail()
        .mails()
        .into_iter()
        .map(|mail| mail.subject)
        .collect();
    let context = format!(
        "{point:?} {cut:?}: {subjects:?} {:?}",
        switches(lab, "r-pend00")
    );
    let (down, back) = (notified(lab, DOWN), notified(lab, BACK));
    assert_eq!(
        down + back,
        subjects.len(),
        "nothing else is notified: {context}"
    );
    assert!(
        down <= 2 && back <= 2 && down + back <= 3,
        "at most one repeat: {context}"
    );
    assert!(
        down > 0 || cut == Cut::BadAndOver,
        "what was bad is notified: {context}"
    );
    assert!(
        back > 0 || down == 0,
        "who was notified of a problem is notified of its end: {context}"
    );
    let may_repeat = matches!(point, Point::MailHanded | Point::MailAnswered);
    assert!(
        may_repeat || (down <= 1 && back <= 1),
        "only a mail on its way is repeated: {context}"
    );
    assert!(
        switches(lab, "r-pend00")
            .last()
            .is_none_or(|available| *available),
        "book says what is true: {context}"
    );
    for stub in ["r-spin00", "r-trus00"] {
        assert!(switches(lab, stub).is_empty(), "{context}");
    }
}

/// What a maintainer commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ordered {
    Acknowledged,
    Silenced,
    Maintained,
    Held,
}

impl Ordered {
    const ALL: [Self; 4] = [
        Self::Acknowledged,
        Self::Silenced,
        Self::Maintained,
        Self::Held,
    ];

    fn request(self) -> (&'static str, Value) {
        let (now, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
        match self {
            Self::Acknowledged => (
                "/api/v2/acknowledgements",
                json!({"experiments": "pend00", "text": WORDS}),
            ),
            Self::Silenced => (
                "/api/v2/silences",
                json!({"experiments": "spin*", "until": now + hour, "reason": WORDS}),
            ),
            Self::Maintained => {
                let schedule = json!({"once": {"from": now, "until": now + hour}});
                (
                    "/api/v2/maintenance-windows",
                    json!({"experiments": "spin*", "reason": WORDS, "schedule": schedule}),
                )
            }
            Self::Held => (
                "/api/v2/holds",
                json!({"resource": "r-trus00", "reason": WORDS}),
            ),
        }
    }
}

const WORDS: &str = "The motor is being replaced.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_was_answered_survives_a_kill_and_another_is_whole_or_absent() {
    let ends = [
        Some(Point::CommandDecided),
        Some(Point::CommandRecorded),
        None,
    ];
    assert_eq!(
        Point::ALL[11..],
        [Point::CommandDecided, Point::CommandRecorded],
        "no point is left out"
    );
    let cases: Vec<_> = Ordered::ALL
        .into_iter()
        .flat_map(|ordered| ends.map(|end| (ordered, end)))
        .collect();
    for some in cases.chunks(AT_ONCE) {
        join_all(
            some.iter()
                .map(|(ordered, end)| command_cut_off(*ordered, *end)),
        )
        .await;
    }
}

/// A command is given, and the process killed at `end`, or as soon as the command is answered.
async fn command_cut_off(ordered: Ordered, end: Option<Point>) {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("SECRET_API", SECRET),
        ("DATA_DIR", folder.path().to_str().expect("a name")),
    ];
    let mut variables = environment(&lab, &settings);
    variables
        .extend(end.map(|point| ("LABWATCH_FAULT".to_owned(), format!("{}:1", point.as_str()))));
    let first = Monitor::start_with(variables).await;
    first.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    mail(&lab, "pend00 is down", |mail| mail.subject.contains(DOWN)).await;
    first.logs(&[" sent\""]).await;

    let (path, body) = ordered.request();
    let answer = try_order(first.port(), Method::POST, path, Some(body)).await;
    let context = format!("{ordered:?} {end:?}");
    if end.is_some() {
        assert_eq!(answer, None, "{context}: the caller gets no confirmation");
        assert_eq!(first.ends(&lab).await.signal(), Some(9), "{context}");
    } else {
        let (status, notified) = answer.expect("an answer");
        assert_eq!(
            (status, &notified["kept"]),
            (201, &json!(true)),
            "{context}: {notified}"
        );
        first.kill(&lab).await;
    }
    let is_kept = end != Some(Point::CommandDecided);
    let second = Monitor::start(&lab, &settings).await;
    let count = |is_there: bool| usize::from(is_there && is_kept);
    let suppressed = second.suppressions().await.len();
    assert_eq!(
        suppressed,
        count(ordered != Ordered::Held),
        "{context}: {}",
        second.tail()
    );
    if ordered == Ordered::Held && is_kept {
        let taken = switched(&lab, "r-trus00", 1).await;
        assert_eq!(
            (taken.available, taken.reason.as_str()),
            (false, WORDS),
            "{context}"
        );
        second
            .sees("trus00", "is held", |it| it["bookable"] == "held")
            .await;
        lab.release("r-trus00", "done").expect("known");
    }
    what_follows(&lab, &second, ordered, is_kept, &context).await;
    second.stop("TERM", &lab).await;
}

/// pend00 is mended and spin00 breaks: messages and book are as the command wants it, and as if it
/// had never been where it is absent.
async fn what_follows(
    lab: &Lab,
    monitor: &Monitor,
    ordered: Ordered,
    is_kept: bool,
    context: &str,
) {
    lab.stream_back("pend00-st-data").expect("known");
    mail(lab, "pend00 is back", |mail| mail.subject.contains(BACK)).await;
    lab.stream_silent("spin00-st-data").expect("known");
    switched(lab, "r-spin00", 1).await;
    monitor
        .sees("spin00", "is withdrawn", |it| {
            it["health"] == "down" && it["bookable"] == "withdrawn"
        })
        .await;
    let is_hushed = is_kept && matches!(ordered, Ordered::Silenced | Ordered::Maintained);
    if is_hushed {
        monitor
            .logs_times(
                &["experiments are ok"],
                monitor.lines(&["experiments are ok"]).len() + 4,
            )
            .await;
    } else {
        mail(lab, "spin00 is down", |mail| {
            mail.subject.contains("down: spin00")
        })
        .await;
    }
    let subjects: Vec<String> = lab
        .mail()
        .mails()
        .into_iter()
        .map(|mail| mail.subject)
        .collect();
    assert_eq!(
        subjects.len(),
        if is_hushed { 2 } else { 3 },
        "{context}: {subjects:?}"
    );
    assert_eq!(switches(lab, "r-pend00"), [false, true], "{context}");
    let of_hold: &[bool] = if ordered == Ordered::Held && is_kept {
        &[false]
    } else {
        &[]
    };
    assert_eq!(
        switches(lab, "r-trus00"),
        of_hold,
        "{context}: what a person let go in book is not held anew"
    );
    let suppressed = monitor.suppressions().await.len();
    assert_eq!(
        suppressed,
        usize::from(is_hushed),
        "{context}: an acknowledgement has ended with its problem"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_a_persons_hold_loses_neither_it_nor_its_end() {
    for some in Point::ALL[5..11].chunks(AT_ONCE) {
        join_all(some.iter().map(|point| hold_cut_off(*point))).await;
    }
}

/// A hold is commanded and the process killed on the way to book: the hold is there after the next
/// start, in the person's words, and when a person lets it go in book, that is not forgotten
/// either.
async fn hold_cut_off(point: Point) {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("SECRET_API", SECRET),
        ("DATA_DIR", folder.path().to_str().expect("a name")),
    ];
    let mut variables = environment(&lab, &settings);
    variables.push(("LABWATCH_FAULT".to_owned(), format!("{}:1", point.as_str())));
    let first = Monitor::start_with(variables).await;
    first.sees_well(&ALL).await;
    let (path, body) = Ordered::Held.request();
    try_order(first.port(), Method::POST, path, Some(body)).await;
    assert_eq!(first.ends(&lab).await.signal(), Some(9), "{point:?}");

    let second = Monitor::start(&lab, &settings).await;
    // A switch is decided together with the command, so nothing of either is written at that point.
    let is_kept = point != Point::SwitchDecided;
    if is_kept {
        second
            .sees("trus00", "is held", |it| it["bookable"] == "held")
            .await;
        lab.release("r-trus00", "done").expect("known");
    }
    second.sees_well(&ALL).await;
    second
        .logs_times(
            &["experiments are ok"],
            second.lines(&["experiments are ok"]).len() + 4,
        )
        .await;
    let made = switches(&lab, "r-trus00");
    assert!(
        made.iter().all(|available| !available) && made.len() <= 2,
        "{point:?}: {made:?}"
    );
    assert_eq!(made.is_empty(), !is_kept, "{point:?}: {made:?}");
    second.sees_well(&["trus00"]).await;
    assert!(
        lab.mail().mails().is_empty(),
        "{point:?}: {:#?}",
        lab.mail().mails()
    );
    second.stop("TERM", &lab).await;
}

/// A disk that hangs in the middle of a command: the command is in force, and its caller is
/// warned that a restart would forget it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_the_disk_does_not_take_is_carried_out_and_says_so() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let mut variables = environment(&lab, &[("SECRET_API", SECRET)]);
    variables.push((
        "LABWATCH_FAULT".to_owned(),
        format!("{}:1:hang", Point::CommandRecorded.as_str()),
    ));
    let monitor = Monitor::start_with(variables).await;
    monitor.sees_well(&ALL).await;
    let (path, body) = Ordered::Silenced.request();
    let (status, notified) = try_order(monitor.port(), Method::POST, path, Some(body))
        .await
        .expect("an answer");
    assert_eq!(
        (status, &notified["done"], &notified["kept"]),
        (201, &json!(true), &json!(false)),
        "{notified}"
    );
    assert_eq!(monitor.suppressions().await.len(), 1);
    monitor.kill(&lab).await;
}

/// A disk that hangs in the middle of a write: decisions are carried out all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stands_still_stops_nothing_else() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let mut variables = environment(&lab, &[]);
    variables.push((
        "LABWATCH_FAULT".to_owned(),
        format!("{}:1:hang", Point::SwitchRecorded.as_str()),
    ));
    let monitor = Monitor::start_with(variables).await;
    monitor.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    mail(&lab, "pend00 is down", |mail| mail.subject.contains(DOWN)).await;
    lab.stream_back("pend00-st-data").expect("known");
    mail(&lab, "pend00 is back", |mail| mail.subject.contains(BACK)).await;
    monitor.sees_well(&ALL).await;
    assert_eq!(switches(&lab, "r-pend00"), [false, true]);
    monitor.kill(&lab).await;
}
