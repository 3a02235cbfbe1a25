//! Passes the commit and time of the build to the program, and packs a document for it. Works
//! without git and outside of a checkout: then it passes less.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// What changes the output. Git's folder is added where there is one.
const WATCHED: [&str; 6] = [
    "build.rs",
    "Cargo.toml",
    "Cargo.lock",
    "crates",
    "openapi",
    "src",
];

fn main() -> std::io::Result<()> {
    pack_document()?;
    for path in WATCHED {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    set("LABWATCH_BUILT", built());
    if is_checkout() {
        for path in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(&["rev-parse", "--git-path", path]) {
                println!("cargo:rerun-if-changed={path}");
            }
        }
        set("LABWATCH_COMMIT", git(&["rev-parse", "--short=12", "HEAD"]));
        set(
            "LABWATCH_COMMITTED",
            git(&["show", "--no-patch", "--format=%cI", "HEAD"]),
        );
        set("LABWATCH_GIT_STATE", state());
    } else {
        for name in [
            "LABWATCH_COMMIT",
            "LABWATCH_COMMITTED",
            "LABWATCH_GIT_STATE",
        ] {
            set(name, None);
        }
    }
    Ok(())
}

/// Compresses the largest document that is served to a seventh of its size.
fn pack_document() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let file = File::create(folder.join("labwatch-v2.json.gz"))?;
    let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    std::io::copy(&mut File::open("openapi/labwatch-v2.json")?, &mut packer)?;
    packer.finish().map(drop)
}

/// Sets a variable. The environment wins, as for a container that is built from sources without
/// their history.
fn set(name: &str, found: Option<String>) {
    println!("cargo:rerun-if-env-changed={name}");
    let given = std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(value) = given.or(found) {
        println!("cargo:rustc-env={name}={value}");
    }
}

/// Whether this folder itself is a checkout: sources inside of another repository are not of its
/// commit.
fn is_checkout() -> bool {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let here = Path::new(&here).canonicalize().ok();
    let top = git(&["rev-parse", "--show-toplevel"]);
    let top = top.and_then(|top| Path::new(&top).canonicalize().ok());
    here.is_some() && here == top
}

fn state() -> Option<String> {
    let changed = run(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { "clean" } else { "dirty" }.to_owned())
}

/// The output of git, unless it is empty.
fn git(arguments: &[&str]) -> Option<String> {
    run(arguments).filter(|answer| !answer.is_empty())
}

fn run(arguments: &[&str]) -> Option<String> {
    // Git rewrites its index when it is asked for the state: a build changes nothing but its own
    // files.
    let git = &mut Command::new("git");
    let output = git.arg("--no-optional-locks").args(arguments).output();
    let output = output.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// When it is built, in RFC 3339; for reproducible builds, `SOURCE_DATE_EPOCH`.
fn built() -> Option<String> {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = match given.and_then(|text| text.parse().ok()) {
        Some(seconds) => seconds,
        None => SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs(),
    };
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

/// The date that is so many days after 1970-01-01.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}
