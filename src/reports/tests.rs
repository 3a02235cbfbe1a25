//! Whole reports: from records to numbers, lines and pages.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::*;
use crate::store::{Change, GapCause};
use engine::model::{Health, JumpHealth, ResourceName, StreamHealth, Topic};
use engine::{Booked, Issue, NamePattern, Schedule};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn stub(name: &str) -> Stub {
    Stub::try_new(name).expect("a name")
}

/// A change at an hour of October 2026 in London.
fn change(hour: i64, health: Health) -> Change {
    let issues = if health == Health::Down {
        vec![Issue::Required(
            Topic::try_new("x-st-a").expect("a name"),
            StreamHealth::Missing,
        )]
    } else {
        Vec::new()
    };
    Change {
        at: hour_of_october(hour),
        health: Some(health),
        issues,
        jump: JumpHealth::Up,
    }
}

fn hour_of_october(hour: i64) -> Timestamp {
    at("2026-09-30T23:00:00Z") + jiff::SignedDuration::from_hours(hour)
}

fn booking(name: &str, from: i64, until: i64, students: u32) -> KeptBooking {
    let resource = ResourceName::try_new(&format!("r-{name}")).expect("a name");
    let (start, end) = (hour_of_october(from), hour_of_october(until));
    KeptBooking {
        booked: Booked {
            resource,
            stub: stub(name),
            start,
            end,
            students,
            started: true,
            unfulfilled: false,
        },
        ended: None,
    }
}

/// October in London has 745 hours. `a` is down from hour 100 to 110, and booked from 105 to 115 by
/// two; labwatch is off from 200 to 210.
fn past() -> Past {
    let a = vec![
        change(-10, Health::Ok),
        change(100, Health::Down),
        change(110, Health::Ok),
    ];
    let b = vec![change(5, Health::Ok), change(300, Health::Degraded)];
    Past {
        changes: BTreeMap::from([(stub("a"), a), (stub("b"), b), (stub("never"), Vec::new())]),
        gaps: vec![Gap {
            since: hour_of_october(200),
            until: hour_of_october(210),
            why: GapCause::Off,
        }],
        bookings: vec![
            booking("a", 105, 115, 2),
            booking("b", 740, 800, 1),
            booking("b", 900, 910, 1),
        ],
        withdrawals: vec![(hour_of_october(100), stub("a"))],
        pools: BTreeMap::from([
            ("both".to_owned(), vec![stub("a"), stub("b")]),
            ("gone".to_owned(), vec![stub("c")]),
        ]),
        windows: Vec::new(),
    }
}

fn october() -> Period {
    Period::month(
        "2026-10",
        &TimeZone::get("Europe/London").expect("tzdata"),
        at("2026-12-01T00:00:00Z"),
    )
    .expect("a month")
}

fn report() -> Report {
    make(&past(), &october(), &[], at("2026-12-01T00:00:00Z"))
}

/// Hours in the order ok, degraded, flapping, down, unknown, maintenance, own downtime.
fn hours(minutes: Minutes) -> String {
    let Minutes {
        ok,
        degraded,
        flapping,
        down,
        unknown,
        maintenance,
        own_downtime,
    } = minutes;
    let all = [
        ok,
        degraded,
        flapping,
        down,
        unknown,
        maintenance,
        own_downtime,
    ];
    all.map(|minutes| (minutes / 60.0).to_string()).join(" ")
}

#[test]
fn every_number_is_what_the_rule_says() {
    let report = report();
    let [a, b] = report.rows(By::Experiment) else {
        panic!("{report:?}")
    };
    assert_eq!(hours(a.minutes), "725 0 0 10 0 0 10");
    assert_eq!(hours(b.minutes), "285 445 0 0 5 0 10");
    assert_eq!(hours(a.booked_minutes), "5 0 0 5 0 0 0");
    assert_eq!(
        hours(b.booked_minutes),
        "0 5 0 0 0 0 0",
        "only what is within the month"
    );
    assert_eq!(
        (a.availability, a.booked_availability),
        (Some(725.0 / 735.0), Some(0.5))
    );
    assert_eq!(
        (a.failures, a.hours_between_failures, a.minutes_to_restore),
        (1, Some(725.0), Some(600.0))
    );
    assert_eq!(
        (a.sessions, a.sessions_spoiled, a.student_minutes_lost),
        (2, 2, 600.0)
    );
    assert_eq!(
        (
            a.withdrawals,
            a.withdrawals_regretted,
            a.failures_per_100_booked_hours
        ),
        (1, 0, Some(0.0))
    );
    assert_eq!((b.sessions, b.sessions_spoiled), (1, 0));
    let [pool] = report.rows(By::Pool) else {
        panic!("{report:?}")
    };
    assert_eq!(
        (pool.name.as_str(), pool.experiments, pool.minutes),
        ("both", 2, report.total.minutes)
    );
    assert_eq!(
        report
            .rows(By::Month)
            .iter()
            .map(|row| row.minutes)
            .collect::<Vec<_>>(),
        [report.total.minutes]
    );
    assert_eq!(
        report
            .worst
            .iter()
            .map(|row| row.name.as_str())
            .collect::<Vec<_>>(),
        ["a"]
    );
    let [restore] = report.restore.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (
            restore.cause.as_str(),
            restore.cases,
            restore.median_minutes
        ),
        ("streams lost, remote login there", 1, None)
    );
}

#[test]
fn the_minutes_of_every_row_are_the_period() {
    let sum = |row: &Row| {
        let hours = hours(row.minutes);
        hours
            .split(' ')
            .map(|hours| hours.parse::<f64>().expect("a number"))
            .sum::<f64>()
    };
    for row in report().rows(By::Experiment) {
        assert!((sum(row) - 745.0).abs() < 1e-9, "{row:?}");
    }
    let early = make(&past(), &october(), &[], hour_of_october(50));
    for row in early.rows(By::Experiment) {
        assert!(
            (sum(row) - 50.0).abs() < 1e-9,
            "what is still to come is not counted: {row:?}"
        );
    }
}

#[test]
fn planned_work_is_counted_apart() {
    let window = Maintenance {
        pattern: NamePattern::try_new("a*").expect("a pattern"),
        who: "the configuration".to_owned(),
        reason: "repair".to_owned(),
        since: Timestamp::UNIX_EPOCH,
        schedule: Schedule::Once {
            from: hour_of_october(90),
            until: hour_of_october(120),
        },
    };
    let report = make(&past(), &october(), &[window], at("2026-12-01T00:00:00Z"));
    let [a, b] = report.rows(By::Experiment) else {
        panic!("{report:?}")
    };
    assert_eq!(hours(a.minutes), "705 0 0 0 0 30 10");
    assert_eq!(
        (a.availability, a.failures, a.student_minutes_lost),
        (Some(1.0), 0, 0.0)
    );
    assert_eq!(
        hours(b.minutes),
        "285 445 0 0 5 0 10",
        "of the other nothing was planned"
    );
}

#[test]
fn a_year_is_the_sum_of_its_months() {
    let zone = TimeZone::get("Europe/London").expect("tzdata");
    let year = Period::between(
        "2026-01-01",
        "2027-01-01",
        &zone,
        at("2027-02-01T00:00:00Z"),
    )
    .expect("a year");
    let report = make(&past(), &year, &[], at("2027-02-01T00:00:00Z"));
    assert_eq!(report.rows(By::Month).len(), 12);
    let failures: u32 = report.rows(By::Month).iter().map(|row| row.failures).sum();
    let sessions: u32 = report.rows(By::Month).iter().map(|row| row.sessions).sum();
    assert_eq!(
        (failures, sessions),
        (report.total.failures, report.total.sessions)
    );
    let down: f64 = report
        .rows(By::Month)
        .iter()
        .map(|row| row.minutes.down)
        .sum();
    assert!((down - 600.0).abs() < 1e-9, "{down}");
}

#[test]
fn an_empty_history_is_an_empty_report() {
    let report = make(
        &Past::default(),
        &october(),
        &[],
        at("2026-12-01T00:00:00Z"),
    );
    assert_eq!(
        (
            report.total.availability,
            report.total.experiments,
            report.worst.len()
        ),
        (None, 0, 0)
    );
    assert!(text(&report).contains("Available – of all evaluated time"));
    assert!(csv(&report, By::Experiment).starts_with("experiment,experiments,"));
}

#[test]
fn json_has_the_shape_that_is_documented() {
    let value: Value = serde_json::to_value(report().only(By::Pool)).expect("it serialises");
    assert_eq!(value["period"], json!("2026-10"));
    assert_eq!(value["zone"], json!("Europe/London"));
    assert_eq!(value["pools"][0]["minutes"]["own_downtime"], json!(1200.0));
    assert_eq!(value["restore"][0]["median_minutes"], Value::Null);
    assert_eq!(
        (&value["experiments"], &value["months"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        value["rule"]
            .as_str()
            .is_some_and(|rule| rule.contains("Availability is (ok + degraded)"))
    );
}

#[test]
fn csv_has_a_line_for_each_and_one_for_all() {
    let csv = csv(&report(), By::Experiment);
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4);
    let columns = lines.first().map_or(0, |line| line.split(',').count());
    assert!(
        lines.iter().all(|line| line.split(',').count() == columns),
        "{csv}"
    );
    assert!(
        lines
            .get(1)
            .is_some_and(|line| line.starts_with("\"a\",1,98.6395,50.0000,43500.00,0.00,")),
        "{csv}"
    );
    assert!(
        lines
            .last()
            .is_some_and(|line| line.starts_with("\"all\",2,")),
        "{csv}"
    );
}

#[test]
fn the_rule_stands_on_every_report() {
    let report = report();
    let (text, html) = (text(&report), html(&report));
    for line in RULE.lines() {
        assert!(text.contains(line) && html.contains(line), "{line}");
    }
    assert!(text.contains("1 failure;") && text.contains("a "), "{text}");
    assert!(
        text.contains("1 October 2026 to 31 October 2026, by the clocks of Europe/London"),
        "{text}"
    );
}

#[test]
fn a_name_is_no_markup() {
    let mut past = past();
    let changes = past.changes.remove(&stub("a")).expect("it is there");
    past.changes.insert(stub("<img/src=x>\"'&"), changes);
    past.bookings.clear();
    let html = html(&make(&past, &october(), &[], at("2026-12-01T00:00:00Z")));
    assert!(
        html.contains("&lt;img/src=x&gt;&quot;'&amp;") && !html.contains("<img"),
        "{html}"
    );
}
