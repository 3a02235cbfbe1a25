//! The TLS configuration of every outgoing connection: aws-lc-rs, and the platform's certificates,
//! loaded when first needed.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerified;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, Error};
use rustls_platform_verifier::Verifier;

use super::verify::{CertificateRule, Shown, client_by_rule, provider};
use engine::model::CallError;

/// The configuration of outgoing TLS connections. With `needs_roots` the platform's certificates
/// are loaded now, so that their absence shows at the start; without, they are loaded when a server
/// first presents a certificate. Where no server uses TLS, that never happens, which saves some
/// megabytes; but relay may hand out a `wss` address even then.
///
/// # Errors
/// [`CallError::Unreachable`] when `needs_roots` and the platform has no usable certificates.
pub fn client_config(needs_roots: bool) -> Result<ClientConfig, CallError> {
    let provider = provider();
    let roots = Arc::new(PlatformRoots::new(&provider));
    if needs_roots {
        roots.load().map_err(|error| no_tls(&error))?;
    }
    client_by_rule(roots, provider).map_err(|error| no_tls(&error))
}

fn no_tls(error: &Error) -> CallError {
    CallError::Unreachable(format!(
        "no TLS: {error}; install the package ca-certificates, or whatever brings the system's certificates"
    ))
}

/// Verifies certificates against the platform's, which are loaded at the first use and then kept.
#[derive(Debug)]
struct PlatformRoots {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Verifier, Error>>,
}

impl PlatformRoots {
    fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            provider: Arc::clone(provider),
            verifier: OnceLock::new(),
        }
    }

    fn load(&self) -> Result<&Verifier, Error> {
        self.verifier
            .get_or_init(|| Verifier::new(Arc::clone(&self.provider)))
            .as_ref()
            .map_err(Clone::clone)
    }
}

impl CertificateRule for Arc<PlatformRoots> {
    fn verify(&self, shown: &Shown<'_>) -> Result<ServerCertVerified, Error> {
        shown.verified_by(self.load()?)
    }
}

#[cfg(test)]
mod tests {
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    #[test]
    fn nothing_is_loaded_before_it_is_needed() {
        assert!(PlatformRoots::new(&provider()).verifier.get().is_none());
        assert!(client_config(false).is_ok());
    }

    #[test]
    fn a_certificate_without_a_known_issuer_is_refused() {
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let name = ServerName::try_from("localhost").expect("a name");
        let roots = Arc::new(PlatformRoots::new(&provider()));
        let verified = roots.load().and_then(|roots| {
            roots.verify_server_cert(signed.cert.der(), &[], &name, &[], UnixTime::now())
        });
        assert!(verified.is_err());
        assert!(roots.verifier.get().is_some());
    }
}
