//! The tables of the configuration file: every key documented, read and bounded, and every mistake
//! reported with its line.

use std::fs;
use std::path::Path;

use engine::Pattern;
use labwatch::config::{self, EXAMPLE, Loaded, Problems, Sources, TABLES, load, load_rules};

use super::{SECRET, env, secret_file, with_file};

/// The result of a configuration file, with a mail server, so that there are notifications.
pub(super) fn from_file(folder: &Path, text: &str) -> Result<Loaded, Problems> {
    let mail = [
        ("EMAIL_HOST", "localhost"),
        ("EMAIL_TO", "all@x.org"),
        ("EMAIL_FROM", "lab@x.org"),
        ("TIME_ZONE", "UTC"),
    ];
    load(&with_file(env(&mail), folder, text))
}

/// What is wrong with it, with the file's name alone.
fn refusal_of(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let problems = from_file(folder.path(), text).expect_err(text).to_string();
    problems.replace(&format!("{}/", folder.path().display()), "")
}

pub(super) fn loaded(text: &str) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    from_file(folder.path(), text).expect(text)
}

#[test]
fn the_example_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = secret_file(folder.path(), "chat", SECRET);
    let text = EXAMPLE.replace("/etc/labwatch/secrets/chat", &secret);
    let loaded = load(&with_file(env(&[]), folder.path(), &text))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let config = &loaded.config;
    for table in TABLES {
        assert!(
            EXAMPLE.contains(&format!("\n{}\n", table.heading())),
            "{}",
            table.heading()
        );
    }
    assert_eq!(
        (
            config.notifications.routes.len(),
            config.maintenance.len(),
            config.categories.len()
        ),
        (2, 2, 2)
    );
    let bare = Sources {
        file: Some(folder.path().join("labwatch.toml")),
        ..Sources::default()
    };
    fs::remove_file(&secret).expect("removes");
    assert_eq!(
        load_rules(&bare)
            .expect("rules need no secrets")
            .config
            .notifications
            .routes
            .len(),
        2
    );
}

/// A row in which the key can stand, without the key itself.
fn row_around(table: &str, key: &str) -> String {
    let (heading, lines): (&str, &[&str]) = match (table, key) {
        ("route", "webhook" | "alertmanager" | "slack" | "teams" | "ntfy") => {
            ("[[route]]", &["name = \"a\"", "match = \"*\""])
        }
        ("route", "matrix") => (
            "[[route]]",
            &[
                "name = \"a\"",
                "match = \"*\"",
                "room = \"!a:x.org\"",
                "secret = \"token\"",
            ],
        ),
        ("route", "room") => (
            "[[route]]",
            &[
                "name = \"a\"",
                "match = \"*\"",
                "matrix = \"https://x.org\"",
                "secret = \"token\"",
            ],
        ),
        ("route", "secret") => (
            "[[route]]",
            &[
                "name = \"a\"",
                "match = \"*\"",
                "webhook = \"https://x.org\"",
            ],
        ),
        ("route", _) => (
            "[[route]]",
            &["name = \"a\"", "match = \"*\"", "to = \"a@x.org\""],
        ),
        ("maintenance", "from" | "until") => (
            "[[maintenance]]",
            &[
                "name = \"a\"",
                "match = \"*\"",
                "reason = \"r\"",
                "from = \"2026-09-01T09:00\"",
                "until = \"2026-09-01T10:00\"",
            ],
        ),
        ("maintenance", _) => (
            "[[maintenance]]",
            &[
                "name = \"a\"",
                "match = \"*\"",
                "reason = \"r\"",
                "days = \"mon\"",
                "at = \"8:00\"",
                "for = \"1h\"",
            ],
        ),
        ("pool", _) => ("[[pool]]", &["name = \"a\"", "members = \"*\""]),
        ("category", _) => (
            "[[category]]",
            &[
                "name = \"a\"",
                "match = \"*\"",
                "resilient = true",
                "sticky = true",
            ],
        ),
        ("service", _) => (
            "[[category]]\nname = \"teaching\"\n[[service]]",
            &[
                "name = \"a\"",
                "url = \"https://x.org\"",
                "categories = \"teaching\"",
            ],
        ),
        _ => ("[advice]", &[]),
    };
    let others = lines
        .iter()
        .filter(|line| !line.starts_with(&format!("{key} =")));
    [heading]
        .into_iter()
        .chain(others.copied())
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[test]
fn every_example_is_accepted_and_every_key_documents_what_is_allowed() {
    for table in TABLES {
        for key in table.keys.iter().filter(|key| !key.name.ends_with("_file")) {
            let around = row_around(table.name, key.name);
            let text = format!("{around}{} = {}\n", key.name, key.toml());
            loaded(&text);
            if key.name == "secret" {
                continue;
            }
            let folder = tempfile::tempdir().expect("a folder");
            let nonsense = format!("{around}{} = \"!\\u0001\"\n", key.name);
            let problems = from_file(folder.path(), &nonsense).expect_err(&nonsense).0;
            let name = format!(": {}", key.name);
            let problem = problems
                .iter()
                .find(|problem| problem.key.ends_with(&name))
                .expect(&nonsense);
            let documented = format!("Allowed: {}.", problem.allowed);
            assert!(
                key.doc().contains(&documented),
                "{} {}: the documentation should say: {documented}",
                table.name,
                key.name
            );
            let line = nonsense.lines().count();
            assert!(
                problem.origin.ends_with(&format!("labwatch.toml:{line}")),
                "{}",
                problem.origin
            );
        }
    }
}

#[test]
fn advice_has_the_engine_s_patterns() {
    let documented: Vec<_> = TABLES
        .iter()
        .filter(|table| table.name == "advice")
        .flat_map(|table| table.keys)
        .collect();
    assert!(
        documented
            .iter()
            .map(|key| key.name)
            .eq(Pattern::ALL.map(Pattern::as_str))
    );
    assert_ne!(
        loaded("[advice]\nboth_down = \"Go there.\"\n")
            .config
            .advice,
        engine::Advice::default()
    );
    assert_eq!(loaded("").config.advice, engine::Advice::default());
    let long = format!("[advice]\nboth_down = \"{}\"\n", "x".repeat(1_001));
    assert_eq!(
        refusal_of(&long),
        "advice: both_down is not usable; one line of at most 1000 bytes (labwatch.toml:2)"
    );
}

/// One wrong file each, with the exact words about it.
const REFUSED: &[(&str, &str)] = &[
    (
        "[[rout]]\nname = \"a\"\n",
        "rout is not a table that labwatch knows; did you mean [[route]]? (labwatch.toml:1)",
    ),
    (
        "[route]\nname = \"a\"\n",
        "route is one table; write [[route]], once for each (labwatch.toml:1)",
    ),
    (
        "\n[[advice]]\nboth_down = \"a\"\n",
        "advice is a list of tables; write [advice], once (labwatch.toml:2)",
    ),
    (
        "pool = 3\n",
        "pool is not a table; write [[pool]] (labwatch.toml:1)",
    ),
    (
        "[[pool]]\nname = \"a\"\nmembers = \"*\"\nmin_healty = 2\n",
        "pool \"a\": min_healty is not a key of [[pool]]; did you mean min_healthy? (labwatch.toml:4)",
    ),
    (
        "[[pool]]\nname = \"a\"\nmembers = \"*\"\nhealth_events = 2\n",
        "pool \"a\": health_events is not a key of [[pool]]; it is a setting: write it above the first table of the file (labwatch.toml:4)",
    ),
    (
        "[[pool]]\nname = \"a\"\nmembers = \"*\"\nqqqqqqqqqq = 2\n",
        "pool \"a\": qqqqqqqqqq is not a key of [[pool]]; allowed are name, members, title, min_healthy (labwatch.toml:4)",
    ),
    (
        "[[pool]]\nname = \"a\"\nmembers = \"*\"\n[[pool]]\nname = \"a\"\nmembers = \"*\"\n",
        "pool \"a\": name is there twice; each needs a name of its own (labwatch.toml:5)",
    ),
    (
        "[[pool]]\nname = \"a\"\nmembers = \"*\"\n[[pool]]\nmembers = \"*\"\n",
        "pool 2: name is missing; write for example name = \"pendulums\" (labwatch.toml:4)",
    ),
    (
        "[[pool]]\nname = \"a\"\nmin_healthy = 0\n",
        "pool \"a\": members is missing; write for example members = [\"pend*\"] (labwatch.toml:1)\n\
         pool \"a\": min_healthy is \"0\", which is out of bounds; a number from 1 to 10000 (labwatch.toml:3)",
    ),
    (
        "[[service]]\nname = \"book\"\nurl = \"https://x.org\"\n",
        "service \"book\": name is taken by labwatch itself; letters, digits, dots, dashes and underscores, at most 64, and not self, store, \
         configuration, dead_man, book, relay, jump, mail or cluster (labwatch.toml:2)",
    ),
    (
        "[[service]]\nname = \"a\"\nurl = \"https://x.org\"\ncategories = [\"defalt\"]\n",
        "service \"a\": categories has \"defalt\", which is not a category: did you mean default?; names, separated by commas or white space, \
         or a list of them (labwatch.toml:4)",
    ),
    (
        "[[service]]\nname = \"a\"\nretries = 11\n",
        "service \"a\": retries is set, but the service has no url, so it is not asked: it reports by itself; write its url, or leave it out \
         (labwatch.toml:3)\n\
         service \"a\": retries is \"11\", which is out of bounds; a number from 0 to 10 (labwatch.toml:3)",
    ),
    (
        "[[category]]\nname = \"a\"\n",
        "category \"a\": match is missing; nothing is in it: write pools, name it in a [[service]], or write for example \
         match = [\"pend*\", \"book\"] (labwatch.toml:1)",
    ),
    (
        "[[category]]\nname = \"system\"\nmatch = \"*\"\n",
        "category \"system\": match is set, but what is in this category is fixed; leave it out, or give it another name (labwatch.toml:3)",
    ),
    (
        "[[category]]\nname = \"a\"\nmatch = \"*\"\nmin_healthy = 2\nfailure_threshold = 3\nsticky_booking = true\n",
        "category \"a\": min_healthy is set, but the category is not resilient; write resilient = true, or leave it out (labwatch.toml:4)\n\
         category \"a\": failure_threshold is set, but the category is not sticky; write sticky = true, or leave it out (labwatch.toml:5)\n\
         category \"a\": sticky_booking is set, but the category is not sticky; write sticky = true, or leave it out (labwatch.toml:6)",
    ),
];

#[test]
fn a_wrong_table_is_refused_in_plain_words_with_its_line() {
    for (text, words) in REFUSED {
        assert_eq!(refusal_of(text), *words, "{text}");
    }
    let many = "[[pool]]\nname = \"a\"\nmembers = \"*\"\n".repeat(201);
    assert_eq!(
        refusal_of(&many),
        "pool occurs 201 times; at most 200 times (labwatch.toml:1)"
    );
}

#[test]
fn tables_stand_in_the_file_alone() {
    let mut sources = env(&[]);
    sources.overrides = vec![("route".into(), "x".into())];
    let problems = load(&sources).expect_err("refused").to_string();
    assert_eq!(
        problems,
        "route is [[route]]; tables stand in the configuration file only (argument --set)"
    );
    let warnings = load(&env(&[("ROUTE", "x")])).expect("loads").warnings;
    assert_eq!(
        warnings,
        [
            "route is [[route]] and is ignored; tables stand in the configuration file only (environment variable STATUS_ROUTE)"
        ]
    );
}

#[test]
fn groups_are_read_with_their_defaults() {
    let config = loaded(
        "[[pool]]\nname = \"pendulums\"\nmembers = [\"pend*\", \"swing?\"]\n\
         [[category]]\nname = \"teaching\"\npools = \"pendulums\"\nresilient = true\nmin_healthy = 2\n\
         [[category]]\nname = \"outside\"\n\
         [[category]]\nname = \"default\"\nperiod = \"5s\"\n\
         [[service]]\nname = \"wiki\"\nurl = \"https://x.org/health?full\"\nexpect = 200\ncategories = [\"outside\", \"system\"]\n",
    )
    .config;
    assert_eq!(config.pools[0].rule().patterns, ["pend*", "swing?"]);
    assert_eq!(config.pools[0].min_healthy, 1);
    let [teaching, outside, default] = &config.categories[..] else {
        panic!("{:?}", config.categories)
    };
    assert_eq!(
        (
            teaching.rule.pools.join(","),
            teaching.rule.min_healthy,
            teaching.rule.period.as_secs()
        ),
        ("pendulums".to_owned(), Some(2), 60)
    );
    let outside = &outside.rule;
    assert!(!outside.sticky && outside.failure_threshold == 1 && outside.patterns.is_empty());
    assert_eq!(default.rule.period.as_secs(), 5);
    let wiki = &config.services[0];
    assert_eq!(
        (wiki.expect, wiki.retries, wiki.timeout.as_secs()),
        (config::Expect::Ok200, 2, 5)
    );
    assert_eq!(
        wiki.url.as_ref().map(url::Url::as_str),
        Some("https://x.org/health?full")
    );
    let wiki = &loaded("[[service]]\nname = \"wiki\"\nperiod = \"5m\"\n")
        .config
        .services[0];
    assert_eq!(
        (&wiki.url, wiki.period.as_secs()),
        (&None, 300),
        "it reports by itself"
    );
}
