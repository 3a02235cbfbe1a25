//! Badges: the state of a pool or an experiment, as a small image for other pages, or in the form
//! for shields.io.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::NoParams;
use crate::http::error::{self, ApiError, ApiResult, Reason};
use crate::http::json::answer;
use crate::http::named::Named;
use crate::http::served::Served;
use engine::model::{Bookable, Health};
use engine::{ExperimentView, PoolView, Severity, Snapshot};

/// Pages may cache a badge for this long.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The width of a character, in pixels: of Verdana and DejaVu Sans at 11 pixels, on average.
const CHARACTER: usize = 7;

/// A badge, in the form for shields.io.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Badge {
    /// The version of the form.
    #[schema(example = 1)]
    schema_version: u8,
    /// Its subject.
    #[schema(example = "pend")]
    label: String,
    /// The state of the subject.
    #[schema(example = "9 of 12 work")]
    message: String,
    /// The colour behind the message.
    #[schema(example = "#1f6f43")]
    color: &'static str,
}

/// The state of a pool or an experiment, as an image (`.svg`) or for shields.io (`.json`). If both
/// have the name, the experiment.
#[utoipa::path(
    get,
    path = "/badge/{file}",
    tag = "badges",
    params(("file" = String, Path, description = "The name of an experiment or a pool, with `.svg` or `.json`", example = "pend00.svg")),
    responses(
        (status = 200, description = "The badge. It may be cached for a minute", content((String = "image/svg+xml"), (Badge = "application/json"))),
    )
)]
pub(super) async fn badge(
    State(served): State<Arc<Served>>,
    Named(file): Named<String>,
    _: NoParams,
    uri: Uri,
) -> ApiResult {
    let (name, kind) = file
        .rsplit_once('.')
        .ok_or_else(|| error::no_such_path(&uri))?;
    let badge = || {
        Badge::of(&served.snapshot(), name).ok_or_else(|| {
            let words = format!("experiment or pool {name} was not found");
            ApiError::new(Reason::NotFound, words)
        })
    };
    let mut response = match kind {
        "svg" => (
            [(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))],
            badge()?.svg(),
        )
            .into_response(),
        "json" => answer(&badge()?)?,
        _ => return Err(error::no_such_path(&uri)),
    };
    response.headers_mut().insert(CACHE_CONTROL, KEEP);
    // Badges are made for other sites' pages.
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    Ok(response)
}

// White text has a contrast of at least 4.5 to 1 against each.
const GOOD: &str = "#1f6f43";
const LOSS: &str = "#9a5b00";
const BAD: &str = "#b3261e";
const OTHER: &str = "#55606e";

impl Badge {
    fn of(snapshot: &Snapshot, name: &str) -> Option<Self> {
        let experiment = snapshot.experiment(name).map(|view| Self::experiment(view));
        experiment.or_else(|| snapshot.pool(name).map(Self::pool))
    }

    fn new(label: &str, message: String, color: &'static str) -> Self {
        Self {
            schema_version: 1,
            label: label.to_owned(),
            message,
            color,
        }
    }

    fn experiment(view: &ExperimentView) -> Self {
        let color = match view.health {
            Health::Ok => GOOD,
            Health::Degraded => LOSS,
            Health::Flapping | Health::Down => BAD,
            Health::Unknown => OTHER,
        };
        let message = match view.bookable() {
            Some(Bookable::Held) => format!("{}, held", view.health),
            Some(Bookable::Withdrawn) if !view.health.is_unusable() => {
                format!("{}, withdrawn", view.health)
            }
            Some(Bookable::Yes | Bookable::Withdrawn) | None => view.health.to_string(),
        };
        Self::new(view.stub.as_str(), message, color)
    }

    fn pool(pool: &PoolView) -> Self {
        let (members, usable) = (pool.members.len(), pool.standing.usable);
        let short = match pool.standing.severity {
            Severity::Short { missing, .. } => format!(", {missing} too few"),
            Severity::Spare(_) | Severity::NoneAffected => String::new(),
        };
        let color = match (short.is_empty(), usable) {
            (false, _) | (true, 0) => BAD,
            (true, usable) if usable < members => LOSS,
            (true, _) => GOOD,
        };
        Self::new(
            &pool.name,
            format!("{usable} of {members} work{short}"),
            color,
        )
    }

    /// The badge as a self-contained image with a text alternative.
    fn svg(&self) -> String {
        let width = |text: &str| text.chars().count() * CHARACTER + 10;
        let (left, right) = (width(&self.label), width(&self.message));
        let (label, message, color) = (escaped(&self.label), escaped(&self.message), self.color);
        let (whole, middle) = (left + right, left + right / 2);
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {message}"><title>{label}: {message}</title><rect width="{left}" height="20" fill="#39424e"/><rect x="{left}" width="{right}" height="20" fill="{color}"/><g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{}" y="14">{label}</text><text x="{middle}" y="14">{message}</text></g></svg>"##,
            left / 2
        );
        svg
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of white text on a colour, by the rule of WCAG.
    fn contrast_to_white(color: &str) -> f64 {
        let channel = |at: usize| {
            let value =
                f64::from(u8::from_str_radix(&color[at..at + 2], 16).expect("a colour")) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        1.05 / (0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_colour() {
        for color in [GOOD, LOSS, BAD, OTHER, "#39424e"] {
            assert!(
                contrast_to_white(color) >= 4.5,
                "{color}: {}",
                contrast_to_white(color)
            );
        }
    }

    #[test]
    fn names_cannot_break_out_of_the_image() {
        let svg = Badge::new("<script>\"&", "ok".to_owned(), GOOD).svg();
        assert!(
            svg.contains("<title>&lt;script&gt;&quot;&amp;: ok</title>")
                && !svg.contains("<script"),
            "{svg}"
        );
    }
}
