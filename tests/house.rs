//! The rules of the house, checked by reading the sources: which room may use which, that the engine is pure, that files are short and
//! say what they are for, and that the repository speaks of labwatch alone.

#[path = "house/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use source::{Source, files_under, starts_of, text_of};

/// What a room may use besides itself. The engine's *vocabulary* is everything of it but the engine itself.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    may_use_the_engine_itself: bool,
}

const fn room(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room {
        name,
        may_use,
        may_use_the_engine_itself: false,
    }
}

const fn room_with_engine(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room {
        name,
        may_use,
        may_use_the_engine_itself: true,
    }
}

/// The table. `service` may use everything and stands in [`FREE`].
const ROOMS: [Room; 20] = [
    room("model", &[]),
    room("wire", &["model"]),
    room_with_engine("engine", &["model"]),
    room("config", &["model", "engine", "wire"]),
    room("feeds", &["model", "engine", "wire", "config"]),
    room("faults", &["engine"]),
    room("effects", &["model", "engine", "wire", "config", "faults"]),
    room("store", &["model", "engine", "config", "faults"]),
    room("reports", &["model", "engine", "store"]),
    room("cluster", &["model", "engine", "config"]),
    room("health", &["model", "engine", "config", "access"]),
    room("telemetry", &["model", "engine", "config"]),
    room_with_engine("driver", &["model", "engine", "faults", "effects", "store"]),
    room("access", &["model"]),
    // Of the store only the reader: the API asks the history and writes nothing.
    room(
        "api",
        &["model", "engine", "access", "health", "store", "reports"],
    ),
    // The page shows the history, which only the store's reader gives. Of the API it takes the way of orders and the maker of reports, so
    // that there is one of each; of health how categories stand.
    room(
        "web",
        &[
            "model", "engine", "store", "reports", "access", "api", "health",
        ],
    ),
    room("lab", &["model", "wire"]),
    room_with_engine("replay", &["model", "engine", "feeds"]),
    room_with_engine(
        "cli",
        &[
            "model",
            "engine",
            "wire",
            "config",
            "feeds",
            "effects",
            "store",
            "reports",
            "access",
            "telemetry",
            "lab",
            "replay",
            "service",
        ],
    ),
    room("main", &["cli"]),
];

/// Rooms without a rule: the one that puts all together, and the map.
const FREE: [&str; 2] = ["service", "lib"];

/// The name of the engine itself, which only those who drive it may say.
const THE_ENGINE: &str = "Engine";

/// What neither the engine nor the model may name: they are told the time and everything else, and only answer.
const IMPURE: [&str; 17] = [
    "tokio",
    "async",
    "await",
    "tracing",
    "rand",
    "fastrand",
    "reqwest",
    "axum",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "::now(",
];

/// The most lines that a file may have before its tests.
const MAX_LINES: usize = 400;

/// Files of the engine that may use containers without an order, and why it does no harm.
const MAY_HASH: [(&str, &str); 1] = [(
    "src/engine/index.rs",
    "looks names up and offers no way to iterate",
)];

#[test]
fn rooms_use_only_what_they_may() {
    none(&check_all(rooms));
}

#[test]
fn the_engine_and_the_model_are_pure() {
    none(&check_all(purity));
}

#[test]
fn the_engine_has_an_order_in_everything() {
    none(&check_all(order));
    for (path, why) in MAY_HASH {
        let text = text_of(root(), path);
        assert!(
            text.contains("HashMap") || text.contains("HashSet"),
            "{path} needs no exception ({why}): take it off the list"
        );
    }
}

#[test]
fn files_say_what_they_are_for() {
    none(&check_all(opening));
}

#[test]
fn files_are_short() {
    none(&check_all(length));
}

#[test]
fn the_repository_speaks_of_labwatch_alone() {
    let files = tracked();
    assert!(
        files.iter().any(|path| path == "src/lib.rs"),
        "the list of files is not right: {files:?}"
    );
    none(
        &files
            .iter()
            .flat_map(|path| workplace(path, &text_of(root(), path)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_room_has_its_rule() {
    let known = |name: &str| FREE.contains(&name) || ROOMS.iter().any(|room| room.name == name);
    let without: BTreeMap<_, _> = sources()
        .iter()
        .filter(|s| !known(s.room()))
        .map(|s| (s.room().to_owned(), s.path.clone()))
        .collect();
    assert!(
        without.is_empty(),
        "rooms that the table in tests/house.rs does not know: {without:?}"
    );
}

/// A room uses only itself and what the table allows.
fn rooms(source: &Source) -> Vec<String> {
    let Some(room) = ROOMS.iter().find(|room| room.name == source.room()) else {
        return Vec::new();
    };
    let exists = |name: &str| FREE.contains(&name) || ROOMS.iter().any(|room| room.name == name);
    let mut found = Vec::new();
    for named in source.named() {
        let Some(target) = named
            .parts
            .first()
            .map(String::as_str)
            .filter(|name| exists(name) && *name != room.name)
        else {
            continue;
        };
        if !room.may_use.contains(&target) {
            found.push(format!(
                "{}:{}: {} may not use {target}, only {:?}",
                source.path, named.line, room.name, room.may_use
            ));
        } else if target == "engine"
            && !room.may_use_the_engine_itself
            && named.parts.iter().any(|part| part == THE_ENGINE)
        {
            found.push(format!(
                "{}:{}: {} may use the engine's vocabulary, not the engine itself",
                source.path, named.line, room.name
            ));
        }
    }
    found
}

/// The engine and the model do no IO, ask no clock, wait for nothing, log nothing, and leave nothing to chance.
fn purity(source: &Source) -> Vec<String> {
    let pure = ["engine", "model"].contains(&source.room());
    let words = IMPURE.iter().filter(|_| pure);
    words
        .flat_map(|word| {
            says(
                source,
                word,
                "which what is pure may not: it is told everything, the time too",
            )
        })
        .collect()
}

/// The engine's containers have an order, so that the same inputs give the same actions.
fn order(source: &Source) -> Vec<String> {
    let ordered =
        source.room() == "engine" && MAY_HASH.iter().all(|(path, _)| *path != source.path);
    let words = ["HashMap", "HashSet"].into_iter().filter(|_| ordered);
    words
        .flat_map(|word| says(source, word, "which has no order: take a BTree one, or list the file in tests/house.rs with the reason"))
        .collect()
}

/// Where the code says `word`, which is against a rule.
fn says(source: &Source, word: &str, rule: &str) -> Vec<String> {
    let at = starts_of(&source.code, word);
    at.into_iter()
        .map(|at| format!("{}:{}: says `{word}`, {rule}", source.path, source.line(at)))
        .collect()
}

/// A file opens with what it is for and what it may not do.
fn opening(source: &Source) -> Vec<String> {
    let opens = source.raw.starts_with("//! ");
    if opens {
        Vec::new()
    } else {
        vec![format!(
            "{}:1: does not open with a `//! ` line that says what the file is for",
            source.path
        )]
    }
}

/// A file fits into one head.
fn length(source: &Source) -> Vec<String> {
    let lines = source.lines_before_tests();
    if lines <= MAX_LINES {
        Vec::new()
    } else {
        vec![format!(
            "{}:{MAX_LINES}: {lines} lines before the tests, more than {MAX_LINES}: part it",
            source.path
        )]
    }
}

/// No file tells where or how it was made. The words stand here in two parts, so that this file passes too.
fn workplace(path: &str, text: &str) -> Vec<String> {
    let words = [
        ("/wo", "rk/"),
        ("/tmp/", "target"),
        ("helper ", "session"),
        ("practable", ".md"),
        ("crates", ".md section"),
        ("habits", ".md"),
        ("issues ", "show"),
    ]
    .map(|(start, end)| format!("{start}{end}"));
    let mut found = Vec::new();
    for (line, content) in text.lines().enumerate() {
        for word in words.iter().filter(|word| content.contains(word.as_str())) {
            found.push(format!(
                "{path}:{}: `{word}` speaks of the workplace, not of labwatch",
                line + 1
            ));
        }
    }
    found
}

fn check_all(check: fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(check).collect()
}

fn none(found: &[String]) {
    assert!(
        found.is_empty(),
        "{} against the rules of the house:\n{}",
        found.len(),
        found.join("\n")
    );
}

fn sources() -> Vec<Source> {
    let sources = source::all(root());
    assert!(
        sources
            .iter()
            .any(|source| source.path == "src/engine/mod.rs"),
        "the sources were not found"
    );
    sources
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that git keeps; where there is no git, what a source package holds.
fn tracked() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success());
    if let Some(output) = listed {
        let listed: Vec<_> = String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect();
        if !listed.is_empty() {
            return listed;
        }
    }
    let folders = ["src", "tests", "scripts", "systemd", "openapi", "benches"]
        .into_iter()
        .flat_map(|folder| files_under(root(), folder));
    folders
        .chain(["README.md", "CHANGELOG.md", "Cargo.toml", "deny.toml"].map(str::to_owned))
        .collect()
}

mod the_checks_themselves {
    use super::*;

    /// A file, what is against the rules in it: `line` and a word of the finding.
    fn check(rule: fn(&Source) -> Vec<String>, path: &str, raw: &str, expect: &[(usize, &str)]) {
        let found = rule(&Source::new(path, raw));
        assert_eq!(found.len(), expect.len(), "{path}\n{raw}\n{found:?}");
        for (finding, (line, word)) in found.iter().zip(expect) {
            assert!(
                finding.starts_with(&format!("{path}:{line}: ")) && finding.contains(word),
                "{finding} is not line {line} with {word}"
            );
        }
    }

    #[test]
    fn a_room_that_reaches_too_far_is_found() {
        check(
            rooms,
            "src/feeds/a.rs",
            "use engine::model::Stub;\nuse crate::effects::Mail;\n",
            &[(2, "effects")],
        );
        check(
            rooms,
            "src/feeds/a.rs",
            "use crate::{\n    model::{Stub, Topic},\n    api::serve,\n};\n",
            &[(3, "api")],
        );
        check(
            rooms,
            "src/feeds/a.rs",
            "fn f() { crate::store::put(); }",
            &[(1, "store")],
        );
        check(
            rooms,
            "src/feeds/a.rs",
            "use super::super::effects;",
            &[(1, "effects")],
        );
        check(
            rooms,
            "src/feeds/mod.rs",
            "use super::effects::X;",
            &[(1, "effects")],
        );
        check(rooms, "src/feeds/a/b.rs", "use super::super::effects;", &[]);
        check(rooms, "src/feeds/a.rs", "use super::effects;", &[]);
        check(
            rooms,
            "src/model/a.rs",
            "use engine::Event;",
            &[(1, "engine")],
        );
        check(
            rooms,
            "src/main.rs",
            "fn main() { labwatch::service::run() }",
            &[(1, "service")],
        );
        check(
            rooms,
            "src/service.rs",
            "use crate::feeds::X; use crate::effects::Y;",
            &[],
        );
    }

    #[test]
    fn only_drivers_name_the_engine_itself() {
        check(rooms, "src/api/a.rs", "use engine::{Event, Snapshot};", &[]);
        check(
            rooms,
            "src/api/a.rs",
            "use engine::{Event,\n Engine};",
            &[(2, "itself")],
        );
        check(rooms, "src/driver.rs", "use engine::Engine;", &[]);
        check(rooms, "src/api/a.rs", "use engine::EngineRoom;", &[]);
    }

    #[test]
    fn comments_texts_and_tests_do_not_count() {
        let raw = "//! See [`crate::api`].\n/* crate::api */ const A: &str = \"crate::api \\\" crate::api\";\n\
                   const B: &str = r#\"crate::\"api\"#; const C: char = '\"'; fn f<'a>(_: &'a str) {}\nuse crate::lab::X;\n\
                   #[cfg(test)]\nmod tests { use crate::api::X; }\n";
        check(rooms, "src/feeds/a.rs", raw, &[(4, "lab")]);
        check(rooms, "src/feeds/tests.rs", "use crate::lab::X;", &[]);
        check(
            rooms,
            "src/feeds/a.rs",
            "#[cfg(test)]\nfn only_here() {}\nuse crate::lab::X;",
            &[(3, "lab")],
        );
    }

    #[test]
    fn impurity_is_found() {
        check(
            purity,
            "src/engine/a.rs",
            "fn f() { jiff::Timestamp::now(); }\nuse std::fs;",
            &[(2, "std::fs"), (1, "::now(")],
        );
        check(
            purity,
            "src/engine/a.rs",
            "async fn f() {}",
            &[(1, "async")],
        );
        check(
            purity,
            "src/engine/a.rs",
            "let brand = operand; // rand, tokio\nlet instant = Instantly;",
            &[],
        );
        check(purity, "src/driver.rs", "use tokio::select;", &[]);
    }

    #[test]
    fn disorder_length_and_silence_are_found() {
        check(
            order,
            "src/engine/a.rs",
            "//! x\nuse std::collections::HashMap;",
            &[(2, "HashMap")],
        );
        check(
            order,
            "src/engine/index.rs",
            "use std::collections::HashMap;",
            &[],
        );
        check(order, "src/api/a.rs", "use std::collections::HashMap;", &[]);
        check(opening, "src/a.rs", "use x;\n//! late", &[(1, "open")]);
        let (fits, long) = ("x\n".repeat(MAX_LINES), "x\n".repeat(MAX_LINES + 1));
        check(
            length,
            "src/a.rs",
            &format!("{fits}#[cfg(test)]\nmod tests {{}}\n{long}"),
            &[],
        );
        check(length, "src/a.rs", &long, &[(MAX_LINES, "part it")]);
    }

    #[test]
    fn the_workplace_is_found() {
        let path = ["/wo", "rk/x"].concat();
        assert_eq!(workplace("README.md", &format!("a\nsee {path}")).len(), 1);
        assert!(workplace("README.md", "it must work/play").is_empty());
    }
}
