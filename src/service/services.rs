//! Outside services at runtime: registered as configured, and updated at a reload.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::component_history::Remembered;
use super::config_watch::ConfigWatch;
use super::error::HealthError;
use crate::clients::Http;
use crate::config::{Config, ServiceSettings};
use crate::health::{
    Asker, Check, LiveProbes, Pace, PassiveChecks, Registry, attempt, categories_of, pace,
};
use engine::model::CallError;
use engine::model::Gather as _;

/// The longest answer of an outside service that is read, in bytes.
const MAX_DOCUMENT_BYTES: usize = 256 << 10;

/// The registered outside services.
pub(super) struct Services {
    registry: Registry,
    probes: LiveProbes,
    passive: Arc<PassiveChecks>,
    tls: rustls::ClientConfig,
    known: BTreeMap<String, Known>,
    remembered: Remembered,
}

/// A registered service. One whose configuration differs is removed and registered again.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    settings: ServiceSettings,
    pace: Pace,
}

impl Known {
    fn new(settings: &ServiceSettings, config: &Config) -> Self {
        // How long a service's own report is valid does not matter to polling.
        let categories = settings
            .url
            .as_ref()
            .map_or(&[][..], |_| &config.categories);
        Self {
            pace: pace(settings, categories),
            settings: settings.clone(),
        }
    }
}

impl Services {
    /// No services yet. `remembered` are the results from before the start.
    pub(super) fn new(
        registry: Registry,
        asker: Asker,
        passive: Arc<PassiveChecks>,
        tls: rustls::ClientConfig,
        remembered: Remembered,
    ) -> Self {
        Self {
            probes: LiveProbes::new(registry.clone(), asker),
            registry,
            passive,
            tls,
            known: BTreeMap::new(),
            remembered,
        }
    }

    /// Registers what the configuration names, removes what it does not name any more, and leaves
    /// unchanged services alone.
    ///
    /// # Errors
    /// The first [`HealthError`] of those that cannot be registered; all others are.
    pub(super) fn adopt(&mut self, config: &Config) -> Result<(), HealthError> {
        let wanted: BTreeMap<&str, Known> = config
            .services
            .iter()
            .map(|settings| (settings.name.as_str(), Known::new(settings, config)))
            .gather();
        let gone: Vec<String> = self
            .known
            .iter()
            .filter(|(name, known)| wanted.get(name.as_str()) != Some(*known))
            .map(|(name, _)| name.clone())
            .collect();
        let mut outcome = Ok(());
        for name in &gone {
            let now = wanted.get(name.as_str());
            match now.filter(|now| self.is_other_pace_alone(name, now)) {
                Some(now) => outcome = outcome.and(self.pace_anew(name, now.clone())),
                None => self.let_go(name),
            }
        }
        for (name, known) in wanted {
            if !self.known.contains_key(name) {
                outcome = outcome.and(self.take_in(name, known));
            }
        }
        outcome
    }

    /// Follows the configuration until `stop`.
    pub(super) async fn follow(mut self, mut config: ConfigWatch, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = config.changed() => if changed.is_err() {
                    return stop.cancelled().await; // it is never read anew, and the probes go on
                }
            }
            let now = Arc::clone(&config.borrow_and_update());
            if let Err(error) = self.adopt(&now) {
                tracing::error!(%error, "cannot register a service");
            }
        }
    }

    /// Whether only the interval of a service has changed.
    fn is_other_pace_alone(&self, name: &str, now: &Known) -> bool {
        let what = |known: &Known| {
            let settings = known.settings.clone();
            (settings.url, settings.expect, settings.categories)
        };
        self.known
            .get(name)
            .is_some_and(|known| what(known) == what(now))
    }

    /// Applies a new interval. Until the next answer or report the service keeps its state.
    fn pace_anew(&mut self, name: &str, known: Known) -> Result<(), HealthError> {
        let Known { settings, pace } = &known;
        match &settings.url {
            Some(url) => {
                let check = check(settings, url, &self.tls)?;
                self.probes.start_again(name, *pace, check);
            }
            None => self.passive.repace(&self.registry, name, settings.period),
        }
        self.known.insert(name.to_owned(), known);
        Ok(())
    }

    fn take_in(&mut self, name: &str, known: Known) -> Result<(), HealthError> {
        let Known { settings, pace } = &known;
        let categories = categories_of(settings);
        match &settings.url {
            Some(url) => {
                let check = check(settings, url, &self.tls)?;
                self.probes.start(name, &categories, *pace, check)?;
                self.passive.is_asked(name);
            }
            None => self
                .passive
                .add(&self.registry, name, &categories, settings.period)?,
        }
        if let Some(results) = self.remembered.remove(name) {
            self.registry.remember(name, results);
        }
        self.known.insert(name.to_owned(), known);
        Ok(())
    }

    fn let_go(&mut self, name: &str) {
        if let Some(results) = self.registry.results(name) {
            self.remembered.insert(name.to_owned(), (*results).clone());
        }
        self.probes.stop(name);
        self.passive.remove(&self.registry, name);
        self.known.remove(name);
    }
}

fn check(
    service: &ServiceSettings,
    url: &Url,
    tls: &rustls::ClientConfig,
) -> Result<Check, CallError> {
    let http = Http::new(service.timeout, tls.clone())?;
    let (url, expect) = (url.clone(), service.expect);
    Ok(Box::new(move || {
        let (http, url) = (http.clone(), url.clone());
        Box::pin(async move {
            let by_proxy = http.is_answered_by_proxy(&url);
            let answer = http.look(url, None, MAX_DOCUMENT_BYTES).await;
            attempt(expect, by_proxy, answer)
        })
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Sources, load_rules};
    use crate::health::{Finding, PastResult, Probes, State};

    fn config(file: &str) -> Config {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labwatch.toml");
        std::fs::write(&path, file).expect("writes");
        let sources = Sources {
            file: Some(path),
            ..Sources::default()
        };
        load_rules(&sources).expect("right").config
    }

    fn services() -> (Registry, Arc<PassiveChecks>, Services) {
        let registry = Registry::on_system_clock();
        let passive = Arc::new(PassiveChecks::knowing(&["book"]));
        let remembered = [(
            "wiki".to_owned(),
            [PastResult {
                at: jiff::Timestamp::UNIX_EPOCH,
                state: State::Error,
                detail: "gone".to_owned(),
            }]
            .into(),
        )];
        let services = Services::new(
            registry.clone(),
            Probes::default().asker(),
            Arc::clone(&passive),
            crate::clients::client_config(false).expect("a client"),
            remembered.into(),
        );
        (registry, passive, services)
    }

    fn names(registry: &Registry) -> Vec<String> {
        let all = registry.components();
        all.iter().map(|one| one.name.to_string()).collect()
    }

    #[tokio::test]
    async fn a_reload_takes_services_in_and_lets_them_go() {
        let (registry, passive, mut services) = services();
        let one = "[[service]]\nname = \"wiki\"\n";
        services.adopt(&config(one)).expect("is taken in");
        assert_eq!(names(&registry), ["wiki"]);
        let results = registry.results("wiki").expect("is known");
        assert_eq!(results.len(), 1, "what was before the start is remembered");
        passive
            .report("wiki", Finding::error("the disk is full"))
            .expect("reports by itself");

        let two = "[[service]]\nname = \"wiki\"\n[[service]]\nname = \"late\"\nurl = \"http://127.0.0.1:9/\"\n";
        services.adopt(&config(two)).expect("is taken in");
        assert_eq!(names(&registry), ["late", "wiki"]);
        let state = |name: &str| {
            let all = registry.components();
            let one = all.iter().find(|one| &*one.name == name);
            one.map(crate::health::Component::state)
        };
        assert_eq!(state("wiki"), Some(State::Error), "it is left as it was");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(
            passive.report("late", Finding::ok()).is_err(),
            "it is probed"
        );

        let other = "[[service]]\nname = \"wiki\"\nperiod = \"2m\"\n";
        services.adopt(&config(other)).expect("is taken in");
        assert_eq!(names(&registry), ["wiki"]);
        assert_eq!(state("wiki"), Some(State::Error), "it is left as it was");
        let taken = passive.report("wiki", Finding::error("the disk is full"));
        let fresh = taken.map(|taken| (taken.changed, taken.fresh.as_secs()));
        assert_eq!(fresh, Ok((false, 120)));

        let other = "[[service]]\nname = \"wiki\"\ncategories = [\"default\"]\nurl = \"http://127.0.0.1:9/\"\n";
        services.adopt(&config(other)).expect("is taken in");
        assert_eq!(state("wiki"), Some(State::Init), "it is taken in anew");
        assert_eq!(registry.results("wiki").map(|all| all.len()), Some(2));
        services.adopt(&config("")).expect("is let go");
        assert!(names(&registry).is_empty());
        assert!(passive.report("wiki", Finding::ok()).is_err());
    }

    #[tokio::test]
    async fn another_pace_leaves_a_service_as_it_was_found() {
        let (registry, passive, mut services) = services();
        let both = "[[service]]\nname = \"door\"\nurl = \"http://127.0.0.1:9/\"\nretries = 0\n[[service]]\nname = \"wiki\"\n";
        let states = || {
            let all = registry.components();
            all.iter()
                .map(crate::health::Component::state)
                .collect::<Vec<_>>()
        };
        services.adopt(&config(both)).expect("is taken in");
        passive
            .report("wiki", Finding::ok())
            .expect("reports by itself");
        while states() != [State::Error, State::Ok] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = services.known.clone();
        let quicker = format!("{both}[[category]]\nname = \"default\"\nperiod = \"7s\"\n");
        services.adopt(&config(&quicker)).expect("is taken in");
        assert_eq!(states(), [State::Error, State::Ok], "neither begins anew");
        let paces = |known: &BTreeMap<String, Known>| known["door"].pace.period.as_secs();
        assert_eq!([paces(&before), paces(&services.known)], [30, 7]);
        assert_eq!(before["wiki"], services.known["wiki"]);
    }
}
