//! What a program around labwatch adds to its health.

use tokio_util::sync::CancellationToken;

use super::health::HealthError;
use super::{ServiceError, ServiceOptions, serve, stop_on_signals};
use crate::config::Config;
use crate::health::dialects::{Contributor, ENDPOINTS, Endpoint, LOGGER};
use crate::health::{Components, HealthState, Identity};

/// The members of `/actuator/info` that labwatch makes itself.
const MEMBERS: [&str; 5] = ["app", "git", "lab", "services", "config"];

/// What a program adds to the health of a labwatch that runs inside of it.
#[derive(Default)]
pub struct Extensions {
    /// Components, which count as labwatch's own do.
    pub components: Components,
    /// Members of `/actuator/info`.
    pub contributors: Vec<Contributor>,
    /// Endpoints of the actuator, each at `/actuator/NAME`.
    pub endpoints: Vec<Endpoint>,
    /// Is called once, before anything runs, with the health of the whole: by it the program asks for the global status or that of one
    /// component, waits until all is ready, or follows changes.
    pub health: Option<Observer>,
    /// What the health documents say runs here; `None`: this labwatch. The header `Server`, by which another instance is recognised, always
    /// says labwatch and its version.
    pub identity: Option<Identity>,
}

/// Takes the health of a labwatch that runs inside of a program.
pub type Observer = Box<dyn FnOnce(HealthState) + Send>;

impl Extensions {
    /// # Errors
    /// [`HealthError::Extension`]: a name is one of labwatch's own, is there twice, or is not one part of a path.
    pub(super) fn check(&self) -> Result<(), HealthError> {
        let members = self.contributors.iter().map(|(name, _)| *name);
        check_names("contributor", members, &MEMBERS)?;
        let mut taken: Vec<&str> = ENDPOINTS.into_iter().chain([LOGGER, "health"]).collect();
        taken.dedup();
        let endpoints = self.endpoints.iter().map(|endpoint| endpoint.name.as_str());
        check_names("endpoint", endpoints, &taken)
    }
}

/// Runs the service inside of a program, with what that adds to its health, until SIGTERM or SIGINT. [`serve`] with
/// [`ServiceOptions::extensions`](super::ServiceOptions) does the same until it is told to stop.
///
/// # Errors
/// [`ServiceError`] when it cannot start, or when one of its parts ends by itself.
///
/// ```no_run
/// use labwatch::config::{Sources, load_without_laboratory};
/// use labwatch::health::{Finding, Identity, dialects::Endpoint};
/// use labwatch::service::{Extensions, serve_with};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = load_without_laboratory(&Sources::default())?.config;
/// let mut extensions = Extensions::default();
/// extensions.identity = Some(Identity::of_program("robot-fleet", "1.2.3", jiff::Timestamp::now()));
/// let queue = extensions.components.push("queue", None, &[])?;
/// queue.report(Finding::ok());
/// extensions.contributors.push(("fleet", Box::new(|_| Ok(serde_json::json!({ "robots": 7 })))));
/// extensions.endpoints.push(Endpoint {
///     name: "motd".to_owned(),
///     answer: Arc::new(|_| Ok(serde_json::json!({ "motd": "hello" }))),
/// });
/// extensions.health = Some(Box::new(|health| {
///     tokio::spawn(async move {
///         match health.wait_until_ready(Duration::from_secs(60)).await {
///             Ok(()) => println!("ready"),
///             Err(missing) => println!("not ready: {}", missing.join(", ")),
///         }
///     });
/// }));
/// serve_with(config, extensions).await?; // http://127.0.0.1:3007/actuator/motd, /readiness, /status/queue
/// # Ok(())
/// # }
/// ```
pub async fn serve_with(config: Config, extensions: Extensions) -> Result<(), ServiceError> {
    let stop = CancellationToken::new();
    let _signals = stop_on_signals(&stop).map_err(ServiceError::Runtime)?;
    let options = ServiceOptions {
        extensions,
        ..ServiceOptions::default()
    };
    serve(config, stop, options).await
}

fn check_names<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a str>,
    taken: &[&str],
) -> Result<(), HealthError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let mut seen: Vec<&str> = taken.to_vec();
    for name in names {
        if name.is_empty() || !name.bytes().all(fits) || seen.contains(&name) {
            return Err(HealthError::Extension {
                kind,
                name: name.to_owned(),
            });
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn names_are_free_and_fit_into_a_path() {
        let endpoint = |name: &str| Endpoint {
            name: name.to_owned(),
            answer: Arc::new(|_| Ok(serde_json::Value::Null)),
        };
        for (names, is_right) in [
            (&["motd"][..], true),
            (&["motd", "queue"], true),
            (&["motd", "motd"], false),
            (&["info"], false),
            (&["logger"], false),
            (&["a/b"], false),
            (&[""], false),
        ] {
            let extensions = Extensions {
                endpoints: names.iter().map(|name| endpoint(name)).collect(),
                ..Extensions::default()
            };
            assert_eq!(extensions.check().is_ok(), is_right, "{names:?}");
        }
        let contributors: Vec<Contributor> = vec![("git", Box::new(|_| Ok(1.into())))];
        let taken = Extensions {
            contributors,
            ..Extensions::default()
        };
        assert_eq!(
            taken.check().err().map(|error| error.to_string()),
            Some("the contributor \"git\" cannot be added: give it a name that is not taken, of letters, digits, dots, underscores and dashes".to_owned())
        );
    }
}
