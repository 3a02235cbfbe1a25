//! Commands of maintainers as a browser sends them: forms, previews, outcomes and refusals.

use std::future::ready;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use axum::http::{Request, StatusCode};
use tower::ServiceExt;

use super::kind::Kind;
use crate::http::auth::Scope;
use crate::http::page::tests::{CSRF, ask, attribute, page, session, sick_lab, tags, web_of};
use crate::http::{Answered, Give};
use engine::model::Health;
use engine::{Command, Impact, Receipt, Refusal, Refused};

/// The commands that the engine received, with their authors.
type Given = Arc<Mutex<Vec<String>>>;

/// A command sender that records all commands and answers all of them alike.
fn giving(answer: Result<(), Refusal>) -> (Arc<Give>, Given) {
    let given = Given::default();
    let noted = Arc::clone(&given);
    let give = move |command: Command, by: String| {
        noted
            .lock()
            .expect("whole")
            .push(format!("{by}: {command}"));
        let effect = Impact {
            text: String::new(),
            stubs: Vec::new(),
            affected: None,
        };
        Box::pin(ready(answer.clone().map(|()| Receipt {
            ids: Vec::new(),
            effect,
            kept: true,
        }))) as Answered
    };
    (Arc::new(give), given)
}

fn web(scope: Scope) -> Router {
    web_of(sick_lab(), session(scope), Some(giving(Ok(())).0))
}

async fn send(web: &Router, path: &str, body: &str) -> (StatusCode, String, String) {
    let request = Request::post(path)
        .header(ACCEPT, "text/html")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let response = web
        .clone()
        .oneshot(
            request
                .body(Body::from(body.to_owned()))
                .expect("a request"),
        )
        .await
        .expect("answers");
    let (head, body) = response.into_parts();
    let location = head
        .headers
        .get(LOCATION)
        .and_then(|to| to.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("has a body");
    (
        head.status,
        location,
        String::from_utf8(body.to_vec()).expect("is text"),
    )
}

#[tokio::test]
async fn links_to_orders_are_for_those_who_may_give_them() {
    let links = |page: &str| {
        tags(page)
            .filter(|tag| attribute(tag, "href").is_some_and(|to| to.starts_with("/do/")))
            .count()
    };
    for path in ["/", "/experiments/pend00", "/holds"] {
        assert!(links(&page(&web(Scope::Admin), path).await) > 0, "{path}");
        let reader = page(&web(Scope::Read), path).await;
        assert_eq!(links(&reader), 0, "{path}");
        assert!(
            path == "/" || reader.contains("/login?next="),
            "{path} says how to sign in"
        );
        let without = web_of(sick_lab(), session(Scope::Admin), None);
        assert_eq!(
            links(&page(&without, path).await),
            0,
            "{path} where there is no way for orders"
        );
    }
    let held = page(&web(Scope::Admin), "/experiments/spin00").await;
    assert!(
        held.contains("href=\"/do/enable?resource=r-spin00\"") && !held.contains("/do/hold"),
        "{held}"
    );
}

#[tokio::test]
async fn a_test_message_is_for_those_who_may_order_it_and_says_why_not() {
    let outbox = page(&web(Scope::Admin), "/outbox").await;
    assert!(outbox.contains("Send a test message"), "{outbox}");
    let reader = page(&web(Scope::Read), "/outbox").await;
    assert!(!reader.contains("Send a test message"), "{reader}");
    let (status, _, said) = send(&web(Scope::Admin), "/do/test-message", "csrf=x&route=").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "as the API");
    assert!(said.contains("abwatch is about to stop"), "{said}");
    let (status, _, said) =
        send(&web(Scope::Admin), "/do/test-message", "csrf=x&route=heads").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "as the API");
    assert!(said.contains("no route heads"), "{said}");
}

#[tokio::test]
async fn the_effect_is_said_before_anything_is_done() {
    let (give, given) = giving(Ok(()));
    let web = web_of(sick_lab(), session(Scope::Admin), Some(give));
    for (path, words) in [
        (
            "/do/acknowledge?name=pend00&text=motor+ordered&check=1",
            "No notification about pend00 until it is well again or gets worse.",
        ),
        (
            "/do/acknowledge?what=pool&name=nothing&text=x&check=1",
            "there is no pool nothing",
        ),
        (
            "/do/acknowledge?what=component&name=jmup&text=x&check=1",
            "there is no component jmup",
        ),
        (
            "/do/silence?experiments=spin*&reason=x&for=4h&check=1",
            "No notification about spin00, spin01, until <time",
        ),
        (
            "/do/silence?experiments=spin*&reason=x&for=4h&check=1",
            "Book is not changed",
        ),
        (
            "/do/maintenance?experiments=spin*&reason=x&when=weekly&day=mon&starts=18:00&lasts=2h&check=1",
            "every mon at 18:00 for 2 h (UTC)",
        ),
        (
            "/do/hold?resource=r-pend04&reason=new+motor&check=1",
            "r-pend04 cannot be booked until a person enables it",
        ),
        (
            "/do/hold?resource=r-pend04&reason=new+motor&check=1",
            "Students read: “new motor”",
        ),
        (
            "/do/enable?resource=r-spin00",
            "r-spin00 can be booked again",
        ),
    ] {
        let page = page(&web, path).await;
        assert!(page.contains(words), "{path}: {page}");
        let confirms = page.contains("id=\"confirm\"");
        assert_eq!(confirms, !page.contains("id=\"problem\""), "{path}");
        assert!(
            !confirms || page.contains(&format!("name=\"csrf\" value=\"{CSRF}\"")),
            "{path}"
        );
    }
    assert_eq!(*given.lock().expect("whole"), Vec::<String>::new());
}

#[tokio::test]
async fn a_form_keeps_what_was_typed_and_says_what_to_mend() {
    let web = web(Scope::Admin);
    let form = page(
        &web,
        "/do/silence?experiments=spin*&reason=new+%3Cmotor%3E&until=2020-01-01T10:00&check=1",
    )
    .await;
    assert!(
        form.contains("its end, <time datetime=\"2020-01-01T10:00:00Z\""),
        "{form}"
    );
    assert!(
        form.contains("value=\"spin*\"")
            && form.contains("value=\"new &lt;motor&gt;\"")
            && form.contains("value=\"2020-01-01T10:00\""),
        "{form}"
    );
    let until = tags(&form)
        .find(|tag| attribute(tag, "id") == Some("until"))
        .expect("the field");
    assert_eq!(
        (
            attribute(until, "aria-invalid"),
            attribute(until, "aria-describedby")
        ),
        (Some("true"), Some("problem"))
    );
    let open = page(&web, "/do/silence?experiments=spin*").await;
    assert!(
        !open.contains("id=\"problem\"") && !open.contains("id=\"confirm\""),
        "nothing is wrong before it is asked: {open}"
    );
}

#[tokio::test]
async fn a_confirmed_order_is_given_and_leads_to_where_it_is_seen() {
    let (give, given) = giving(Ok(()));
    let web = web_of(sick_lab(), session(Scope::Admin), Some(give));
    let (status, to, _) = send(&web, "/do/hold", "resource=r-pend04&reason=new+motor").await;
    assert_eq!(
        (status, to.as_str()),
        (StatusCode::SEE_OTHER, "/holds?did=overridden&of=r-pend04")
    );
    let (status, to, _) = send(&web, "/do/end", "id=7").await;
    assert_eq!(
        (status, to.as_str()),
        (StatusCode::SEE_OTHER, "/holds?did=ended&of=7")
    );
    assert_eq!(
        *given.lock().expect("whole"),
        ["Ada: hold r-pend04: new motor", "Ada: end number 7"]
    );
    let seen = page(&web, "/holds?did=overridden&of=r-pend04").await;
    assert!(
        seen.contains("id=\"done\"")
            && seen.contains("<strong>r-pend04</strong> can be booked again"),
        "the words come from the snapshot: {seen}"
    );
    assert!(
        !page(
            &web_of(sick_lab(), session(Scope::Read), None),
            "/holds?did=ended&of=7"
        )
        .await
        .contains("id=\"done\"")
    );
}

#[tokio::test]
async fn what_is_refused_comes_back_on_the_form() {
    let stub = sick_lab().experiments.first().expect("one").stub.clone();
    let refusals = [
        (
            Refusal::Suppression(Refused::NotBad {
                stub,
                health: Health::Ok,
            }),
            StatusCode::CONFLICT,
            "only what is bad can be acknowledged",
        ),
        (
            Refusal::Busy,
            StatusCode::SERVICE_UNAVAILABLE,
            "too many commands are waiting",
        ),
        (
            Refusal::NoExperiment("pend00".into()),
            StatusCode::NOT_FOUND,
            "pend00",
        ),
    ];
    for (refusal, expected, words) in refusals {
        let web = web_of(
            sick_lab(),
            session(Scope::Admin),
            Some(giving(Err(refusal)).0),
        );
        let (status, _, page) = send(
            &web,
            "/do/acknowledge",
            "name=pend00&text=motor+ordered&until=2030-01-01T10:00:00Z",
        )
        .await;
        assert_eq!(status, expected, "{page}");
        assert!(
            page.contains(words)
                && page.contains("value=\"motor ordered\"")
                && page.contains("value=\"2030-01-01T10:00\""),
            "{page}"
        );
    }
    for kind in Kind::ALL {
        let (status, _, page) = send(&web(Scope::Admin), kind.path(), "").await;
        assert_eq!(
            status,
            StatusCode::BAD_REQUEST,
            "{} says what is missing: {page}",
            kind.path()
        );
        assert!(page.contains("id=\"problem\""), "{page}");
    }
}

#[tokio::test]
async fn pages_of_orders_are_as_careful_as_others() {
    let web = web(Scope::Admin);
    for kind in Kind::ALL {
        let (status, headers, page) = ask(&web, kind.path(), "").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            headers["content-security-policy"]
                .to_str()
                .expect("text")
                .contains("form-action 'self'")
        );
        assert_eq!(page.matches("<h1").count(), 1, "{page}");
        let ids: Vec<_> = tags(&page).filter_map(|tag| attribute(tag, "id")).collect();
        for tag in tags(&page).filter(|tag| tag.starts_with("label")) {
            assert!(
                attribute(tag, "for").is_some_and(|of| ids.contains(&of)),
                "{tag}"
            );
        }
        assert!(
            !page.contains("data-stream"),
            "it is not renewed under the hands of who types"
        );
    }
}

/// A request that reports the page it comes from, as browsers do.
async fn page_from(web: &Router, path: &str, referer: &str) -> String {
    let request = Request::get(path)
        .header("host", "labwatch.example.org")
        .header("referer", referer)
        .body(Body::empty())
        .expect("a request");
    let response = web.clone().oneshot(request).await.expect("answers");
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .expect("has a body");
    String::from_utf8(body.to_vec()).expect("is text")
}

#[tokio::test]
async fn back_leads_to_where_the_reader_came_from() {
    let web = web(Scope::Admin);
    let leads = |page: &str, id: &str| {
        tags(page)
            .find(|tag| attribute(tag, "id") == Some(id))
            .and_then(|tag| attribute(tag, "href"))
            .map(str::to_owned)
    };
    for (path, referer, expected) in [
        (
            "/do/hold?resource=r-pend04",
            "https://labwatch.example.org/pools",
            "/pools",
        ),
        (
            "/do/hold?resource=r-pend04",
            "https://elsewhere.example.org/pools",
            "/experiments/pend04",
        ),
        (
            "/do/hold?resource=r-pend04",
            "https://labwatch.example.org/do/hold?x",
            "/experiments/pend04",
        ),
        (
            "/do/hold?resource=r-pend04",
            "https://labwatch.example.org//evil.example",
            "/experiments/pend04",
        ),
        (
            "/do/hold?resource=r-pend04&back=/experiments%3Fsort%3D-since",
            "",
            "/experiments?sort=-since",
        ),
        (
            "/do/hold?resource=r-pend04&back=https://evil.example",
            "",
            "/experiments/pend04",
        ),
        ("/do/silence", "", "/holds"),
    ] {
        let page = page_from(&web, path, referer).await;
        assert_eq!(
            leads(&page, "back").as_deref(),
            Some(expected),
            "{path} from {referer}"
        );
    }
    let confirm = page_from(
        &web,
        "/do/hold?resource=r-pend04&reason=x&check=1&back=/pools",
        "https://labwatch.example.org/do/hold",
    )
    .await;
    assert_eq!(
        leads(&confirm, "leave").as_deref(),
        Some("/pools"),
        "{confirm}"
    );
}

#[tokio::test]
async fn forms_say_what_they_ask_and_what_they_need() {
    let web = web(Scope::Admin);
    let acknowledge = page(&web, "/do/acknowledge").await;
    for words in [
        "What do you acknowledge?",
        "Which one?",
        "What is done about it? <span class=\"required\">required</span>",
        "Or until when? (UTC)",
    ] {
        assert!(acknowledge.contains(words), "{words}: {acknowledge}");
    }
    let maintenance = page(&web, "/do/maintenance").await;
    for words in [
        "Every week, by the clocks of UTC",
        "How long does it last?",
        "For example 2h, 90m or 1h30m.",
    ] {
        assert!(maintenance.contains(words), "{words}: {maintenance}");
    }
}

#[tokio::test]
async fn what_is_ok_is_not_acknowledged_but_silenced() {
    let web = web(Scope::Admin);
    let refused = page(
        &web,
        "/do/acknowledge?name=pend04&text=new+motor&check=1&back=/pools",
    )
    .await;
    assert!(
        refused.contains(
            "href=\"/do/silence?experiments=pend04&amp;reason=new+motor&amp;back=%2Fpools\""
        ),
        "{refused}"
    );
    let missing = page(&web, "/do/acknowledge?name=nothing&text=x&check=1").await;
    assert!(!missing.contains("id=\"instead\""), "{missing}");
}
