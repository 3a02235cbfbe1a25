//! `labwatch init`: a first configuration from five answers, given as arguments or entered at a
//! terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use engine::model::Gather as _;
use url::Url;

use super::failure::Failure;
use super::files::{self, Mode};
use super::output::say;
use crate::config::{Sources, load, variable};

/// The servers, each with the last part of its path on a laboratory's host.
const SERVERS: [(&str, &str); 3] = [("book", "book"), ("jump", "jump"), ("relay", "access")];

/// The secret that labwatch makes for itself.
const OWN_SECRET: &str = "secret_api";

/// What is written below the settings.
const EXAMPLES: &str = r#"
# Who else is notified, and of what; email_to is notified of everything.
#[[route]]
#name = "pendulums"
#match = ["pend*"]
#to = ["jo@example.org"]

# When nothing is notified, because they are worked on.
#[[maintenance]]
#name = "service"
#match = ["pend*"]
#reason = "weekly service"
#days = ["mon"]
#at = "08:00"
#for = "2h"
"#;

/// The answers.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The address of the laboratory, such as `https://app.example.org/ed0`; book, jump and relay are below it.
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    /// The mail server, as HOST or HOST:PORT; none: nothing is mailed.
    #[arg(long, value_name = "HOST")]
    mail_server: Option<String>,
    /// Who is mailed: addresses, separated by commas; none: nothing is mailed.
    #[arg(long, value_name = "ADDRESSES")]
    mail_to: Option<String>,
    /// The time zone of mails and maintenance, such as Europe/London.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// A folder with the files `secret_book`, `secret_jump` and `secret_relay`, each holding the
    /// secret of that server alone.
    #[arg(long, value_name = "FOLDER")]
    secrets: Option<PathBuf>,
    /// Where the configuration goes.
    #[arg(short, long, value_name = "FOLDER", default_value = "/etc/labwatch")]
    out: PathBuf,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

/// Asks for missing answers, and writes the configuration if `labwatch check` would accept it.
///
/// # Errors
/// [`Failure`] when an answer is missing or wrong, or a file cannot be written.
pub(super) fn run(args: InitArgs) -> Result<(), Failure> {
    let folder = std::path::absolute(&args.out).map_err(|error| {
        Failure::Usage(format!("{} is no folder: {error}.", args.out.display()))
    })?;
    let force = args.force;
    let answers = Answers::gather(args, &folder)?;
    let settings = answers.settings()?;
    let secrets = answers.secrets()?;
    accepted(&settings, &secrets)?;
    let next = write(&folder, &settings, &secrets, force)?;
    say(&next)
}

struct Answers {
    address: String,
    mail_server: String,
    mail_to: String,
    time_zone: String,
    secrets: PathBuf,
}

impl Answers {
    fn gather(args: InitArgs, folder: &Path) -> Result<Self, Failure> {
        let place = folder.join(files::SECRETS);
        let given = [
            ("--address", args.address.is_some()),
            ("--mail-server", args.mail_server.is_some()),
            ("--mail-to", args.mail_to.is_some()),
            ("--time-zone", args.time_zone.is_some()),
        ];
        let missing = given.iter().filter(|(_, is_given)| !is_given);
        let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
        if !missing.is_empty() && !io::stdin().is_terminal() {
            return Err(Failure::Usage(format!(
                "There is no terminal to ask at: give {}.",
                missing.join(", ")
            )));
        }
        let or_ask = |given: Option<String>, question, proposal: &str| {
            given.map_or_else(|| ask(question, proposal), Ok)
        };
        let secrets = match args.secrets {
            None if !missing.is_empty() => {
                let question = "Folder with secret_book, secret_jump and secret_relay";
                ask(question, &place.display().to_string())?.into()
            }
            given => given.unwrap_or(place),
        };
        let example = "https://app.example.org/ed0";
        Ok(Self {
            address: or_ask(args.address, "Address of the laboratory", example)?,
            mail_server: or_ask(args.mail_server, "Mail server, HOST or HOST:PORT", "none")?,
            mail_to: or_ask(args.mail_to, "Mail recipients", "none")?,
            time_zone: or_ask(args.time_zone, "Time zone", "UTC")?,
            secrets,
        })
    }

    /// The settings by their names in the file.
    fn settings(&self) -> Result<Vec<(String, String)>, Failure> {
        let wrong = |why: &str| {
            let address = &self.address;
            Failure::Usage(format!(
                "The address {address} {why}; such as https://app.example.org/ed0."
            ))
        };
        let url = Url::parse(&self.address).map_err(|error| wrong(&format!("is none: {error}")))?;
        let host = url.host_str().ok_or_else(|| wrong("has no host"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(wrong("is neither https nor http"));
        }
        let place = url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = url.path().trim_end_matches('/');
        let mut all = Vec::new();
        let mut set = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
        for (server, last) in SERVERS {
            set(&format!("host_{server}"), &place);
            set(&format!("basepath_{server}"), &format!("{path}/{last}"));
            if url.scheme() != "https" {
                set(&format!("scheme_{server}"), url.scheme());
            }
        }
        if self.mail_server != "none" && self.mail_to != "none" {
            let (server, port) = self.mail_server.rsplit_once(':').unzip();
            set("email_host", server.unwrap_or(&self.mail_server));
            if let Some(port) = port {
                set("email_port", port);
            }
            set("email_from", &format!("labwatch@{host}"));
            set("email_to", &self.mail_to);
            set("email_subject", &format!("{place}{path}"));
            let scheme = url.scheme();
            set("email_link", &format!("{scheme}://{place}{path}/status"));
        }
        set("time_zone", &self.time_zone);
        Ok(all)
    }

    /// The secrets by the names of their files: the three servers', and one of labwatch's own.
    fn secrets(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut all = Vec::new();
        for (server, _) in SERVERS {
            let name = format!("secret_{server}");
            let path = self.secrets.join(&name);
            let text = fs::read_to_string(&path).map_err(|error| {
                Failure::Usage(format!(
                    "The secret of {server} cannot be read from {}: {error}. Put it there, alone in the file.",
                    path.display()
                ))
            })?;
            all.push((name, text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let own = match fs::read_to_string(self.secrets.join(OWN_SECRET)) {
            Ok(text) => text.trim_end().to_owned(),
            Err(_) => files::random_secret()?,
        };
        all.push((OWN_SECRET.to_owned(), own));
        Ok(all)
    }
}

/// Asks at the terminal; an empty answer selects the default.
fn ask(question: &str, proposal: &str) -> Result<String, Failure> {
    let failed = |error| Failure::Failed(format!("The terminal cannot be read: {error}."));
    write!(io::stderr(), "{question} [{proposal}]: ").map_err(failed)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(failed)?;
    let answer = line.trim();
    Ok(if answer.is_empty() { proposal } else { answer }.to_owned())
}

/// Whether `labwatch check` would accept it.
fn accepted(settings: &[(String, String)], secrets: &[(String, String)]) -> Result<(), Failure> {
    let all = settings.iter().chain(secrets);
    let env: BTreeMap<String, String> = all
        .map(|(name, value)| (variable(name), value.clone()))
        .gather();
    load(&Sources {
        env,
        ..Sources::default()
    })?;
    Ok(())
}

/// A value in TOML: a number bare, a text in quotation marks.
fn toml(value: &str) -> String {
    if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(c)); // a String takes everything
            }
            c => text.push(c),
        }
    }
    text + "\""
}

/// The configuration file. Under systemd the credentials override the files that it names.
fn file(folder: &Path, settings: &[(String, String)], secrets: &[(String, String)]) -> String {
    let mut text = "# Made by labwatch init. docs/configuration.md has every setting.\n".to_owned();
    for (name, value) in settings {
        let _ = writeln!(text, "{name} = {}", toml(value));
    }
    for (name, _) in secrets {
        let path = folder.join(files::SECRETS).join(name);
        let path = toml(&path.to_string_lossy());
        let _ = writeln!(text, "{name}_file = {path}");
    }
    text + EXAMPLES
}

/// Writes all files, or none if one exists. Returns what to do next.
fn write(
    folder: &Path,
    settings: &[(String, String)],
    secrets: &[(String, String)],
    force: bool,
) -> Result<String, Failure> {
    let toml = folder.join("labwatch.toml");
    let names: Vec<&str> = secrets.iter().map(|(name, _)| &**name).collect();
    let mut all = vec![
        (toml.clone(), file(folder, settings, secrets), Mode::Open),
        (
            folder.join(files::CREDENTIALS),
            files::credentials(folder, &names),
            Mode::Open,
        ),
    ];
    for (name, value) in secrets {
        let path = folder.join(files::SECRETS).join(name);
        let is_same = fs::read_to_string(&path).is_ok_and(|text| text.trim_end() == value);
        if !is_same {
            all.push((path, value.clone(), Mode::Private));
        }
    }
    let env = folder.join("labwatch.env");
    let line = format!("STATUS_CONFIG={}", toml.display());
    files::write_all(&all, force)?;
    files::append_line(&env, "STATUS_CONFIG=", &line)?;
    Ok(format!(
        "Written: {0}, named by {1}. Next, as root:\n  \
         labwatch check --connect --config {0}\n  \
         install -D -m 0644 {2}/{3} /etc/systemd/system/labwatch.service.d/{3}\n  \
         systemctl daemon-reload && systemctl enable --now labwatch",
        toml.display(),
        env.display(),
        folder.display(),
        files::CREDENTIALS,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(address: &str, secrets: &Path) -> Answers {
        Answers {
            address: address.to_owned(),
            mail_server: "smtp.example.org:465".to_owned(),
            mail_to: "ada@example.org, bob@example.org".to_owned(),
            time_zone: "Europe/London".to_owned(),
            secrets: secrets.to_owned(),
        }
    }

    fn loaded(folder: &Path) -> crate::config::Loaded {
        let sources = Sources {
            file: Some(folder.join("labwatch.toml")),
            ..Sources::default()
        };
        load(&sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn made(folder: &Path, address: &str) -> Result<(), Failure> {
        let given = folder.join("given");
        fs::create_dir_all(&given).expect("makes");
        for server in ["book", "jump", "relay"] {
            fs::write(given.join(format!("secret_{server}")), "s3cr3t\n").expect("writes");
        }
        let answers = answers(address, &given);
        let (settings, secrets) = (answers.settings()?, answers.secrets()?);
        accepted(&settings, &secrets)?;
        write(folder, &settings, &secrets, false).map(drop)
    }

    #[test]
    fn five_answers_make_a_configuration_that_is_accepted() {
        let folder = tempfile::tempdir().expect("a folder");
        made(folder.path(), "https://app.example.org/ed0/").expect("is right");
        let found = loaded(folder.path());
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        let mail = found.config.mail.expect("mail");
        assert_eq!((mail.to.len(), mail.port), (2, 465));
        let text = fs::read_to_string(folder.path().join("labwatch.toml")).expect("reads");
        assert!(
            text.contains("basepath_relay = \"/ed0/access\"\n"),
            "{text}"
        );
        assert!(!text.contains("s3cr3t"), "{text}");
        let env = fs::read_to_string(folder.path().join("labwatch.env")).expect("reads");
        assert!(
            env.starts_with("STATUS_CONFIG=/") && env.lines().count() == 1,
            "{env}"
        );
        assert!(
            made(folder.path(), "https://app.example.org/ed0").is_err(),
            "it is there"
        );
    }

    #[test]
    fn the_examples_are_right_when_they_are_in_force() {
        let folder = tempfile::tempdir().expect("a folder");
        made(folder.path(), "http://127.0.0.1:4000").expect("is right");
        let path = folder.path().join("labwatch.toml");
        let text = fs::read_to_string(&path).expect("reads");
        let text = text.replace("\n#[", "\n[");
        let keys = ["name", "match", "to", "reason", "days", "at", "for"];
        let text = keys.iter().fold(text, |all, key| {
            all.replace(&format!("\n#{key} = "), &format!("\n{key} = "))
        });
        fs::write(&path, text).expect("writes");
        assert_eq!(loaded(folder.path()).config.maintenance.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_not_written() {
        for address in ["app.example.org", "ftp://app.example.org", "nowhere at all"] {
            let folder = tempfile::tempdir().expect("a folder");
            assert!(made(folder.path(), address).is_err(), "{address}");
            assert!(!folder.path().join("labwatch.toml").exists(), "{address}");
        }
    }

    #[test]
    fn a_text_is_quoted_as_toml_has_it() {
        assert_eq!(toml("465"), "465");
        assert_eq!(toml("a\"b\\\n"), "\"a\\\"b\\\\\\u000A\"");
    }
}
