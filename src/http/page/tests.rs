//! The pages as a browser gets them: from a snapshot made by hand, through the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT, COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::{Extension, Router};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tower::ServiceExt;

use super::assets;
use super::error_pages::with_lost_page;
use super::routes::routes;
use super::state::State;
use super::web_state::WebState;
use crate::http::auth::{AccessToken, Caller, Scope, Session};
use crate::http::{
    Give, OrderState, Reports, TestMessages, TestOutcome, TestedRecipient, TestedRoute,
};
use engine::model::{
    Bookable, CallError, ConnectError, Health, JumpHealth, ResourceName, RouteName, SourceHealth,
    SourceName, StreamHealth, Stub, Topic,
};
use engine::{
    Affected, Channel, Counts, Event, Evidence, ExperimentView, Issue, Link, NotifiedView,
    PoolStatus, PoolView, ResourceView, Role, RouteView, SamplingView, Seen, Severity, Snapshot,
    SourceView, StreamView, Suppression, SuppressionKind, Why, stem,
};

/// The most bytes of a first page load, compressed, with all its assets.
const BUDGET: usize = 60_000;

/// A name that would be markup, were it not escaped.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&";

/// A text that only readers who signed in may read.
const SECRET: &str = "maintainer@lab.example";

const PAGES: [&str; 20] = [
    "/",
    "/?wall",
    "/?q=pend&all=1",
    "/?state=down",
    "/?q=nothing-like-this",
    "/experiments/pend00",
    "/experiments/pend04",
    "/experiments",
    "/experiments?sort=-since&state=down",
    "/pools",
    "/categories",
    "/timeline",
    "/timeline?range=7d",
    "/sources",
    "/holds",
    "/outbox",
    "/reports",
    "/lab",
    "/lab/pend",
    "/login",
];

fn now() -> Timestamp {
    Timestamp::now()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn topic(text: &str) -> Topic {
    Topic::try_new(text).expect("a topic")
}

/// An experiment with a data and a video stream and a remote login.
fn experiment(stub: &str, health: Health, bookable: Option<Bookable>) -> ExperimentView {
    let issue = match health {
        Health::Down => Some(Issue::Required(
            topic(&format!("{stub}-st-video")),
            StreamHealth::Silent,
        )),
        Health::Degraded => Some(Issue::JumpLost),
        Health::Flapping | Health::Ok | Health::Unknown => None,
    };
    let stream = |key: &str, health| StreamView {
        topic: topic(&format!("{stub}-{key}")),
        required: true,
        health,
        evidence: Evidence::Sampled(Some(ago(0))),
        seen: Seen::InNewest,
        last: None,
    };
    let video = if health == Health::Down {
        StreamHealth::Silent
    } else {
        StreamHealth::Active
    };
    let event = Event {
        when: ago(30),
        health,
        was: Health::Ok,
        issues: issue.iter().cloned().collect(),
        jump: JumpHealth::Up,
        streams: Vec::new(),
        why: Why::Observed,
    };
    ExperimentView {
        stub: Stub::try_new(stub).expect("a name"),
        resources: bookable
            .into_iter()
            .map(|bookable| resource(stub, bookable))
            .collect(),
        listed: bookable.is_some(),
        health,
        since: ago(30),
        issues: issue.into_iter().collect(),
        jump: if health == Health::Degraded {
            JumpHealth::Lost
        } else {
            JumpHealth::Up
        },
        jump_seen: Seen::InNewest,
        jump_last: None,
        pages: Vec::new(),
        streams: vec![
            stream("st-data", StreamHealth::Active),
            stream("st-video", video),
        ],
        first_seen: ago(600),
        grace_until: None,
        flapping: None,
        suppression: None,
        pools: if bookable.is_some() {
            vec![stem(stub).into()]
        } else {
            Vec::new()
        },
        affected: Affected::default(),
        advice: (health == Health::Down).then(|| "Log in and look at the camera.".into()),
        is_lost: false,
        last_listed: Some(now()),
        events: vec![Arc::new(event)],
    }
}

fn resource(stub: &str, bookable: Bookable) -> ResourceView {
    let name = ResourceName::try_new(&format!("r-{stub}")).expect("a name");
    ResourceView {
        name,
        bookable: Some(bookable),
        reason: HOSTILE.to_owned(),
        read: Some(now()),
        fault: None,
        manual_override: None,
    }
}

fn source(name: SourceName) -> SourceView {
    SourceView {
        name,
        health: SourceHealth::Live,
        since: ago(90),
        last_report: Some(now()),
        pace: None,
        link: Link::Open,
        note: String::new(),
        said: engine::model::Private::default(),
        server_started: None,
        hides: 0,
        unreadable_entries: 0,
        canary: None,
        report: None,
    }
}

fn snapshot(mut experiments: Vec<ExperimentView>) -> Snapshot {
    experiments.sort_by(|one, other| one.stub.cmp(&other.stub));
    let pools = pools(&experiments);
    let notified = |view: &ExperimentView| NotifiedView {
        stub: view.stub.clone(),
        route: RouteName::everybody(),
        health: view.health,
        at: ago(20),
        unsteady: None,
    };
    let notified_experiments = experiments
        .iter()
        .filter(|view| view.health.is_bad())
        .map(notified)
        .collect();
    let count = |health| {
        experiments
            .iter()
            .filter(|experiment| experiment.health == health)
            .count()
    };
    let counts = Counts {
        total: experiments.len(),
        ok: count(Health::Ok),
        degraded: count(Health::Degraded),
        down: count(Health::Down),
        flapping: count(Health::Flapping),
        unknown: count(Health::Unknown),
        ..Counts::default()
    };
    Snapshot {
        version: 1,
        at: now(),
        started: ago(90),
        role: Role::Leader,
        is_shadow: false,
        experiments: Arc::new(experiments.into_iter().map(Arc::new).collect()),
        counts,
        sources: SourceName::ALL.map(source),
        routes: vec![route()],
        notified: Arc::new(notified_experiments),
        sampling: SamplingView::default(),
        manifest_lost: None,
        blind: None,
        notes: Arc::default(),
        suppressions: Arc::default(),
        calendar: Arc::default(),
        pools: Arc::default(),
        categories: Arc::default(),
        quarantined: Arc::default(),
        pages_of_uis: Arc::default(),
        changed: 1,
        standings: Arc::new(pools),
        holds: Arc::default(),
        causes: Arc::default(),
    }
}

fn route() -> RouteView {
    RouteView {
        name: RouteName::everybody(),
        channel: Channel::Mail,
        last_sent: Some(ago(20)),
        waiting_since: None,
        fault: None,
        failures: 0,
        refused: None,
        unreached: Vec::new(),
    }
}

/// Pools by the stems of names, of what book lists.
fn pools(experiments: &[ExperimentView]) -> Vec<PoolView> {
    let mut members: BTreeMap<Arc<str>, Vec<Stub>> = BTreeMap::new();
    for view in experiments.iter().filter(|view| view.listed) {
        members
            .entry(stem(view.stub.as_str()).into())
            .or_default()
            .push(view.stub.clone());
    }
    let standing = |members| PoolStatus {
        members,
        usable: 0,
        peak: 0,
        peak_at: None,
        severity: Severity::NoneAffected,
    };
    let view = |(name, members): (Arc<str>, Vec<Stub>)| PoolView {
        name,
        healthy: 0,
        bookable: 0,
        standing: standing(members.len()),
        members,
    };
    members.into_iter().map(view).collect()
}

/// A laboratory with every possible fault.
pub(super) fn sick_lab() -> Snapshot {
    use Health::{Degraded, Down, Ok, Unknown};
    let mut lab = snapshot(vec![
        experiment("pend00", Down, Some(Bookable::Withdrawn)),
        experiment("pend01", Down, Some(Bookable::Yes)),
        experiment("pend02", Degraded, Some(Bookable::Yes)),
        experiment("pend03", Ok, Some(Bookable::Withdrawn)),
        experiment("pend04", Ok, Some(Bookable::Yes)),
        experiment("spin00", Ok, Some(Bookable::Held)),
        experiment("spin01", Unknown, Some(Bookable::Yes)),
        experiment("stray", Ok, None),
        experiment(HOSTILE, Down, Some(Bookable::Yes)),
        experiment("a/b", Ok, Some(Bookable::Yes)),
    ]);
    lab.sources[0] = SourceView {
        health: SourceHealth::Down,
        note: HOSTILE.to_owned(),
        said: engine::model::Private::default(),
        hides: 3,
        ..source(SourceName::Relay)
    };
    lab.sources[1] = SourceView {
        health: SourceHealth::Late,
        link: Link::Failed(ConnectError::access(CallError::TimedOut)),
        ..source(SourceName::Jump)
    };
    let fault = Some(CallError::Credentials(SECRET.to_owned()));
    lab.routes = vec![RouteView {
        fault,
        failures: 3,
        waiting_since: Some(ago(5)),
        ..route()
    }];
    lab.manifest_lost = Some(ago(3));
    lab
}

fn web(snapshot: Snapshot) -> Router {
    web_of(snapshot, Caller::Anonymous, None)
}

/// The pages as a reader sees them, with or without commands.
pub(super) fn web_of(snapshot: Snapshot, caller: Caller, give: Option<Arc<Give>>) -> Router {
    web_below("", snapshot, caller, give)
}

/// The same, served by a proxy below a path of its own.
pub(super) fn web_below(
    base: &str,
    snapshot: Snapshot,
    caller: Caller,
    give: Option<Arc<Give>>,
) -> Router {
    web_called("lab", base, snapshot, caller, give)
}

/// The same of an installation with this name.
fn web_called(
    label: &str,
    base: &str,
    snapshot: Snapshot,
    caller: Caller,
    give: Option<Arc<Give>>,
) -> Router {
    // The sender may be dropped: the last snapshot stays readable.
    let (_, snapshots) = watch::channel(Arc::new(snapshot));
    let component = Arc::new(|name: &str| (name == "jump").then_some(false));
    let orders = give.map(|give| OrderState {
        snapshots: snapshots.clone(),
        component,
        give,
        tests: testable(),
    });
    let pages = routes(&WebState {
        snapshots,
        store: None,
        cluster: None,
        stream: None,
        orders,
        categories: None,
        reports: Reports::of(None),
        base: Arc::from(base),
        label: Arc::from(label),
        zone: Arc::new(|| TimeZone::UTC),
        title: Arc::new(|_| None),
    });
    with_lost_page(pages.open().layer(Extension(caller)), Arc::from(base))
}

/// A route that can be tested, of a labwatch that is about to stop.
fn testable() -> TestMessages {
    let ann = TestedRecipient {
        recipient: "ann@example.org".to_owned(),
        outcome: TestOutcome::Pending,
    };
    let route = TestedRoute {
        route: RouteName::everybody(),
        channel: Channel::Mail,
        recipients: vec![ann],
    };
    TestMessages {
        routes: Arc::new(move || vec![route.clone()]),
        ..TestMessages::none()
    }
}

/// The CSRF text that the forms of the session repeat.
pub(super) const CSRF: &str = "a-text-that-only-our-pages-know";

/// A session of a user with this scope.
pub(super) fn session(scope: Scope) -> Caller {
    let pass = AccessToken {
        id: "a".into(),
        name: "Ada".into(),
        scopes: [scope].into_iter().collect(),
        reports: crate::http::auth::Reportable::default(),
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::MAX,
    };
    Caller::Session(Session {
        id: "b".into(),
        pass,
        csrf: CSRF.into(),
        expires: Timestamp::MAX,
    })
}

pub(super) async fn ask(web: &Router, path: &str, cookie: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path)
        .header(ACCEPT, "text/html")
        .header(COOKIE, cookie)
        .body(Body::empty())
        .expect("a request");
    let response = web.clone().oneshot(request).await.expect("answers");
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("has a body");
    (
        head.status,
        head.headers,
        String::from_utf8(body.to_vec()).expect("is text"),
    )
}

pub(super) async fn page(web: &Router, path: &str) -> String {
    let (status, _, body) = ask(web, path, "").await;
    assert_eq!(status, StatusCode::OK, "{path}");
    body
}

/// The inside of every tag of a page: name and attributes.
pub(super) fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.split('<')
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
}

pub(super) fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

#[tokio::test]
async fn an_installation_with_a_name_shows_it() {
    let called = |label: &str| web_called(label, "", sick_lab(), Caller::Anonymous, None);
    let (named, unnamed) = (called("app.example.org/<ed0>"), called("lab"));
    for (path, title) in [("/pools", "Pools – "), ("/", "")] {
        let (named, unnamed) = (page(&named, path).await, page(&unnamed, path).await);
        assert!(
            named.contains(&format!(
                "{title}app.example.org/&lt;ed0&gt; status</title>"
            )),
            "{path}: {named}"
        );
        assert!(
            named.contains(">app.example.org/&lt;ed0&gt; status</a>"),
            "{path}"
        );
        assert!(
            unnamed.contains(&format!("{title}Lab status</title>"))
                && unnamed.contains(">Lab status</a>"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn nothing_in_a_page_runs_or_looks_by_itself() {
    let web = web(sick_lab());
    for path in PAGES {
        let page = page(&web, path).await;
        assert!(!page.contains("<img"), "{path}: a name has become markup");
        for tag in tags(&page) {
            let names: Vec<_> = tag.split('"').step_by(2).collect();
            assert!(
                !names
                    .iter()
                    .any(|name| name.contains(" on") || name.contains(" style=")),
                "{path}: {tag}"
            );
            assert!(
                !tag.starts_with("style"),
                "{path}: a style inside of the page"
            );
            assert!(
                !tag.starts_with("script") || attribute(tag, "src").is_some(),
                "{path}: a script inside of the page"
            );
            for address in ["src", "href", "action"]
                .iter()
                .filter_map(|name| attribute(tag, name))
            {
                assert!(
                    address.starts_with('/') && !address.starts_with("//")
                        || address.starts_with('#'),
                    "{path} leads to {address}"
                );
            }
        }
    }
}

#[tokio::test]
async fn everything_has_a_name_and_every_id_is_there_once() {
    let web = web(sick_lab());
    for path in PAGES {
        let page = page(&web, path).await;
        let mut ids = BTreeSet::new();
        for tag in tags(&page) {
            if let Some(id) = attribute(tag, "id") {
                assert!(ids.insert(id.to_owned()), "{path}: {id} is there twice");
            }
            if tag.starts_with("svg") {
                assert!(
                    tag.contains("aria-hidden=\"true\"")
                        || attribute(tag, "aria-label").is_some_and(|label| !label.is_empty()),
                    "{path}: {tag}"
                );
            }
        }
        for tag in tags(&page) {
            for target in ["for", "aria-labelledby"]
                .iter()
                .filter_map(|name| attribute(tag, name))
            {
                assert!(ids.contains(target), "{path}: nothing is called {target}");
            }
            if let Some(shape) = attribute(tag, "href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(shape), "{path}: there is no {shape}");
            }
        }
        assert_eq!(
            page.matches("<h1").count(),
            1,
            "{path}: one heading says what the page is"
        );
        assert!(
            page.starts_with("<!DOCTYPE html><html lang=\"en\""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn below_a_path_all_links_lead_there() {
    let web = web_below("/ed0/status", sick_lab(), session(Scope::Admin), None);
    for path in [&PAGES[..], &["/nothing/here"]].concat() {
        let (_, _, page) = ask(&web, path, "").await;
        for tag in tags(&page) {
            for address in ["src", "href", "action"]
                .iter()
                .filter_map(|name| attribute(tag, name))
            {
                assert!(
                    address.starts_with("/ed0/status/") || address.starts_with('#'),
                    "{path} leads to {address}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_headers_keep_strangers_out() {
    let web = web(sick_lab());
    for path in PAGES {
        let (_, headers, _) = ask(&web, path, "").await;
        let policy = headers
            .get("content-security-policy")
            .and_then(|value| value.to_str().ok())
            .expect("a policy");
        assert!(
            policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            policy.contains("require-trusted-types-for 'script'; trusted-types labwatch;"),
            "{policy}"
        );
        let ancestors = if path.starts_with("/lab") {
            "frame-ancestors *"
        } else {
            "frame-ancestors 'none'"
        };
        assert!(policy.ends_with(ancestors), "{path}: {policy}");
    }
}

#[tokio::test]
async fn problems_come_first_and_the_worst_of_them_before_the_others() {
    let page = page(&web(sick_lab()), "/").await;
    let places: Vec<_> = ["pend00", "pend02", "pend03", "id=\"pools\""]
        .map(|text| page.find(text).expect(text))
        .to_vec();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.contains("<title>(6) Lab status</title>"), "{page}");
    assert!(page.contains("6 of 10 experiments need attention"));
    assert!(
        page.contains("works, but cannot be booked")
            && page.contains("does not work, but can be booked")
    );
    assert!(
        page.contains("Mail cannot be sent")
            && page.contains("relay</strong> is down")
            && page.contains("empty manifest")
    );
    assert!(page.contains(assets::icon(State::Down)));
}

#[tokio::test]
async fn what_is_needed_first_comes_first() {
    let mut lab = sick_lab();
    let mut views: Vec<ExperimentView> = lab
        .experiments
        .iter()
        .map(|view| (**view).clone())
        .collect();
    for view in views
        .iter_mut()
        .filter(|view| view.stub.as_str() == "pend02")
    {
        view.affected = Affected {
            next_day: 2,
            next_week: 3,
            first_start: Some(now() + SignedDuration::from_mins(50)),
            in_session: false,
        };
    }
    lab.experiments = Arc::new(views.into_iter().map(Arc::new).collect());
    let page = page(&web(lab), "/").await;
    let places = ["id=\"x/pend02\"", "id=\"x/pend00\""].map(|text| page.find(text).expect(text));
    assert!(places.is_sorted(), "{places:?}");
    assert!(
        page.contains("booked in ") && page.contains("2 bookings in 24\u{a0}h"),
        "{page}"
    );
}

#[tokio::test]
async fn a_well_laboratory_says_so_in_one_line() {
    let page = page(
        &web(snapshot(vec![experiment(
            "pend00",
            Health::Ok,
            Some(Bookable::Yes),
        )])),
        "/",
    )
    .await;
    assert!(
        page.contains("<title>Lab status</title>") && page.contains("The experiment is ok"),
        "{page}"
    );
    assert!(!page.contains("Needs attention") && page.contains("<b>1</b> of 1"));
    assert!(page.contains(assets::icon(State::Ok)));
}

#[tokio::test]
async fn the_first_start_says_what_it_waits_for() {
    let mut lab = snapshot(Vec::new());
    lab.sources[1].health = SourceHealth::Starting;
    let page = page(&web(lab), "/").await;
    assert!(
        page.contains("No experiments yet") && page.contains("It still waits for jump."),
        "{page}"
    );
}

#[tokio::test]
async fn a_blind_labwatch_says_so_once() {
    let mut lab = sick_lab();
    lab.blind = Some(ago(2));
    let page = page(&web(lab), "/").await;
    assert!(
        page.contains("gets no reports from any source")
            && !page.contains("relay</strong> is down"),
        "{page}"
    );
}

#[tokio::test]
async fn what_is_asked_for_is_found() {
    let web = web(sick_lab());
    let rows = |page: &str| tags(page).filter(|tag| tag.contains(" data-row")).count();
    for (path, expected) in [
        ("/?q=PEND", 5),
        ("/?q=r-spin", 2),
        ("/?state=down", 3),
        ("/?state=nonsense", 6),
        ("/?pool=spin", 2),
        ("/?booking=held", 1),
        ("/?booking=unlisted", 1),
        ("/?q=pend&state=degraded", 1),
        ("/?q=%3Cimg", 1),
        ("/?q=nothing-like-this", 0),
    ] {
        assert_eq!(rows(&page(&web, path).await), expected, "{path}");
    }
    assert!(
        page(&web, "/?q=%22%3E%3Cscript%3E")
            .await
            .contains("value=\"&quot;&gt;&lt;script&gt;\"")
    );
}

#[tokio::test]
async fn the_page_of_an_experiment_answers() {
    let asked = "/experiments/pend00";
    let advised = "What you can do";
    assert!(!page(&web(sick_lab()), asked).await.contains(advised));
    let web = web_of(sick_lab(), session(Scope::Read), None);
    let page_of = page(&web, asked).await;
    for words in [
        "Since when",
        "Why",
        "What labwatch did",
        "Notified",
        advised,
        "connected but sends nothing",
        "withdrawn, so that it cannot be booked",
        "everybody <time",
    ] {
        assert!(page_of.contains(words), "{words} is missing: {page_of}");
    }
    assert!(
        page_of.contains("Students read: “&lt;img src=x"),
        "{page_of}"
    );
    page(&web, "/experiments/a%2Fb").await;
    page(
        &web,
        "/experiments/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%22%27%26",
    )
    .await;
    assert_eq!(
        ask(&web, "/experiments/nowhere", "").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        ask(&web, "/experiments/%ff", "").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn students_see_nothing_of_the_inside() {
    let web = web(sick_lab());
    for path in ["/lab", "/lab/pend"] {
        let page = page(&web, path).await;
        assert!(
            !page.contains("pend0")
                && !page.contains("relay")
                && !page.contains("labwatch withdrew")
                && !page.contains("withdrawn by"),
            "{path}: {page}"
        );
        assert!(
            page.contains("<b>2</b> of 5 can be booked"),
            "{path}: {page}"
        );
    }
    assert_eq!(ask(&web, "/lab/nowhere", "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn texts_and_names_of_users_are_for_those_who_signed_in() {
    let mut lab = sick_lab();
    let mut views: Vec<ExperimentView> = lab
        .experiments
        .iter()
        .map(|view| (**view).clone())
        .collect();
    let suppression = Suppression {
        id: None,
        kind: SuppressionKind::Acknowledged,
        by: SECRET.to_owned(),
        text: format!("new camera ordered: {SECRET}"),
        until: None,
    };
    views
        .iter_mut()
        .filter(|view| view.stub.as_str() == "pend00")
        .for_each(|view| view.suppression = Some(suppression.clone()));
    lab.experiments = Arc::new(views.into_iter().map(Arc::new).collect());
    let web = web(lab);
    for path in PAGES {
        assert!(!page(&web, path).await.contains(SECRET), "{path}");
    }
    assert!(
        page(&web, "/experiments/pend00")
            .await
            .contains("<strong>acknowledged</strong></span>")
    );
}

#[tokio::test]
async fn only_browsers_get_an_error_page() {
    let web = web(sick_lab());
    let (status, _, body) = ask(&web, "/nothing/here", "").await;
    assert!(status == StatusCode::NOT_FOUND && body.contains("There is no such page."));
    let (status, _, body) = ask(&web, "/api/v1/nothing", "").await;
    assert!(status == StatusCode::NOT_FOUND && body.is_empty(), "{body}");
    let request = Request::get("/nothing")
        .body(Body::empty())
        .expect("a request");
    let response = web.oneshot(request).await.expect("answers");
    assert!(
        response.status() == StatusCode::NOT_FOUND
            && response.headers().get("content-security-policy").is_none()
    );
}

#[tokio::test]
async fn the_reader_chooses_the_theme() {
    let web = web(sick_lab());
    for (cookie, expected) in [
        ("a=b; labwatch-theme=dark", Some("dark")),
        ("labwatch-theme=\"><x", None),
        ("", None),
    ] {
        let (_, _, page) = ask(&web, "/", cookie).await;
        let root = tags(&page)
            .find(|tag| tag.starts_with("html"))
            .expect("a root");
        assert_eq!(attribute(root, "data-theme"), expected, "{cookie}");
    }
}

fn weight(text: &str) -> usize {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).expect("packs");
    packed.finish().expect("packs").len()
}

async fn first_load(web: &Router, path: &str) -> usize {
    let page = page(web, path).await;
    let mut total = weight(&page);
    for tag in tags(&page) {
        if let Some(address) = attribute(tag, "src")
            .or_else(|| attribute(tag, "href").filter(|_| tag.starts_with("link")))
        {
            let (status, headers, body) = ask(web, address, "").await;
            assert_eq!(status, StatusCode::OK, "{address}");
            assert!(
                headers.get("cache-control").is_some_and(|value| value
                    .to_str()
                    .is_ok_and(|text| text.contains("immutable")))
            );
            total += weight(&body);
        }
    }
    total
}

/// A laboratory of this many experiments, one in four of them down.
fn large_lab(size: usize) -> Snapshot {
    let one = |number: usize| {
        let health = if number.is_multiple_of(4) {
            Health::Down
        } else {
            Health::Ok
        };
        let kind = char::from(b"abcdefghijklmnopqrstuvwxyz"[number % 26]);
        experiment(
            &format!("kind-{kind}{number:05}"),
            health,
            Some(Bookable::Yes),
        )
    };
    snapshot((0..size).map(one).collect())
}

#[tokio::test]
async fn the_first_look_is_light() {
    let (lab, large) = (web(sick_lab()), web(large_lab(10_000)));
    for path in PAGES {
        let weight = first_load(&lab, path).await;
        assert!(weight < BUDGET / 2, "{path} weighs {weight}");
    }
    for path in [
        "/",
        "/?wall",
        "/?state=ok",
        "/experiments",
        "/timeline",
        "/pools",
        "/holds",
        "/lab",
    ] {
        let weight = first_load(&large, path).await;
        assert!(
            weight < BUDGET,
            "{path} of 10,000 experiments weighs {weight}"
        );
    }
}

#[tokio::test]
async fn ten_thousand_experiments_stay_readable() {
    let large = web(large_lab(10_000));
    let rows = |page: &str| tags(page).filter(|tag| tag.contains(" data-row")).count();
    let overview = page(&large, "/").await;
    assert_eq!(rows(&overview), super::filter::MAX_ROWS);
    assert!(overview.contains("href=\"/?all=1\"") && overview.contains("Show all 2500"));
    assert_eq!(rows(&page(&large, "/?all=1").await), 2_500);
    assert_eq!(
        rows(&page(&large, "/?pool=kind-a").await),
        super::filter::MAX_ROWS
    );
    assert!(
        page(&large, "/?pool=kind-a")
            .await
            .contains("href=\"/?pool=kind-a&amp;all=1\"")
    );
}

#[tokio::test]
async fn a_browser_that_asks_for_an_icon_gets_one() {
    let (status, headers, icon) = ask(&web(sick_lab()), "/favicon.ico", "").await;
    assert_eq!(
        (status, headers["content-type"].to_str().expect("text")),
        (StatusCode::OK, "image/svg+xml")
    );
    assert!(icon.starts_with("<svg "), "{icon}");
}

/// The laboratory with one experiment changed.
fn with(lab: &mut Snapshot, stub: &str, change: impl Fn(&mut ExperimentView)) {
    let views = lab.experiments.iter().map(|view| {
        let mut view = (**view).clone();
        if view.stub.as_str() == stub {
            change(&mut view);
        }
        Arc::new(view)
    });
    lab.experiments = Arc::new(views.collect());
}

fn acknowledged() -> Suppression {
    Suppression {
        id: None,
        kind: SuppressionKind::Acknowledged,
        by: "Ada".to_owned(),
        text: "new camera ordered".to_owned(),
        until: None,
    }
}

#[tokio::test]
async fn what_is_acknowledged_needs_no_attention_and_stands_below() {
    let mut lab = sick_lab();
    for stub in ["pend00", "pend01"] {
        with(&mut lab, stub, |view| {
            view.suppression = Some(acknowledged());
        });
    }
    let silenced = Suppression {
        kind: SuppressionKind::Silenced,
        ..acknowledged()
    };
    with(&mut lab, "pend02", |view| {
        view.suppression = Some(silenced.clone());
    });
    let overview = page(&web(lab.clone()), "/").await;
    assert!(
        overview.contains("4 of 10 experiments need attention")
            && overview.contains("<title>(4) Lab status</title>"),
        "a silence alone does not make a problem known: {overview}"
    );
    let places = ["id=\"x/pend02\"", "id=\"part-known\"", "id=\"x/pend00\""]
        .map(|text| overview.find(text).expect(text));
    assert!(places.is_sorted(), "{places:?}");
    for stub in ["pend02", "pend03", "spin00", HOSTILE] {
        with(&mut lab, stub, |view| {
            view.suppression = Some(acknowledged());
        });
    }
    let overview = page(&web(lab), "/").await;
    assert!(
        overview.contains("No experiment needs attention, 6 of 10 acknowledged")
            && !overview.contains("id=\"part-problems\""),
        "{overview}"
    );
}

#[tokio::test]
async fn which_experiments_are_not_evaluated_is_said_with_why() {
    let page_of = page(&web(sick_lab()), "/").await;
    assert!(
        page_of.contains("<a href=\"/?state=unknown\">1 of 10 experiments is not evaluated</a>"),
        "{page_of}"
    );
    assert!(
        page_of.contains(
            "not evaluated: no reports from relay: <a class=\"name\" href=\"/experiments/spin01\">"
        ),
        "{page_of}"
    );
    let two = [Health::Unknown, Health::Ok].map(|health| {
        let name = if health == Health::Ok { "b00" } else { "a00" };
        experiment(name, health, Some(Bookable::Yes))
    });
    let mut lab = snapshot(two.to_vec());
    with(&mut lab, "a00", |view| view.grace_until = Some(now()));
    let page_of = page(&web(lab), "/").await;
    assert!(
        page_of.contains("<h1 id=\"verdict\"")
            && page_of.contains("1 of 2 experiments is not evaluated")
            && page_of.contains("new: not evaluated before its start-up grace is over: "),
        "{page_of}"
    );
}

#[tokio::test]
async fn one_and_many_agree_with_their_verbs() {
    let of = |health: &[Health]| {
        let views = health.iter().enumerate();
        snapshot(
            views
                .map(|(at, health)| experiment(&format!("a{at:02}"), *health, Some(Bookable::Yes)))
                .collect(),
        )
    };
    for (health, sentence) in [
        (&[Health::Down][..], "The experiment needs attention"),
        (&[Health::Unknown], "The experiment is not evaluated"),
        (&[Health::Ok], "The experiment is ok"),
        (
            &[Health::Ok, Health::Degraded],
            "1 of 2 experiments needs attention",
        ),
        (
            &[Health::Down, Health::Down],
            "2 of 2 experiments need attention",
        ),
        (
            &[Health::Unknown, Health::Unknown],
            "2 of 2 experiments are not evaluated",
        ),
        (&[Health::Ok, Health::Ok], "All 2 experiments are ok"),
    ] {
        let mut lab = of(health);
        // Down and bookable contradict each other, which would be a problem of its own.
        lab.sources[0].health = SourceHealth::Live;
        let page_of = page(&web(lab), "/").await;
        assert!(page_of.contains(sentence), "{sentence}: {page_of}");
    }
}

/// No page uses words that the glossary excludes.
#[tokio::test]
async fn the_words_are_those_of_the_glossary() {
    let web = web(sick_lab());
    for path in PAGES {
        let text = page(&web, path).await.to_lowercase();
        for word in [
            "judged",
            "somebody",
            "nobody",
            "anybody",
            "whoever",
            "kept quiet",
            "memory",
            "ways to people",
            "told",
        ] {
            assert!(!text.contains(word), "{path} says {word}");
        }
    }
}

#[tokio::test]
async fn the_list_of_experiments_sorts_and_filters_by_its_address() {
    let mut lab = sick_lab();
    with(&mut lab, "spin00", |view| view.since = ago(1));
    with(&mut lab, "a/b", |view| view.since = ago(500));
    let web = web(lab);
    let first = async |path: &str| {
        let page = page(&web, path).await;
        let row = page.split("data-row").nth(1).expect("a row").to_owned();
        let link = tags(&row).find(|tag| tag.contains("class=\"name\""));
        attribute(link.expect("a link"), "href")
            .expect("an address")
            .to_owned()
    };
    for (path, expected) in [
        ("/experiments?sort=-since", "/experiments/spin00"),
        ("/experiments?sort=since", "/experiments/a%2Fb"),
        ("/experiments?sort=-state&q=pend", "/experiments/pend00"),
        ("/experiments?sort=-name", "/experiments/stray"),
        (
            "/experiments?sort=nonsense&pool=spin",
            "/experiments/spin00",
        ),
    ] {
        assert_eq!(first(path).await, expected, "{path}");
    }
    let sorted = page(&web, "/experiments?sort=-since&state=down").await;
    assert!(
        sorted.contains("aria-sort=\"descending\"")
            && sorted.contains("href=\"/experiments?state=down&amp;sort=since\"")
            && sorted.contains("3 experiments found"),
        "{sorted}"
    );
    assert_eq!(sorted.matches("aria-sort").count(), 1, "{sorted}");
}

#[tokio::test]
async fn the_timeline_of_the_laboratory_lists_changes_newest_first() {
    let mut lab = sick_lab();
    let change = |minutes, health| {
        Arc::new(Event {
            when: ago(minutes),
            health,
            was: Health::Ok,
            issues: Vec::new(),
            jump: JumpHealth::Up,
            streams: Vec::new(),
            why: Why::Observed,
        })
    };
    with(&mut lab, "spin00", |view| {
        view.events = vec![change(2 * 24 * 60, Health::Down)];
    });
    with(&mut lab, "stray", |view| {
        view.events = vec![change(3, Health::Down)];
    });
    let web = web(lab);
    let day = page(&web, "/timeline").await;
    let places =
        ["/experiments/stray\"", "/experiments/pend00\""].map(|text| day.find(text).expect(text));
    assert!(places.is_sorted(), "{places:?}");
    assert!(
        !day.contains("/experiments/spin00\""),
        "that was before the last 24 hours: {day}"
    );
    assert!(
        day.contains("No history is kept") && day.contains(" data-exact>"),
        "{day}"
    );
    let week = page(&web, "/timeline?range=7d").await;
    assert!(
        week.contains("/experiments/spin00\"")
            && week.contains("href=\"/timeline?range=7d\" aria-current=\"true\""),
        "{week}"
    );
}

#[tokio::test]
async fn an_unsteady_experiment_is_shown_as_such_with_its_count() {
    let mut lab = sick_lab();
    for notified in Arc::make_mut(&mut lab.notified) {
        notified.unsteady = (notified.stub.as_str() == "pend00").then_some(7);
    }
    let web = web(lab);
    let shown = page(&web, "/experiments/pend00").await;
    assert!(
        shown.contains("unsteady: down 7 times in 24 h") && shown.contains("has held for 2 h"),
        "{shown}"
    );
    let all = page(&web, "/").await;
    assert_eq!(all.matches("unsteady: down").count(), 1, "{all}");
}

#[tokio::test]
async fn while_flapping_the_reason_says_whether_it_holds_now() {
    let mut lab = sick_lab();
    let silent = Issue::Required(topic("pend04-st-video"), StreamHealth::Silent);
    with(&mut lab, "pend04", |view| {
        view.health = Health::Flapping;
        view.issues = vec![silent.clone()];
    });
    let now_active = page(&web(lab.clone()), "/experiments/pend04").await;
    let words = "it changes too often, because of: pend04-st-video is connected but sends nothing";
    assert!(
        now_active.contains(&format!("{words}; not at this moment")),
        "{now_active}"
    );
    with(&mut lab, "pend04", |view| {
        view.streams[1].health = StreamHealth::Silent;
    });
    let now_silent = page(&web(lab), "/experiments/pend04").await;
    assert!(
        now_silent.contains(words) && !now_silent.contains("not at this moment"),
        "{now_silent}"
    );
}

#[tokio::test]
async fn when_a_stream_last_sent_is_said_as_far_as_it_is_known() {
    let gone = Arc::new(engine::LastConnection {
        connected: String::new(),
        expires: String::new(),
        remote: String::new(),
        user_agent: String::new(),
        scopes: engine::Scopes::default(),
        tx: Some(engine::Traffic {
            last: Some(std::time::Duration::from_secs(60)),
            size: 0,
            fps: 0.0,
        }),
        rx: None,
    });
    for (seen, evidence, last, words) in [
        (Seen::Never, Evidence::Unverified, None, "never connected"),
        (
            Seen::At(ago(4)),
            Evidence::Statistics,
            Some(gone),
            "(5 min ago)",
        ),
        (
            Seen::At(ago(4)),
            Evidence::Unverified,
            None,
            "not known: not connected any more",
        ),
        (
            Seen::At(ago(4)),
            Evidence::Sampled(Some(ago(7))),
            None,
            "in a sample",
        ),
        (
            Seen::InNewest,
            Evidence::Sampled(Some(ago(7))),
            None,
            "in a sample, nothing since",
        ),
        (
            Seen::InNewest,
            Evidence::Sampled(None),
            None,
            "nothing in the newest sample",
        ),
        (
            Seen::InNewest,
            Evidence::Statistics,
            None,
            "nothing since it connected",
        ),
        (
            Seen::InNewest,
            Evidence::Unverified,
            None,
            "not known: without statistics of relay",
        ),
    ] {
        let mut lab = sick_lab();
        with(&mut lab, "pend04", |view| {
            view.streams[1].seen = seen;
            view.streams[1].evidence = evidence;
            view.streams[1].last.clone_from(&last);
            if seen == Seen::InNewest {
                view.streams[1].health = StreamHealth::Silent;
            }
        });
        let page_of = page(&web(lab), "/experiments/pend04").await;
        let row = page_of.split("pend04-st-video").nth(1).expect("the row");
        let row = row.split("</tr>").next().expect("its end");
        assert!(row.contains(words), "{words}: {row}");
    }
}

#[test]
fn names_of_pools_are_made_readable() {
    for (name, title) in [("pend", "Pend"), ("kind-a", "Kind a"), ("-", "-"), ("", "")] {
        assert_eq!(super::pools::title(name, &|_| None), title);
    }
    let given = |name: &str| (name == "pend").then(|| "Pendulums & springs".to_owned());
    for (name, title) in [("pend", "Pendulums & springs"), ("spin", "Spin")] {
        assert_eq!(super::pools::title(name, &given), title);
    }
}

#[tokio::test]
async fn students_find_a_title_and_the_way_back() {
    let open = page(&web(sick_lab()), "/lab/pend").await;
    assert!(
        open.contains("<h1>Pend</h1>")
            && open.contains("<a href=\"/lab\">")
            && !open.contains("Back to the overview"),
        "{open}"
    );
    let reader = web_of(sick_lab(), session(Scope::Read), None);
    assert!(
        page(&reader, "/lab")
            .await
            .contains("<a href=\"/\">Back to the overview</a>")
    );
}

#[tokio::test]
async fn long_tables_can_be_folded_on_a_phone() {
    let list = page(&web(sick_lab()), "/timeline").await;
    assert!(
        list.contains("<details class=\"fold\"><summary>Show all 10 rows</summary></details><div class=\"scroll\">"),
        "{list}"
    );
    let short = page(&web(sick_lab()), "/sources").await;
    assert!(!short.contains("class=\"fold\""), "{short}");
}

#[tokio::test]
async fn the_wall_shows_the_worst_first_and_every_pool() {
    let wall = page(&web(sick_lab()), "/?wall").await;
    let places = ["x/pend00", "x/pend02", "class=\"stock few\"", " pend04<"]
        .map(|text| wall.find(text).expect(text));
    assert!(places.is_sorted(), "{places:?}: {wall}");
    assert!(
        !wall.contains("<nav") && !wall.contains("<form") && wall.contains("cards k3"),
        "{wall}"
    );
    let large = page(&web(large_lab(200)), "/?wall").await;
    assert!(
        large.contains("and 26 more problems")
            && large.contains("class=\"dots\"")
            && !large.contains("class=\"tiles\""),
        "{large}"
    );
    let one = page(&web(sick_lab()), "/?wall&pool=spin").await;
    assert!(
        one.contains("x/spin00") && !one.contains("x/pend00") && !one.contains(" pend04<"),
        "{one}"
    );
}
