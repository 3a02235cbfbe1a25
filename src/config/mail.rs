//! The settings of mail: all are read, then combined if there are recipients. Sends nothing.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::SecretString;
use url::{Host, Url};

use super::access::absolute;
use super::document::Raw;
use super::fingerprint::Fingerprint;
use super::mail_settings::{MailAuth, MailSettings, MailTls};
use super::problem::quote;
use super::reader::Reader;

/// How to log in, before it is known whether the credentials are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AuthType {
    /// By the password, if there is one and the connection is fit for it.
    Auto,
    None,
    Plain,
    Login,
}

/// Every setting of mail, each valid by itself.
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
    /// The address alone, and the whole text.
    from: Option<(String, String)>,
    to: Vec<String>,
    cc: Vec<String>,
    subject: String,
    link: String,
    timeout: Duration,
}

/// The settings of mail. `None` when there are no recipients, or when there is a problem with them.
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

fn draft(reader: &mut Reader<'_>) -> Draft {
    let tls = [
        ("auto", None),
        ("none", Some(MailTls::None)),
        ("starttls", Some(MailTls::StartTls)),
        ("implicit", Some(MailTls::Implicit)),
    ];
    let auth = [
        ("auto", AuthType::Auto),
        ("none", AuthType::None),
        ("plain", AuthType::Plain),
        ("login", AuthType::Login),
    ];
    Draft {
        host: reader.parsed("email_host", |text| bare_host(text, "email_port")),
        port: reader.number("email_port"),
        tls: reader.choice("email_tls", &tls).flatten(),
        hello: reader.parsed("email_hello", hello),
        ca: reader.parsed("email_tls_ca", absolute),
        fingerprint: reader.parsed("email_tls_fingerprint", Fingerprint::parse),
        auth: reader
            .choice("email_auth_type", &auth)
            .unwrap_or(AuthType::Auto),
        user: reader.text("email_username"),
        password: reader.secret("email_password"),
        from: reader.parsed("email_from", sender),
        to: recipients(reader, "email_to"),
        cc: recipients(reader, "email_cc"),
        subject: reader.text("email_subject").unwrap_or_default(),
        link: email_link(reader),
        timeout: reader.duration("email_timeout"),
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
    let is_fit = tls != MailTls::None || local;
    let asks = matches!(draft.auth, AuthType::Plain | AuthType::Login);
    if asks && !is_fit && draft.host.is_some() {
        let wrong =
            "is none, which would send the password over the network where others can read it";
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
    let auth = auth(reader, &draft, is_fit);
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

fn auth(reader: &mut Reader<'_>, draft: &Draft, is_fit: bool) -> Option<MailAuth> {
    let unused = match draft.auth {
        AuthType::None => Some("email_auth_type is none"),
        AuthType::Auto if !is_fit => Some("the connection is not protected (email_tls is none)"),
        AuthType::Auto if draft.password.is_none() => return Some(MailAuth::None),
        AuthType::Auto | AuthType::Plain | AuthType::Login => None,
    };
    if let Some(why) = unused {
        if draft.password.is_some() {
            let warning = format!("email_password is set but not used: {why}");
            reader.warnings.push(warning);
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
    let named = reader.find(key).and_then(|found| match &found.raw {
        Raw::Text(text) => Some((text, sender(text).ok()?)),
        Raw::Literal(_) | Raw::List(_) | Raw::Other => None,
    });
    if let Some((text, (address, _))) = named.filter(|(text, _)| text.contains('<')) {
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
