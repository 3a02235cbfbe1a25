//! Shared handle of the service's own health: components report here, readers take snapshots.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::acknowledgements::Acks;
use super::locked;
use super::passive_checks::{self, NotTaken, SELF_TEST_FRESH, SelfTest, SelfTests, Taken};
use super::registry::{Clock, RegisterError, Registry, Reporter, no_report_for};
use super::settings::{Identity, Settings};
use super::snapshot::{HealthSnapshot, SELF, STARTUP};
use super::sources;
use super::state::{Component, Finding, State};
use engine::Snapshot;
use engine::model::{Moment, SourceHealth};

/// The loop turns at least every 5 s; after this long without a turn it counts as hung.
pub const LOOP_WITHIN: Duration = Duration::from_secs(15);

/// Stands for a loop that has not turned yet.
const NEVER: u64 = u64::MAX;

/// The health of the service. Clones share it.
#[derive(Clone)]
pub struct HealthState(Arc<Inner>);

struct Inner {
    label: String,
    settings: Mutex<Arc<Settings>>,
    identity: Arc<Identity>,
    clock: Clock,
    registry: Registry,
    startup: Reporter,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Whether a loop is watched.
    has_loop: bool,
    /// The monotonic time of the loop's last turn in milliseconds, or [`NEVER`].
    turned: AtomicU64,
    begun: Moment,
    life: Mutex<Life>,
    /// The acknowledgements of the snapshot of this version.
    acks: Mutex<(u64, Arc<Acks>)>,
    self_tests: Mutex<Arc<SelfTests>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Starting,
    Running,
    Stopping,
}

impl HealthState {
    /// The health of a service whose loop is watched, with the components of `registry`.
    ///
    /// # Errors
    /// [`RegisterError`] when `registry` knows `runtime_startup` already.
    pub fn new(
        settings: Settings,
        identity: Identity,
        clock: Clock,
        registry: Registry,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Result<Self, RegisterError> {
        Self::made(settings, identity, clock, registry, snapshots, true)
    }

    /// The health of a program that watches no laboratory: its own components alone. It is ready
    /// once each has reported that it is well; there is no loop to wait for.
    ///
    /// # Errors
    /// [`RegisterError`] when `registry` knows `runtime_startup` already.
    pub fn standalone(
        settings: Settings,
        identity: Identity,
        registry: Registry,
    ) -> Result<Self, RegisterError> {
        let settings = Settings {
            laboratory: false,
            ..settings
        };
        let clock = registry.clock();
        let (_, snapshots) = watch::channel(Arc::new(Snapshot::empty(identity.started)));
        let health = Self::made(settings, identity, clock, registry, snapshots, false)?;
        *locked(&health.0.life) = Life::Running;
        health.0.startup.report(Finding::ok());
        Ok(health)
    }

    fn made(
        settings: Settings,
        identity: Identity,
        clock: Clock,
        registry: Registry,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        has_loop: bool,
    ) -> Result<Self, RegisterError> {
        let startup = registry.register(STARTUP, None, &[])?;
        let begun = clock();
        Ok(Self(Arc::new(Inner {
            label: settings.label.clone(),
            settings: Mutex::new(Arc::new(settings)),
            identity: Arc::new(identity),
            clock,
            registry,
            startup,
            snapshots,
            has_loop,
            turned: AtomicU64::new(NEVER),
            begun,
            life: Mutex::new(Life::Starting),
            acks: Mutex::default(),
            self_tests: Mutex::default(),
        })))
    }

    /// All reports since the last call, of each component. See [`Registry::take_checks`].
    pub fn take_checks(&self) -> BTreeMap<Arc<str>, VecDeque<(Timestamp, bool)>> {
        self.0.registry.take_checks()
    }

    /// The name of the installation.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// Replaces the settings. The name of the installation stays.
    pub fn adopt(&self, settings: Settings) {
        *locked(&self.0.settings) = Arc::new(settings);
    }

    /// Notes that the loop has turned. Cheap: one atomic store.
    pub fn turned(&self) {
        let now = (self.0.clock)().mono().as_millis();
        self.0
            .turned
            .store(u64::try_from(now).unwrap_or(NEVER - 1), Ordering::Relaxed);
    }

    /// The service is about to end: readiness fails, so that no further request is routed here.
    pub fn stopping(&self) {
        let mut life = locked(&self.0.life);
        *life = Life::Stopping;
        self.0.startup.report(Finding::error("shutdown"));
    }

    /// Takes the result of an experiment's self-test.
    ///
    /// # Errors
    /// [`NotTaken::Experiment`]: there is none of this name.
    pub fn tested(&self, experiment: &str, finding: Finding) -> Result<Taken, NotTaken> {
        let snapshot = Arc::clone(&self.0.snapshots.borrow());
        let is_known = |name: &str| snapshot.experiment(name).is_some();
        if !is_known(experiment) {
            return Err(NotTaken::Experiment(experiment.to_owned()));
        }
        let test = SelfTest {
            finding,
            at: (self.0.clock)().wall(),
        };
        let changed =
            passive_checks::take(&mut locked(&self.0.self_tests), experiment, test, is_known);
        Ok(Taken {
            changed,
            fresh: SELF_TEST_FRESH,
        })
    }

    /// Forgets the result of an experiment's self-test.
    pub fn forget_test(&self, experiment: &str) {
        Arc::make_mut(&mut locked(&self.0.self_tests)).remove(experiment);
    }

    /// The state of everything now.
    pub fn snapshot(&self) -> HealthSnapshot {
        let snapshot = Arc::clone(&self.0.snapshots.borrow());
        self.snapshot_of(snapshot)
    }

    /// The state of everything, with this snapshot as the newest.
    pub(super) fn snapshot_of(&self, snapshot: Arc<Snapshot>) -> HealthSnapshot {
        self.note_start(&snapshot);
        let now = (self.0.clock)();
        let mut components = self.0.registry.components();
        let settings = Arc::clone(&locked(&self.0.settings));
        if self.0.has_loop {
            components.push(self.own(now));
        }
        sources::join(&mut components, &snapshot, settings.laboratory, now.wall());
        components.sort_by(|a, b| a.name.cmp(&b.name));
        HealthSnapshot {
            at: now.wall(),
            settings,
            identity: Arc::clone(&self.0.identity),
            components,
            switched: Arc::clone(&snapshot.categories),
            acks: self.acks(&snapshot),
            snapshot,
            self_tests: Arc::clone(&locked(&self.0.self_tests)),
            is_fresh: false,
        }
    }

    /// Whether the loop turns. It is computed for each reader, so that a hanging loop cannot hide
    /// it.
    fn own(&self, now: Moment) -> Component {
        let turned = self.0.turned.load(Ordering::Relaxed);
        let age = now.mono().saturating_sub(Duration::from_millis(turned));
        let last = (turned != NEVER).then(|| now.before(age));
        let (finding, changed) = match last {
            None => (Finding::new(State::Init, "starting"), self.0.begun),
            Some(last) if age > LOOP_WITHIN => {
                let detail = format!("the loop does not turn: {}", no_report_for(age));
                (Finding::new(State::Stale, detail), last + LOOP_WITHIN)
            }
            Some(_) => (Finding::ok(), self.0.begun),
        };
        let last_update = last.map(Moment::wall);
        Component::known(SELF, finding, changed.wall(), last_update)
    }

    /// The acknowledgements of a snapshot, collected once for each version.
    fn acks(&self, snapshot: &Snapshot) -> Arc<Acks> {
        let (version, acks) = &mut *locked(&self.0.acks);
        if *version != snapshot.version {
            (*version, *acks) = (snapshot.version, Arc::new(Acks::of(snapshot)));
        }
        Arc::clone(acks)
    }

    /// The service has started once every source has reported or failed and every experiment is
    /// evaluated, at the latest after the start-up time. It never goes back.
    fn note_start(&self, snapshot: &Snapshot) {
        let mut life = locked(&self.0.life);
        if *life != Life::Starting {
            return;
        }
        let settings = Arc::clone(&locked(&self.0.settings));
        let waited = (self.0.clock)().since(self.0.begun) >= settings.startup;
        let reported = !settings.laboratory
            || snapshot
                .sources
                .iter()
                .all(|source| source.health != SourceHealth::Starting);
        let evaluated = reported && snapshot.counts.unknown == 0;
        if waited || evaluated {
            *life = Life::Running;
            self.0.startup.report(Finding::ok());
        }
    }

    /// Notifies whenever a component comes, goes, or changes its state or detail.
    pub fn component_changes(&self) -> watch::Receiver<u64> {
        self.0.registry.changes()
    }

    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.snapshots.clone()
    }
}
