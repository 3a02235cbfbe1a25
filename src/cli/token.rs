//! `labwatch token`: an access token for a person with curl. Prints the token alone on standard output; sends it nowhere.

use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{Failure, complain, say};
use crate::config::{Config, Sources, load};
use crate::model::{format_duration, parse_duration};
use crate::wire::{self, Address, Claims, MAX_TOKEN_LIFE};

/// Which token, and for how long.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// The server that it is for.
    server: Server,
    /// How long it is valid, at most 1h.
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = parse_life)]
    life: Duration,
}

/// A server that wants tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Server {
    /// Bookings: may read and change everything that an admin can.
    Book,
    /// Remote login: may read and ask for its reports.
    Jump,
    /// Streams: may read and ask for its reports.
    Relay,
}

/// Prints a token, and on standard error how to use it.
///
/// # Errors
/// [`Failure`] when the configuration is wrong.
pub fn run(args: &TokenArgs, sources: &Sources) -> Result<(), Failure> {
    let loaded = load(sources)?;
    let now = Timestamp::now();
    let (address, claims) = claims(args, &loaded.config, now);
    let token = wire::mint(address, &claims).map_err(|error| Failure::Failed(format!("There is no token: {error}.")))?;
    say(&token)?;
    complain(&reminder(args, address));
    Ok(())
}

fn claims<'a>(args: &TokenArgs, config: &'a Config, now: Timestamp) -> (&'a Address, Claims) {
    match args.server {
        Server::Book => (&config.book.address, wire::booking_admin(&config.book.address, now, args.life)),
        Server::Jump => (&config.jump.address, wire::jump_stats(&config.jump.address, now, args.life)),
        Server::Relay => (&config.relay.address, wire::relay_stats(&config.relay.address, now, args.life)),
    }
}

fn reminder(args: &TokenArgs, address: &Address) -> String {
    let (name, method, path): (_, _, &[&str]) = match args.server {
        Server::Book => ("book", "", &["api", "v1", "admin", "status"]),
        Server::Jump => ("jump", "-X POST ", &["api", "v1", "connect", "stats"]),
        Server::Relay => ("relay", "-X POST ", &["session", "stats"]),
    };
    format!(
        "Valid for {}. Use it bare, without Bearer, and keep it to yourself:\n  TOKEN=$(labwatch token {name})\n  curl {method}-H \"Authorization: $TOKEN\" '{}'",
        format_duration(args.life),
        address.at(path),
    )
}

fn parse_life(text: &str) -> Result<Duration, String> {
    let life = parse_duration(text).map_err(|error| error.to_string())?;
    if life < Duration::from_secs(1) || life > MAX_TOKEN_LIFE { Err("from 1s to 1h is allowed".to_owned()) } else { Ok(life) }
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
