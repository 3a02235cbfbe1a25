//! `labwatch notify test`: a message that says it is a test to every recipient of every route, to
//! see that they arrive. Where they do, the labwatch that runs with this configuration retries what
//! is pending.

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::Value;

use super::ask::{self, Asked};
use super::failure::Failure;
use super::output::{note, say};
use crate::clients::{self, Http};
use crate::config::{Config, Sources, load};
use crate::effects::trial::{Target, Trial, Tried};
use crate::effects::webhook::Webhook;
use crate::service;
use engine::Channel;

/// The subcommand.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum NotifyCommand {
    /// A message that says it is a test, to every recipient of every route.
    Test,
}

/// Sends it.
///
/// # Errors
/// [`Failure`] when there are no recipients, or when one does not accept it.
pub fn run(command: NotifyCommand, sources: &Sources) -> Result<(), Failure> {
    let config = load(sources)?.config;
    let trial = trial(&config)?;
    if trial.targets().is_empty() {
        return Err(Failure::Usage(
            "there are no recipients: set email_host, email_from and email_to, or webhook_url."
                .to_owned(),
        ));
    }
    match command {
        NotifyCommand::Test => ask::run(async {
            let (is_taken, result) = send_test(&trial, &server(&config)).await;
            if is_taken {
                retry(sources).await?;
            }
            result
        }),
    }
}

fn trial(config: &Config) -> Result<Trial, Failure> {
    let http = clients::client_config(false)
        .and_then(|tls| Http::new(config.notifications.webhook_timeout, tls));
    let http = http.map_err(|fault| Failure::Failed(format!("calls cannot be made: {fault}.")))?;
    let presentation = service::presentation(config);
    let mailer = service::mailer(config);
    let mailer = mailer.map_err(|error| Failure::Failed(format!("{error}.")))?;
    Ok(Trial::new(
        mailer.map(|mailer| mailer.with_presentation(presentation.clone())),
        Webhook::all(&config.notifications, &http, &presentation),
    ))
}

/// The mail server, by its address.
fn server(config: &Config) -> String {
    let mail = config.mail.as_ref();
    mail.map_or_else(String::new, |mail| format!("{}:{}", mail.host, mail.port))
}

/// Tries all, says who has it, and then fails where one has not. The first of the two says whether
/// any recipient has it.
async fn send_test(trial: &Trial, server: &str) -> (bool, Result<(), Failure>) {
    let (mut taken, mut said, mut failed) = (false, Ok(()), Vec::new());
    let known = |target: &Target, tried: Vec<Tried>| {
        let has = tried.iter().filter(|one| one.problem.is_none());
        let has: Vec<&str> = has.map(|one| one.recipient.as_str()).collect();
        if !has.is_empty() {
            taken = true;
            said = std::mem::replace(&mut said, Ok(())).and(say(&took(target, server, &has)));
        }
        let why = failures(&tried);
        failed.extend(why.iter().map(|why| refuses(target, server, why)));
    };
    trial.send(&trial.targets(), Timestamp::now(), known).await;
    failed.sort();
    let result = if failed.is_empty() {
        said
    } else {
        Err(Failure::Failed(failed.join("\n")))
    };
    (taken, result)
}

fn took(target: &Target, server: &str, has: &[&str]) -> String {
    let (route, has) = (&target.route, has.join(", "));
    match target.channel {
        Channel::Mail => {
            format!("{server} took a test mail for {has} (route {route}); look whether it arrives")
        }
        Channel::Http(_) => format!("{has} (route {route}) took a test message"),
    }
}

fn refuses(target: &Target, server: &str, why: &str) -> String {
    let route = &target.route;
    match target.channel {
        Channel::Mail => format!("{server} (route {route}) does not take the mail for {why}."),
        Channel::Http(_) => format!("The test message of route {route} is not taken by {why}."),
    }
}

/// The errors, each once, after the recipients that it affects.
fn failures(tried: &[Tried]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in tried {
        let Some(why) = &one.problem else { continue };
        match groups.iter_mut().find(|(known, _)| known == why) {
            Some((_, affected)) => affected.push(&one.recipient),
            None => groups.push((why, vec![&one.recipient])),
        }
    }
    let lines = groups.into_iter();
    let lines = lines.map(|(why, affected)| format!("{}: {why}", affected.join(", ")));
    lines.collect()
}

/// Has the running labwatch retry what is pending. Without one there is nothing to do.
async fn retry(sources: &Sources) -> Result<(), Failure> {
    let path = ["api", "v2", "notifications", "retry"];
    let asked = async { Asked::local(sources)?.post(&path).await }.await;
    match asked {
        Ok(answer) if answer.is_ok() => {
            let routes = answer.body["routes"].as_array().into_iter().flatten();
            let routes: Vec<&str> = routes.filter_map(Value::as_str).collect();
            if routes.is_empty() {
                return Ok(());
            }
            say(&format!(
                "The running labwatch retries what is pending on: {}.",
                routes.join(", ")
            ))
        }
        Err(Failure::Unreachable(_)) => Ok(()),
        Ok(_) | Err(_) => {
            note("A running labwatch retries its pending notifications within ten minutes.");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::{Answer, AwkwardSetup, AwkwardSmtp, Rule};

    #[tokio::test]
    async fn a_test_mail_names_those_who_do_not_get_it_and_why() {
        let setup = AwkwardSetup {
            rules: vec![Rule::on(
                "RCPT TO:<bob@",
                Answer::line("550 5.1.1 no such user"),
            )],
            ..AwkwardSetup::default()
        };
        let server = AwkwardSmtp::start(setup).await.expect("starts");
        let port = server.address().port().to_string();
        let settings = [
            ("email_host", "127.0.0.1"),
            ("email_port", &port),
            ("email_to", "ann@x.org bob@x.org"),
            ("email_from", "lab@x.org"),
            ("webhook_url", "http://127.0.0.1:1/x"),
        ];
        let sources = Sources::of_laboratory("127.0.0.1:1", &settings);
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let trial = trial(&load(&sources).expect("loads").config).expect("can be tried");
        let (is_taken, result) = send_test(&trial, "the server").await;
        let Err(Failure::Failed(said)) = &result else {
            panic!("{result:?}")
        };
        assert!(is_taken);
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            lines.len() == 2
                && lines[0].starts_with("The test message of route webhook is not taken by http://127.0.0.1:1")
                && lines[1].ends_with(
                    " does not take the mail for bob@x.org: it answered 550 to RCPT (it said: 550 5.1.1 no such user)."
                )
                && !lines[1].contains("ann@x.org"),
            "{said}"
        );
        assert_eq!(server.mails()[0].to, ["ann@x.org"]);
    }
}
