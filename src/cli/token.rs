//! `labwatch token`: an access token, for labwatch's own API or for calling one of the servers with
//! curl. Prints the token alone on standard output; sends it nowhere.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::ask::{any_duration, duration_within};
use super::failure::Failure;
use super::output::{Output, json, note, say};
use super::{local_instance, revoke};
use crate::clients::{self, Address, Claims, MAX_TOKEN_LIFE};
use crate::config::{Config, Sources, load, load_api};
use crate::http::auth::{Authority, Grant, Issued, Reportable, Scope};
use engine::model::{SourceName, format_duration};

/// A new token for the API, or another operation on tokens.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TokenArgs {
    #[command(flatten)]
    new: Option<NewToken>,
    #[command(subcommand)]
    other: Option<TokenCommand>,
}

/// A new token for labwatch's API.
#[derive(Debug, Args)]
struct NewToken {
    /// What it allows; admin holds the others. Can be several, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', required = true)]
    scope: Vec<ScopeName>,
    /// How long it is valid, at most 366d.
    #[arg(long = "for", value_name = "DURATION", default_value = "30d", value_parser = any_duration)]
    life: Duration,
    /// The owner's name, for the audit log of what is changed with it.
    #[arg(long, required = true)]
    name: String,
    /// What it may report on, for the scope report: components and experiments, separated by
    /// commas; pend* stands for all that begin so.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    of: Vec<String>,
    /// How it is written: text is the token alone, with what it is for on standard error.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// A token as JSON.
#[derive(Debug, Serialize)]
struct TokenFound<'a> {
    token: &'a str,
    id: &'a str,
    name: &'a str,
    scopes: Vec<&'static str>,
    /// The names of its scope report.
    of: Vec<&'a str>,
    expires: Timestamp,
}

/// What a token for the API allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScopeName {
    /// To read everything, private things too.
    Read,
    /// To report the health of what --of names, and nothing else.
    Report,
    /// To change what can be changed, and the other two.
    Admin,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Read => Self::Read,
            ScopeName::Report => Self::Report,
            ScopeName::Admin => Self::Admin,
        }
    }
}

/// Other operations on tokens.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print a short-lived token for book, which may read and change everything that an admin can.
    Book(ForServer),
    /// Print a short-lived token for jump, which may read and ask for its reports.
    Jump(ForServer),
    /// Print a short-lived token for relay, which may read and ask for its reports.
    Relay(ForServer),
    /// Revoke a token of the API: it is refused from now on, and so are the sessions made from it.
    Revoke {
        /// Its id, as printed on standard error when the token was made.
        id: String,
    },
    /// List the ids of the API's tokens that are revoked. The owners of tokens are not stored.
    List,
}

/// For how long a server's token is.
#[derive(Debug, Args)]
struct ForServer {
    /// How long it is valid, at most 1h.
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = parse_life)]
    life: Duration,
}

/// Does what is asked about tokens.
///
/// # Errors
/// [`Failure`] when the configuration is wrong, or when the operation fails.
pub fn run(args: &TokenArgs, sources: &Sources) -> Result<(), Failure> {
    // Tokens of the API need no other settings.
    let api = || load_api(sources).map(|loaded| loaded.config);
    match (&args.other, &args.new) {
        (Some(TokenCommand::Book(asked)), _) => for_server(SourceName::Book, asked.life, sources),
        (Some(TokenCommand::Jump(asked)), _) => for_server(SourceName::Jump, asked.life, sources),
        (Some(TokenCommand::Relay(asked)), _) => for_server(SourceName::Relay, asked.life, sources),
        (Some(TokenCommand::Revoke { id }), _) => revoke::revoke(id, &api()?),
        (Some(TokenCommand::List), _) => revoke::list(&api()?),
        (None, Some(new)) => for_api(new, &api()?),
        (None, None) => Err(Failure::Usage(
            "Say what token: labwatch token --scope read --for 30d --name NAME.".to_owned(),
        )),
    }
}

/// The authority that signs the API's tokens.
pub(super) fn authority(config: &Config) -> Result<Authority, Failure> {
    let secret = config.api.secret.as_ref();
    secret.map(Authority::new).ok_or_else(|| {
        Failure::Usage(
            "There are no tokens for the API without a secret: set secret_api.".to_owned(),
        )
    })
}

fn for_api(asked: &NewToken, config: &Config) -> Result<(), Failure> {
    let scopes = asked.scope.iter().map(|name| Scope::from(*name)).collect();
    let reports = Reportable::try_from(asked.of.clone())
        .map_err(|error| Failure::Usage(format!("There is no token: {error}.")))?;
    let grant = Grant {
        name: asked.name.clone(),
        scopes,
        reports,
        life: asked.life,
    };
    let issued = authority(config)?.issue(&grant, Timestamp::now());
    let Issued { token, pass } =
        issued.map_err(|error| Failure::Usage(format!("There is no token: {error}.")))?;
    if asked.output == Output::Json {
        return say(&json(&TokenFound {
            token: &token,
            id: &pass.id,
            name: &pass.name,
            scopes: pass.scopes.words().collect(),
            of: pass.reports.names().collect(),
            expires: pass.expires,
        })?);
    }
    say(&token)?;
    note(&format!(
        "The token {} of {} allows {}{}, until {:.0}. Keep it to yourself:\n  curl -H \"Authorization: Bearer $TOKEN\" '{}/api/v2/session'\n\
         If it is lost: labwatch token revoke {}",
        pass.id,
        pass.name,
        pass.scopes.words().collect::<Vec<_>>().join(" and "),
        reported_on(&pass.reports),
        pass.expires,
        config
            .api
            .url
            .clone()
            .map_or_else(|| local_instance::base(&config.api), Ok)?,
        pass.id,
    ));
    Ok(())
}

fn reported_on(reports: &Reportable) -> String {
    if reports.is_empty() {
        return String::new();
    }
    format!(" on {}", reports.names().collect::<Vec<_>>().join(", "))
}

/// Prints a token for a server, and on standard error how to use it.
fn for_server(server: SourceName, life: Duration, sources: &Sources) -> Result<(), Failure> {
    let config = load(sources)?.config;
    let (address, claims) = claims(server, life, &config, Timestamp::now());
    let token = clients::mint(address, &claims)
        .map_err(|error| Failure::Failed(format!("There is no token: {error}.")))?;
    say(&token)?;
    note(&reminder(server, life, address));
    Ok(())
}

fn claims(
    server: SourceName,
    life: Duration,
    config: &Config,
    now: Timestamp,
) -> (&Address, Claims) {
    let (address, claims): (_, fn(&Address, Timestamp, Duration) -> Claims) = match server {
        SourceName::Book => (&config.book.address, clients::booking_admin),
        SourceName::Jump => (&config.jump.address, clients::jump_stats),
        SourceName::Relay => (&config.relay.address, clients::relay_stats),
    };
    (address, claims(address, now, life))
}

fn reminder(server: SourceName, life: Duration, address: &Address) -> String {
    let (method, path): (_, &[&str]) = match server {
        SourceName::Book => ("", &["api", "v1", "admin", "status"]),
        SourceName::Jump => ("-X POST ", &["api", "v1", "connect", "stats"]),
        SourceName::Relay => ("-X POST ", &["session", "stats"]),
    };
    format!(
        "Valid for {}. Use it bare, without Bearer, and keep it to yourself:\n  TOKEN=$(labwatch token {server})\n  curl {method}-H \"Authorization: $TOKEN\" '{}'",
        format_duration(life),
        address.at(path),
    )
}

fn parse_life(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_secs(1)..=MAX_TOKEN_LIFE;
    duration_within(text, bounds, "from 1s to 1h is allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_for_an_hour_at_most() {
        assert_eq!(parse_life("1h"), Ok(Duration::from_secs(3_600)));
        for bad in ["0s", "61m", "10", ""] {
            assert!(parse_life(bad).is_err(), "{bad}");
        }
    }
}
