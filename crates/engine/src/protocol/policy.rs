//! The parameters of the evaluation. The configuration makes them; the engine only reads them.

use std::time::Duration;

use crate::experiments::flapping::FlapRule;
use crate::experiments::hysteresis::HysteresisTimes;

/// Thresholds and bounds of the evaluation. Settings are named without their `STATUS_` prefix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Whether there is a laboratory to watch. Without one nothing is waited for and sources have
    /// no alerts.
    pub laboratory: bool,
    /// `HEALTH_LAST_ACTIVE`: a stream that has not transmitted for longer than this is silent.
    pub last_active: Duration,
    /// `HEALTH_LAST_CHECKED`: what has not been in a report for this long is missing.
    pub last_checked: Duration,
    /// `HEALTH_STARTUP`: how long after its first sight an experiment is not evaluated.
    pub startup: Duration,
    /// `HEALTH_SETTLE`: how long after a source's restart or return absence counts for nothing.
    pub settle: Duration,
    /// `HEALTH_OUTAGE_HOLD`: how long relay may report nothing before experiments count as down.
    pub outage_hold: Duration,
    /// `HEALTH_HOLD_DOWN` and `HEALTH_HOLD_UP`: how long a change must last before it counts.
    pub hold: HysteresisTimes,
    /// `HEALTH_FLAP_WINDOW`, `HEALTH_FLAP_HIGH` and `HEALTH_FLAP_LOW`: when changes between usable
    /// and down are too many.
    pub flap: FlapRule,
    /// `HEALTH_EVENTS`: how many events are kept per experiment, at least 1.
    pub events: usize,
    /// `ASK_EVERY`: when a source has reported nothing for this long, it is asked. `None`: never
    /// ask.
    pub ask: Option<Asking>,
    /// `SAMPLE`: whether streams are sampled.
    pub sample: Sampling,
    /// `SAMPLE_AT_ONCE`: how many streams are sampled at the same time, at least 1.
    pub sample_at_once: usize,
    /// `SAMPLE_FOR`: how long a stream is sampled at most.
    pub sample_for: Duration,
    /// `UI_CHECK_EVERY`: how often the pages that students open are checked. `None`: never.
    pub ui_check_every: Option<Duration>,
    /// `UI_CHECK=required`: an experiment of which no page works is unusable.
    pub ui_required: bool,
    /// `QUERY_BOOK_EVERY`: how often book is polled, for evaluating how old its last answer may
    /// be.
    pub query_book_every: Duration,
}

/// When a source is asked for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// As often as the rules of the policy need.
    Auto,
    /// When nothing came for this long.
    Every(Duration),
}

/// When streams are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// When relay's reports carry no statistics.
    Auto,
    /// Always, beside the statistics.
    Always,
    /// Never: without statistics, connected counts as active.
    Never,
}

impl Default for Policy {
    /// The documented defaults.
    fn default() -> Self {
        Self {
            laboratory: true,
            last_active: Duration::from_secs(10),
            last_checked: Duration::from_secs(10),
            startup: Duration::from_secs(60),
            settle: Duration::from_secs(30),
            outage_hold: Duration::from_secs(15 * 60),
            hold: HysteresisTimes::default(),
            flap: FlapRule::default(),
            events: 100,
            ask: Some(Asking::Auto),
            sample: Sampling::Auto,
            sample_at_once: 8,
            sample_for: Duration::from_secs(2),
            ui_check_every: Some(Duration::from_secs(5 * 60)),
            ui_required: false,
            query_book_every: Duration::from_secs(15 * 60),
        }
    }
}
