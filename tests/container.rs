//! The container's recipe: what it copies is there and is all that the program is made of, its
//! commands and settings are labwatch's, it does not run as root, and what it makes runs.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(clippy::expect_used, reason = "the helpers of a test fail as tests do")]

#[path = "support/debian.rs"]
mod debian;
#[path = "container/started.rs"]
mod started;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(home().join("scripts/container").join(name)).expect("reads")
}

/// The instructions: their first word, and the rest, with lines that go on put together.
fn instructions() -> Vec<(String, String)> {
    let text: String = read("Dockerfile")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |all, line| all + line + "\n");
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(as_str, rest)| (as_str.to_owned(), rest.trim().to_owned()))
        .collect()
}

fn of(as_str: &str) -> Vec<String> {
    instructions()
        .into_iter()
        .filter(|(known, _)| known == as_str)
        .map(|(_, rest)| rest)
        .collect()
}

/// What is copied from the repository.
fn copied() -> BTreeSet<String> {
    let copies = of("COPY")
        .into_iter()
        .filter(|rest| !rest.starts_with("--from"));
    copies
        .flat_map(|rest| {
            rest.rsplit_once(' ')
                .expect("a target")
                .0
                .split(' ')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn what_it_copies_is_there_and_is_not_kept_from_it() {
    let copied = copied();
    for name in &copied {
        assert!(
            home().join(name).exists(),
            "{name} is copied and is not there"
        );
    }
    let ignore = read("Dockerfile.dockerignore");
    let lets_in: BTreeSet<String> = ignore
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .map(str::to_owned)
        .collect();
    assert!(
        ignore.lines().any(|line| line == "*"),
        "nothing else is sent to the builder"
    );
    assert_eq!(lets_in, copied);
}

/// Also what the sources take in from elsewhere, and what Cargo.toml names.
#[test]
fn what_the_program_is_made_of_is_copied() {
    let copied = copied();
    for file in files(&home().join("src")) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for taken in text
            .split("include_str!(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let mut place = file.parent().expect("a folder").to_owned();
            for part in Path::new(taken).components() {
                if part == Component::ParentDir {
                    place.pop()
                } else {
                    place.push(part);
                    true
                };
            }
            let first = place
                .strip_prefix(home())
                .expect("ours")
                .components()
                .next()
                .expect("a folder");
            let first = first.as_os_str().to_str().expect("a name");
            assert!(
                copied.contains(first),
                "{} takes {taken} in, and {first} is not copied",
                file.display()
            );
        }
    }
    let manifest = fs::read_to_string(home().join("Cargo.toml")).expect("reads");
    for bench in manifest
        .split("[[bench]]\nname = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert!(
            copied.contains("benches")
                && home()
                    .join("benches")
                    .join(bench)
                    .with_extension("rs")
                    .exists(),
            "{bench}"
        );
    }
    for needed in ["build.rs", "crates"] {
        assert!(copied.contains(needed), "{needed} is not copied");
    }
}

#[test]
fn its_commands_and_settings_are_labwatchs() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let health = of("HEALTHCHECK").concat();
    let asked = health
        .split_once("CMD labwatch ")
        .expect("a command")
        .1
        .split(" ||")
        .next()
        .expect("a command")
        .to_owned();
    let start: Vec<String> = serde_json::from_str(&of("CMD").concat()).expect("a list");
    assert_eq!(of("ENTRYPOINT"), ["[\"labwatch\"]"]);
    for mut arguments in [words(&asked), start] {
        arguments.push("--help".to_owned());
        let output = Command::new(env!("CARGO_BIN_EXE_labwatch"))
            .args(&arguments)
            .output()
            .expect("runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for setting in of("ENV") {
        let (name, _) = setting.split_once('=').expect("a value");
        let key = name
            .strip_prefix("STATUS_")
            .expect("a setting")
            .to_lowercase();
        assert!(labwatch::config::declared(&key).is_some(), "{name}");
    }
}

#[test]
fn it_is_not_root_and_keeps_its_store_in_a_volume() {
    let all = instructions();
    let stages = all.iter().filter(|(as_str, _)| as_str == "FROM").count();
    let last = all
        .iter()
        .rposition(|(as_str, _)| as_str == "FROM")
        .expect("a stage");
    assert!(stages == 2 && last > 0, "what builds it is not shipped");
    let user = all
        .iter()
        .skip(last)
        .find(|(as_str, _)| as_str == "USER")
        .map(|(_, user)| user.clone())
        .expect("a user");
    assert!(
        user.parse::<u32>().is_ok_and(|id| id >= 10_000),
        "{user}: a number, for those who check that it is not root"
    );
    let folder = of("ENV")
        .into_iter()
        .find_map(|setting| setting.strip_prefix("STATUS_DATA_DIR=").map(str::to_owned));
    assert_eq!(of("VOLUME"), [folder.expect("a folder")]);
}
