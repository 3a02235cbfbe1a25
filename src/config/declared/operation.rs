//! The settings of the operation of labwatch itself: its health, metrics, store and log.

use super::setting::{HOST, Kind, PATTERNS, PORT_OR_NONE, Section, settings};
use crate::config::bounds::{GIB, KIB, days, hours, seconds};

const LEVELS: &str = "off, error, warn, info, debug, trace, or a filter such as \
    info,labwatch::clients=debug";
const DOTTED: &str = "names of letters, digits, dashes and underscores with dots between \
    them";
const COMPONENTS: &str = "names of components, separated by commas or white space, or a list of \
    them; or none";
const LABEL: &str = "letters, digits, dots, dashes and underscores, also with slashes \
    between them, at most 64";

pub(super) const HEALTH: Section = Section {
    title: "Health of labwatch itself, and metrics",
    settings: settings! {
        /// The name of this installation in titles and in the names of metrics; `labwatch serve
        /// --label NAME` sets it too.
        label: Kind::Value(LABEL), default("lab");
        /// Observe only: evaluate and show, but never switch in book, notify or send metrics. For a
        /// second labwatch beside the one that acts, with a data folder of its own; `labwatch serve
        /// --observe` sets it too.
        observe: Kind::Switch, default("false");
        /// Run in shadow, beside the monitor that acts: evaluate, decide and show as always, but
        /// record each switch and notification instead of carrying it out. The store is the folder
        /// shadow of the data folder; `labwatch compare` shows where the other monitor and labwatch
        /// differ; `labwatch serve --shadow` sets it too.
        shadow: Kind::Switch, default("false");
        /// The components whose failure does not make labwatch as a whole unhealthy: self, store,
        /// configuration, dead_man, book, relay, jump, mail, cluster, publish or policy. A
        /// [[service]] may be listed too; it always counts in its own categories only.
        non_fatal: Kind::Values(COMPONENTS), default("mail, jump"), at_once;
        /// The experiments, pools and categories whose failure is of the highest severity.
        severity_1: Kind::Values(PATTERNS), example("exam*, pendulums"), at_once;
        /// Whether metrics for Prometheus are served at /metrics.
        metrics: Kind::Switch, default("true");
        /// The Graphite server. Without it nothing is sent.
        graphite_host: Kind::Value(HOST), example("graphite.example.org");
        /// Its port for the plaintext protocol.
        graphite_port: Kind::Number(1, 65_535), default("2003");
        /// The prefix of every metric's name there.
        graphite_prefix: Kind::Value(DOTTED), default("lab.health");
        /// How often metrics are sent there.
        graphite_every: Kind::Duration(seconds(10), hours(1)), default("1m");
        /// Address on which the health endpoints are served besides, where port_actuator is set:
        /// /liveness, /readiness, /actuator, /__health, /__gtg, /__agghealth and /status, so that
        /// the page and the API can stay unreachable from there. With the path, the certificate and
        /// the access of the API.
        address_actuator: Kind::Value("an IP address"), default("127.0.0.1");
        /// Port of that listener; 0: any free port; none: they are served with the API only.
        port_actuator: Kind::Value(PORT_OR_NONE), default("none");
        /// Accepted and ignored, as an old name: CPU profiles are taken with perf.
        profile: Kind::Switch, default("false");
        /// Accepted and ignored, as an old name.
        port_profile: Kind::Number(0, 65_535), default("6061");
    },
};

pub(super) const STORE: Section = Section {
    title: "Store: what survives a restart",
    settings: settings! {
        /// Folder of the store: the history, and what must survive a restart, such as what was
        /// notified and what is withdrawn. Under systemd its state directory is taken instead.
        /// none: nothing is kept.
        data_dir: Kind::Value("an absolute path, or none"), default("/var/lib/labwatch");
        /// For how many days the history is kept.
        history_days: Kind::Number(1, 36_500), default("1826");
    },
};

pub(super) const LOG: Section = Section {
    title: "Log",
    settings: settings! {
        /// Where the log goes: a file; stdout or -, standard output, which systemd keeps in its
        /// journal; stderr, standard error. A device, pipe or socket is written to and never
        /// rotated.
        log_file: Kind::Value("stdout, stderr, or a path"), default("stdout");
        /// What is logged: a level for labwatch itself, with warnings and errors of the libraries;
        /// or a filter in tracing's notation, such as info,labwatch::clients=debug. A filter that
        /// shows debug lines of libraries can show access tokens; trace shows no more than debug.
        log_level: Kind::Value(LEVELS), default("info"), at_once;
        /// The format of log lines: text for reading, json for programs. Standard output that is
        /// systemd's journal gets the journal's own fields instead.
        log_format: Kind::Choice(&["text", "json"]), default("json");
        /// The log file is rotated before it grows beyond this.
        log_max_size: Kind::Size(64 * KIB, 4 * GIB), default("50MiB");
        /// The log file is rotated when it is older than this, and rotated files are deleted when
        /// they are.
        log_max_age: Kind::Duration(hours(1), days(3_650)), default("30d");
        /// The oldest rotated log files are deleted until all log files together are below this,
        /// which must not be below log_max_size.
        log_max_total: Kind::Size(64 * KIB, 1024 * GIB), default("500MiB");
    },
};
