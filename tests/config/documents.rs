//! The documents that are made of the declarations: the reference, a file with every default, and
//! systemd's environment file. `UPDATE=1 cargo test --test config` writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use labwatch::config::{EXAMPLE, Kind, Reload, SECTIONS, Setting, TABLES};

/// The widest that a line of comment gets.
const WIDTH: usize = 100;

const REFERENCE: &str = "\
# Configuration

<!-- Made of the declarations in src/config/declared by UPDATE=1 cargo test --test config -->

A setting is looked for in this order, and what comes later wins: its default, the configuration file (`--config FILE` or
`STATUS_CONFIG`), systemd's credentials (secrets only), the environment, `--set KEY=VALUE`. The environment's names are
`STATUS_` and the name in capitals: `host_book` is `STATUS_HOST_BOOK`. An empty value is the same as none.

`labwatch check` reads all of it and says what is wrong, and `labwatch check --connect` tries what it leads to.

- **Durations**: a number with `ns`, `us`, `ms`, `s`, `m`, `h`, `d` or `w`, also combined: `10s`, `1h30m`, `1d`.
- **Sizes**: bytes, or a number with `KiB`, `MiB` or `GiB`.
- **Patterns**: names in which `*` stands for any text and `?` for one character; a list of them, or a text with commas.
- **Secrets** are never shown. Each may also stand in a file of its own, which the setting with `_file` behind its name names.
- **Reload**: ✓ a change takes effect at `systemctl reload labwatch` (SIGHUP), otherwise at the next start.
- Unknown names are errors in the file and in `--set`. In the environment, which others fill too, they are warnings unless
  something that is required is missing.
";

const ENVIRONMENT: &str = "\
# Settings of labwatch, for the systemd unit. Every line that is commented out shows a default, or an example where there is none.
# No secret belongs here: put each into a file of its own below /etc/labwatch/secrets (see labwatch.service).
# Durations: 10s, 15m, 1h30m, 1d. Sizes: bytes, or 64KiB, 50MiB, 2GiB. An empty value is the same as none.
# After a change try it, as root, and then restart the service:
#   systemd-run --pipe --wait -p EnvironmentFile=/etc/labwatch/labwatch.env \\
#     $(systemctl cat labwatch | sed -n 's/^LoadCredential=/-p &/p') \"$(command -v labwatch)\" check --connect

# ---- Fill these in; all others may stay as they are ----

#STATUS_HOST_BOOK=app.example.org
#STATUS_BASEPATH_BOOK=/ed0/book
#STATUS_HOST_JUMP=app.example.org
#STATUS_BASEPATH_JUMP=/ed0/jump
#STATUS_HOST_RELAY=app.example.org
#STATUS_BASEPATH_RELAY=/ed0/access
#STATUS_EMAIL_HOST=smtp.example.org
#STATUS_EMAIL_FROM=labwatch@example.org
#STATUS_EMAIL_TO=lab@example.org

# Text for reading in the journal and in files; json is for programs.
STATUS_LOG_FORMAT=text

# ---- Everything that can be set ----

# A TOML file with settings; what stands here wins over it.
#STATUS_CONFIG=/etc/labwatch/labwatch.toml
";

const DEFAULTS: &str = "\
# Every setting of labwatch with its default; a line that starts with # and a name shows an example of one that has none.
# Copy what you need into /etc/labwatch/labwatch.toml and name that file with --config or STATUS_CONFIG.
# The tables, such as [[route]], are documented in docs/configuration.md.
";

fn default_of(setting: &Setting) -> String {
    if setting.has_default {
        format!("`{}`", setting.value)
    } else {
        String::new()
    }
}

/// The meaning with the allowed values, as a cell of a table.
fn meaning(setting: &Setting) -> String {
    setting.doc().replace('|', "\\|").replace('<', "\\<")
}

fn takes_over(reload: Reload) -> &'static str {
    match reload {
        Reload::AtOnce => "✓",
        Reload::AtRestart => "",
    }
}

/// docs/configuration.md
fn reference() -> String {
    let mut text = REFERENCE.to_owned();
    for section in SECTIONS {
        let _ = write!(
            text,
            "\n## {}\n\n| setting | default | meaning | reload |\n|---|---|---|---|\n",
            section.title
        );
        for setting in section.settings {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                setting.variable(),
                default_of(setting),
                meaning(setting),
                takes_over(setting.reload)
            );
        }
    }
    text += "\n## Tables\n\nTables stand in the configuration file only, below all settings that belong to no table. A `[[name]]` may \
             stand there any number of times, a `[name]` once.\n";
    for table in TABLES {
        let reload = match table.reload {
            Reload::AtOnce => "A reload takes it over.",
            Reload::AtRestart => "A change takes effect at the next start.",
        };
        let _ = write!(
            text,
            "\n### `{}`\n\n{} {reload}\n\n| key | default | meaning | example |\n|---|---|---|---|\n",
            table.heading(),
            table.text
        );
        for key in table.keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | `{}` |",
                key.name,
                default_of(key),
                meaning(key),
                key.toml()
            );
        }
    }
    let _ = write!(
        text,
        "\n## An example with every kind of table\n\n```toml\n{EXAMPLE}```\n"
    );
    text
}

/// docs/defaults.toml
fn defaults() -> String {
    let mut text = DEFAULTS.to_owned();
    for section in SECTIONS {
        let _ = write!(text, "\n## {}\n", section.title);
        for setting in section.settings {
            let mark = if setting.has_default { "" } else { "#" };
            let doc = wrapped(&setting.doc());
            let _ = write!(text, "\n{doc}{mark}{} = {}\n", setting.name, setting.toml());
        }
    }
    text
}

/// systemd/labwatch.env
fn environment() -> String {
    let mut text = ENVIRONMENT.to_owned();
    for section in SECTIONS {
        let _ = write!(text, "\n# ---- {} ----\n", section.title);
        for setting in section.settings {
            let value = if setting.value.contains(' ') {
                format!("\"{}\"", setting.value)
            } else {
                setting.value.to_owned()
            };
            let doc = wrapped(&setting.doc());
            let _ = write!(text, "\n{doc}#{}={value}\n", setting.variable());
        }
    }
    text
}

/// A text as comment lines.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &line;
            lines += "\n";
            "#".clone_into(&mut line);
        }
        line += " ";
        line += word;
    }
    lines + &line + "\n"
}

#[test]
fn the_documents_are_those_of_the_declarations() {
    for (name, expected) in [
        ("docs/configuration.md", reference()),
        ("docs/defaults.toml", defaults()),
        ("systemd/labwatch.env", environment()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
            fs::write(&path, &expected).expect("writes");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == expected,
            "{name} is not as declared: run UPDATE=1 cargo test --test config"
        );
    }
}

#[test]
fn no_document_shows_a_bare_list_as_one_word() {
    let list = |setting: &&Setting| setting.value.starts_with('[');
    let keys = TABLES.iter().flat_map(|table| table.keys);
    for key in keys.filter(list) {
        assert!(matches!(key.kind, Kind::Values(_)), "{}", key.name);
        assert!(!key.toml().starts_with('"'), "{}", key.name);
    }
}
