//! Where processor time goes, on request: a profile of some seconds as folded stacks or as a flamegraph. Costs nothing while nobody asks.
//!
//! Served on a port of its own that only this host can reach, because it tells of labwatch's inner life.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pprof::{ProfilerGuard, Report};
use serde::Deserialize;

/// How often a second it is noted what each busy thread does. A prime, so that it keeps step with nothing.
const FREQUENCY: i32 = 97;

/// For how long a profile is taken unless asked otherwise, in seconds.
const SECONDS: u64 = 10;

/// For how long a profile may be taken, in seconds: well within the life of a connection.
const MAX_SECONDS: u64 = 30;

/// What is said at the root.
const HELP: &str = "GET /profile?seconds=10     folded stacks, one line for each, with how often it was seen\n\
                    GET /flamegraph?seconds=10  the same as a picture (SVG) for a browser\n";

/// Why there is no profile.
#[derive(Debug)]
enum ProfileError {
    /// Not a number of seconds, or too many.
    Seconds(String),
    /// Another one is being taken, or the system gives no timer.
    Take(pprof::Error),
    /// It cannot be drawn.
    Draw(pprof::Error),
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(why) => {
                write!(f, "seconds must be a number from 1 to {MAX_SECONDS}: {why}")
            }
            Self::Take(pprof::Error::Running) => {
                write!(f, "a profile is being taken already: wait until it is done")
            }
            Self::Take(error) => write!(f, "a profile cannot be taken: {error}"),
            Self::Draw(error) => write!(f, "the flamegraph cannot be drawn: {error}"),
        }
    }
}

impl IntoResponse for ProfileError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Seconds(_) => StatusCode::BAD_REQUEST,
            Self::Take(pprof::Error::Running) => StatusCode::CONFLICT,
            Self::Take(_) | Self::Draw(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// The paths of profiling, for a listener that only this host can reach.
pub fn router() -> Router {
    Router::new()
        .route("/", get(async || HELP))
        .route("/profile", get(folded))
        .route("/flamegraph", get(flamegraph))
}

#[derive(Debug, Deserialize)]
struct ManualOverride {
    seconds: Option<u64>,
}

type Wished = Result<Query<ManualOverride>, QueryRejection>;

async fn folded(wished: Wished) -> Result<String, ProfileError> {
    let report = taken(wished).await?;
    let mut stacks: BTreeMap<String, isize> = BTreeMap::new();
    for (stack, seen) in &report.data {
        let frames = stack.frames.iter().rev().filter_map(|frame| frame.first());
        let names: Vec<String> = frames
            .map(|symbol| symbol.name().replace(';', ":"))
            .collect();
        *stacks
            .entry(format!("{};{}", stack.thread_name, names.join(";")))
            .or_default() += seen;
    }
    let lines: Vec<String> = stacks
        .into_iter()
        .map(|(stack, seen)| format!("{stack} {seen}"))
        .collect();
    Ok(lines.join("\n"))
}

async fn flamegraph(wished: Wished) -> Result<Response, ProfileError> {
    let report = taken(wished).await?;
    if report.data.is_empty() {
        return Ok("labwatch was idle: nothing was seen running\n".into_response());
    }
    let mut picture = Vec::new();
    report
        .flamegraph(&mut picture)
        .map_err(ProfileError::Draw)?;
    Ok((
        [(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))],
        picture,
    )
        .into_response())
}

/// What the process did from now on, for as long as wished.
async fn taken(wished: Wished) -> Result<Report, ProfileError> {
    let seconds = match wished {
        Ok(Query(ManualOverride { seconds })) => seconds.unwrap_or(SECONDS),
        Err(fault) => return Err(ProfileError::Seconds(fault.body_text())),
    };
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(ProfileError::Seconds(format!("it is {seconds}")));
    }
    let guard = ProfilerGuard::new(FREQUENCY).map_err(ProfileError::Take)?;
    tracing::info!(seconds, "taking a profile");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    guard.report().build().map_err(ProfileError::Take)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn manual_override(seconds: u64) -> Query<ManualOverride> {
        Query(ManualOverride {
            seconds: Some(seconds),
        })
    }

    #[inline(never)]
    fn burns_for_the_profile(stop: &AtomicBool) -> u64 {
        let mut sum = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        sum
    }

    #[tokio::test]
    async fn what_burns_time_is_named_and_only_one_profile_is_taken_at_a_time() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| burns_for_the_profile(&stop));
            let taking = std::thread::Builder::new().name("taking".to_owned());
            let (first, second) = taking
                .spawn_scoped(scope, || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .build()
                        .expect("a runtime");
                    let both = runtime.block_on(async {
                        tokio::join!(
                            folded(Ok(manual_override(2))),
                            flamegraph(Ok(manual_override(1)))
                        )
                    });
                    stop.store(true, Ordering::Relaxed);
                    both
                })
                .expect("a thread")
                .join()
                .expect("no panic");
            assert!(first.expect("a profile").contains("burns_for_the_profile"));
            assert_eq!(
                second
                    .expect_err("the first is not done")
                    .into_response()
                    .status(),
                StatusCode::CONFLICT
            );
        });
    }

    #[tokio::test]
    async fn seconds_are_bounded() {
        for seconds in [0, MAX_SECONDS + 1] {
            let refusal = folded(Ok(manual_override(seconds)))
                .await
                .expect_err("out of bounds");
            assert_eq!(refusal.into_response().status(), StatusCode::BAD_REQUEST);
        }
    }
}
