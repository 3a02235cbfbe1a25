//! The settings of mail: all are read, then combined if there are recipients. Sends nothing.

use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::SecretString;
use url::{Host, Url};

use super::access::absolute;
use super::fingerprint::Fingerprint;
use super::mail_settings::{MailAuth, MailSettings, MailTls};
use super::problem::quote;
use super::reader::Reader;

/// What is set of logging in.
struct Login {
    kind: Option<&'static str>,
    user: Option<String>,
    password: Option<SecretString>,
}

/// The settings of mail. `None` when there are no recipients, or when there is a problem with them.
pub(super) fn mail(reader: &mut Reader<'_>, gather: Duration) -> Option<MailSettings> {
    let before = reader.problems.len();
    let host = reader.parsed("email_host", |text| bare_host(text, "email_port"));
    let local = host.as_deref().is_some_and(is_loopback);
    let port = reader.number("email_port");
    let tls = tls(reader, port, local);
    let hello = reader.parsed("email_hello", hello);
    let tls_ca = reader.parsed("email_tls_ca", absolute);
    let tls_fingerprint = reader.parsed("email_tls_fingerprint", Fingerprint::parse);
    let login = Login {
        kind: reader.word("email_auth_type"),
        user: reader.text("email_username"),
        password: reader.secret("email_password"),
    };
    let (address, from) = reader.parsed("email_from", sender).unzip();
    let settings = MailSettings {
        host: host.clone().unwrap_or_default(),
        port,
        tls,
        hello,
        tls_ca,
        tls_fingerprint,
        auth: MailAuth::None,
        from: from.clone().unwrap_or_default(),
        to: recipients(reader, "email_to"),
        cc: recipients(reader, "email_cc"),
        subject: reader.text("email_subject").unwrap_or_default(),
        link: email_link(reader),
        timeout: reader.duration("email_timeout"),
        gather,
    };
    if reader.problems.len() > before {
        return None;
    }
    if host.is_none() && settings.to.is_empty() {
        warn_of_unused(reader);
        return None;
    }
    for (key, is_absent, why) in [
        (
            "email_host",
            host.is_none(),
            "email_to is set, so that mail is on: ",
        ),
        (
            "email_to",
            settings.to.is_empty(),
            "email_host is set, so that mail is on: ",
        ),
        ("email_from", from.is_none(), "mail needs a sender: "),
    ] {
        if is_absent {
            reader.missing(key, why);
        }
    }
    let is_fit = tls != MailTls::None || local;
    check_tls(reader, &settings, &login, is_fit);
    let auth = auth(reader, login, address, is_fit);
    (host.is_some() && from.is_some()).then_some(MailSettings {
        auth: auth?,
        ..settings
    })
}

fn tls(reader: &mut Reader<'_>, port: u16, local: bool) -> MailTls {
    match (reader.word("email_tls"), port) {
        (Some("none"), _) => MailTls::None,
        (Some("starttls"), _) => MailTls::StartTls,
        (Some("implicit"), _) | (_, 465) => MailTls::Implicit,
        _ if local => MailTls::None,
        _ => MailTls::StartTls,
    }
}

/// `is_fit`: the connection is fit for a password.
fn check_tls(reader: &mut Reader<'_>, settings: &MailSettings, login: &Login, is_fit: bool) {
    let asks = matches!(login.kind, Some("plain" | "login"));
    if asks && !is_fit && !settings.host.is_empty() {
        reader.wrong(
            "email_tls",
            "is none, which would send the password over the network where others can read it",
            "starttls or implicit is allowed with email_auth_type, or a mail server on this host",
        );
    }
    let is_pinned = settings.tls_ca.is_some() || settings.tls_fingerprint.is_some();
    if settings.tls == MailTls::None && is_pinned {
        reader.warnings.push(
            "email_tls_ca and email_tls_fingerprint are not used: email_tls is none".to_owned(),
        );
    }
}

/// How long a notification waits for the rest of a burst, by mail or otherwise.
pub(super) fn gather(reader: &mut Reader<'_>) -> Duration {
    reader.duration("email_gather")
}

/// Mail without real recipients, with the settings that affect the content and time of
/// notifications.
pub(super) fn rules_only(reader: &mut Reader<'_>, gather: Duration) -> MailSettings {
    MailSettings {
        host: "mail.invalid".to_owned(),
        port: reader.number("email_port"),
        tls: MailTls::None,
        hello: None,
        tls_ca: None,
        tls_fingerprint: None,
        auth: MailAuth::None,
        from: "labwatch@mail.invalid".to_owned(),
        to: vec!["nobody@mail.invalid".to_owned()],
        cc: Vec::new(),
        subject: reader.text("email_subject").unwrap_or_default(),
        link: email_link(reader),
        timeout: reader.duration("email_timeout"),
        gather,
    }
}

fn auth(
    reader: &mut Reader<'_>,
    login: Login,
    address: Option<String>,
    is_fit: bool,
) -> Option<MailAuth> {
    let asks = matches!(login.kind, Some("plain" | "login"));
    let unused = match login.kind {
        Some("none") => Some("email_auth_type is none"),
        _ if !asks && !is_fit => Some("the connection is not protected (email_tls is none)"),
        _ => None,
    };
    if let Some(why) = unused.filter(|_| login.password.is_some()) {
        let warning = format!("email_password is set but not used: {why}");
        reader.warnings.push(warning);
    }
    if unused.is_some() || (!asks && login.password.is_none()) {
        return Some(MailAuth::None);
    }
    if login.password.is_none() {
        let why = "email_auth_type needs it: name a file with it in email_password_file, give it as a systemd credential, or ";
        reader.missing("email_password", why);
    }
    let (user, password) = (login.user.or(address)?, login.password?);
    Some(match login.kind {
        Some("plain") => MailAuth::Plain { user, password },
        Some("login") => MailAuth::Login { user, password },
        _ => MailAuth::Auto { user, password },
    })
}

/// Warns when mail is set in part, as if it was expected.
fn warn_of_unused(reader: &mut Reader<'_>) {
    let set: Vec<&str> = ["email_from", "email_cc", "email_username"]
        .into_iter()
        .filter(|key| reader.is_set(key))
        .collect();
    if !set.is_empty() {
        reader.warnings.push(format!(
            "mail is off: {} is set, but email_host and email_to are not",
            set.join(" and ")
        ));
    }
}

/// A host alone; `port_key` is the setting for its port.
pub(super) fn bare_host(text: &str, port_key: &str) -> Result<String, String> {
    if text.contains("://") || text.contains(['/', '@']) || text.contains(char::is_whitespace) {
        return Err("is not a plain host".to_owned());
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(bare.to_owned());
    }
    if text.contains(':') {
        return Err(format!("has a port: that belongs into {port_key}"));
    }
    Host::parse(text).map_err(|error| format!("is not a host: {error}"))?;
    Ok(text.to_owned())
}

/// A name for EHLO: one that servers can look up, or an address literal.
fn hello(text: &str) -> Result<String, String> {
    let literal = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Some(literal) = literal {
        let address = literal.strip_prefix("IPv6:").unwrap_or(literal);
        let parsed = address.parse::<std::net::IpAddr>();
        let marked = literal.starts_with("IPv6:");
        return match parsed {
            Ok(address) if address.is_ipv6() == marked => Ok(text.to_owned()),
            Ok(_) => Err("is an IPv6 address without IPv6: before it, or the other way".to_owned()),
            Err(_) => Err("is no address".to_owned()),
        };
    }
    let is_name = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if text.contains('.') && text.split('.').all(is_name) {
        Ok(text.to_owned())
    } else {
        Err("is no full host name".to_owned())
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback());
    ip || host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
}

fn sender(text: &str) -> Result<(String, String), String> {
    let mailbox: Mailbox = text
        .parse()
        .map_err(|_| "is not a mail address".to_owned())?;
    Ok((mailbox.email.to_string(), text.to_owned()))
}

/// The addresses of a list. In a text they are separated by white space, so that a name is not
/// possible there.
pub(super) fn recipients(reader: &mut Reader<'_>, key: &str) -> Vec<String> {
    let text = reader.find(key).and_then(|found| found.raw.text());
    let named = text.filter(|text| text.contains('<'));
    if let Some((text, (address, _))) = named.and_then(|text| Some((text, sender(text).ok()?))) {
        let wrong = format!(
            "has {}, which has a name: names are not taken here: {address} alone",
            quote(text)
        );
        reader.wrong(key, &wrong, &reader.kind(key).allowed());
        return Vec::new();
    }
    reader.list(key, |text| sender(text).map(|(_, whole)| whole))
}

/// The address of the page. The replaced program took any text, so an address without scheme is
/// corrected.
fn email_link(reader: &mut Reader<'_>) -> String {
    let Some((link, is_whole)) = reader.parsed("email_link", with_scheme) else {
        return String::new();
    };
    if !is_whole {
        let warning = format!("email_link has no scheme: {link} is taken");
        reader.warnings.push(warning);
    }
    link
}

/// The link, with https:// in front where it starts with a host; and whether it was complete.
fn with_scheme(text: &str) -> Result<(String, bool), String> {
    let host = text.split(['/', ':', '?', '#']).next().unwrap_or_default();
    if !text.contains("://") && host.contains('.') {
        link(&format!("https://{text}")).map(|link| (link, false))
    } else {
        link(text).map(|link| (link, true))
    }
}

pub(super) fn link(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.to_owned())
        }
        Ok(_) => Err("has another scheme".to_owned()),
        Err(error) => Err(format!("is not a URL: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_is_a_host_alone() {
        for (text, host) in [
            ("smtp.example.org", "smtp.example.org"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(bare_host(text, "p"), Ok(host.to_owned()));
        }
        for bad in ["smtp.example.org:587", "smtp://x", "a b", "me@x", "x/y"] {
            assert!(bare_host(bad, "p").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_for_the_greeting_is_full_or_an_address() {
        for good in ["lab.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
            assert_eq!(hello(good), Ok(good.to_owned()));
        }
        for bad in [
            "vm",
            "a..b",
            "a b.org",
            "[vm]",
            "[2001:db8::1]",
            "[IPv6:192.0.2.1]",
            ".org",
        ] {
            assert!(hello(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_host_has_several_names() {
        for (host, local) in [
            ("localhost", true),
            ("127.8.0.1", true),
            ("::1", true),
            ("mail.localhost", true),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(host), local, "{host}");
        }
    }
}
