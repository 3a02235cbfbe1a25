//! The settings of observation and evaluation.

use super::setting::{Kind, Section, settings};
use crate::config::bounds::{days, hours, millis, minutes, seconds};

pub(super) const OBSERVATION: Section = Section {
    title: "Observation",
    settings: settings! {
        /// When labwatch requests reports from relay and jump: auto, when their own interval is too
        /// long for the rules below; off, never; or when no report came for this long.
        ask_every: Kind::WordOrDuration(&["auto", "off"], seconds(1), hours(1)),
            default("auto"), at_once;
        /// Sampling, a short subscription to each stream: auto, when relay's reports carry no
        /// statistics (v0.8 and later); always, beside the statistics; never, and then a stream
        /// that is connected counts as active when there are no statistics.
        sample: Kind::Choice(&["auto", "always", "never"]), default("auto"), at_once;
        /// How many samples are taken at the same time.
        sample_at_once: Kind::Number(1, 64), default("8"), at_once;
        /// The longest time that one sample takes; the first message of the stream ends it.
        sample_for: Kind::Duration(millis(100), minutes(1)), default("2s"), at_once;
        /// How often each page that students open (uis of book's manifest) is checked; off, never.
        /// A page that fails twice in a row makes its experiments degraded.
        ui_check_every: Kind::WordOrDuration(&["off"], seconds(1), days(1)), default("5m"), at_once;
        /// The health of an experiment of which no page works: optional, it is degraded; required,
        /// it is down and withdrawn, where the fault is the pages' own.
        ui_check: Kind::Choice(&["optional", "required"]), default("optional"), at_once;
        /// The canary, labwatch's own small messages through relay, which show whether relay
        /// forwards: auto, unless relay refuses it; off.
        canary: Kind::Choice(&["auto", "off"]), default("auto");
        /// The topic of relay that the canary's messages go through; no experiment may use it.
        canary_topic: Kind::Value("a topic of relay"), default("canary-labwatch-st-data");
        /// How often the canary sends a message.
        canary_every: Kind::Duration(millis(100), minutes(1)), default("1s");
        /// A message of the canary that takes longer is late.
        canary_late: Kind::Duration(millis(10), minutes(1)), default("1s");
        /// How many messages of the canary in a row must be lost for relay to count as down, or be
        /// late for it to count as late.
        canary_misses: Kind::Number(1, 100), default("3");
    },
};

pub(super) const EVALUATION: Section = Section {
    title: "Evaluation",
    settings: settings! {
        /// A stream that has not transmitted for longer than this is silent.
        health_last_active: Kind::Duration(seconds(1), days(1)), default("10s"), at_once;
        /// The documented old name of health_last_active, which wins where both are set.
        health_last: Kind::Duration(seconds(1), days(1)), example("10s"), at_once;
        /// A stream or jump connection that has not been in a report for this long is missing.
        health_last_checked: Kind::Duration(seconds(1), days(1)), default("10s"), at_once;
        /// How long after its first report an experiment is not evaluated (grace).
        health_startup: Kind::Duration(seconds(0), days(1)), default("1m"), at_once;
        /// How long after a restart or the return of relay or jump the absence of streams does not
        /// count (settle time).
        health_settle: Kind::Duration(seconds(0), hours(1)), default("30s"), at_once;
        /// How long relay must be down by its own fault, without interruption, before its
        /// experiments count as down.
        health_outage_hold: Kind::Duration(seconds(10), days(7)), default("15m"), at_once;
        /// How long a change for the worse must last before it counts: 0s, at once. A shorter fault
        /// is neither withdrawn nor notified.
        health_hold_down: Kind::Duration(seconds(0), hours(1)), default("0s"), at_once;
        /// How long a change for the better must last before it counts.
        health_hold_up: Kind::Duration(seconds(0), hours(1)), default("0s"), at_once;
        /// How long a change counts for flapping. Each counts 6 % when it is new and 4 % at the end
        /// of this time. An experiment that flaps is notified once and stays withdrawn until it is
        /// steady.
        health_flap_window: Kind::WordOrDuration(&["off"], minutes(10), days(1)),
            default("1h"), at_once;
        /// With more than this, in percent, an experiment is flapping.
        health_flap_high: Kind::Number(10, 90), default("40"), at_once;
        /// At this or less, in percent, it may become steady. Must be below health_flap_high.
        health_flap_low: Kind::Number(5, 85), default("25"), at_once;
        /// How many events are kept for each experiment.
        health_events: Kind::Number(1, 10_000), default("100"), at_once;
        /// How often the log gets a summary.
        health_log_every: Kind::Duration(seconds(1), days(7)), default("1h");
    },
};
