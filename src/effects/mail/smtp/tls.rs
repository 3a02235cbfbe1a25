//! TLS to a mail server: the system's CAs, one of the operator's own beside them, or one
//! certificate by its fingerprint.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerified;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, InvalidMessage, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::address::ascii_domain;
use super::connection::Transport;
use super::error::{CertificateProblem, Problem, SmtpError, Step};
use crate::clients::{CertificateRule, Shown, client_by_rule, provider};
use crate::config::{Fingerprint, MailSettings};

/// The largest file of CA certificates, in bytes.
const MAX_CA_BYTES: u64 = 4 << 20;

/// Adds TLS to a connection.
///
/// # Errors
/// [`SmtpError`], which says what is wrong with the certificate, the CA file or the port.
pub async fn protect(
    stream: impl Transport + 'static,
    settings: &MailSettings,
) -> Result<Box<dyn Transport>, SmtpError> {
    let wrong = |problem| SmtpError::new(Step::Tls, problem);
    let (config, shown) = config(settings).await.map_err(wrong)?;
    let name = ServerName::try_from(ascii_domain(&settings.host))
        .map_err(|_| wrong(Problem::Tls("the host's name is none for TLS".to_owned())))?;
    let connected = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    match connected {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(wrong(problem_of(&error, shown.get()))),
    }
}

/// Built for each connection: certificates may be added, removed or renewed while labwatch runs.
async fn config(
    settings: &MailSettings,
) -> Result<(ClientConfig, Arc<OnceLock<Fingerprint>>), Problem> {
    let provider = provider();
    let own = match &settings.tls_ca {
        None => None,
        Some(path) => Some(
            own_roots(path, &provider)
                .await
                .map_err(|why| Problem::CaFile(path.clone(), why))?,
        ),
    };
    let shown = Arc::default();
    let trust = Trust {
        provider: Arc::clone(&provider),
        fingerprint: settings.tls_fingerprint,
        own,
        shown: Arc::clone(&shown),
    };
    let config =
        client_by_rule(trust, provider).map_err(|error| Problem::Tls(error.to_string()))?;
    Ok((config, shown))
}

async fn own_roots(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let read = async {
        if tokio::fs::metadata(path).await?.len() > MAX_CA_BYTES {
            return Err(io::Error::other("it is too large"));
        }
        tokio::fs::read(path).await
    };
    let pem = read.await.map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("it is no PEM: {error}"))?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| format!("it holds no certificate that can be used ({error})"))
}

/// The trusted certificates: the one with the fingerprint, and those issued by a CA of the operator
/// or of the system.
#[derive(Debug)]
struct Trust {
    provider: Arc<CryptoProvider>,
    fingerprint: Option<Fingerprint>,
    own: Option<Arc<WebPkiServerVerifier>>,
    /// The fingerprint of the certificate that the server presented.
    shown: Arc<OnceLock<Fingerprint>>,
}

impl CertificateRule for Trust {
    fn verify(&self, shown: &Shown<'_>) -> Result<ServerCertVerified, Error> {
        let fingerprint = Fingerprint::of(shown.certificate);
        let _ = self.shown.set(fingerprint);
        if let Some(expected) = self.fingerprint {
            let same = expected == fingerprint;
            return same
                .then(ServerCertVerified::assertion)
                .ok_or(Error::InvalidCertificate(
                    CertificateError::ApplicationVerificationFailure,
                ));
        }
        let own = self.own.as_ref().map(|own| shown.verified_by(&**own));
        if let Some(Ok(verified)) = own {
            return Ok(verified);
        }
        let by_system =
            Verifier::new(Arc::clone(&self.provider)).and_then(|system| shown.verified_by(&system));
        match own {
            Some(Err(error)) => by_system.map_err(|_| error),
            _ => by_system,
        }
    }
}

/// The TLS library's own error, where there is one.
pub fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn problem_of(error: &io::Error, shown: Option<&Fingerprint>) -> Problem {
    let Some(error) = rustls_error(error) else {
        return Problem::Dropped;
    };
    if let Error::InvalidCertificate(wrong) = error {
        return Problem::Certificate(certificate_problem(wrong), shown.copied());
    }
    if matches!(
        error,
        Error::InvalidMessage(InvalidMessage::InvalidContentType)
    ) {
        return Problem::NotTls;
    }
    Problem::Tls(error.to_string())
}

fn certificate_problem(wrong: &CertificateError) -> CertificateProblem {
    let at = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    if let CertificateError::ExpiredContext { not_after, .. } = wrong {
        CertificateProblem::Expired(at(not_after))
    } else if let CertificateError::NotValidYetContext { not_before, .. } = wrong {
        CertificateProblem::NotYetValid(at(not_before))
    } else if let CertificateError::NotValidForNameContext { presented, .. } = wrong {
        CertificateProblem::WrongName(presented.iter().map(|name| bare_name(name)).collect())
    } else if *wrong == CertificateError::UnknownIssuer {
        CertificateProblem::UnknownIssuer
    } else if *wrong == CertificateError::ApplicationVerificationFailure {
        CertificateProblem::OtherFingerprint
    } else if wrong.to_string().contains("CaUsedAsEndEntity") {
        CertificateProblem::UnknownIssuer // a certificate that vouches for itself
    } else {
        CertificateProblem::Other(wrong.to_string())
    }
}

/// The name in `DnsName("mx.example.org")`.
fn bare_name(shown: &str) -> String {
    let inner = shown.split_once('(').map_or(shown, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"').to_owned()
}
