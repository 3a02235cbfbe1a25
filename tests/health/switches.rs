//! Categories that close by themselves and are opened by people, and what acknowledgements do to them.

use labwatch::config::CategorySettings;
use labwatch::health::{Acks, Categories, CategoryOrder, Settings, strict};
use serde_json::json;

use super::lab::{Bench, ack, down, healthy, put, settings, unknown};
use super::server::Server;

/// As the usual settings, with the strict category `exam` after so many failures in a row.
fn threshold(failure_threshold: u32) -> Settings {
    let exam = CategorySettings {
        patterns: vec!["spin*".into()],
        sticky: true,
        failure_threshold,
        ..strict("exam")
    };
    Settings {
        categories: vec![exam],
        ..settings()
    }
}

/// What Ann wants of a category.
pub fn order(category: &str, open: bool, reason: &str) -> CategoryOrder {
    CategoryOrder {
        category: category.into(),
        open,
        by: "ann".into(),
        reason: reason.into(),
    }
}

#[tokio::test]
async fn trap_11_it_closes_without_anybody_asking_and_a_person_opens_it() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    assert_eq!(server.status("/__gtg?categories=exam").await, 200);
    assert_eq!(
        bench.show(121, |lab| put(lab, down("spin00"))),
        ["exam failing: spin00"]
    );
    assert!(
        bench
            .show(122, |lab| put(lab, healthy("spin00")))
            .is_empty(),
        "recovery says nothing"
    );
    assert_eq!(
        server.status("/__gtg?categories=exam").await,
        503,
        "recovery does not open it"
    );
    let health = server.json("/__health?categories=exam").await;
    assert_eq!(
        (&health["ok"], &health["checks"][0]["ok"]),
        (&json!(false), &json!(true))
    );
    assert!(
        health["description"]
            .as_str()
            .expect("a text")
            .contains("Category exam is disabled: failing: spin00"),
        "{health}"
    );
    bench
        .desk
        .order(&order("exam", true, "inspected"))
        .expect("is known");
    assert_eq!(
        server.status("/__gtg?categories=exam").await,
        200,
        "at once"
    );
}

#[tokio::test]
async fn trap_12_blips_apart_and_pages_within_one_trip_nothing() {
    let bench = Bench::well_with(threshold(3));
    let server = Server::start(&bench).await;
    let mut now = 121;
    for blip in 0..5 {
        assert!(
            bench.show(now, |lab| put(lab, down("spin00"))).is_empty(),
            "blip {blip}"
        );
        for _ in 0..3 {
            assert_eq!(server.status("/__gtg?categories=exam").await, 503);
        }
        assert!(
            bench.show(now + 1, |_| {}).is_empty() && bench.show(now + 2, |_| {}).is_empty(),
            "pictures of one blip are one"
        );
        assert!(
            bench
                .show(now + 3, |lab| put(lab, healthy("spin00")))
                .is_empty()
        );
        now += 70;
    }
    bench.show(1_000, |lab| put(lab, down("spin00")));
    assert!(bench.show(1_059, |_| {}).is_empty());
    assert!(bench.show(1_060, |_| {}).is_empty(), "the second judgement");
    assert_eq!(
        bench.show(1_120, |_| {}),
        ["exam failing: spin00"],
        "the third in a row"
    );
    assert!(bench.show(1_180, |_| {}).is_empty(), "said once");
}

#[tokio::test]
async fn what_is_acknowledged_or_not_known_trips_nothing() {
    let bench = Bench::well();
    bench.desk.acknowledge(Acks {
        experiments: [("spin00".to_owned(), ack("known"))].into(),
        ..Acks::default()
    });
    assert!(bench.show(121, |lab| put(lab, down("spin00"))).is_empty());
    bench.desk.acknowledge(Acks {
        installation: Some(ack("lab move")),
        ..Acks::default()
    });
    assert_eq!(
        bench.show(122, |_| {}),
        ["exam failing: spin00"],
        "that of the installation changes nothing here"
    );

    let bench = Bench::well();
    assert!(
        bench
            .show(121, |lab| put(lab, unknown("spin00", None)))
            .is_empty(),
        "an outage of relay is no fault of the experiment"
    );
    let starting = Bench::new(settings());
    assert!(
        starting.show(5, |lab| put(lab, down("spin00"))).is_empty(),
        "nothing is judged before the start is over"
    );
}

/// An experiment is judged as often as the quickest of its categories wants.
#[tokio::test]
async fn the_shortest_period_wins() {
    let quick = CategorySettings {
        patterns: vec!["*".into()],
        period: std::time::Duration::from_secs(5),
        ..strict("quick")
    };
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
    let closed =
        json!({"enabled": false, "at": "2026-11-21T00:00:00Z", "by": "ann", "reason": "moved"});
    categories
        .restore("category.exam", &closed)
        .expect("makes sense");
    let before = categories.switched();
    for bad in [
        json!({"enabled": "maybe", "at": "2026-11-21T00:00:00Z", "by": "", "reason": ""}),
        json!("true"),
        json!({}),
    ] {
        let error = categories
            .restore("category.exam", &bad)
            .expect_err("makes no sense")
            .to_string();
        assert!(
            error.starts_with("the switch of category exam cannot be read, it stays as it was: "),
            "{error}"
        );
        assert_eq!(categories.switched(), before);
    }
    categories
        .restore("something.else", &json!(7))
        .expect("is not looked at");
}

/// What is stored is what is restored.
#[tokio::test]
async fn a_switch_survives_a_restart() {
    let bench = Bench::well();
    let (change, _) = bench
        .desk
        .order(&order("pendulums", false, "exam lock"))
        .expect("is known");
    assert_eq!(change.key(), "category.pendulums");
    let mut categories = Categories::default();
    categories
        .restore(&change.key(), &change.value().expect("JSON"))
        .expect("makes sense");
    assert_eq!(categories.switched()["pendulums"], change.switch);
    let again = Bench::with(settings(), categories);
    let said = |open| {
        again
            .desk
            .order(&order("pendulums", open, "x"))
            .map(|(_, effect)| effect.text)
            .map_err(|why| why.to_string())
    };
    assert_eq!(
        said(false),
        Err("the category pendulums is closed already".into())
    );
    assert_eq!(
        said(true),
        Ok("pendulums is open again; it fails now because of nothing is in it".into())
    );
}

/// Where a fault is to be inspected, nobody can book what failed until a person has opened the category, through a restart too.
#[tokio::test]
async fn what_failed_is_kept_back_until_a_person_has_looked_at_it() {
    let mut settings = threshold(1);
    settings.categories[0].sticky_booking = true;
    settings.categories[0].patterns = vec!["*".into()];
    let bench = Bench::well_with(settings.clone());
    let kept = |bench: &Bench| {
        bench
            .desk
            .quarantined()
            .borrow()
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    bench.desk.acknowledge(Acks {
        experiments: [("pend01".to_owned(), ack("known"))].into(),
        ..Acks::default()
    });
    assert!(kept(&bench).is_empty());
    let first = bench.desk.clone();
    bench.show(121, |lab| {
        put(lab, down("spin00"));
        put(lab, down("pend01"));
    });
    assert_eq!(kept(&bench), ["spin00"], "of pend01 somebody knows");
    bench.show(122, |lab| put(lab, healthy("spin00")));
    assert_eq!(kept(&bench), ["spin00"], "recovery does not give it back");
    assert_eq!(
        bench.show(123, |lab| put(lab, down("pend00"))),
        ["exam failing: spin00"],
        "what fails meanwhile is added, and stored"
    );
    assert_eq!(kept(&bench), ["pend00", "spin00"]);

    let stored = first.picture().switched["exam"].clone();
    let mut categories = Categories::default();
    categories
        .restore(
            "category.exam",
            &serde_json::to_value(&stored).expect("JSON"),
        )
        .expect("makes sense");
    let again = Bench::with(settings.clone(), categories.clone());
    assert_eq!(kept(&again), ["pend00", "spin00"], "after a restart");
    settings.categories.clear();
    assert!(
        kept(&Bench::with(settings, categories)).is_empty(),
        "a category that nobody can open keeps nothing"
    );

    bench.desk.adopt(Settings {
        categories: Vec::new(),
        ..threshold(1)
    });
    assert!(kept(&bench).is_empty(), "the same while it runs");
    let mut sticky = threshold(1);
    (
        sticky.categories[0].sticky_booking,
        sticky.categories[0].patterns,
    ) = (true, vec!["*".into()]);
    bench.desk.adopt(sticky);
    assert_eq!(kept(&bench), ["pend00", "spin00"]);

    let (_, effect) = bench
        .desk
        .order(&order("exam", true, "inspected"))
        .expect("is closed");
    assert_eq!(
        effect.text,
        "exam is open again; pend00, spin00 can be booked again when it works; it fails now because of pend00, and is closed again after 1 bad checks in a row"
    );
    assert!(kept(&bench).is_empty());
}

/// What keeps experiments back is that a fault closed the category, whatever the person who closes one is called.
#[tokio::test]
async fn a_person_of_our_own_name_is_no_fault() {
    let mut settings = threshold(1);
    settings.categories[0].sticky_booking = true;
    settings.categories[0].patterns = vec!["*".into()];
    let bench = Bench::well_with(settings);
    bench
        .desk
        .order(&CategoryOrder {
            by: "labwatch".into(),
            ..order("exam", false, "exam lock")
        })
        .expect("is open");
    assert!(bench.show(121, |lab| put(lab, down("spin00"))).is_empty());
    assert!(bench.desk.quarantined().borrow().is_empty());
}

#[tokio::test]
async fn a_person_closes_a_category_and_is_told_before_what_it_does() {
    let bench = Bench::well();
    let close = order("pendulums", false, "exam lock");
    let effect = bench.desk.preview(&close).expect("is open");
    assert_eq!(
        effect.text,
        "pendulums is closed until a person opens it: /__gtg answers 503 and /__health is not ok for it; book is not changed"
    );
    assert_eq!(
        effect
            .stubs
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["pend00", "pend01"]
    );
    assert!(
        bench.desk.picture().switched.is_empty(),
        "to ask for the effect changes nothing"
    );
    for (wrong, why) in [
        (
            order("nope", false, "x"),
            "there is no category nope: /api/v2/categories lists them",
        ),
        (
            order("pendulums", true, "x"),
            "the category pendulums is open already",
        ),
        (
            order("pendulums", false, ""),
            "\"reason\" must be one line of text, not empty",
        ),
    ] {
        let said = bench.desk.order(&wrong).expect_err("refused").to_string();
        assert!(said.starts_with(why), "{said}");
    }
    let everything = bench
        .desk
        .preview(&order("default", false, "exam lock"))
        .expect("is open");
    assert!(
        everything
            .text
            .contains("also where no category is asked for"),
        "{}",
        everything.text
    );
}
