//! The goldens of the answers: two states whole, of the others the differences from the state in
//! which all is well.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// What begins the answer to one request.
const BEGIN: &str = "=== ";

/// Fields whose values are only the time of the test, which moves from state to state.
const TIMES: [&str; 7] = [
    "\"age\"",
    "\"_age\"",
    "\"last_update\"",
    "\"last_change\"",
    "\"lastUpdated\"",
    "\"time\"",
    "\"now\"",
];

/// Compares with the file of that name, or writes it where `UPDATE` is set.
pub fn compare(name: &str, got: &str) {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/health/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, got).expect("writes the golden");
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept
        .lines()
        .zip(got.lines())
        .find(|(kept, got)| kept != got);
    assert!(
        kept == got,
        "{} differs first at {differs:?}; look, and run with UPDATE=1 if it is right",
        file.display()
    );
}

/// The answers of `other` as far as they differ from those of `well`, line by line; one that `well`
/// does not have is kept whole.
pub fn differences(well: &str, other: &str) -> String {
    let well: BTreeMap<&str, &str> = answers(well).collect();
    let mut out = String::new();
    for (request, answer) in answers(other) {
        let differs = match well.get(request) {
            None => answer.to_owned(),
            Some(known) => difference(&lines(known), &lines(answer)),
        };
        let _ = write!(out, "{BEGIN}{request}\n{differs}");
    }
    out
}

fn answers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(BEGIN).filter_map(|part| part.split_once('\n'))
}

fn lines(answer: &str) -> Vec<&str> {
    let is_time = |line: &str| {
        TIMES
            .iter()
            .any(|field| line.trim_start().starts_with(field))
    };
    answer.lines().filter(|line| !is_time(line)).collect()
}

/// The lines that went and came, by the longest common subsequence.
fn difference(from: &[&str], to: &[&str]) -> String {
    let mut common = vec![vec![0_usize; to.len() + 1]; from.len() + 1];
    for (i, one) in from.iter().enumerate().rev() {
        for (j, other) in to.iter().enumerate().rev() {
            common[i][j] = if one == other {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < from.len() || j < to.len() {
        if i < from.len() && j < to.len() && from[i] == to[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == to.len() || (i < from.len() && common[i + 1][j] >= common[i][j + 1]) {
            let _ = writeln!(out, "- {}", from[i]);
            i += 1;
        } else {
            let _ = writeln!(out, "+ {}", to[j]);
            j += 1;
        }
    }
    out
}

#[test]
fn only_what_differs_is_kept() {
    let well = "=== GET /a\n200\n{\n  \"ok\": true,\n  \"age\": 1\n}\n=== GET /b\n200\n";
    let other =
        "=== GET /a\n503\n{\n  \"ok\": true,\n  \"age\": 2\n}\n=== GET /b\n200\n=== GET /c\n204\n";
    assert_eq!(
        differences(well, other),
        "=== GET /a\n- 200\n+ 503\n=== GET /b\n=== GET /c\n204\n"
    );
}
