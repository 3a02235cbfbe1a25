//! Categories that are closed: what the views say, and the preview for a maintainer before opening
//! or closing one. When one closes is the engine's affair.

use labwatch::health::CategoryOrder;
use serde_json::json;

use super::lab::{Bench, closed, down, put};
use super::server::Server;

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
async fn trap_11_a_closed_category_fails_although_all_in_it_works() {
    let bench = Bench::well();
    let server = Server::start(&bench).await;
    assert_eq!(server.status("/__gtg?categories=exam").await, 200);
    bench.show(121, |lab| closed(lab, "exam", "failing: spin00", &[]));
    assert_eq!(server.status("/__gtg?categories=exam").await, 503);
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
}

#[test]
fn a_maintainer_sees_what_opening_does() {
    let bench = Bench::well();
    bench.show(121, |lab| {
        closed(lab, "exam", "failing: spin00", &["pend00", "spin00"]);
        put(lab, down("spin00"));
    });
    let open = bench
        .health_state
        .preview(&order("exam", true, "inspected"));
    assert_eq!(
        open.expect("is closed").text,
        "exam is open again; pend00, spin00 can be booked again when it works; it fails now because of spin00, and is closed again after 1 bad checks in a row"
    );
    let again = bench.health_state.preview(&order("exam", false, "x"));
    assert_eq!(
        again.expect_err("is closed").to_string(),
        "the category exam is closed already"
    );
}

#[test]
fn a_maintainer_sees_what_closing_does() {
    let bench = Bench::well();
    let close = order("pendulums", false, "exam lock");
    let effect = bench.health_state.preview(&close).expect("is open");
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
        let said = bench
            .health_state
            .preview(&wrong)
            .expect_err("refused")
            .to_string();
        assert!(said.starts_with(why), "{said}");
    }
    let everything = bench
        .health_state
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
