//! The tables of the configuration file.

use super::setting::{
    ADDRESSES, ADVICE, CALLABLE_URL, INSTANT, Kind, NAMES, PATTERNS, Reload, SENTENCES, SLUG,
    Table, URL, ZONE, settings,
};
use crate::config::bounds::{days, hours, millis, minutes, seconds};

const SERVICE_NAME: &str = "letters, digits, dots, dashes and underscores, at most 64, and not \
    self, store, configuration, dead_man, book, relay, jump, mail or \
    cluster";
const DAYS: &str = "mon, tue, wed, thu, fri, sat or sun, separated by commas or white \
    space, or a list of them";
const ROUTE_NAME: &str = "letters, digits, dots, dashes and underscores, at most 64, and not \
    everybody, mail or webhook";

/// Every kind of table, in the order of the documentation.
pub const TABLES: &[Table] = &[
    Table {
        name: "route",
        repeats: true,
        reload: Reload::AtOnce,
        text: "Further recipients, programs or chats that get the notifications about some \
           experiments. A route has one of to, webhook, alertmanager, slack, teams, matrix and \
           ntfy. email_to always gets every notification.",
        keys: settings! {
            /// Its name, which no other route has. Keep it when the route changes, so that nothing
            /// is notified twice.
            name: Kind::Value(ROUTE_NAME), example("pendulums");
            /// The experiments that it is notified about. Required.
            match: Kind::Values(PATTERNS), example("[\"pend*\", \"spin0?\"]");
            /// Recipients of mail, which must be on.
            to: Kind::Values(ADDRESSES), example("[\"pendulums@example.org\"]");
            /// Recipients of copies.
            cc: Kind::Values(ADDRESSES), example("[\"head@example.org\"]");
            /// The address of a program that accepts labwatch's own JSON. No address is ever shown
            /// whole, because such addresses often hold a secret.
            webhook: Kind::Hidden(CALLABLE_URL), example("https://hooks.example.org/labwatch");
            /// A file with that address alone.
            webhook_file: Kind::Path, example("/etc/labwatch/secrets/webhook_url");
            /// Prometheus Alertmanager, without the path of its API. Each experiment is an alert of
            /// its own, and resolved when it is back.
            alertmanager: Kind::Hidden(CALLABLE_URL), example("https://alertmanager.example.org");
            /// A file with that address alone.
            alertmanager_file: Kind::Path, example("/etc/labwatch/secrets/alertmanager_url");
            /// An incoming webhook of Slack, Mattermost or Rocket.Chat.
            slack: Kind::Hidden(CALLABLE_URL),
                example("https://hooks.slack.example/services/T0/B0/x");
            /// A file with that address alone.
            slack_file: Kind::Path, example("/etc/labwatch/secrets/slack_url");
            /// A workflow of Microsoft Teams that posts a card when a webhook request comes.
            teams: Kind::Hidden(CALLABLE_URL), example("https://flow.example.org/workflows/x");
            /// A file with that address alone.
            teams_file: Kind::Path, example("/etc/labwatch/secrets/teams_url");
            /// The home server of a user of Matrix; room and secret are required with it.
            matrix: Kind::Hidden(CALLABLE_URL), example("https://matrix.example.org");
            /// A file with that address alone.
            matrix_file: Kind::Path, example("/etc/labwatch/secrets/matrix_url");
            /// The room of Matrix. The user has joined it.
            room: Kind::Value("the id of a room, such as !abc:example.org"),
                example("!abc:example.org");
            /// A topic of ntfy.
            ntfy: Kind::Hidden(CALLABLE_URL), example("https://ntfy.example.org/labwatch");
            /// A file with that address alone.
            ntfy_file: Kind::Path, example("/etc/labwatch/secrets/ntfy_url");
            /// The secret that signs requests to a webhook; without it they are not signed. For
            /// matrix the access token of the user, for ntfy and alertmanager a token where they
            /// require one.
            secret: Kind::Secret, example("...");
            /// A file with that secret.
            secret_file: Kind::Path, example("/etc/labwatch/secrets/pendulums");
            /// Whether it also gets alerts about the whole laboratory: book, jump, relay, labwatch
            /// itself.
            alerts: Kind::Switch, default("false");
            /// The time until the first reminder. Without it: email_remind.
            remind: Kind::WordOrDuration(&["off"], minutes(10), days(7)), example("24h");
            /// How long it waits for the rest of a burst. Without it: email_gather.
            gather: Kind::Duration(seconds(0), days(1)), example("1m");
        },
    },
    Table {
        name: "maintenance",
        repeats: true,
        reload: Reload::AtOnce,
        text: "Times at which some experiments are worked on: no notification is sent about them \
           then. They are evaluated and switched all the same. A time is given by from and \
           until, or by days, at and for, which returns every week and ends by the clock: from \
           22:00 for 10h is until 08:00 in every night. A time that the clocks skip is as much \
           later as they jump; of one that they show twice the first counts.",
        keys: settings! {
            /// Its name, which no other has.
            name: Kind::Value(SLUG), example("monday-service");
            /// The experiments that are worked on. Required.
            match: Kind::Values(PATTERNS), example("[\"pend*\"]");
            /// Why, for the maintainers. Required.
            reason: Kind::Value(SENTENCES), example("weekly service");
            /// When it begins.
            from: Kind::Value(INSTANT), example("2026-09-01T08:00");
            /// When it ends, at most 366 days later.
            until: Kind::Value(INSTANT), example("2026-09-01T12:00");
            /// The days of the week on which it begins.
            days: Kind::Values(DAYS), example("[\"mon\", \"wed\"]");
            /// When it begins on these days.
            at: Kind::Value("a time such as 07:30"), example("08:00");
            /// How long it lasts then, by the clock.
            for: Kind::Duration(minutes(1), days(7)), example("2h");
            /// The time zone of these times. Without it: time_zone.
            zone: Kind::Value(ZONE), example("Europe/London");
        },
    },
    Table {
        name: "pool",
        repeats: true,
        reload: Reload::AtOnce,
        text: "Experiments that can replace each other. An experiment in no [[pool]] is in one with \
           all that are booked in the same ways (policy and UI set).",
        keys: settings! {
            /// Its name, which no other pool has.
            name: Kind::Value(SLUG), example("pendulums");
            /// The experiments in it. One that several pools match is in the first of them.
            /// Required.
            members: Kind::Values(PATTERNS), example("[\"pend*\"]");
            /// What students read instead of its name. Without it: the name, with a capital letter.
            title: Kind::Value(SENTENCES), example("Pendulums");
            /// The fewest healthy experiments with which the pool is ok.
            min_healthy: Kind::Number(1, 10_000), default("1");
        },
    },
    Table {
        name: "category",
        repeats: true,
        reload: Reload::AtOnce,
        text: "A named set of experiments and components whose health is requested as one, with \
           rules of its own. An experiment in no [[category]] is in one named after its stem: \
           pend00 in pend. default, all experiments, and system, all components of labwatch, \
           are built in; to change their rules name them here without match and pools.",
        keys: settings! {
            /// Its name, which no other category has.
            name: Kind::Value(SLUG), example("teaching");
            /// The experiments and components in it. This, pools, or a [[service]] that names the
            /// category is required.
            match: Kind::Values(PATTERNS), example("[\"pend*\", \"book\"]");
            /// The pools whose experiments are in it.
            pools: Kind::Values(NAMES), example("[\"pendulums\"]");
            /// true: enough healthy experiments in each pool are enough. false: each one counts.
            resilient: Kind::Switch, default("false");
            /// How many are enough in a resilient category, in each pool. Without it: that of
            /// [[pool]], else 1.
            min_healthy: Kind::Number(1, 10_000), example("2");
            /// How often it is checked; of an experiment's categories the shortest counts.
            period: Kind::Duration(seconds(1), minutes(5)), default("1m");
            /// Whether it stays switched off after a failure until a maintainer switches it on.
            sticky: Kind::Switch, default("false");
            /// After how many bad checks in a row a sticky category is switched off.
            failure_threshold: Kind::Number(1, 100), default("1");
            /// Whether the experiments that failed also stay withdrawn in book until a sticky
            /// category is switched on.
            sticky_booking: Kind::Switch, default("false");
            /// The address of instructions for a failure.
            panic_guide: Kind::Value(URL), example("https://wiki.example.org/pendulums");
            /// What a failure means for teaching or research.
            business_impact: Kind::Value(SENTENCES),
                example("Second-year practicals cannot be done.");
        },
    },
    Table {
        name: "service",
        repeats: true,
        reload: Reload::AtOnce,
        text: "A service outside of labwatch that is polled for its health, or reports it (passive \
           check), and is shown as a component. It counts in its own categories and only there; \
           a resilient category works while one of its instances does, whose names differ by a \
           number: wiki-1 and wiki-2.",
        keys: settings! {
            /// Its name, which neither another service nor a part of labwatch has.
            name: Kind::Value(SERVICE_NAME), example("wiki");
            /// The address that is polled. Without it the service is not polled but reports its
            /// health, to /api/v2/reports/component/NAME with a token of the scope report.
            url: Kind::Value(CALLABLE_URL), example("https://wiki.example.org/health");
            /// The longest time between two checks, where none of its categories has a shorter
            /// period; for a passive check, how long a report is valid.
            period: Kind::Duration(seconds(1), hours(1)), default("30s");
            /// The time limit of a check.
            timeout: Kind::Duration(millis(100), minutes(1)), default("5s");
            /// Which answer is healthy: status 200, any status from 200 to 299, or a health
            /// document of the FT standard that says so.
            expect: Kind::Choice(&["200", "2xx", "ft"]), default("2xx");
            /// The categories in which it counts, each default, system or one of [[category]];
            /// without any it counts in default.
            categories: Kind::Values(NAMES), example("[\"teaching\"]");
            /// How many retries it has before it counts as failed.
            retries: Kind::Number(0, 10), default("2");
            /// The pause before a retry.
            retry_after: Kind::Duration(millis(100), minutes(1)), default("5s");
        },
    },
    Table {
        name: "advice",
        repeats: false,
        reload: Reload::AtOnce,
        text: "What notifications advise, by the pattern of the symptoms; a link is welcome. A \
           pattern that is left out keeps its built-in text.",
        keys: settings! {
            /// Neither jump nor streams, and no neighbour has them.
            whole_site_lost: Kind::Value(ADVICE),
                example("Call the porter of that building: 0123 456.");
            /// Neither jump nor streams, while neighbours have them.
            both_down_neighbours_up: Kind::Value(ADVICE),
                example("Its power supply: see https://wiki.example.org/power");
            /// Neither jump nor streams, and there are not enough neighbours to compare with.
            both_down: Kind::Value(ADVICE), example("Its power or its network: it needs a visit.");
            /// No jump, some streams silent or missing, and others active.
            jump_down_streams_partly: Kind::Value(ADVICE), example("Restart it on site.");
            /// No jump, while all required streams are active.
            jump_down_streams_up: Kind::Value(ADVICE),
                example("Students can use it. Restart the login client at the next visit.");
            /// Jump, but no required stream is connected.
            streams_down_jump_up: Kind::Value(ADVICE),
                example("Log in and run: sudo systemctl restart streams");
            /// Jump, and some streams are connected while others are not.
            one_stream_down_jump_up: Kind::Value(ADVICE),
                example("Log in and look at the camera: see https://wiki.example.org/camera");
            /// All streams are connected, and one is silent.
            silent_but_connected: Kind::Value(ADVICE),
                example("Log in and look at the camera or the sensor.");
            /// Nothing else is wrong, but a page that students open fails.
            page_fails: Kind::Value(ADVICE),
                example("Look at https://static.example.org, and at uis in the manifest.");
        },
    },
];
