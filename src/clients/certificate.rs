//! TLS errors of a server, with texts that say what to do.

use std::error::Error;

use jiff::Timestamp;
use rustls::CertificateError as Certificate;
use rustls::pki_types::UnixTime;

use super::classify::{MAX_QUOTED_BYTES, find, root_cause};
use engine::model::CallError;

/// The error for a failure of TLS: it concerns what this host trusts, or the server's certificate.
/// `whole` wraps its text; `no_tls` is the text where the server does not speak TLS.
pub(super) fn tls_error(
    error: &(dyn Error + 'static),
    no_tls: &str,
    whole: impl FnOnce(String) -> String,
) -> CallError {
    let words = whole(words_of_tls(error, no_tls));
    match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(found)) if is_of_its_date_or_name(found) => {
            CallError::Certificate(words)
        }
        Some(_) | None => CallError::Tls(words),
    }
}

/// Whether a certificate is rejected for a reason that holds for every client with a correct clock:
/// every browser rejects it too.
fn is_of_its_date_or_name(error: &Certificate) -> bool {
    use Certificate::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext,
    };
    matches!(
        error,
        Expired
            | ExpiredContext { .. }
            | NotValidYet
            | NotValidYetContext { .. }
            | NotValidForName
            | NotValidForNameContext { .. }
    )
}

/// The TLS error and what to do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library adds causes; its own words do"
)]
fn words_of_tls(error: &(dyn Error + 'static), no_tls: &str) -> String {
    use rustls::{Error as Tls, InvalidMessage};
    let Some(found) = find::<Tls>(error) else {
        return root_cause(error);
    };
    match found {
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("it does not speak TLS there: {no_tls}")
        }
        Tls::InvalidCertificate(certificate) => words_of_certificate(certificate),
        other => format!("{other}: check that it speaks TLS there"),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library adds causes; its own words do"
)]
fn words_of_certificate(error: &Certificate) -> String {
    match error {
        Certificate::UnknownIssuer => {
            "its certificate is signed by no CA that this host trusts: put the CA's certificate into \
             /usr/local/share/ca-certificates and run update-ca-certificates, or let the server send its chain"
                .to_owned()
        }
        Certificate::Expired => "its certificate has ended".to_owned(),
        Certificate::ExpiredContext { not_after, .. } => {
            format!("its certificate ended on {}", day(*not_after))
        }
        Certificate::NotValidYet => "its certificate has not begun: check the clocks".to_owned(),
        Certificate::NotValidYetContext { not_before, .. } => format!(
            "its certificate begins only on {}: check the clocks",
            day(*not_before)
        ),
        Certificate::NotValidForName => "its certificate is for another name".to_owned(),
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => {
            let mut names = presented.join(", ");
            let end = (0..=MAX_QUOTED_BYTES.min(names.len()))
                .rev()
                .find(|&end| names.is_char_boundary(end));
            names.truncate(end.unwrap_or(0));
            format!(
                "its certificate is not for {} but for {}",
                expected.to_str(),
                if names.is_empty() { "no name" } else { &names }
            )
        }
        other => format!("its certificate is not accepted ({other})"),
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(
        |_| "a day that cannot be written".to_owned(),
        |at| at.strftime("%-d %b %Y").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use engine::model::Visibility;

    use super::*;

    #[test]
    fn what_is_wrong_with_tls_is_said() {
        use rustls::{Error as Tls, InvalidMessage};
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let certificate = |error| Tls::InvalidCertificate(error);
        for (error, as_str, words) in [
            (
                Tls::InvalidMessage(InvalidMessage::InvalidContentType),
                "tls",
                "it does not speak TLS there: set scheme_book=http",
            ),
            (
                certificate(Certificate::UnknownIssuer),
                "tls",
                "its certificate is signed by no CA that this host trusts: put the CA's certificate into \
                 /usr/local/share/ca-certificates and run update-ca-certificates, or let the server send its chain",
            ),
            (
                certificate(Certificate::ExpiredContext {
                    time: at(1_796_023_309),
                    not_after: at(1_795_936_909),
                }),
                "certificate",
                "its certificate ended on 29 Nov 2026",
            ),
            (
                certificate(Certificate::NotValidYetContext {
                    time: at(0),
                    not_before: at(1_795_936_909),
                }),
                "certificate",
                "its certificate begins only on 29 Nov 2026: check the clocks",
            ),
            (
                certificate(Certificate::NotValidForNameContext {
                    expected: rustls::pki_types::ServerName::try_from("lab.example")
                        .expect("a name"),
                    presented: vec!["old.example".to_owned()],
                }),
                "certificate",
                "its certificate is not for lab.example but for old.example",
            ),
        ] {
            let error = io::Error::other(error);
            let found = tls_error(&error, "set scheme_book=http", |words| words);
            assert_eq!(found.as_str(), as_str);
            assert_eq!(
                found.words(Visibility::MAINTAINER),
                format!("cannot connect by TLS ({words})")
            );
        }
    }
}
