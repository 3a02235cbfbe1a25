//! Active checks: each probe is a task of its own, with a period, a time limit and a bound on
//! attempts, so one that hangs or panics does not affect the others. What is checked is not known
//! here.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::locked;
use super::registry::{RegisterError, Registry, Reporter};
use super::state::{Finding, State};

/// How much a period varies, so that probes that began together drift apart: a tenth.
const JITTER_PARTS: u32 = 10;

/// The most requests for an immediate check that may wait for a probe.
const ASKED_QUEUE: usize = 4;

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// The state of the component was determined.
    Found(Finding),
    /// The component could not be reached, which may change soon. Holds the error.
    Failed(String),
    /// The component could not be reached because of a fault on this side, so its state is unknown.
    /// Holds the error.
    Hindered(String),
}

/// Checks something once. It need not bound its own time.
pub type Check = Box<dyn Fn() -> BoxFuture<'static, Attempt> + Send + Sync>;

/// When and how often to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the end of a check to the start of the next.
    pub period: Duration,
    /// The longest that one attempt may take.
    pub timeout: Duration,
    /// How many more attempts follow one that failed.
    pub retries: u32,
    /// The wait before each of them.
    pub cooldown: Duration,
}

impl Pace {
    /// After this long without a report, the probe itself has failed.
    pub fn stale_after(&self) -> Duration {
        let attempts = self
            .timeout
            .saturating_mul(self.retries + 1)
            .saturating_add(self.cooldown.saturating_mul(self.retries));
        self.period.saturating_add(attempts).saturating_mul(2)
    }
}

/// All probes, before they run.
#[derive(Default)]
pub struct Probes {
    probes: Vec<Probe>,
    asker: Asker,
}

/// Signals that a check is done.
type Asked = oneshot::Sender<()>;

struct Probe {
    reporter: Reporter,
    pace: Pace,
    check: Check,
    asked: mpsc::Receiver<Asked>,
}

/// Makes every probe check at once. Clones share the same probes.
#[derive(Debug, Clone, Default)]
pub struct Asker(Arc<Mutex<BTreeMap<Arc<str>, mpsc::Sender<Asked>>>>);

impl Probes {
    /// Adds a component that is probed.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn add(
        &mut self,
        registry: &Registry,
        name: &str,
        categories: &[String],
        pace: Pace,
        check: Check,
    ) -> Result<(), RegisterError> {
        let probe = Probe::new(registry, &self.asker, name, categories, pace, check)?;
        self.probes.push(probe);
        Ok(())
    }

    /// A handle that makes all of them check at once, and those that are started later as well.
    pub fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// Checks until `stop`; each probe checks for the first time at once.
    pub async fn run(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        for probe in self.probes {
            tasks.spawn(probe.run());
        }
        stop.cancelled().await;
        tasks.shutdown().await;
    }
}

/// Probes that are started and stopped while others run.
pub struct LiveProbes {
    registry: Registry,
    asker: Asker,
    running: BTreeMap<String, AbortHandle>,
    tasks: JoinSet<()>,
}

impl LiveProbes {
    /// Without probes yet; `asker` reaches those that are started.
    pub fn new(registry: Registry, asker: Asker) -> Self {
        Self {
            registry,
            asker,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Adds a component and checks it from now on.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn start(
        &mut self,
        name: &str,
        categories: &[String],
        pace: Pace,
        check: Check,
    ) -> Result<(), RegisterError> {
        let probe = Probe::new(&self.registry, &self.asker, name, categories, pace, check)?;
        let task = self.tasks.spawn(probe.run());
        self.running.insert(name.to_owned(), task);
        Ok(())
    }

    /// Restarts the probe of a known component at another pace. Until its next check its state
    /// stays.
    pub fn start_again(&mut self, name: &str, pace: Pace, check: Check) {
        let Some(reporter) = self.registry.take_over(name, Some(pace.stale_after())) else {
            return;
        };
        let task = self
            .tasks
            .spawn(Probe::reporting(reporter, &self.asker, pace, check).run());
        if let Some(before) = self.running.insert(name.to_owned(), task) {
            before.abort();
        }
    }

    /// Ends a probe and removes its component.
    pub fn stop(&mut self, name: &str) {
        if let Some(task) = self.running.remove(name) {
            task.abort();
            self.asker.forget(name);
            self.registry.remove(name);
        }
        while self.tasks.try_join_next().is_some() {}
    }
}

impl Asker {
    /// Makes every probe check now, and waits for all of them, but at most for `within`.
    pub async fn ask_all(&self, within: Duration) {
        let waiting: Vec<_> = self
            .probes()
            .values()
            .filter_map(|probe| {
                let (asked, done) = oneshot::channel();
                probe.try_send(asked).is_ok().then_some(done)
            })
            .collect();
        // A probe that ended or took too long shows as stale; it is not waited for here.
        let _ = timeout(within, futures_util::future::join_all(waiting)).await;
    }

    fn forget(&self, name: &str) {
        self.probes().remove(name);
    }

    fn probes(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, mpsc::Sender<Asked>>> {
        locked(&self.0)
    }
}

impl Probe {
    fn new(
        registry: &Registry,
        asker: &Asker,
        name: &str,
        categories: &[String],
        pace: Pace,
        check: Check,
    ) -> Result<Self, RegisterError> {
        let reporter = registry.register(name, Some(pace.stale_after()), categories)?;
        Ok(Self::reporting(reporter, asker, pace, check))
    }

    fn reporting(reporter: Reporter, asker: &Asker, pace: Pace, check: Check) -> Self {
        let (to_probe, requests) = mpsc::channel(ASKED_QUEUE);
        asker.probes().insert(Arc::from(reporter.name()), to_probe);
        Self {
            reporter,
            pace,
            check,
            asked: requests,
        }
    }

    async fn run(mut self) {
        let mut waiting: Vec<Asked> = Vec::new();
        loop {
            let finding = self.find_out().await;
            self.reporter.report(finding);
            for asked in waiting.drain(..) {
                let _ = asked.send(()); // the caller may have given up
            }
            tokio::select! {
                () = sleep(jittered(self.pace.period, fastrand::f64())) => {}
                Some(asked) = self.asked.recv() => waiting.push(asked),
            }
            while let Ok(asked) = self.asked.try_recv() {
                waiting.push(asked);
            }
        }
    }

    /// Attempts until there is a result, or the retries are used up.
    async fn find_out(&self) -> Finding {
        let mut left = self.pace.retries;
        loop {
            let failed = match self.attempt().await {
                Attempt::Found(finding) => return finding,
                Attempt::Failed(why) => Finding::error(why),
                Attempt::Hindered(why) => Finding::new(State::Stale, why),
            };
            if left == 0 {
                return failed;
            }
            left -= 1;
            sleep(self.pace.cooldown).await;
        }
    }

    /// One attempt. A timeout counts as a failure, a panic as an error.
    async fn attempt(&self) -> Attempt {
        // The closure itself may panic before it returns a future, so it is called inside.
        let guarded = AssertUnwindSafe(async { (self.check)().await }).catch_unwind();
        match timeout(self.pace.timeout, guarded).await {
            Ok(Ok(attempt)) => attempt,
            Ok(Err(_)) => {
                Attempt::Found(Finding::error("the check itself broke; the log says where"))
            }
            Err(_) => Attempt::Failed(format!(
                "no answer within {}",
                engine::model::format_duration(self.pace.timeout)
            )),
        }
    }
}

/// The period, or up to a tenth less: it is the longest time between two checks. `chance` is from 0
/// to 1.
fn jittered(period: Duration, chance: f64) -> Duration {
    let most = period / JITTER_PARTS;
    period.saturating_sub(most.mul_f64(chance.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::testing::Hands;
    use super::*;

    const QUICK: Pace = Pace {
        period: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        retries: 2,
        cooldown: Duration::from_secs(5),
    };

    fn states(registry: &Registry) -> Vec<(String, State, String)> {
        registry
            .components()
            .iter()
            .map(|one| (one.name.to_string(), one.state(), one.detail().to_owned()))
            .collect()
    }

    fn always(attempt: Attempt) -> Check {
        Box::new(move || {
            let attempt = attempt.clone();
            Box::pin(async move { attempt })
        })
    }

    /// A probe that hangs or panics becomes error by timeout, and the others continue.
    #[tokio::test(start_paused = true)]
    async fn trap_03_a_probe_that_hangs_or_panics_harms_no_other() {
        let registry = Registry::new(Hands::default().clock());
        let mut probes = Probes::default();
        let once = Pace {
            retries: 0,
            ..QUICK
        };
        probes
            .add(
                &registry,
                "hangs",
                &[],
                once,
                Box::new(|| Box::pin(std::future::pending())),
            )
            .expect("free");
        probes
            .add(
                &registry,
                "panics",
                &[],
                once,
                Box::new(|| panic!("before it begins")),
            )
            .expect("free");
        probes
            .add(
                &registry,
                "panics-late",
                &[],
                once,
                Box::new(|| Box::pin(async { panic!("on its way") })),
            )
            .expect("free");
        probes
            .add(
                &registry,
                "works",
                &[],
                once,
                always(Attempt::Found(Finding::ok())),
            )
            .expect("free");
        let mut running = JoinSet::new();
        let stop = CancellationToken::new();
        running.spawn(probes.run(stop.clone()));
        sleep(Duration::from_millis(1)).await;
        let broke = || "the check itself broke; the log says where".to_owned();
        assert_eq!(
            states(&registry),
            [
                ("hangs".into(), State::Init, "starting".into()),
                ("panics".into(), State::Error, broke()),
                ("panics-late".into(), State::Error, broke()),
                ("works".into(), State::Ok, String::new()),
            ],
            "the first check is at once"
        );
        sleep(Duration::from_secs(5)).await;
        assert_eq!(
            states(&registry)[0],
            ("hangs".into(), State::Error, "no answer within 5s".into())
        );
        stop.cancel();
        running.join_next().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_network_fails_is_tried_again_and_not_for_ever() {
        for (fails, expect, attempts) in [(2, State::Ok, 3), (3, State::Error, 3)] {
            let registry = Registry::new(Hands::default().clock());
            let mut probes = Probes::default();
            let count = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&count);
            let check: Check = Box::new(move || {
                let n = counted.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move {
                    if n < fails {
                        Attempt::Failed("refused".into())
                    } else {
                        Attempt::Found(Finding::ok())
                    }
                })
            });
            probes
                .add(&registry, "web", &[], QUICK, check)
                .expect("free");
            let mut running = JoinSet::new();
            running.spawn(probes.run(CancellationToken::new()));
            sleep(Duration::from_secs(30)).await;
            assert_eq!(
                (states(&registry)[0].1, count.load(Ordering::Relaxed)),
                (expect, attempts)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_is_asked_for_is_at_once() {
        let registry = Registry::new(Hands::default().clock());
        let mut probes = Probes::default();
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let check: Check = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Attempt::Found(Finding::ok()) })
        });
        probes
            .add(&registry, "web", &[], QUICK, check)
            .expect("free");
        probes
            .add(
                &registry,
                "hangs",
                &[],
                QUICK,
                Box::new(|| Box::pin(std::future::pending())),
            )
            .expect("free");
        let asker = probes.asker();
        let mut running = JoinSet::new();
        running.spawn(probes.run(CancellationToken::new()));
        sleep(Duration::from_secs(1)).await;
        asker.ask_all(Duration::from_secs(3)).await;
        assert_eq!(
            count.load(Ordering::Relaxed),
            2,
            "and the one that hangs is not waited for"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_comes_and_goes_while_others_run() {
        let registry = Registry::new(Hands::default().clock());
        let probes = Probes::default();
        let mut live = LiveProbes::new(registry.clone(), probes.asker());
        let ok = || always(Attempt::Found(Finding::ok()));
        live.start("web", &[], QUICK, ok()).expect("free");
        assert!(
            live.start("web", &[], QUICK, ok()).is_err(),
            "one of a name"
        );
        probes.asker().ask_all(Duration::from_secs(3)).await;
        assert_eq!(
            states(&registry),
            [("web".into(), State::Ok, String::new())]
        );
        live.stop("web");
        assert!(states(&registry).is_empty());
        let fails = always(Attempt::Found(Finding::error("gone")));
        live.start("web", &[], QUICK, fails).expect("free again");
        sleep(Duration::from_millis(1)).await;
        assert_eq!(states(&registry)[0].1, State::Error);
    }

    #[tokio::test(start_paused = true)]
    async fn another_pace_keeps_what_is_known() {
        let hands = Hands::default();
        let registry = Registry::new(hands.clock());
        let mut live = LiveProbes::new(registry.clone(), Asker::default());
        let waits = || -> Check { Box::new(|| Box::pin(std::future::pending())) };
        let fails = always(Attempt::Found(Finding::error("gone")));
        live.start("web", &[], QUICK, fails).expect("free");
        sleep(Duration::from_millis(1)).await;
        let was = states(&registry);
        assert_eq!(was[0].1, State::Error);
        let quicker = Pace {
            period: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            retries: 0,
            ..QUICK
        };
        hands.pass(QUICK.stale_after().as_secs());
        live.start_again("web", quicker, waits());
        assert_eq!(states(&registry), was, "it counts as long as it was to");
        assert_eq!(registry.results("web").map(|all| all.len()), Some(1));
        sleep(quicker.timeout * 2).await;
        assert_eq!(states(&registry)[0].2, "no answer within 1s");
        hands.pass(quicker.stale_after().as_secs() + 1);
        assert_eq!(states(&registry)[0].1, State::Stale, "the new limit holds");
    }

    #[test]
    fn jitter_is_a_tenth_and_a_dead_probe_is_noticed() {
        let minute = Duration::from_secs(60);
        for (chance, seconds) in [(0.0, 60), (0.5, 57), (1.0, 54)] {
            assert_eq!(jittered(minute, chance).as_secs(), seconds);
        }
        assert_eq!(QUICK.stale_after().as_secs(), 2 * (60 + 3 * 5 + 2 * 5));
    }
}
