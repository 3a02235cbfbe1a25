//! Orders of maintainers by the page's forms, as a browser without a script sends them: signed in
//! by a form, shown the effect, confirmed.

use std::time::Duration;

use jiff::Timestamp;
use lab::{Plan, RelayVersion};
use labwatch::http::auth::{Authority, Grant, Scope};
use reqwest::{Client, Method, RequestBuilder, Response};

use super::eventually::eventually;
use super::laboratory::{laboratory, plan, switched, switches};
use super::monitor::{Monitor, get, kill};

const SECRET: &str = "the-s3cr3t-of-the-ap1-of-the-forms";

/// A browser without a script: it keeps one cookie and follows nothing by itself.
struct Browser {
    client: Client,
    base: String,
    cookie: String,
}

impl Browser {
    async fn signed_in(monitor: &Monitor) -> Self {
        let grant = Grant {
            name: "Ada".into(),
            scopes: [Scope::Admin].into_iter().collect(),
            reports: vec!["*".to_owned()].try_into().expect("a name"),
            life: Duration::from_secs(600),
        };
        let token = Authority::new(&SECRET.into())
            .issue(&grant, Timestamp::now())
            .expect("issues")
            .token;
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let mut browser = Self {
            client,
            base: format!("http://127.0.0.1:{}", monitor.port()),
            cookie: String::new(),
        };
        let away = browser.open("/do/hold?resource=r-pend00").await;
        let form = header(&away, "location");
        assert_eq!(form, "/login?next=%2Fdo%2Fhold%3Fresource%3Dr-pend00");
        let response = browser
            .send(
                "/login",
                &[("token", &token), ("next", "/do/hold?resource=r-pend00")],
            )
            .await;
        assert_eq!(
            header(&response, "location"),
            "/do/hold?resource=r-pend00",
            "signing in leads to where it was asked for"
        );
        header(&response, "set-cookie")
            .split(';')
            .next()
            .expect("a pair")
            .clone_into(&mut browser.cookie);
        browser
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("accept", "text/html")
            .header("cookie", &self.cookie)
    }

    async fn open(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.expect("answers")
    }

    async fn page(&self, path: &str) -> String {
        self.open(path).await.text().await.expect("a page")
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .ask(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", &self.base);
        request.body(body).send().await.expect("answers")
    }

    /// Confirms a preview: sends its hidden fields as they are.
    async fn confirm(&self, page: &str) -> Response {
        let form = page
            .split("<form class=\"confirm\"")
            .nth(1)
            .and_then(|rest| rest.split("</form>").next())
            .expect("a confirmation");
        let path = value(form, "action").expect("an address");
        let inputs = form.split("<input").skip(1);
        let fields: Vec<_> = inputs
            .filter_map(|input| Some((value(input, "name")?, value(input, "value")?)))
            .collect();
        self.send(path, &fields).await
    }
}

/// An attribute of the first tag in a text.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_says_whom_it_hinders_and_is_seen_in_book() {
    let lab = lab::Lab::start(Plan {
        booked: true,
        ..plan(RelayVersion::V07, &["pend00"])
    })
    .await
    .expect("a laboratory");
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET)]).await;
    monitor.sees_well(&["pend00"]).await;
    let browser = Browser::signed_in(&monitor).await;
    let effect = browser
        .page("/do/hold?resource=r-pend00&reason=The+motor+is+being+replaced.&check=1")
        .await;
    assert!(
        effect.contains("3 bookings of the next 24 h cannot start; one is in session now"),
        "{effect}"
    );
    assert!(
        switches(&lab, "r-pend00").is_empty(),
        "the preview changes nothing"
    );
    let done = browser.confirm(&effect).await;
    assert_eq!(
        (done.status().as_u16(), header(&done, "location").as_str()),
        (303, "/experiments/pend00?did=overridden&of=r-pend00")
    );
    assert_eq!(
        switched(&lab, "r-pend00", 1).await.reason,
        "The motor is being replaced."
    );
    assert!(
        browser
            .page(&header(&done, "location"))
            .await
            .contains("id=\"done\"")
    );

    let done = browser
        .confirm(&browser.page("/do/enable?resource=r-pend00").await)
        .await;
    assert_eq!(done.status().as_u16(), 303);
    assert!(switched(&lab, "r-pend00", 2).await.available);
    let foreign = browser
        .send("/do/hold", &[("resource", "r-pend00"), ("reason", "x")])
        .await;
    let status = foreign.status().as_u16();
    let notified = foreign.text().await.expect("a page");
    assert!(
        status == 403 && notified.contains("Nothing was changed."),
        "{status} {notified}"
    );
    monitor.logs(&["Ada: enable r-pend00"]).await;
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_bad_is_acknowledged_once_and_taken_back() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "pend01"]).await;
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET)]).await;
    monitor.sees_well(&["pend00", "pend01"]).await;
    let browser = Browser::signed_in(&monitor).await;
    let well = browser
        .page("/do/acknowledge?name=pend00&text=x&check=1")
        .await;
    assert!(
        well.contains("only what is bad can be acknowledged") && !well.contains("id=\"confirm\""),
        "{well}"
    );
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    let effect = browser
        .page("/do/acknowledge?name=pend00&text=motor+ordered&for=4h&check=1")
        .await;
    let done = browser.confirm(&effect).await;
    assert_eq!(done.status().as_u16(), 303);
    let page = browser.page(&header(&done, "location")).await;
    assert!(
        page.contains("The acknowledgement of <strong>pend00</strong> stands until")
            && page.contains("by Ada"),
        "{page}"
    );
    let again = browser.confirm(&effect).await;
    assert_eq!(again.status().as_u16(), 409);
    assert!(
        again
            .text()
            .await
            .expect("a page")
            .contains("is acknowledged already by Ada")
    );

    let end = page
        .split("href=\"")
        .find_map(|rest| {
            rest.strip_prefix("/do/end?")
                .and_then(|rest| rest.split('"').next())
        })
        .expect("a link");
    let done = browser
        .confirm(&browser.page(&format!("/do/end?{end}")).await)
        .await;
    assert!(
        browser
            .page(&header(&done, "location"))
            .await
            .contains("It is over: problems are notified again.")
    );
    monitor.stop("TERM", &lab).await;
}

/// The page of categories as a reader without a token sees it.
async fn seen_by_reader(monitor: &Monitor) -> String {
    get(monitor.port(), "/categories")
        .await
        .map(|(_, page)| page)
        .expect("a page")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_category_is_closed_and_opened_on_the_page() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let monitor = Monitor::start(&lab, &[("SECRET_API", SECRET)]).await;
    monitor.sees_well(&["pend00"]).await;
    let open = seen_by_reader(&monitor).await;
    assert!(
        open.contains(">pend<") && !open.contains("/do/close-category"),
        "a reader sees them: {open}"
    );
    let browser = Browser::signed_in(&monitor).await;
    assert!(
        browser
            .page("/categories")
            .await
            .contains("href=\"/do/close-category?category=pend\"")
    );

    let effect = browser
        .page("/do/close-category?category=pend&reason=exam+room+locked&check=1")
        .await;
    assert!(
        effect.contains("The category pend is closed until a person opens it"),
        "{effect}"
    );
    assert_eq!(
        get(monitor.port(), "/__gtg?categories=pend")
            .await
            .map(|(code, _)| code),
        Some(200),
        "the preview changes nothing"
    );
    let done = browser.confirm(&effect).await;
    assert_eq!(
        (done.status().as_u16(), header(&done, "location").as_str()),
        (303, "/categories?did=closed&of=pend")
    );
    assert_eq!(
        get(monitor.port(), "/__gtg?categories=pend")
            .await
            .map(|(code, _)| code),
        Some(503)
    );
    monitor
        .logs(&["Ada: close the category pend: exam room locked"])
        .await;
    let closed = browser.page(&header(&done, "location")).await;
    assert!(
        closed.contains("The category <strong>pend</strong> is closed until a person opens it.")
            && closed.contains("closed by Ada")
            && closed.contains("“exam room locked”"),
        "{closed}"
    );
    let readers = seen_by_reader(&monitor).await;
    assert!(
        readers.contains("closed")
            && !readers.contains("exam room locked")
            && !readers.contains("Ada"),
        "names and words are for those who signed in: {readers}"
    );
    let again = browser.confirm(&effect).await;
    assert_eq!(again.status().as_u16(), 409);
    assert!(
        again
            .text()
            .await
            .expect("a page")
            .contains("is closed already")
    );

    let unknown = browser
        .page("/do/open-category?category=nope&reason=x&check=1")
        .await;
    assert!(
        unknown.contains("id=\"problem\"") && !unknown.contains("id=\"confirm\""),
        "{unknown}"
    );
    let done = browser
        .confirm(
            &browser
                .page("/do/open-category?category=pend&reason=free+again&check=1")
                .await,
        )
        .await;
    assert!(
        browser
            .page(&header(&done, "location"))
            .await
            .contains("The category <strong>pend</strong> is open.")
    );
    assert_eq!(
        get(monitor.port(), "/__gtg?categories=pend")
            .await
            .map(|(code, _)| code),
        Some(200)
    );
    monitor.stop("TERM", &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_zone_is_that_of_the_next_form() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(&file, "time_zone = \"Europe/London\"\n").expect("written");
    let monitor = Monitor::start(
        &lab,
        &[
            ("SECRET_API", SECRET),
            ("CONFIG", file.to_str().expect("a name")),
        ],
    )
    .await;
    let ada = Browser::signed_in(&monitor).await;
    let form = ada.page("/do/maintenance").await;
    assert!(form.contains("(Europe/London)"), "{form}");
    std::fs::write(&file, "time_zone = \"America/New_York\"\n").expect("written");
    kill("HUP", monitor.pid()).await;
    let renewed = async || {
        Some(ada.page("/do/maintenance").await).filter(|form| form.contains("(America/New_York)"))
    };
    eventually("the form goes by the new zone", || monitor.tail(), renewed).await;
    monitor.stop("TERM", &lab).await;
}
