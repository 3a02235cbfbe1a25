//! The mails, word for word. `UPDATE=1 cargo test --test mail_golden` writes the files anew; read the difference before you keep it.

#![allow(
    clippy::too_many_lines,
    reason = "a test tells one story from beginning to end"
)]
#![allow(
    clippy::expect_used,
    reason = "the helpers of a test may give up as the test does"
)]

use std::path::PathBuf;
use std::time::Duration;

use engine::model::{Bookable, Health, RouteName, StreamHealth, Stub, Topic};
use engine::{
    Affected, AlertLine, Background, Channel, Counts, Issue, Line, MessageId, Occasion, Summary,
    Thread,
};
use jiff::Timestamp;
use labwatch::effects::mail::{Composed, Letter, MAX_NEWS, MAX_PROBLEMS, compose};
use labwatch::effects::webhook;

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
        ("unlisted", unlisted()),
        ("degraded-jump", degraded_jump()),
        ("held", held()),
        ("nothing-new", nothing_new()),
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
        .flat_map(|(name, summary)| check(name, &compose(&summary, &letter())))
        .collect();
    assert!(
        wrong.is_empty(),
        "run with UPDATE=1 if this is meant:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_huge_burst_makes_no_huge_mail() {
    let mail = compose(&burst(10_000), &letter());
    let size = mail.text.len() + mail.html.len();
    assert!(size < MAX_MAIL_BYTES, "{size}");
    let left_out = |list: usize| format!("... and {} more\n", 10_000 - list);
    assert!(mail.text.contains(&left_out(MAX_NEWS)) && mail.text.contains(&left_out(MAX_PROBLEMS)));
    assert!(mail.subject.ends_with("and 9996 more"), "{}", mail.subject);
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
            new: true
        };
        40
    ];
    let mail = compose(
        &summary,
        &Letter {
            subject: hostile.into(),
            link: hostile.into(),
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
    let mail = compose(&one_down(), &Letter::default());
    assert!(mail.subject.starts_with("1 down"), "{}", mail.subject);
    assert!(!mail.text.contains("For the latest") && !mail.html.contains("For the latest"));
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

fn check_json(name: &str, summary: &Summary) -> Option<String> {
    let body = webhook::json(summary, webhook::MAX_LINES).expect("JSON");
    let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(value["version"], webhook::VERSION);
    compare(&format!("../webhook/{name}.json"), &format!("{value:#}\n"))
}

fn check(name: &str, mail: &Composed) -> Vec<String> {
    let text = format!("Subject: {}\n\n{}", mail.subject, mail.text);
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

fn letter() -> Letter {
    Letter {
        subject: "[ed0 lab]".into(),
        link: "https://app.example.org/ed0/status".into(),
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
    let text = "relay tells nothing: check that it runs and that this host reaches it. 130 experiments are not judged: pend00, pend01, \
        pend02 and 127 more";
    let problem = notified(down("pend03"), 7_200);
    let alerts = vec![
        AlertLine {
            alert: None,
            text: text.into(),
            since: at(150),
            ended: None,
            new: true,
        },
        AlertLine {
            alert: None,
            text: "book has no manifest: somebody must upload one".into(),
            since: at(90_000),
            ended: None,
            new: false,
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

fn source_back() -> Summary {
    let alert = AlertLine {
        alert: None,
        text: "relay tells again".into(),
        since: at(1_500),
        ended: Some(Duration::from_secs(1_350)),
        new: true,
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
        silences: vec![],
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
        ..summary(vec![], problems, counts(12, 1, 2))
    }
}

fn known_alert() -> Summary {
    let alert = AlertLine {
        alert: None,
        text: "book has no manifest: somebody must upload one".into(),
        since: at(90_000),
        ended: None,
        new: false,
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

fn nothing_new() -> Summary {
    summary(
        vec![],
        vec![notified(down("pend03"), 700_000)],
        counts(12, 0, 1),
    )
}
