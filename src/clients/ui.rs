//! Checks pages that students open: whether they answer, and with which status. Decides nothing:
//! the engine selects which and when.
//!
//! A check is a HEAD, and a GET of one byte where that fails: not every server, and not every proxy
//! on the way, answers a HEAD as it does a GET. It keeps no cookies, reads no body and follows no
//! redirect to another host.

use std::time::Duration;

use reqwest::Method;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::http::{BareAnswer, Http};
use super::request_loop::{self, Bounds};
use engine::model::{CallError, PageAddress};
use engine::{Input, PageOutcome};

/// The most pages that are checked at the same time; the engine keeps well below it. Beyond it the
/// answer is [`CallError::Busy`].
const MAX_AT_ONCE: usize = 16;

/// How many answers may wait for the engine before requests have to wait too.
const MAX_ANSWERS: usize = 16;

const BOUNDS: Bounds = Bounds {
    at_once: MAX_AT_ONCE,
    answers: MAX_ANSWERS,
};

/// How long a page may take to answer one request.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a check may take with all its requests: less than the engine waits for it.
const CHECK_WITHIN: Duration = Duration::from_secs(45);

/// How many redirects are followed on the page's own host.
const MAX_REDIRECTS: usize = 3;

/// Answers requests until `stop`, or until `inputs` is closed. Every request gets one answer.
pub async fn run(
    http: Http,
    inputs: mpsc::Sender<Input>,
    requests: mpsc::Receiver<PageAddress>,
    stop: CancellationToken,
) {
    let http = http.with_timeout(ANSWER_WITHIN);
    let refuse = |page| Input::PageChecked {
        page,
        outcome: PageOutcome::Failed(CallError::Busy),
    };
    let answer = |page| answer(&http, page);
    request_loop::run((requests, inputs), BOUNDS, answer, refuse, stop).await;
}

async fn answer(http: &Http, page: PageAddress) -> Input {
    let checked = timeout(CHECK_WITHIN, check(http, &page)).await;
    let outcome = checked.unwrap_or(PageOutcome::Failed(CallError::TimedOut));
    tracing::debug!(%page, ?outcome, "checked page");
    Input::PageChecked { page, outcome }
}

async fn check(http: &Http, page: &PageAddress) -> PageOutcome {
    let Ok(url) = Url::parse(page.expose()) else {
        let words = "its address cannot be read".to_owned();
        return PageOutcome::Failed(CallError::Protocol(words));
    };
    let head = follow(http, &Method::HEAD, url.clone()).await;
    let is_in_doubt = match &head {
        Ok(answer) => answer.status >= 400,
        Err(error) => !error.is_without_connection(),
    };
    let answer = if is_in_doubt {
        follow(http, &Method::GET, url).await
    } else {
        head
    };
    answer.map_or_else(PageOutcome::Failed, |answer| PageOutcome::Answered {
        status: of_a_byte(answer.status),
        by_proxy: answer.by_proxy,
    })
}

/// The status for a range request: an empty page has no first byte, which is no fault of it.
fn of_a_byte(status: u16) -> u16 {
    if status == 416 { 200 } else { status }
}

/// The response at the end of the redirects on the same host; a redirect to another host counts as
/// the response.
async fn follow(http: &Http, method: &Method, mut url: Url) -> Result<BareAnswer, CallError> {
    for _ in 0..=MAX_REDIRECTS {
        let answer = http.ask_bare(method.clone(), url.clone()).await?;
        let next = answer.location.as_ref().and_then(|to| url.join(to).ok());
        let is_near = |next: &Url| next.host() == url.host() && next.scheme().starts_with("http");
        match next.filter(is_near) {
            Some(next) => url = next,
            None => return Ok(answer),
        }
    }
    Err(CallError::Protocol("it redirects without end".to_owned()))
}

#[cfg(test)]
mod tests;
