//! The labwatch that runs with this configuration on this host: its address, and its certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use rustls::CertificateError;
use rustls::client::danger::ServerCertVerified;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::failure::Failure;
use crate::clients::{CertificateRule, Shown, client_by_rule, provider};
use crate::config::ApiSettings;

/// Its address, without a slash at the end.
///
/// # Errors
/// [`Failure::Usage`] when it has no API.
pub(super) fn base(api: &ApiSettings) -> Result<String, Failure> {
    let none = || {
        Failure::Usage("The labwatch of this configuration has no API that could be asked: port_serve is none.".to_owned())
    };
    let listen = api.listen.ok_or_else(none)?;
    let address = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        set @ (IpAddr::V4(_) | IpAddr::V6(_)) => set,
    };
    let scheme = if api.tls.is_some() { "https" } else { "http" };
    Ok(format!(
        "{scheme}://{}{}",
        SocketAddr::new(address, listen.port()),
        api.prefix
    ))
}

/// A client that trusts the certificate in this file and no other, whatever name it is for: the
/// address is this host's.
pub(super) fn trusting(file: &Path) -> Result<rustls::ClientConfig, Box<dyn std::error::Error>> {
    let certificate = CertificateDer::from_pem_file(file)?;
    Ok(client_by_rule(Pinned(certificate), provider())?)
}

#[derive(Debug)]
struct Pinned(CertificateDer<'static>);

impl CertificateRule for Pinned {
    fn verify(&self, shown: &Shown<'_>) -> Result<ServerCertVerified, rustls::Error> {
        let same = *shown.certificate == self.0;
        same.then(ServerCertVerified::assertion)
            .ok_or(CertificateError::UnknownIssuer.into())
    }
}
