//! The table of modules in docs/architecture.md, as far as the manifests cannot keep it: which
//! module of the shell uses which, who sees the whole configuration and the engine itself, and how
//! long a file may get.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![allow(clippy::expect_used, reason = "a test stops at what it cannot read")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that a module may use besides itself and `config`. `service` and `cli` may use all.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("clients", &[]),
    ("cluster", &["clients"]),
    ("config", &["clients"]),
    ("driver", &["cluster", "failpoints", "store"]),
    ("effects", &["clients", "failpoints"]),
    ("failpoints", &[]),
    ("health", &["build"]),
    ("http", &["cluster", "health", "reports", "store"]),
    ("replay", &["clients"]),
    ("reports", &["store"]),
    ("store", &["failpoints"]),
    ("telemetry", &[]),
];

/// The most lines before a file's tests.
const MAX_LINES: usize = 400;

/// The start of a file's test module, which may have attributes of its own.
fn before_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let begins_tests = |at: &usize| {
        let after = lines
            .iter()
            .skip(*at)
            .skip_while(|line| line.starts_with("#["));
        lines.get(*at) == Some(&"#[cfg(test)]")
            && after
                .clone()
                .next()
                .is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let end = (0..lines.len()).find(begins_tests).unwrap_or(lines.len());
    lines.get(..end).unwrap_or_default().join("\n")
}

/// The sources of a folder, with their paths from the repository's root and what stands before
/// their tests.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) = (vec![root.join(folder)], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root).expect("below the root");
                let text = fs::read_to_string(&path).expect("text");
                found.insert(name.to_string_lossy().into_owned(), before_tests(&text));
            }
        }
    }
    found
}

/// Modules of tests alone.
fn is_test(path: &str) -> bool {
    ["/tests", "testing.rs", "/fake_"]
        .iter()
        .any(|part| path.contains(part))
}

fn code() -> BTreeMap<String, String> {
    let mut all = sources("src");
    all.extend(sources("crates"));
    all.retain(|path, _| !is_test(path));
    all
}

#[test]
fn modules_use_only_those_that_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.into();
    let mut wrong = BTreeSet::new();
    for (path, text) in sources("src").iter().filter(|(path, _)| !is_test(path)) {
        let module = path.split(['/', '.']).nth(1).unwrap_or_default();
        let Some(allowed) = table.get(module) else {
            continue;
        };
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let code: Vec<&str> = text.lines().filter(is_code).collect();
        for used in code.join("\n").split("crate::").skip(1) {
            let used = used
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            let used = used.unwrap_or_default();
            if !used.is_empty() && used != module && used != "config" && !allowed.contains(&used) {
                wrong.insert(format!("{path} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files that import this name from this crate or module, but for those that may.
fn importers(from: &str, name: &str, allowed: &[&str]) -> Vec<String> {
    let imports = |text: &str| {
        let imported = text.split(from).skip(1);
        let imported = imported.filter_map(|rest| rest.split([';', '(']).next());
        imported
            .flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .any(|word| word == name)
    };
    let all = code().into_iter().filter(|(_, text)| imports(text));
    let (may, wrong): (Vec<String>, Vec<String>) = all
        .map(|(path, _)| path)
        .partition(|path| allowed.iter().any(|start| path.starts_with(start)));
    assert!(!may.is_empty(), "{from}{name} is found where it may be");
    wrong
}

#[test]
fn only_service_and_the_command_line_see_the_whole_configuration() {
    let allowed = ["src/service", "src/cli", "src/config"];
    assert_eq!(importers("crate::config::", "Config", &allowed), [""; 0]);
}

#[test]
fn only_the_driver_and_the_simulator_name_the_engine() {
    // service resumes it and hands it to the driver
    let allowed = ["src/driver", "src/replay", "src/service", "crates/"];
    assert_eq!(importers("use engine::", "Engine", &allowed), [""; 0]);
}

/// Where the feature `etcd` is named. Each of these does something only where a cluster, a
/// publication or a policy in etcd is set, so that a labwatch without one pays nothing for what it
/// is built with.
const NAME_ETCD: [&str; 9] = [
    "src/cli/cluster.rs",
    "src/cli/connect.rs",
    "src/clients/mod.rs",
    "src/cluster/leadership.rs",
    "src/cluster/mod.rs",
    "src/config/cluster.rs",
    "src/effects/publish/mod.rs",
    "src/service/cluster.rs",
    "src/service/policy.rs",
];

#[test]
fn only_what_is_set_to_use_etcd_depends_on_its_feature() {
    let all = sources("src");
    let named = all
        .iter()
        .filter(|(_, text)| text.contains("feature = \"etcd\""));
    let named: Vec<&str> = named.map(|(path, _)| path.as_str()).collect();
    assert_eq!(named, NAME_ETCD);
}

#[test]
fn files_say_what_they_are_for_and_are_not_too_long() {
    for (path, text) in sources("src")
        .iter()
        .chain(&sources("crates"))
        .chain(&sources("tests"))
    {
        assert!(
            text.starts_with("//! "),
            "{path} does not begin with what it is for"
        );
    }
    let long: Vec<String> = code()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, _)| path)
        .collect();
    assert!(
        long.is_empty(),
        "files of more than {MAX_LINES} lines before their tests: {long:?}"
    );
}
