//! The declarations of settings against what reads them: every setting is read, refuses nonsense in
//! the documented words, accepts its default or example, and is taken over by a reload exactly if
//! it says so.

use labwatch::config::{self, Kind, Reload, Setting, load};

use super::{env, with_file, without};

/// A value that no setting accepts.
const NONSENSE: &str = "!\u{1}";

#[test]
fn every_setting_is_read_and_documents_what_is_allowed() {
    for setting in config::settings().filter(|setting| setting.kind != Kind::Secret) {
        let mut sources = env(&[]);
        sources.overrides = vec![(setting.name.to_owned(), NONSENSE.to_owned())];
        let problems = load(&sources).expect_err(setting.name).0;
        let name = if setting.name == "health_last" {
            "health_last_active"
        } else {
            setting.name
        };
        let problem = problems
            .iter()
            .find(|problem| problem.key == name)
            .expect(setting.name);
        assert_eq!(problem.allowed, setting.kind.allowed(), "{}", setting.name);
    }
}

/// A configuration file with this setting alone, and what it needs beside it.
fn file_with(setting: &Setting, value: &str) -> String {
    let more = match setting.name {
        "api_tls_cert" => "api_tls_key = \"/key\"\n",
        "api_tls_key" => "api_tls_cert = \"/cert\"\n",
        "cluster_tls_cert" => "cluster_tls_key = \"/key\"\n",
        "cluster_tls_key" => "cluster_tls_cert = \"/cert\"\n",
        "cluster_user" => "cluster_password = \"secret\"\n",
        _ => "",
    };
    format!("{} = {value}\n{more}", setting.name)
}

const MAIL: [(&str, &str); 3] = [
    ("EMAIL_HOST", "localhost"),
    ("EMAIL_TO", "a@x.org"),
    ("EMAIL_FROM", "b@x.org"),
];

fn named_files_are_there(setting: &Setting) -> bool {
    !setting.name.ends_with("_file") || setting.name == "log_file"
}

#[test]
fn every_default_and_example_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    for setting in config::settings().filter(|setting| named_files_are_there(setting)) {
        let sources = without(env(&MAIL), &[&setting.name.to_ascii_uppercase()]);
        let value = if setting.kind == Kind::Secret {
            "\"0123456789abcdef0123456789abcdef\"".to_owned()
        } else {
            setting.toml()
        };
        let text = file_with(setting, &value);
        let loaded = load(&with_file(sources, folder.path(), &text))
            .unwrap_or_else(|problems| panic!("{text}{problems}"));
        assert!(loaded.is_set(setting.name), "{}", setting.name);
    }
}

#[test]
fn every_word_of_a_choice_is_accepted() {
    for setting in config::settings() {
        let words = match setting.kind {
            Kind::Choice(words) | Kind::WordOrDuration(words, ..) => words,
            Kind::Text
            | Kind::Secret
            | Kind::Path
            | Kind::Switch
            | Kind::Duration(..)
            | Kind::Number(..)
            | Kind::Size(..)
            | Kind::Value(_)
            | Kind::Values(_)
            | Kind::Hidden(_) => &[],
        };
        for word in words {
            // Alone in a labwatch that is built with it.
            if *word == "etcd" && !cfg!(feature = "etcd") {
                continue;
            }
            let secret = "x".repeat(32);
            let needed = [
                ("SECRET_API", secret.as_str()),
                ("CLUSTER_ENDPOINTS", "http://etcd.example.org:2379"),
                ("CLUSTER_URL", "http://watch1.example.org:3007"),
                ("PUBLISH_DIR", "/published"),
            ];
            let mut sources = env(&[&MAIL[..], &needed].concat());
            let password = ("email_password".to_owned(), "pw".to_owned());
            sources.overrides = vec![
                (setting.name.to_owned(), word.to_ascii_uppercase()),
                password,
            ];
            load(&sources).unwrap_or_else(|problems| panic!("{} {word}: {problems}", setting.name));
        }
    }
}

/// Another right value than the default.
fn another(setting: &Setting) -> Option<String> {
    let value = match setting.kind {
        _ if setting.name == "cluster" => "solo".to_owned(),
        _ if setting.name == "publish" => "none".to_owned(),
        _ if setting.name == "policy" => "file".to_owned(),
        Kind::Duration(from, to) | Kind::WordOrDuration(_, from, to) => {
            let (from, to) = (from.as_millis(), to.as_millis());
            format!(
                "{}ms",
                if setting.name == "health_last" {
                    to
                } else {
                    from.max(to / 2)
                }
            )
        }
        Kind::Number(_, to) => match setting.name {
            "health_flap_low" => "10".to_owned(),
            _ => to.to_string(),
        },
        Kind::Size(from, _) => (from * 2).to_string(),
        Kind::Switch => (setting.value == "false").to_string(),
        Kind::Choice(words) => words
            .iter()
            .rev()
            .find(|word| **word != setting.value)?
            .to_string(),
        Kind::Secret => "another secret of more than 32 bytes".to_owned(),
        Kind::Text | Kind::Path | Kind::Value(_) | Kind::Values(_) | Kind::Hidden(_) => {
            match setting.name {
                "address_serve" | "address_actuator" => "0.0.0.0".to_owned(),
                "api_prefix" | "basepath_book" | "basepath_jump" | "basepath_relay" => {
                    "/x".to_owned()
                }
                "port_serve" | "port_actuator" => "1".to_owned(),
                "api_cors" => "https://lab.example.org".to_owned(),
                "canary_topic" => "canary-other-st-data".to_owned(),
                "api_trusted_proxy" => "10.0.0.1".to_owned(),
                "email_digest" => "07:30".to_owned(),
                "email_from" => "c@x.org".to_owned(),
                "graphite_prefix" | "label" => "other".to_owned(),
                "data_dir" | "cluster_root" | "publish_root" | "publish_dir" | "policy_acks"
                | "policy_categories" | "policy_cluster_ack" => "/other".to_owned(),
                "log_file" => "stderr".to_owned(),
                "log_level" => "debug".to_owned(),
                "non_fatal" => "store".to_owned(),
                "email_to" => "d@x.org".to_owned(),
                "cluster_endpoints" | "cluster_url" => "http://other.example.org".to_owned(),
                "webhook_url" | "dead_man_url" => "https://other.example.org/x".to_owned(),
                "email_host" | "graphite_host" | "host_book" | "host_jump" | "host_relay" => {
                    "other.example.org".to_owned()
                }
                _ => setting.value.to_owned(),
            }
        }
    };
    Some(value)
}

/// What a change does by itself is seen in the configuration in force after a reload, and what
/// waits is not.
#[test]
fn a_reload_takes_over_what_says_so_and_nothing_else() {
    // These show in no part of the configuration alone, or are accepted for the sake of old
    // configurations.
    const UNSEEN: [&str; 5] = [
        "profile",
        "port_profile",
        "log_max_size",
        "log_max_age",
        "log_max_total",
    ];
    let base: [(&str, &str); 15] = [
        (
            "CLUSTER",
            if cfg!(feature = "etcd") {
                "etcd"
            } else {
                "solo"
            },
        ),
        ("CLUSTER_ENDPOINTS", "http://etcd.example.org:2379"),
        ("CLUSTER_URL", "http://watch1.example.org:3007"),
        ("CLUSTER_PASSWORD", "pw"),
        ("PUBLISH", "files"),
        ("PUBLISH_DIR", "/published"),
        (
            "POLICY",
            if cfg!(feature = "etcd") {
                "etcd"
            } else {
                "file"
            },
        ),
        ("GRAPHITE_HOST", "graphite.example.org"),
        ("WEBHOOK_URL", "https://hooks.example.org/x"),
        ("SECRET_WEBHOOK", "signed"),
        ("PORT_ACTUATOR", "3008"),
        ("SECRET_API", "a secret of the API of more than 32 bytes"),
        ("DEAD_MAN_URL", "https://alive.example.org/x"),
        ("EMAIL_PASSWORD", "pw"),
        ("EMAIL_AUTH_TYPE", "plain"),
    ];
    let base = env(&[&MAIL[..], &base].concat());
    let before = load(&base).expect("loads");
    let named = config::settings().filter(|setting| named_files_are_there(setting));
    let is_possible = |setting: &&Setting| {
        let needs_etcd = ["policy", "cluster"];
        cfg!(feature = "etcd") || !needs_etcd.iter().any(|part| setting.name.starts_with(part))
    };
    let named = named.filter(is_possible);
    for setting in named.filter(|setting| !UNSEEN.contains(&setting.name)) {
        let Some(value) = another(setting) else {
            continue;
        };
        let mut sources = base.clone();
        sources.env.remove(&setting.variable());
        sources.overrides = vec![(setting.name.to_owned(), value)];
        if setting.name.starts_with("api_tls") {
            let both = ["api_tls_cert", "api_tls_key"];
            sources.overrides = both.map(|key| (key.to_owned(), "/pem".to_owned())).to_vec();
        }
        if setting.name.starts_with("cluster_tls_") && setting.name != "cluster_tls_ca" {
            let both = ["cluster_tls_cert", "cluster_tls_key"];
            sources.overrides = both.map(|key| (key.to_owned(), "/pem".to_owned())).to_vec();
        }
        let after = load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
        let followed = before.config.followed_by(after.config.clone());
        let is_seen = |config: &config::Config| {
            // Secrets are hidden in what is shown, so they are compared by what differs.
            setting.kind == Kind::Secret || format!("{config:?}") != format!("{:?}", before.config)
        };
        assert!(is_seen(&after.config), "{} changes nothing", setting.name);
        let changes = before.changes(&after);
        let at_once = setting.reload == Reload::AtOnce;
        let named = if at_once {
            &changes.at_once
        } else {
            &changes.at_restart
        };
        assert!(
            named.contains(&setting.name),
            "{}: {changes:?}",
            setting.name
        );
        if setting.kind != Kind::Secret {
            assert_eq!(is_seen(&followed), at_once, "{}", setting.name);
        }
    }
}
