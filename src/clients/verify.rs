//! A TLS verifier with a custom rule for certificates. Signatures are verified as usual.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// The certificates that a server presented, and when.
#[derive(Debug)]
pub struct Shown<'a> {
    pub certificate: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    ocsp_response: &'a [u8],
    now: UnixTime,
}

impl Shown<'_> {
    /// The result of another verifier.
    ///
    /// # Errors
    /// That verifier's.
    pub fn verified_by(
        &self,
        verifier: &dyn ServerCertVerifier,
    ) -> Result<ServerCertVerified, Error> {
        verifier.verify_server_cert(
            self.certificate,
            self.intermediates,
            self.name,
            self.ocsp_response,
            self.now,
        )
    }
}

/// The rule for accepting certificates.
pub trait CertificateRule: Debug + Send + Sync {
    /// # Errors
    /// Why this one is rejected.
    fn verify(&self, shown: &Shown<'_>) -> Result<ServerCertVerified, Error>;
}

/// A TLS client configuration that accepts the certificates of this rule, with the safe versions of
/// TLS.
///
/// # Errors
/// The library's, where it has no such version.
pub fn client_by_rule(
    rule: impl CertificateRule + 'static,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, Error> {
    let verifier = ByRule {
        rule,
        provider: Arc::clone(&provider),
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// The one provider of cryptography.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[derive(Debug)]
struct ByRule<R> {
    rule: R,
    provider: Arc<CryptoProvider>,
}

impl<R: CertificateRule> ServerCertVerifier for ByRule<R> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.rule.verify(&Shown {
            certificate,
            intermediates,
            name,
            ocsp_response,
            now,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
