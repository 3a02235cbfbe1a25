//! Extensions of the health of a labwatch that is embedded in a program.

use super::error::HealthError;
use crate::health::dialects::{Contributor, ENDPOINTS, Endpoint, LOGGER};
use crate::health::{Components, HealthState, Identity, is_path_part};

/// The members of `/actuator/info` that labwatch itself adds.
const MEMBERS: [&str; 5] = ["app", "git", "lab", "services", "config"];

/// Extensions by a program that embeds labwatch.
#[derive(Default)]
pub struct Extensions {
    /// Components, which count as labwatch's own do.
    pub components: Components,
    /// Members of `/actuator/info`.
    pub contributors: Vec<Contributor>,
    /// Endpoints of the actuator, each at `/actuator/NAME`.
    pub endpoints: Vec<Endpoint>,
    /// Called once, before anything runs, with the handle of the whole health: with it the program
    /// reads the global status or that of one component, waits until all is ready, or follows
    /// changes.
    pub health: Option<Observer>,
    /// The program in the health documents; `None`: this labwatch. The header `Server`, by which
    /// another instance is recognised, always names labwatch and its version.
    pub identity: Option<Identity>,
}

/// Receives the health handle of a labwatch that is embedded in a program.
pub type Observer = Box<dyn FnOnce(HealthState) + Send>;

impl Extensions {
    /// # Errors
    /// [`HealthError::Extension`]: a name is one of labwatch's own, occurs twice, or is not one
    /// part of a path.
    pub(super) fn check(&self) -> Result<(), HealthError> {
        let members = self.contributors.iter().map(|(name, _)| *name);
        check_names("contributor", members, &MEMBERS)?;
        let taken: Vec<&str> = ENDPOINTS.into_iter().chain([LOGGER, "health"]).collect();
        let endpoints = self.endpoints.iter().map(|endpoint| endpoint.name.as_str());
        check_names("endpoint", endpoints, &taken)
    }
}

fn check_names<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a str>,
    taken: &[&str],
) -> Result<(), HealthError> {
    let mut seen: Vec<&str> = taken.to_vec();
    for name in names {
        if !is_path_part(name) || seen.contains(&name) {
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
