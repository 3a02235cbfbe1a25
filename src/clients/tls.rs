//! One TLS set-up for every outgoing connection: aws-lc-rs, and the platform's certificates, loaded when first needed.

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use engine::model::CallError;

/// The set-up for outgoing TLS connections. With `needs_roots` the platform's certificates are loaded now, so that their absence shows
/// at the start; without, they are loaded when a server first shows a certificate. Where all servers are spoken to without TLS,
/// that never happens, which saves some megabytes; but relay may hand out a `wss` address even then.
///
/// # Errors
/// [`CallError::Unreachable`] when `needs_roots` and the platform has no usable certificates.
pub fn client_config(needs_roots: bool) -> Result<ClientConfig, CallError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = Arc::new(PlatformRoots {
        provider: Arc::clone(&provider),
        verifier: OnceLock::new(),
    });
    if needs_roots {
        roots.load().map_err(|error| no_tls(&error))?;
    }
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| no_tls(&error))?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(roots)
        .with_no_client_auth())
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
    fn load(&self) -> Result<&Verifier, Error> {
        self.verifier
            .get_or_init(|| Verifier::new(Arc::clone(&self.provider)))
            .as_ref()
            .map_err(Clone::clone)
    }
}

impl ServerCertVerifier for PlatformRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.load()?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lazy() -> PlatformRoots {
        PlatformRoots {
            provider: Arc::new(aws_lc_rs::default_provider()),
            verifier: OnceLock::new(),
        }
    }

    #[test]
    fn nothing_is_loaded_before_it_is_needed() {
        let roots = lazy();
        assert!(!roots.supported_verify_schemes().is_empty());
        assert!(roots.verifier.get().is_none());
        assert!(client_config(false).is_ok());
    }

    #[test]
    fn a_certificate_that_nobody_vouches_for_is_refused() {
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let name = ServerName::try_from("localhost").expect("a name");
        let roots = lazy();
        assert!(
            roots
                .verify_server_cert(signed.cert.der(), &[], &name, &[], UnixTime::now())
                .is_err()
        );
        assert!(roots.verifier.get().is_some());
    }
}
