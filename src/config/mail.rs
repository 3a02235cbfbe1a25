//! The settings of mail: read whole, then put together if there is somebody to mail. Sends nothing.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::SecretString;
use url::{Host, Url};

use super::access::{PATH, absolute};
use super::reader::Reader;
use super::settings::{DAY, SECOND};
use super::{Fingerprint, MailAuth, MailSettings, MailTls};

pub(super) const ADDRESSES: &str =
    "mail addresses, separated by commas or white space, or a list of them";
pub(super) const LINK: &str = "an http or https URL";
pub(super) const PORTS: RangeInclusive<u16> = 1..=65_535;
const TIMEOUTS: RangeInclusive<Duration> = SECOND..=Duration::from_secs(300);
pub(super) const GATHERING: RangeInclusive<Duration> = Duration::ZERO..=DAY;
const FINGERPRINT: &str =
    "the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons";
const HELLO: &str = "a full host name, or an address in brackets: [192.0.2.1]";
const SENDER: &str = "a mail address, or a name with a mail address: Lab <lab@example.org>";

/// How to show who we are, before it is known whether what that needs is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AuthType {
    None,
    Plain,
    Login,
    Auto,
}

/// Every setting of mail, each good by itself.
struct Draft {
    host: Option<String>,
    port: u16,
    tls: Option<MailTls>,
    hello: Option<String>,
    ca: Option<PathBuf>,
    fingerprint: Option<Fingerprint>,
    auth: AuthType,
    user: Option<String>,
    password: Option<SecretString>,
    /// The address alone, and all of it as written.
    from: Option<(String, String)>,
    to: Vec<String>,
    cc: Vec<String>,
    subject: String,
    link: String,
    timeout: Duration,
}

/// The settings of mail. `None` when there is nobody to mail, or when there is a problem with them.
pub(super) fn mail(reader: &mut Reader<'_>, gather: Duration) -> Option<MailSettings> {
    let before = reader.problems.len();
    let draft = draft(reader);
    if reader.problems.len() > before {
        return None;
    }
    if draft.host.is_none() && draft.to.is_empty() {
        warn_of_unused(reader);
        return None;
    }
    complete(reader, draft, gather)
}

/// How long news wait for the rest of a burst, by mail or otherwise.
pub(super) fn gather(reader: &mut Reader<'_>) -> Duration {
    reader.duration("email_gather", GATHERING)
}

/// Mail to nobody, with the rules that matter for what would be sent and when.
pub(super) fn rules_only(reader: &mut Reader<'_>, gather: Duration) -> MailSettings {
    MailSettings {
        host: "mail.invalid".to_owned(),
        port: reader.number("email_port", PORTS),
        tls: MailTls::None,
        hello: None,
        tls_ca: None,
        tls_fingerprint: None,
        auth: MailAuth::None,
        from: "labwatch@mail.invalid".to_owned(),
        to: vec!["nobody@mail.invalid".to_owned()],
        cc: Vec::new(),
        subject: reader.text("email_subject").unwrap_or_default(),
        link: reader.parsed("email_link", LINK, link).unwrap_or_default(),
        timeout: reader.duration("email_timeout", TIMEOUTS),
        gather,
    }
}

fn draft(reader: &mut Reader<'_>) -> Draft {
    let tls = [
        ("auto", None),
        ("none", Some(MailTls::None)),
        ("starttls", Some(MailTls::StartTls)),
        ("implicit", Some(MailTls::Implicit)),
    ];
    let auth = [
        ("none", AuthType::None),
        ("plain", AuthType::Plain),
        ("login", AuthType::Login),
        ("auto", AuthType::Auto),
    ];
    Draft {
        host: reader.parsed("email_host", "a host without port", |text| {
            bare_host(text, "email_port")
        }),
        port: reader.number("email_port", PORTS),
        tls: reader.choice("email_tls", &tls).flatten(),
        hello: reader.parsed("email_hello", HELLO, hello),
        ca: reader.parsed("email_tls_ca", PATH, absolute),
        fingerprint: reader.parsed("email_tls_fingerprint", FINGERPRINT, Fingerprint::parse),
        auth: reader
            .choice("email_auth_type", &auth)
            .unwrap_or(AuthType::None),
        user: reader.text("email_username"),
        password: reader.secret("email_password"),
        from: reader.parsed("email_from", SENDER, sender),
        to: reader.list("email_to", ADDRESSES, recipient),
        cc: reader.list("email_cc", ADDRESSES, recipient),
        subject: reader.text("email_subject").unwrap_or_default(),
        link: reader.parsed("email_link", LINK, link).unwrap_or_default(),
        timeout: reader.duration("email_timeout", TIMEOUTS),
    }
}

fn complete(reader: &mut Reader<'_>, draft: Draft, gather: Duration) -> Option<MailSettings> {
    let local = draft.host.as_deref().is_some_and(is_loopback);
    let tls = draft.tls.unwrap_or(match draft.port {
        465 => MailTls::Implicit,
        _ if local => MailTls::None,
        _ => MailTls::StartTls,
    });
    if draft.host.is_none() {
        reader.missing("email_host", "email_to is set, so that mail is on: ");
    }
    if draft.to.is_empty() {
        reader.missing("email_to", "email_host is set, so that mail is on: ");
    }
    if draft.from.is_none() {
        reader.missing("email_from", "mail needs a sender: ");
    }
    if draft.auth != AuthType::None && tls == MailTls::None && draft.host.is_some() && !local {
        let wrong = "is none, which would send the password over the network for all to read";
        reader.wrong(
            "email_tls",
            wrong,
            "starttls or implicit is allowed with email_auth_type, or a mail server on this host",
        );
    }
    if tls == MailTls::None && (draft.ca.is_some() || draft.fingerprint.is_some()) {
        reader.warnings.push(
            "email_tls_ca and email_tls_fingerprint are not used: email_tls is none".to_owned(),
        );
    }
    let auth = auth(reader, &draft);
    Some(MailSettings {
        host: draft.host?,
        port: draft.port,
        tls,
        hello: draft.hello,
        tls_ca: draft.ca,
        tls_fingerprint: draft.fingerprint,
        auth: auth?,
        from: draft.from.map(|(_, whole)| whole)?,
        to: draft.to,
        cc: draft.cc,
        subject: draft.subject,
        link: draft.link,
        timeout: draft.timeout,
        gather,
    })
}

fn auth(reader: &mut Reader<'_>, draft: &Draft) -> Option<MailAuth> {
    if draft.auth == AuthType::None {
        if draft.password.is_some() {
            reader
                .warnings
                .push("email_password is set but not used: email_auth_type is none".to_owned());
        }
        return Some(MailAuth::None);
    }
    if draft.password.is_none() {
        let why = "email_auth_type needs it: name a file with it in email_password_file, give it as a systemd credential, or ";
        reader.missing("email_password", why);
    }
    let password = draft.password.clone()?;
    let user = draft
        .user
        .clone()
        .or_else(|| draft.from.as_ref().map(|(address, _)| address.clone()))?;
    Some(match draft.auth {
        AuthType::None => MailAuth::None,
        AuthType::Plain => MailAuth::Plain { user, password },
        AuthType::Login => MailAuth::Login { user, password },
        AuthType::Auto => MailAuth::Auto { user, password },
    })
}

/// Says so when mail is half set in a way that looks as if somebody expected some.
fn warn_of_unused(reader: &mut Reader<'_>) {
    let set: Vec<&str> = ["email_from", "email_cc", "email_username"]
        .into_iter()
        .filter(|key| reader.is_set(key))
        .collect();
    if !set.is_empty() {
        reader.warnings.push(format!(
            "nobody is mailed: {} is set, but email_host and email_to are not",
            set.join(" and ")
        ));
    }
}

/// A host alone; `port_key` is the setting that its port belongs into.
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

pub(super) fn recipient(text: &str) -> Result<String, String> {
    sender(text).map(|(_, whole)| whole)
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
