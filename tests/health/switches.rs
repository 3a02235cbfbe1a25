//! Categories that close by themselves and are opened by people, and what acknowledgements do to them.

use labwatch::config::CategorySettings;
use labwatch::health::{Acks, Categories, Settings, strict};
use serde_json::json;

use super::lab::{Bench, ack, down, healthy, put, settings, unknown};
use super::server::Server;

/// As the usual settings, with the strict category `exam` after so many failures in a row.
fn threshold(failure_threshold: u32) -> Settings {
    let exam = CategorySettings { patterns: vec!["spin*".into()], sticky: true, failure_threshold, ..strict("exam") };
    Settings { categories: vec![exam], ..settings() }
}

#[tokio::test]
async fn trap_11_it_closes_without_anybody_asking_and_a_person_opens_it() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    assert_eq!(server.status("/__gtg?categories=exam").await, 200);
    assert_eq!(bench.show(121, |lab| put(lab, down("spin00"))), ["exam failing: spin00"]);
    assert!(bench.show(122, |lab| put(lab, healthy("spin00"))).is_empty(), "recovery says nothing");
    assert_eq!(server.status("/__gtg?categories=exam").await, 503, "recovery does not open it");
    let health = server.json("/__health?categories=exam").await;
    assert_eq!((&health["ok"], &health["checks"][0]["ok"]), (&json!(false), &json!(true)));
    assert!(health["description"].as_str().expect("a text").contains("Category exam is disabled: failing: spin00"), "{health}");
    bench.desk.switch_category("exam", true, "ann", "inspected").expect("is known");
    assert_eq!(server.status("/__gtg?categories=exam").await, 200, "at once");
}

#[tokio::test]
async fn trap_12_blips_apart_and_pages_within_one_trip_nothing() {
    let bench = Bench::well_with(threshold(3));
    let server = Server::start(&bench).await;
    let mut now = 121;
    for blip in 0..5 {
        assert!(bench.show(now, |lab| put(lab, down("spin00"))).is_empty(), "blip {blip}");
        for _ in 0..3 {
            assert_eq!(server.status("/__gtg?categories=exam").await, 503);
        }
        assert!(bench.show(now + 1, |_| {}).is_empty() && bench.show(now + 2, |_| {}).is_empty(), "pictures of one blip are one");
        assert!(bench.show(now + 3, |lab| put(lab, healthy("spin00"))).is_empty());
        now += 70;
    }
    bench.show(1_000, |lab| put(lab, down("spin00")));
    assert!(bench.show(1_059, |_| {}).is_empty());
    assert!(bench.show(1_060, |_| {}).is_empty(), "the second judgement");
    assert_eq!(bench.show(1_120, |_| {}), ["exam failing: spin00"], "the third in a row");
    assert!(bench.show(1_180, |_| {}).is_empty(), "said once");
}

#[tokio::test]
async fn what_is_acknowledged_or_not_known_trips_nothing() {
    let bench = Bench::well();
    bench.desk.acknowledge(Acks { experiments: [("spin00".to_owned(), ack("known"))].into(), ..Acks::default() });
    assert!(bench.show(121, |lab| put(lab, down("spin00"))).is_empty());
    bench.desk.acknowledge(Acks { installation: Some(ack("lab move")), ..Acks::default() });
    assert_eq!(bench.show(122, |_| {}), ["exam failing: spin00"], "that of the installation changes nothing here");

    let bench = Bench::well();
    assert!(bench.show(121, |lab| put(lab, unknown("spin00", None))).is_empty(), "an outage of relay is no fault of the experiment");
    let starting = Bench::new(settings());
    assert!(starting.show(5, |lab| put(lab, down("spin00"))).is_empty(), "nothing is judged before the start is over");
}

/// An experiment is judged as often as the quickest of its categories wants.
#[tokio::test]
async fn the_shortest_period_wins() {
    let quick = CategorySettings { patterns: vec!["*".into()], period: std::time::Duration::from_secs(5), ..strict("quick") };
    let mut settings = threshold(2);
    settings.categories.push(quick);
    let bench = Bench::well_with(settings);
    bench.show(121, |lab| put(lab, down("spin00")));
    assert!(bench.show(125, |_| {}).is_empty());
    assert_eq!(bench.show(126, |_| {}), ["exam failing: spin00"]);
}

#[test]
fn trap_09_a_switch_that_makes_no_sense_leaves_what_was() {
    let mut categories = Categories::default();
    let closed = json!({"enabled": false, "at": "2026-11-21T00:00:00Z", "by": "ann", "reason": "moved"});
    categories.restore("category.exam", &closed).expect("makes sense");
    let before = categories.switched();
    for bad in [json!({"enabled": "maybe", "at": "2026-11-21T00:00:00Z", "by": "", "reason": ""}), json!("true"), json!({})] {
        let error = categories.restore("category.exam", &bad).expect_err("makes no sense").to_string();
        assert!(error.starts_with("the switch of category exam cannot be read, it stays as it was: "), "{error}");
        assert_eq!(categories.switched(), before);
    }
    categories.restore("something.else", &json!(7)).expect("is not looked at");
}

/// What is stored is what is restored.
#[tokio::test]
async fn a_switch_survives_a_restart() {
    let bench = Bench::well();
    let change = bench.desk.switch_category("pendulums", false, "ann", "exam lock").expect("is known");
    assert_eq!(change.key(), "category.pendulums");
    let mut categories = Categories::default();
    categories.restore(&change.key(), &change.value().expect("JSON")).expect("makes sense");
    assert_eq!(categories.switched()["pendulums"], change.switch);
    assert_eq!(bench.desk.switch_category("nope", true, "ann", ""), None, "there is no such category");
}
