//! Notifications, maintenance windows, access, and the presentation of health: the
//! settings as they are used, and what `check` says about them.

use std::net::IpAddr;
use std::time::Duration;

use engine::FlapRule;
use jiff::civil::{Time, Weekday};
use labwatch::config::{ApiRead, Planned, RouteTarget, load, load_rules};
use secrecy::ExposeSecret;

use super::tables::{from_file, loaded};
use super::{SECRET, env, problems};

const LONG: &str = "0123456789abcdef0123456789abcdef";

fn refusal_of(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let problems = from_file(folder.path(), text).expect_err(text).to_string();
    problems.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn notifications_have_the_documented_defaults() {
    let notifications = load(&env(&[("TIME_ZONE", "UTC")]))
        .expect("loads")
        .config
        .notifications;
    assert!(
        notifications.remind.is_none()
            && notifications.digest.is_none()
            && notifications.webhook.is_none()
            && notifications.dead_man.is_none()
    );
    assert!(
        !notifications.report_monthly
            && notifications.routes.is_empty()
            && notifications.gather.is_zero()
    );
    assert_eq!(
        (notifications.hold_overdue, notifications.zone.name.as_str()),
        (Duration::from_secs(14 * 86_400), "UTC")
    );
    let set = [
        ("EMAIL_REMIND", "1d"),
        ("EMAIL_DIGEST", "07:30"),
        ("TIME_ZONE", "Europe/London"),
        ("DEAD_MAN_URL", "https://x.org/a"),
    ];
    let notifications = load(&env(&set)).expect("loads").config.notifications;
    assert_eq!(notifications.remind, Some(Duration::from_secs(86_400)));
    assert_eq!(notifications.digest, Time::new(7, 30, 0, 0).ok());
    assert_eq!(notifications.zone.rules.iana_name(), Some("Europe/London"));
    assert_eq!(
        notifications
            .dead_man
            .map(|to| (to.url.expose().to_string(), to.every.as_secs())),
        Some(("https://x.org/a".to_owned(), 60))
    );
    let loaded = load(&env(&[
        ("REPORT_MONTHLY", "on"),
        ("SECRET_WEBHOOK", SECRET),
    ]))
    .expect("loads");
    let warnings = [
        "secret_webhook is set but not used: webhook_url is not set",
        "report_monthly is on, but mail is off",
    ];
    assert_eq!(loaded.warnings, warnings);
}

#[test]
fn routes_take_what_they_do_not_say_from_the_settings() {
    let text = format!(
        "email_remind = \"2d\"\nemail_gather = \"1m\"\n\
         [[route]]\nname = \"a\"\nmatch = [\"pend*\", \"spin0?\"]\nto = \"a@x.org, b@x.org\"\ncc = \"c@x.org\"\n\
         [[route]]\nname = \"b\"\nmatch = \"*\"\nwebhook = \"https://x.org/{SECRET}\"\nsecret = \"{SECRET}\"\nalerts = true\nremind = \"off\"\ngather = \"0s\"\n"
    );
    let config = loaded(&text).config;
    let [mail, program] = &config.notifications.routes[..] else {
        panic!("{:?}", config.notifications.routes)
    };
    assert_eq!(
        (mail.name.as_str(), mail.patterns.join(" "), mail.alerts),
        ("a", "pend* spin0?".to_owned(), false)
    );
    assert_eq!(
        (mail.remind, mail.gather),
        (Some(Duration::from_secs(172_800)), Duration::from_secs(60))
    );
    assert!(matches!(&mail.target, RouteTarget::Mail { to, cc } if to.len() == 2 && cc.len() == 1));
    assert_eq!(
        (program.remind, program.gather, program.alerts),
        (None, Duration::ZERO, true)
    );
    let RouteTarget::Http(webhook) = &program.target else {
        panic!("{program:?}")
    };
    assert_eq!(
        webhook.secret.as_ref().map(ExposeSecret::expose_secret),
        Some(SECRET)
    );
    assert!(webhook.url.expose().as_str().ends_with(SECRET));
    let shown = format!("{config:?}{}", config.summary());
    assert!(!shown.contains(SECRET), "{shown}");
    for line in [
        "mail     all notifications to all@x.org by localhost:587, no TLS, reminded after 2d",
        "route    a: pend*, spin0? to a@x.org, b@x.org, c@x.org, reminded after 2d",
        "route    b: * and alerts to https://x.org/\u{2026}, signed",
    ] {
        assert!(
            config.summary().lines().any(|there| there == line),
            "{line}\n{}",
            config.summary()
        );
    }
}

#[test]
fn a_route_leads_to_mail_or_to_a_program() {
    let route = |more: &str| refusal_of(&format!("[[route]]\nname = \"a\"\nmatch = \"*\"\n{more}"));
    for (more, words) in [
        (
            "",
            "route \"a\": to is missing; a route leads somewhere: write one of webhook, alertmanager, slack, teams, matrix, ntfy or write for example to = [\"pendulums@example.org\"] (labwatch.toml:1)",
        ),
        (
            "to = \"a@x.org\"\nwebhook = \"https://x.org\"\n",
            "route \"a\": webhook is set and so is to; make two routes of it (labwatch.toml:5)",
        ),
        (
            "cc = \"a@x.org\"\nwebhook = \"https://x.org\"\n",
            "route \"a\": cc is set without to; only mail has copies (labwatch.toml:4)",
        ),
        (
            "slack = \"https://x.org\"\nntfy = \"https://x.org/a\"\n",
            "route \"a\": ntfy is set and so is slack; make two routes of it (labwatch.toml:5)",
        ),
        (
            "slack = \"https://x.org\"\nroom = \"!a:x.org\"\n",
            "route \"a\": room is set without matrix; only Matrix has rooms (labwatch.toml:5)",
        ),
        (
            "ntfy = \"https://x.org/\"\n",
            "route \"a\": ntfy has no topic; an address such as https://ntfy.example.org/labwatch (labwatch.toml:4)",
        ),
        (
            "to = \"nobody\"\n",
            "route \"a\": to has \"nobody\", which is not a mail address; mail addresses, separated by commas or white space, or a list of them (labwatch.toml:4)",
        ),
    ] {
        assert_eq!(route(more), words);
    }
    let matrix = route("matrix = \"https://x.org\"\n");
    assert!(
        matrix.contains("room is missing; a message of Matrix goes to a room")
            && matrix.contains("secret is missing; Matrix wants the access token of a user"),
        "{matrix}"
    );
    let both = route(&format!(
        "webhook = \"https://x.org\"\nsecret = \"{SECRET}\"\nsecret_file = \"/nowhere\"\n"
    ));
    assert!(
        both.starts_with("route \"a\": secret and secret_file are both set; leave one out")
            && !both.contains(SECRET),
        "{both}"
    );
    for wrong in [
        format!("webhook = \"ftp://{SECRET}\"\n"),
        format!("webhook = [\"{SECRET}\"]\n"),
        format!("to = \"a@x.org\"\nsecrt = \"{SECRET}\"\n"),
    ] {
        let refusal = route(&wrong);
        assert!(!refusal.contains(SECRET), "{refusal}");
    }
    assert_eq!(
        refusal_of("[[route]]\nname = \"mail\"\nmatch = \"*\"\nto = \"a@x.org\"\n"),
        "route \"mail\": name is taken by labwatch itself; letters, digits, dots, dashes and underscores, at most 64, and not everybody, mail or webhook (labwatch.toml:2)"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[[route]]\nname = \"a\"\nmatch = \"*\"\nto = \"a@x.org\"\n";
    let refusal = load(&super::with_file(env(&[]), folder.path(), text))
        .expect_err("no mail")
        .to_string();
    assert!(
        refusal.starts_with(
            "route \"a\": to is set, but mail is off; set email_host, email_from and email_to"
        ),
        "{refusal}"
    );
}

#[test]
fn maintenance_is_once_or_weekly() {
    let text = "time_zone = \"Europe/London\"\n\
         [[maintenance]]\nname = \"a\"\nmatch = \"*\"\nreason = \"r\"\nfrom = \"2026-07-01T08:00\"\nuntil = 2026-07-01T08:00:00Z\n\
         [[maintenance]]\nname = \"b\"\nmatch = \"pend*\"\nreason = \"r\"\ndays = [\"wed\", \"Mon\", \"wed\"]\nat = \"23:30\"\nfor = \"2h\"\nzone = \"Asia/Tokyo\"\n";
    let config = {
        let folder = tempfile::tempdir().expect("a folder");
        load(&super::with_file(env(&[]), folder.path(), text))
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config
    };
    let Planned::Once { from, until } = &config.maintenance[0].when else {
        panic!("{:?}", config.maintenance)
    };
    assert_eq!(
        (from.to_string(), until.to_string()),
        (
            "2026-07-01T07:00:00Z".to_owned(),
            "2026-07-01T08:00:00Z".to_owned()
        )
    );
    let Planned::Weekly {
        days,
        at,
        lasts,
        zone,
    } = &config.maintenance[1].when
    else {
        panic!("{:?}", config.maintenance)
    };
    assert_eq!(
        (&days[..], at.to_string(), lasts.as_secs()),
        (
            &[Weekday::Monday, Weekday::Wednesday][..],
            "23:30:00".to_owned(),
            7_200
        )
    );
    assert_eq!(zone.name, "Asia/Tokyo");

    let base = "[[maintenance]]\nname = \"a\"\nmatch = \"*\"\n";
    for (more, words) in [
        (
            "reason = \"r\"\n",
            "from is missing; say when: write days, at and for, or from and until: write for example from = \"2026-09-01T08:00\" (labwatch.toml:1)",
        ),
        (
            "reason = \"r\"\nfrom = \"2026-07-01T08:00\"\n",
            "until is missing; write for example until = \"2026-09-01T12:00\" (labwatch.toml:1)",
        ),
        (
            "reason = \"r\"\nfrom = \"2026-07-01T08:00\"\nuntil = \"2026-07-01T08:00\"\n",
            "until is not after from; nothing happens in between (labwatch.toml:6)",
        ),
        (
            "reason = \"r\"\nfrom = \"2026-07-01T08:00\"\nuntil = \"2027-08-01T08:00\"\n",
            "until is more than 366 days after from; a longer suppression is easily forgotten (labwatch.toml:6)",
        ),
        (
            "reason = \"r\"\nfrom = \"2026-07-01T08:00\"\nfor = \"1h\"\n",
            "for is set and so is from; write either from and until, or days, at and for (labwatch.toml:6)",
        ),
        (
            "days = \"mon\"\nat = \"8:00\"\nfor = \"1h\"\n",
            "reason is missing; write for example reason = \"weekly service\" (labwatch.toml:1)",
        ),
        (
            "reason = \"r\"\ndays = \"mon\"\nat = \"8:00\"\nfor = \"8d\"\n",
            "for is \"8d\", which is too long; a duration from 1m to 7d (labwatch.toml:7)",
        ),
    ] {
        assert_eq!(
            refusal_of(&format!("{base}{more}")),
            format!("maintenance \"a\": {words}")
        );
    }
}

#[test]
fn flapping_can_be_off() {
    let flapping = |more: &[(&str, &str)]| load(&env(more)).expect("loads").config.health.flap;
    let hour = Duration::from_secs(3_600);
    assert_eq!(
        flapping(&[]),
        FlapRule {
            window: hour,
            high: 40,
            low: 25
        }
    );
    assert_eq!(
        flapping(&[("HEALTH_FLAP_WINDOW", "Off")]).window,
        Duration::ZERO
    );
    assert_eq!(
        flapping(&[("HEALTH_FLAP_HIGH", "50"), ("HEALTH_FLAP_LOW", "40")]),
        FlapRule {
            window: hour,
            high: 50,
            low: 40
        }
    );
}

#[test]
fn the_api_is_open_to_read_or_needs_a_secret() {
    let api = |more: &[(&str, &str)]| load(&env(more)).expect("loads").config.api;
    let open = api(&[]);
    assert!(
        open.read == ApiRead::Open
            && open.secret.is_none()
            && open.tls.is_none()
            && open.url.is_none()
    );
    assert_eq!(open.session, Duration::from_secs(43_200));
    let local: IpAddr = "127.0.0.1".parse().expect("an address");
    assert!(
        open.trusted_proxies
            .iter()
            .any(|proxy| proxy.contains(&local))
    );
    assert!(
        api(&[("API_TRUSTED_PROXY", "none")])
            .trusted_proxies
            .is_empty()
    );
    assert_eq!(
        api(&[("API_URL", "https://x.org/status/")]).url.as_deref(),
        Some("https://x.org/status")
    );
    assert_eq!(
        api(&[("API_URL", "https://x.org")]).url.as_deref(),
        Some("https://x.org")
    );
    assert_eq!(api(&[("PORT_SERVE", "None")]).listen, None);
    assert!(
        api(&[("PORT_SERVE", "0")])
            .listen
            .is_some_and(|listen| listen.port() == 0)
    );
    for (prefix, expect) in [
        ("/", ""),
        ("labwatch/", "/labwatch"),
        ("/ed0/lab", "/ed0/lab"),
    ] {
        assert_eq!(api(&[("API_PREFIX", prefix)]).prefix, expect);
    }
    let warned = |url| {
        load(&env(&[("API_PREFIX", "/lab"), ("API_URL", url)]))
            .expect("loads")
            .warnings
            .join(" ")
            .contains("api_prefix is /lab")
    };
    assert!(
        warned("https://x.org/status")
            && !warned("https://x.org/ed0/lab")
            && !warned("https://x.org/lab/")
    );
    let closed = api(&[("API_READ", "token"), ("SECRET_API", LONG)]);
    assert!(closed.read == ApiRead::Token && closed.secret.is_some());
    let refusal = problems(&env(&[("API_READ", "token")]));
    assert!(
        refusal.starts_with(
            "secret_api is missing; api_read is token: name a file with it in secret_api_file"
        ),
        "{refusal}"
    );
    assert!(
        load_rules(&super::Sources {
            env: [("STATUS_API_READ".into(), "token".into())].into(),
            ..super::Sources::default()
        })
        .is_ok()
    );

    let tls = api(&[("API_TLS_CERT", "/c"), ("API_TLS_KEY", "/k")])
        .tls
        .expect("TLS");
    assert_eq!(
        (tls.cert.to_str(), tls.key.to_str()),
        (Some("/c"), Some("/k"))
    );
    let refusal = problems(&env(&[("API_TLS_CERT", "/c")]));
    assert!(
        refusal
            .starts_with("api_tls_key is missing; api_tls_cert is set and is of no use without it"),
        "{refusal}"
    );
    let refusal = problems(&env(&[("API_TLS_KEY", "/k")]));
    assert!(
        refusal
            .starts_with("api_tls_cert is missing; api_tls_key is set and is of no use without it"),
        "{refusal}"
    );
}

#[test]
fn health_is_shown_as_set() {
    let config = |more: &[(&str, &str)]| load(&env(more)).expect("loads").config;
    let plain = config(&[]);
    assert_eq!(
        (
            plain.surfaces.label.as_str(),
            plain.surfaces.non_fatal.join(" "),
            plain.surfaces.metrics
        ),
        ("lab", "mail jump".to_owned(), true)
    );
    assert!(plain.surfaces.severity_1.is_empty() && plain.graphite.is_none());
    assert!(
        config(&[("NON_FATAL", "none")])
            .surfaces
            .non_fatal
            .is_empty()
    );
    let graphite = config(&[("GRAPHITE_HOST", "[::1]"), ("GRAPHITE_PREFIX", "a.b")])
        .graphite
        .expect("on");
    assert_eq!(
        (
            graphite.host.as_str(),
            graphite.port,
            graphite.prefix.as_str(),
            graphite.every.as_secs()
        ),
        ("::1", 2003, "a.b", 60)
    );
    let text = "non_fatal = \"wiki\"\n[[service]]\nname = \"wiki\"\nurl = \"https://x.org\"\n";
    assert_eq!(loaded(text).config.surfaces.non_fatal, ["wiki"]);
}
