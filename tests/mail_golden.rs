//! The mails, word for word. `UPDATE=1 cargo test --test mail_golden` writes the files anew; read
//! the difference before you keep it.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(
    clippy::expect_used,
    reason = "the helpers of a test may give up as the test does"
)]

use std::path::PathBuf;
use std::time::Duration;

use engine::model::{Bookable, Health, RouteName, StreamHealth, Stub, Topic};
use engine::{
    Acknowledged, Affected, AlertLine, Background, Channel, Counts, Issue, Line, MessageId,
    Occasion, Reminder, Steadiness, Summary, Thread,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use labwatch::effects::channels::Size;
use labwatch::effects::mail::{Composed, compose};
use labwatch::effects::notification::{MAX_GROUPS, MAX_NAMED, Presentation};
use labwatch::effects::webhook;
use labwatch::reports::{self, Report, Row};

/// The largest mail that is fair to a phone, in bytes, text and HTML together.
const MAX_MAIL_BYTES: usize = 200_000;

#[test]
fn the_mails_read_as_they_should() {
    let cases = [
        ("one-down", one_down()),
        ("burst-of-130", burst(130)),
        ("all-back", all_back()),
        ("source-alert", source_alert()),
        ("source-back", source_back()),
        ("relay-away", relay_away()),
        ("unlisted", unlisted()),
        ("degraded-jump", degraded_jump()),
        ("held", held()),
        ("power-cut", power_cut()),
        ("power-back", power_back()),
        ("slow-night-first", slow_night_first()),
        ("slow-night-gathered", slow_night_gathered()),
        ("one-camera", one_camera()),
        ("unsteady", unsteady()),
        ("steady-again", steady_again()),
        ("not-watched", not_watched()),
        ("worst-state", worst_state()),
        ("two-kinds", two_kinds()),
        ("acknowledged", acknowledged()),
        ("new-unlisted", new_unlisted()),
        ("test", test()),
        ("booked", booked()),
        ("changed", changed()),
        ("reminder", reminder()),
        (
            "reminder-alert",
            Summary {
                occasion: Occasion::Reminder,
                ..known_alert()
            },
        ),
        ("digest", digest()),
        (
            "digest-holds",
            Summary {
                problems: vec![],
                counts: counts(12, 0, 0),
                ..digest()
            },
        ),
        (
            "digest-well",
            Summary {
                occasion: Occasion::Digest,
                ..summary(vec![], vec![], counts(12, 0, 0))
            },
        ),
    ];
    let wrong: Vec<String> = cases
        .into_iter()
        .flat_map(|(name, summary)| check(name, &compose(&summary, &presentation())))
        .chain(check_report())
        .chain(check("own-problems", &compose(&ill(), &presentation())))
        .collect();
    assert!(
        wrong.is_empty(),
        "run with UPDATE=1 if this is meant:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_huge_burst_makes_no_huge_mail() {
    // Each with a symptom of its own, and every other one of another stem.
    let line = |n: usize| Line {
        advice: Some(format!("Look at shelf {n}. {}", "x".repeat(500))),
        ..down(&format!("{}{n:05}", ["pend", "spin"][n % 2]))
    };
    let lines: Vec<Line> = (0..10_000).map(line).collect();
    let mail = compose(
        &summary(lines.clone(), lines, counts(10_010, 0, 10_000)),
        &presentation(),
    );
    let size = mail.text.len() + mail.html.len();
    assert!(size < MAX_MAIL_BYTES, "{size}");
    let left_out = format!("... and {} more\n", 10_000 - MAX_GROUPS);
    assert!(mail.text.contains(&left_out), "{}", mail.text);
    assert!(
        mail.subject.ends_with("and 9996 more (10000)"),
        "{}",
        mail.subject
    );
    assert!(mail.state.len() < MAX_NAMED + 10);
}

#[test]
fn whatever_comes_in_stays_on_its_line() {
    let hostile = "<b>x</b>\r\nBcc: eve@example.org\r\n\r\n";
    let mut summary = burst(3);
    summary.alerts = vec![
        AlertLine {
            alert: None,
            text: hostile.repeat(100),
            since: at(0),
            ended: None,
            new: true,
            experiment: None,
        };
        40
    ];
    let mail = compose(
        &summary,
        &Presentation {
            subject: hostile.into(),
            link: hostile.into(),
            ..presentation()
        },
    );
    assert!(
        !mail.subject.contains(char::is_control) && mail.subject.len() <= 160,
        "{}",
        mail.subject
    );
    assert_eq!(mail.subject.trim(), mail.subject);
    assert!(
        mail.text
            .lines()
            .chain(mail.html.lines())
            .all(|line| !line.starts_with("Bcc"))
    );
    assert!(!mail.html.contains("<b>x</b>"));
    assert!(mail.text.contains("... and 30 more"));
}

#[test]
fn an_empty_prefix_and_link_leave_no_trace() {
    let mail = compose(&one_down(), &Presentation::default());
    assert!(mail.subject.starts_with("down: "), "{}", mail.subject);
    assert!(!mail.text.contains("All of it") && !mail.html.contains("<a "));
}

#[test]
fn the_messages_to_programs_have_their_shape() {
    let cases = [
        ("one-down", one_down()),
        ("all-back", all_back()),
        ("source-back", source_back()),
        ("booked", booked()),
        ("unlisted", unlisted()),
        ("reminder", reminder()),
    ];
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(name, summary)| check_json(name, &summary))
        .collect();
    assert!(
        wrong.is_empty(),
        "run with UPDATE=1 if this is meant; a change of meaning needs a new version:\n{}",
        wrong.join("\n")
    );
}

/// What docs/operations.md shows, each with its heading there.
const SHOWN: [(&str, &str); 10] = [
    ("A power cut of 40 of 130 experiments", "power-cut"),
    ("Its end", "power-back"),
    ("One camera", "one-camera"),
    ("Relay is restarted and stays away", "relay-away"),
    ("It is back", "source-back"),
    (
        "A slow night of single failures: the first",
        "slow-night-first",
    ),
    (
        "and what came within the next minutes",
        "slow-night-gathered",
    ),
    ("An experiment that comes and goes", "unsteady"),
    ("It has held", "steady-again"),
    ("The monthly report", "monthly-report"),
];

/// Between which lines they stand there.
const MARKS: [&str; 2] = [
    "<!-- The mails below are made by UPDATE=1 cargo test --test mail_golden -->\n",
    "<!-- Here they end. -->\n",
];

#[test]
fn the_mails_of_the_documentation_are_those_that_are_sent() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/operations.md");
    let document = std::fs::read_to_string(&path).expect("reads");
    let (before, rest) = document.split_once(MARKS[0]).expect("a first mark");
    let (_, after) = rest.split_once(MARKS[1]).expect("a last mark");
    let mails = SHOWN.map(|(heading, name)| {
        let golden = root.join(format!("tests/goldens/mail/{name}.txt"));
        let mail = std::fs::read_to_string(golden).expect("a golden");
        let lines = mail.lines().filter(|line| !line.starts_with("X-Labwatch-"));
        let mail: Vec<&str> = lines.collect();
        format!(
            "\n{heading}:\n\n```text\n{}\n```\n",
            mail.join("\n").trim_end()
        )
    });
    let is = [before, MARKS[0], &mails.concat(), "\n", MARKS[1], after].concat();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &is).expect("the document can be written");
    }
    assert!(
        document == is || std::env::var_os("UPDATE").is_some(),
        "docs/operations.md shows other mails: run UPDATE=1 cargo test --test mail_golden twice"
    );
}

fn check_report() -> Vec<String> {
    let mail = reports::mail(&month(), Some("https://lab.example.org/ed0"));
    let text = format!("Subject: [ed0 lab] {}\n\n{}", mail.subject, mail.text);
    let files = [
        ("monthly-report.txt", &text),
        ("monthly-report.html", &mail.html),
    ];
    let differ = files.into_iter().filter_map(|(file, is)| compare(file, is));
    differ.collect()
}

/// A month with a few failures.
fn month() -> Report {
    let time = |text: &str| text.parse().expect("a time");
    let row = |name: &str, availability, failures, lost| Row {
        name: name.to_owned(),
        experiments: 1,
        availability: Some(availability),
        failures,
        student_minutes_lost: lost,
        ..Row::default()
    };
    Report {
        period: "2026-10".to_owned(),
        from: time("2026-09-30T23:00:00Z"),
        until: time("2026-11-01T00:00:00Z"),
        zone: "Europe/London".to_owned(),
        made: time("2026-11-01T06:00:05Z"),
        rule: reports::RULE.to_owned(),
        total: Row {
            experiments: 130,
            booked_availability: Some(0.9941),
            minutes_to_restore: Some(47.0),
            sessions: 1_204,
            sessions_spoiled: 7,
            withdrawals: 29,
            withdrawals_regretted: 1,
            ..row("all", 0.9893, 31, 312.0)
        },
        experiments: None,
        pools: None,
        months: None,
        worst: vec![
            row("pend07", 0.9312, 9, 140.0),
            row("spin03", 0.9704, 1, 95.0),
            row("pend11", 0.9880, 2, 0.0),
        ],
        restore: vec![],
    }
}

/// The first failure of a night in which several follow.
fn slow_night_first() -> Summary {
    let news = Line {
        issues: vec![lost("spin03", "st-data", StreamHealth::Silent)],
        advice: Some(
            "It is connected but sends nothing: log in and look at the camera or the sensor."
                .to_owned(),
        ),
        ..down("spin03")
    };
    summary(vec![news.clone()], vec![news], counts(130, 0, 1))
}

/// It is down for the fourth time today.
fn unsteady() -> Summary {
    let news = Line {
        steadiness: Some(Steadiness::Unsteady(4)),
        advice: Some(
            "Its computer is up and no stream arrives: log in and restart the client that sends them."
                .to_owned(),
        ),
        ..down("trus01")
    };
    summary(vec![news.clone()], vec![news], counts(12, 0, 1))
}

/// It came and went on and has been well for two hours.
fn steady_again() -> Summary {
    let news = Line {
        steadiness: Some(Steadiness::Steady(7)),
        worst: Some(Health::Down),
        since: at(2 * 3_600),
        ..back("trus01", Health::Down, 300)
    };
    summary(vec![news], vec![], counts(12, 0, 0))
}

/// It was taken out of book while it was down.
fn not_watched() -> Summary {
    let alert = AlertLine {
        alert: None,
        text: "pend00 is not watched any more: book does not list it, and it was not seen for a day; last known as down".to_owned(),
        since: at(26 * 3_600),
        ended: Some(Duration::from_secs(26 * 3_600)),
        new: true,
        experiment: None,
    };
    Summary {
        alerts: vec![alert],
        ..summary(vec![], vec![], counts(11, 0, 0))
    }
}

/// Down, then degraded, then well, between two mails or not: with others that were only degraded.
fn worst_state() -> Summary {
    let was = |stub, notified, worst, minutes| Line {
        worst: Some(worst),
        ..back(stub, notified, minutes)
    };
    let news = vec![
        was("pend03", Health::Degraded, Health::Down, 12),
        was("pend04", Health::Degraded, Health::Degraded, 9),
        was("pend05", Health::Ok, Health::Down, 2),
    ];
    summary(news, vec![], counts(12, 0, 0))
}

/// What came after it within some minutes: two more, one that is back, and one that was out for a
/// moment.
fn slow_night_gathered() -> Summary {
    let first = notified(slow_night_first().news.remove(0), 300);
    let booked = Line {
        since: at(200),
        affected: Affected {
            next_day: 2,
            next_week: 5,
            first_start: Some(at(-8 * 3_600)),
            in_session: false,
        },
        ..down("pend11")
    };
    let login = Line {
        since: at(100),
        issues: vec![Issue::JumpLost],
        advice: Some(
            "Students can use it, but there is no remote login. Restart the login client at the next visit."
                .to_owned(),
        ),
        ..line("pend12", Health::Degraded, Some(Bookable::Yes))
    };
    let short = Line {
        worst: Some(Health::Down),
        since: at(40),
        ..back("trus02", Health::Ok, 2)
    };
    let problems = vec![booked.clone(), first, login.clone()];
    summary(vec![booked, login, short], problems, counts(130, 1, 2))
}

fn check_json(name: &str, summary: &Summary) -> Option<String> {
    let body = webhook::json(summary, Size::Whole).expect("JSON");
    let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(value["version"], webhook::VERSION);
    compare(&format!("../webhook/{name}.json"), &format!("{value:#}\n"))
}

fn check(name: &str, mail: &Composed) -> Vec<String> {
    let text = format!(
        "Subject: {}\nX-Labwatch-State: {}\n\n{}",
        mail.subject,
        mail.state.join(" "),
        mail.text
    );
    [
        (format!("{name}.txt"), &text),
        (format!("{name}.html"), &mail.html),
    ]
    .into_iter()
    .filter_map(|(file, is)| compare(&file, is))
    .collect()
}

fn compare(file: &str, is: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens/mail")
        .join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, is).expect("the golden can be written");
        return None;
    }
    let should = std::fs::read_to_string(&path).unwrap_or_default();
    (should != is).then(|| format!("--- {file} should be\n{should}\n--- and is\n{is}"))
}

fn presentation() -> Presentation {
    Presentation {
        subject: "[ed0 lab]".into(),
        link: "https://app.example.org/ed0/status".into(),
        page: Some("https://lab.example.org/ed0".into()),
        zone: TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").expect("a zone"),
    }
}

/// So many seconds before the mail of 01:05.
fn at(seconds_before: i64) -> Timestamp {
    let now: Timestamp = "2026-11-21T01:05:00Z".parse().expect("a time");
    now - jiff::SignedDuration::from_secs(seconds_before)
}

fn line(stub: &str, health: Health, bookable: Option<Bookable>) -> Line {
    Line {
        stub: Stub::try_new(stub).expect("a stub"),
        health,
        notified: Health::Ok,
        bookable,
        listed: true,
        issues: vec![],
        since: at(12),
        lasted: None,
        affected: Affected::default(),
        advice: None,
        notified_issues: vec![],
        worst: None,
        steadiness: None,
        last_seen: None,
        acknowledged: None,
    }
}

fn lost(stub: &str, stream: &str, how: StreamHealth) -> Issue {
    Issue::Required(
        Topic::try_new(&format!("{stub}-{stream}")).expect("a topic"),
        how,
    )
}

fn down(stub: &str) -> Line {
    Line {
        issues: vec![lost(stub, "st-video", StreamHealth::Missing)],
        ..line(stub, Health::Down, Some(Bookable::Withdrawn))
    }
}

fn back(stub: &str, notified: Health, minutes: u64) -> Line {
    Line {
        notified,
        lasted: Some(Duration::from_secs(60 * minutes)),
        ..line(stub, Health::Ok, Some(Bookable::Yes))
    }
}

fn notified(line: Line, seconds_before: i64) -> Line {
    Line {
        notified: line.health,
        since: at(seconds_before),
        ..line
    }
}

fn counts(total: usize, degraded: usize, down: usize) -> Counts {
    Counts {
        total,
        ok: total - degraded - down,
        degraded,
        down,
        withdrawn: down,
        ..Counts::default()
    }
}

fn summary(news: Vec<Line>, problems: Vec<Line>, counts: Counts) -> Summary {
    Summary {
        id: 1,
        route: RouteName::everybody(),
        channel: Channel::Mail,
        occasion: Occasion::News,
        thread: Thread {
            id: MessageId { at: at(0), id: 1 },
            references: vec![],
        },
        at: at(0),
        news,
        problems,
        alerts: vec![],
        counts,
        background: Background::default(),
        reminder: None,
    }
}

fn one_down() -> Summary {
    let mut news = down("pend03");
    news.issues
        .push(lost("pend03", "st-data", StreamHealth::Silent));
    let old = Line {
        issues: vec![Issue::JumpLost],
        ..line("spin01", Health::Degraded, Some(Bookable::Yes))
    };
    summary(
        vec![news.clone()],
        vec![news, notified(old, 26 * 3_600)],
        counts(12, 1, 1),
    )
}

fn burst(n: usize) -> Summary {
    let lines: Vec<Line> = (0..n).map(|n| down(&format!("pend{n:03}"))).collect();
    summary(lines.clone(), lines, counts(n + 10, 0, n))
}

fn all_back() -> Summary {
    let mut unbooked = back("spin00", Health::Degraded, 3_000);
    unbooked.bookable = Some(Bookable::Withdrawn);
    summary(
        vec![back("pend03", Health::Down, 12), unbooked],
        vec![],
        counts(12, 0, 0),
    )
}

fn source_alert() -> Summary {
    let text = "relay sends no reports: check that it runs and that this host reaches it. 130 experiments are not evaluated: pend00, pend01, \
        pend02 and 127 more";
    let problem = notified(down("pend03"), 7_200);
    let alerts = vec![
        AlertLine {
            alert: None,
            text: text.into(),
            since: at(150),
            ended: None,
            new: true,
            experiment: None,
        },
        AlertLine {
            alert: None,
            text: "book has no manifest: upload it".into(),
            since: at(90_000),
            ended: None,
            new: false,
            experiment: None,
        },
    ];
    Summary {
        alerts,
        ..summary(
            vec![],
            vec![problem],
            Counts {
                total: 131,
                unknown: 130,
                down: 1,
                withdrawn: 1,
                ..Counts::default()
            },
        )
    }
}

fn relay_away() -> Summary {
    let text = "relay gives no access: cannot connect (connection refused). See that relay runs. 130 experiments are not evaluated; \
                they are withdrawn when this has lasted 15 min";
    let counts = Counts {
        total: 130,
        unknown: 130,
        ..Counts::default()
    };
    let alert = AlertLine {
        alert: None,
        text: text.into(),
        since: at(80),
        ended: None,
        new: true,
        experiment: None,
    };
    Summary {
        alerts: vec![alert],
        ..summary(vec![], vec![], counts)
    }
}

fn source_back() -> Summary {
    let alert = AlertLine {
        alert: None,
        text: "relay reports again".into(),
        since: at(1_500),
        ended: Some(Duration::from_secs(1_350)),
        new: true,
        experiment: None,
    };
    Summary {
        alerts: vec![alert],
        ..summary(vec![], vec![], counts(131, 0, 0))
    }
}

/// Three of a kind lost before a class.
fn booked() -> Summary {
    let affected = Affected {
        next_day: 3,
        next_week: 7,
        first_start: Some(at(-9 * 3600)),
        in_session: false,
    };
    let advice = Some("Log in and restart the client that sends the streams.".to_owned());
    let first = Line {
        affected,
        advice: advice.clone(),
        ..down("pend03")
    };
    let busy = Line {
        affected: Affected {
            in_session: true,
            first_start: Some(at(600)),
            ..affected
        },
        advice,
        ..down("pend04")
    };
    let background = Background {
        causes: vec!["3 of 4 experiments behind 129.215.1.0/24 were lost at about the same time: probably one cause".to_owned()],
        short_pools: vec!["pend: 1 of 4 work, 2 too few for what is booked from 21 Nov 10:00 UTC on".to_owned()],
        forgotten_holds: vec![
            "r-pend05 is held by a person since 1 Nov 2026: maintenance; 4 bookings of the next 7 days cannot start".to_owned(),
        ],
        ..Background::default()
    };
    let lines = vec![busy, first, down("pend05")];
    Summary {
        background,
        ..summary(lines.clone(), lines, counts(4, 0, 3))
    }
}

fn unlisted() -> Summary {
    let news = Line {
        listed: false,
        issues: vec![Issue::JumpLost],
        ..line("newx00", Health::Degraded, None)
    };
    summary(
        vec![news.clone()],
        vec![news],
        Counts {
            unlisted: 1,
            ..counts(13, 1, 0)
        },
    )
}

fn degraded_jump() -> Summary {
    let jump = Line {
        issues: vec![Issue::JumpLost],
        ..line("pend03", Health::Degraded, Some(Bookable::Yes))
    };
    let alternative = Issue::Other(
        Topic::try_new("pend04-st-video-alt").expect("a topic"),
        StreamHealth::Silent,
    );
    let better = Line {
        notified: Health::Down,
        issues: vec![alternative],
        ..line("pend04", Health::Degraded, Some(Bookable::Withdrawn))
    };
    summary(
        vec![jump.clone(), better.clone()],
        vec![jump, better],
        Counts {
            withdrawn: 1,
            ..counts(12, 2, 0)
        },
    )
}

fn held() -> Summary {
    let held = Line {
        bookable: Some(Bookable::Held),
        ..down("pend05")
    };
    let well = Line {
        bookable: Some(Bookable::Held),
        ..back("pend06", Health::Down, 125)
    };
    summary(
        vec![held.clone(), well],
        vec![held],
        Counts {
            withdrawn: 0,
            held: 2,
            ..counts(12, 0, 1)
        },
    )
}

/// One of two causes is gone.
fn changed() -> Summary {
    let news = Line {
        notified: Health::Down,
        notified_issues: vec![Issue::JumpLost],
        since: at(300),
        ..down("pend03")
    };
    summary(
        vec![news.clone(), down("pend04")],
        vec![news, down("pend04")],
        counts(12, 0, 2),
    )
}

fn reminder() -> Summary {
    let loose = Line {
        issues: vec![Issue::JumpLost],
        ..line("spin01", Health::Degraded, Some(Bookable::Yes))
    };
    let problems = vec![
        notified(down("pend03"), 90_000),
        notified(down("pend04"), 90_000),
        notified(loose, 100_000),
    ];
    Summary {
        occasion: Occasion::Reminder,
        reminder: Some(Reminder {
            number: 2,
            next: at(-48 * 3_600),
        }),
        ..summary(vec![], problems, counts(12, 1, 2))
    }
}

fn known_alert() -> Summary {
    let alert = AlertLine {
        alert: None,
        text: "book has no manifest: upload it".into(),
        since: at(90_000),
        ended: None,
        new: false,
        experiment: None,
    };
    Summary {
        alerts: vec![alert],
        ..summary(vec![], vec![], counts(12, 0, 0))
    }
}

fn digest() -> Summary {
    let background = Background {
        forgotten_holds: vec![
            "r-pend05 is held by a person since 1 Nov 2026: maintenance".to_owned(),
        ],
        silences: vec!["pend* until 22 Nov 09:00 UTC: exam".to_owned()],
        ..Background::default()
    };
    Summary {
        occasion: Occasion::Digest,
        background,
        ..summary(
            vec![],
            vec![notified(down("pend03"), 90_000)],
            counts(12, 0, 1),
        )
    }
}

/// labwatch itself has problems.
fn ill() -> Summary {
    let own = vec![
        "the store takes nothing: what happens is not kept".to_owned(),
        "bob@example.org is not reached since 19 Nov 08:00 GMT".to_owned(),
    ];
    Summary {
        background: Background {
            own,
            ..Background::default()
        },
        ..one_camera()
    }
}

/// 40 of 130 experiments at once: one in session, some booked.
fn power_cut() -> Summary {
    let advice = "The whole site is out of reach: probably its network or its power. Ask on site before visiting single experiments.";
    let line = |n: usize| Line {
        issues: vec![
            lost(&format!("pend{n:02}"), "st-data", StreamHealth::Missing),
            lost(&format!("pend{n:02}"), "st-video", StreamHealth::Missing),
            Issue::JumpLost,
        ],
        affected: Affected {
            next_day: usize::from(n < 6),
            next_week: usize::from(n < 6),
            first_start: (n < 6).then(|| at(if n == 4 { 900 } else { -3_300 })),
            in_session: n == 4,
        },
        advice: Some(advice.to_owned()),
        ..down(&format!("pend{n:02}"))
    };
    let lines: Vec<Line> = (0..40).map(line).collect();
    let background = Background {
        causes: vec![
            "40 of 40 experiments behind 129.215.1.0/24 were lost at about the same time: probably one cause"
                .to_owned(),
        ],
        short_pools: vec![
            "pend: 0 of 40 work, 4 too few for what is booked from 02:00 GMT on".to_owned(),
        ],
        ..Background::default()
    };
    Summary {
        background,
        ..summary(lines.clone(), lines, counts(130, 0, 40))
    }
}

fn power_back() -> Summary {
    let lines = (0..40).map(|n| Line {
        since: at(30),
        ..back(&format!("pend{n:02}"), Health::Down, 58)
    });
    summary(lines.collect(), vec![], counts(130, 0, 0))
}

fn one_camera() -> Summary {
    let news = Line {
        last_seen: Some(at(95)),
        affected: Affected {
            next_day: 1,
            next_week: 4,
            first_start: Some(at(-9 * 3_600)),
            in_session: false,
        },
        advice: Some(
            "Its computer is up and other streams arrive: log in and look at the program and the camera or sensor of the lost stream."
                .to_owned(),
        ),
        ..down("pend03")
    };
    summary(vec![news.clone()], vec![news], counts(130, 0, 1))
}

/// One is down, another back, and the one that is in session only lost its login.
fn two_kinds() -> Summary {
    let busy = Line {
        issues: vec![Issue::JumpLost],
        affected: Affected {
            next_day: 3,
            next_week: 3,
            first_start: Some(at(600)),
            in_session: true,
        },
        ..line("trus00", Health::Degraded, Some(Bookable::Yes))
    };
    let lines = vec![busy, down("pend01"), back("pend00", Health::Ok, 0)];
    let problems = lines.iter().take(2).cloned().collect();
    summary(lines, problems, counts(12, 1, 1))
}

/// One that is acknowledged beside one that is not.
fn acknowledged() -> Summary {
    let known = Line {
        acknowledged: Some(Acknowledged {
            who: "ADA".to_owned(),
            text: "motor ordered, comes on Thursday".to_owned(),
        }),
        ..notified(down("pend05"), 90_000)
    };
    let old = notified(down("pend07"), 3_600);
    Summary {
        counts: Counts {
            acknowledged: 1,
            ..counts(12, 0, 3)
        },
        ..summary(
            vec![down("pend03")],
            vec![down("pend03"), known, old],
            counts(12, 0, 3),
        )
    }
}

fn new_unlisted() -> Summary {
    let new = Line {
        listed: false,
        ..line("newx00", Health::Ok, None)
    };
    summary(vec![new], vec![], counts(13, 0, 0))
}

fn test() -> Summary {
    Summary {
        occasion: Occasion::Test,
        ..summary(vec![], vec![], Counts::default())
    }
}
