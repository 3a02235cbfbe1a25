//! The components of a program that embeds labwatch, before its health is served.

use std::time::Duration;

use super::probe::{Check, Pace, Probes};
use super::registry::{RegisterError, Registry, Reporter};

/// Components to which a program adds its own: those that it reports itself, and those that are
/// probed.
///
/// ```
/// use labwatch::health::{Attempt, Components, Finding, Pace, State};
/// use std::time::Duration;
///
/// let mut components = Components::default();
/// // push: the program says itself how the component is
/// let queue = components.push("queue", None, &[])?;
/// queue.report(Finding::new(State::Warn, "80 % full"));
/// // pull: the component is checked again and again
/// let pace = Pace {
///     period: Duration::from_secs(30),
///     timeout: Duration::from_secs(5),
///     retries: 2,
///     cooldown: Duration::from_secs(1),
/// };
/// components.probe("disk", &[], pace, Box::new(|| Box::pin(async { Attempt::Found(Finding::ok()) })))?;
/// assert_eq!(components.registry().components().len(), 2);
/// # Ok::<(), labwatch::health::RegisterError>(())
/// ```
pub struct Components {
    registry: Registry,
    probes: Probes,
}

impl Default for Components {
    fn default() -> Self {
        Self {
            registry: Registry::on_system_clock(),
            probes: Probes::default(),
        }
    }
}

impl Components {
    /// Adds a component that the program reports itself. See [`Registry::register`] for the
    /// parameters.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn push(
        &self,
        name: &str,
        stale_after: Option<Duration>,
        categories: &[String],
    ) -> Result<Reporter, RegisterError> {
        self.registry.register(name, stale_after, categories)
    }

    /// Adds a component that is checked at this pace, for the first time as soon as the probes run.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn probe(
        &mut self,
        name: &str,
        categories: &[String],
        pace: Pace,
        check: Check,
    ) -> Result<(), RegisterError> {
        self.probes
            .add(&self.registry, name, categories, pace, check)
    }

    /// All components, with their latest results.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Both parts: the components, and the probes, which check nothing before [`Probes::run`].
    pub fn into_parts(self) -> (Registry, Probes) {
        (self.registry, self.probes)
    }
}
