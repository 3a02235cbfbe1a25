//! Counts of API requests, by route and by class of response. Routes are those of the router, never
//! the path of the client.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::encoder::Encoder;

/// The most routes that are counted separately; further ones are counted as [`OTHER`], as a
/// safeguard against a mistake in the router.
const MAX_ROUTES: usize = 256;

/// The route of requests that no route matched.
const OTHER: &str = "other";

#[derive(Debug, Default)]
pub struct HttpCounts(Mutex<BTreeMap<String, Answers>>);

#[derive(Debug, Default, Clone, Copy)]
struct Answers {
    /// By hundreds of the status: 1xx to 5xx.
    by_class: [u64; 5],
    spent: Duration,
}

impl HttpCounts {
    /// Counts a response with this status, on this route of the router, after this time.
    pub fn note(&self, route: Option<&str>, status: u16, took: Duration) {
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = route
            .filter(|route| routes.len() < MAX_ROUTES || routes.contains_key(*route))
            .unwrap_or(OTHER);
        if !routes.contains_key(name) {
            routes.insert(name.to_owned(), Answers::default());
        }
        let Some(answers) = routes.get_mut(name) else {
            return;
        };
        answers.spent += took;
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(count) = answers.by_class.get_mut(class) {
            *count += 1;
        }
    }

    pub(super) fn write(&self, encoder: &mut Encoder<'_>) -> fmt::Result {
        const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let routes = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let answers = routes.iter().flat_map(|(route, counted)| {
            let by_class = CLASSES.into_iter().zip(counted.by_class);
            by_class
                .filter(|(_, number)| *number > 0)
                .map(move |(class, number)| {
                    ([("route", route.as_str()), ("status", class)], number)
                })
        });
        encoder.counts(
            "labwatch_http_answers",
            "How often the API answered, by route and kind of status",
            answers,
        )?;
        encoder.counts(
            "labwatch_http_answer_seconds",
            "The time from a request's head to its answer's head, summed up, in seconds",
            routes
                .iter()
                .map(|(route, counted)| ([("route", route.as_str())], counted.spent.as_secs_f64())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_bounded() {
        let counts = HttpCounts::default();
        for n in 0..2 * MAX_ROUTES {
            counts.note(Some(&format!("/r/{n}")), 200, Duration::ZERO);
        }
        let routes = counts.0.lock().expect("no panic before");
        assert_eq!(routes.len(), MAX_ROUTES + 1);
        assert_eq!(
            routes.get(OTHER).map(|answers| answers.by_class[1]),
            Some(MAX_ROUTES as u64)
        );
    }
}
