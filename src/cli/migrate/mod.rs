//! `labwatch migrate`: takes over the settings of the program `status` from its unit, drop-ins and
//! environment files. Without a target folder it only shows the result. It changes nothing of what
//! it reads.

mod old;
mod unit;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use old::Migrated;
use unit::Found;

use super::failure::Failure;
use super::files::{self, CREDENTIALS, Mode, SECRETS};
use super::output::say;
use crate::config::{Loaded, Problems, Sources, load, variable};

/// The name of the environment file.
const SETTINGS: &str = "labwatch.env";

/// Source and target of the migration.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// The unit of status, by name or path, such as status.service; or a file of its variables.
    #[arg(value_name = "UNIT")]
    unit: String,
    /// Write labwatch.env, secrets and credentials.conf into this folder, such as /etc/labwatch.
    /// Without it nothing is written.
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long, requires = "out")]
    force: bool,
}

/// Shows or writes the result of the migration.
///
/// # Errors
/// [`Failure`] when the unit cannot be read, a file cannot be written, or the result is not a
/// complete configuration.
pub(super) fn run(args: &MigrateArgs) -> Result<(), Failure> {
    let found = Found::read(&args.unit).map_err(Failure::Usage)?;
    let migrated = Migrated::of(&found.in_force());
    let checked = check(&migrated);
    let mut text = report(&found, &migrated, &checked);
    match &args.out {
        None => {
            let _ = write!(
                text,
                "\n{SETTINGS} would be:\n\n{}\nNothing is written. With -o /etc/labwatch it is.",
                settings_file(&found, &migrated)
            );
        }
        Some(folder) => text.push_str(&write_all(folder, args.force, &found, &migrated)?),
    }
    say(&text)?;
    match checked {
        Ok(_) => Ok(()),
        Err(problems) => Err(Failure::Configuration(problems)),
    }
}

/// As `labwatch check` does it, with the secrets as if they were in the environment.
fn check(migrated: &Migrated) -> Result<Loaded, Problems> {
    let secrets = migrated.secrets.iter();
    let secrets = secrets.map(|(name, value)| (variable(name), value.clone()));
    let settings = migrated.settings.clone().into_iter();
    let env: BTreeMap<String, String> = settings.chain(secrets).collect();
    load(&Sources {
        env,
        ..Sources::default()
    })
}

fn report(found: &Found, migrated: &Migrated, checked: &Result<Loaded, Problems>) -> String {
    let files = found
        .files
        .iter()
        .map(|path| format!("  {}\n", path.display()));
    let mut text = format!(
        "Read:\n{}Taken over: {} settings and {} secrets.\n",
        files.collect::<String>(),
        migrated.settings.len(),
        migrated.secrets.len()
    );
    let remarks: Vec<&String> = found.remarks.iter().chain(&migrated.remarks).collect();
    if !remarks.is_empty() {
        text.push_str("\nTo be looked at:\n");
    }
    for (number, remark) in (1..).zip(remarks) {
        let _ = writeln!(text, "{number:3}. {remark}.");
    }
    match checked {
        Ok(loaded) => {
            text.push_str("\nlabwatch accepts what comes out.\n");
            for warning in &loaded.warnings {
                let _ = writeln!(text, "  warning: {warning}");
            }
        }
        Err(_) => text.push_str("\nWhat comes out is not a whole configuration yet; see below.\n"),
    }
    text
}

fn settings_file(found: &Found, migrated: &Migrated) -> String {
    let from = found.files.first().map(|path| path.display().to_string());
    let mut text = format!(
        "# Settings of labwatch, taken over from {} by labwatch migrate. No secret belongs here.\n",
        from.unwrap_or_default()
    );
    for (name, value) in &migrated.settings {
        let _ = writeln!(text, "{name}={}", words::quoted(value));
    }
    text
}

/// Writes all files, or none if one exists. Returns what to do next.
fn write_all(
    folder: &Path,
    force: bool,
    found: &Found,
    migrated: &Migrated,
) -> Result<String, Failure> {
    let not_made = |error: std::io::Error| {
        Failure::Failed(format!("{} cannot be made: {error}.", folder.display()))
    };
    fs::create_dir_all(folder).map_err(not_made)?;
    let folder = &folder.canonicalize().map_err(not_made)?;
    let names: Vec<&str> = migrated.secrets.keys().map(|name| &**name).collect();
    let mut all = vec![
        (
            folder.join(SETTINGS),
            settings_file(found, migrated),
            Mode::Open,
        ),
        (
            folder.join(CREDENTIALS),
            files::credentials(folder, &names),
            Mode::Open,
        ),
    ];
    for (name, value) in &migrated.secrets {
        all.push((
            folder.join(SECRETS).join(name),
            value.clone(),
            Mode::Private,
        ));
    }
    files::write_all(&all, force)?;
    Ok(format!(
        "\nWritten to {0}. Next, as root:\n  \
         systemctl disable --now status\n  \
         install -D -m 0644 {0}/{CREDENTIALS} /etc/systemd/system/labwatch.service.d/{CREDENTIALS}\n  \
         systemctl daemon-reload && systemctl enable --now labwatch\n\
         The two must not run side by side: they would switch against each other.",
        folder.display()
    ))
}
