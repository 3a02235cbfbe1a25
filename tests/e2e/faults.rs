//! Killed at every step of deciding, recording, sending and marking, and started anew on the same folder: nothing is lost, nothing is
//! told twice but what was on its way, and book comes to say what is true. Needs a build with debug assertions: see `labwatch::faults`.

use std::os::unix::process::ExitStatusExt;

use futures_util::future::join_all;
use labwatch::faults::Point;
use labwatch::lab::{Lab, RelayVersion};

use super::laboratory::{laboratory, mail, switched, switches};
use super::monitor::{Monitor, environment};

const ALL: [&str; 3] = ["pend00", "spin00", "trus00"];

/// How many processes are killed at the same time.
const AT_ONCE: usize = 4;

/// Which of the two things that happen is cut off, and whether it is over before the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// pend00 breaks, and what that leads to is cut off.
    Bad,
    /// The same, and pend00 is mended while nobody looks.
    BadAndOver,
    /// pend00 is mended, and what that leads to is cut off.
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
    let cases: Vec<(Point, Cut)> = points.iter().flat_map(|point| cuts.iter().map(|cut| (*point, *cut))).collect();
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
    variables.push(("LABWATCH_FAULT".to_owned(), format!("{}:{pass}", point.word())));
    let first = Monitor::start_with(variables).await;
    first.sees_well(&ALL).await;
    lab.stream_silent("pend00-st-data").expect("known");
    if cut == Cut::Good {
        switched(&lab, "r-pend00", 1).await;
        mail(&lab, "pend00 is down", |mail| mail.subject.contains(DOWN)).await;
        first.logs(&["the summary is sent"]).await;
        lab.stream_back("pend00-st-data").expect("known");
    }
    let ended = first.ends(&lab).await;
    assert_eq!(ended.signal(), Some(9), "{point:?} {cut:?}: {ended}");

    if cut == Cut::BadAndOver {
        lab.stream_back("pend00-st-data").expect("known");
    }
    let second = Monitor::start(&lab, &settings).await;
    if cut == Cut::Bad {
        second.sees("pend00", "is withdrawn", |it| it["health"] == "down" && it["bookable"] == "withdrawn").await;
        mail(&lab, "pend00 is down", |mail| mail.subject.contains(DOWN)).await;
        second.logs_times(&["experiments are ok"], second.lines(&["experiments are ok"]).len() + 3).await;
        lab.stream_back("pend00-st-data").expect("known");
    }
    second.sees_well(&ALL).await;
    if told(&lab, DOWN) > 0 {
        mail(&lab, "pend00 is back", |mail| mail.subject.contains(BACK)).await;
    }
    second.logs_times(&["experiments are ok"], second.lines(&["experiments are ok"]).len() + 4).await;
    judge(&lab, point, cut);
    second.stop("TERM", &lab).await;
}

const DOWN: &str = "1 down: pend00";
const BACK: &str = "1 back: pend00";

/// How many mails say this.
fn told(lab: &Lab, what: &str) -> usize {
    lab.mail().mails().iter().filter(|mail| mail.subject.contains(what)).count()
}

fn judge(lab: &Lab, point: Point, cut: Cut) {
    let subjects: Vec<String> = lab.mail().mails().into_iter().map(|mail| mail.subject).collect();
    let context = format!("{point:?} {cut:?}: {subjects:?} {:?}", switches(lab, "r-pend00"));
    let (down, back) = (told(lab, DOWN), told(lab, BACK));
    assert_eq!(down + back, subjects.len(), "nothing else is told: {context}");
    assert!(down <= 2 && back <= 2 && down + back <= 3, "at most one repeat: {context}");
    assert!(down > 0 || cut == Cut::BadAndOver, "what was bad is told: {context}");
    assert!(back > 0 || down == 0, "who was told bad is told good: {context}");
    let may_repeat = matches!(point, Point::MailHanded | Point::MailAnswered);
    assert!(may_repeat || (down <= 1 && back <= 1), "only a mail on its way is repeated: {context}");
    assert!(switches(lab, "r-pend00").last().is_none_or(|available| *available), "book says what is true: {context}");
    for stub in ["r-spin00", "r-trus00"] {
        assert!(switches(lab, stub).is_empty(), "{context}");
    }
}

/// A disk that stands still in the middle of a write: what is decided is done all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stands_still_stops_nothing_else() {
    let lab = laboratory(RelayVersion::V07, &ALL).await;
    let mut variables = environment(&lab, &[]);
    variables.push(("LABWATCH_FAULT".to_owned(), format!("{}:1:hang", Point::SwitchRecorded.word())));
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
