//! The certificate of the API's own TLS: read at the start and again when its files change, and
//! kept when the new ones are not valid.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are checked.
pub const RELOAD_EVERY: Duration = Duration::from_secs(60);

/// The longest file that is read, in bytes.
const MAX_PEM_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its root, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {1}", path = .0.display())]
    Read(PathBuf, io::Error),
    /// A file holds no certificate, or no key.
    #[error("{path} holds nothing that is needed: {1}", path = .0.display())]
    Pem(PathBuf, rustls::pki_types::pem::Error),
    /// They do not match, or are of an unknown kind.
    #[error("certificate and key do not work together: {0}")]
    Pair(rustls::Error),
}

/// The certificate of the API.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

/// The identity of the two files' contents: times and sizes.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads the files. It blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, CertificateError> {
        let current = RwLock::new(Arc::new(pair(&files)?));
        Ok(Arc::new(Self { files, current }))
    }

    /// Accepts connections with it.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Checks the files periodically until `stop`, and takes a new pair if it is valid.
    pub async fn follow(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut seen = self.stamp();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(every) => {}
            }
            let now = self.stamp();
            if now != seen {
                seen = now;
                self.reload();
            }
        }
    }

    fn reload(&self) {
        match pair(&self.files) {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                tracing::info!(file = %self.files.certificate.display(), "the API shows a new certificate");
            }
            Err(error) => tracing::error!(
                "the API keeps its old certificate, because the new one is no good: {error}"
            ),
        }
    }

    fn stamp(&self) -> Stamp {
        [&self.files.certificate, &self.files.key].map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.current.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

fn pair(files: &TlsFiles) -> Result<CertifiedKey, CertificateError> {
    let (certificate, key) = (&files.certificate, &files.key);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.and_then(|chain| {
        if chain.is_empty() {
            Err(rustls::pki_types::pem::Error::NoItemsFound)
        } else {
            Ok(chain)
        }
    });
    let chain = chain.map_err(|error| CertificateError::Pem(certificate.clone(), error))?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| CertificateError::Pem(key.clone(), error))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(CertificateError::Pair)
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(MAX_PEM_BYTES).read_to_end(&mut bytes));
    read.map(|_| bytes)
        .map_err(|error| CertificateError::Read(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn files(&self) -> TlsFiles {
            TlsFiles {
                certificate: self.0.path().join("cert.pem"),
                key: self.0.path().join("key.pem"),
            }
        }

        fn put(&self, certificate: &str, key: &str) {
            fs::write(self.files().certificate, certificate).expect("writes");
            fs::write(self.files().key, key).expect("writes");
        }
    }

    fn signed() -> (String, String) {
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        (signed.cert.pem(), signed.signing_key.serialize_pem())
    }

    #[test]
    fn a_bad_new_pair_keeps_the_old_one_and_a_good_one_replaces_it() {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        let ((cert, key), (other_cert, other_key)) = (signed(), signed());
        folder.put(&cert, &key);
        let certificate = Certificate::load(folder.files()).expect("loads");
        let shown = || certificate.current.read().expect("whole").cert.clone();
        let first = shown();
        for (cert, key) in [
            (&other_cert, &key),
            (&"junk".to_owned(), &other_key),
            (&other_cert, &String::new()),
        ] {
            folder.put(cert, key);
            certificate.reload();
            assert_eq!(shown(), first);
        }
        folder.put(&other_cert, &other_key);
        certificate.reload();
        assert_ne!(shown(), first);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        let ((cert, key), (_, other_key)) = (signed(), signed());
        assert!(matches!(
            Certificate::load(folder.files()),
            Err(CertificateError::Read(..))
        ));
        for (cert, key, expect) in [
            ("", key.as_str(), "cert.pem holds"),
            (&cert, "", "key.pem holds"),
            (&cert, &other_key, "do not work together"),
        ] {
            folder.put(cert, key);
            let error = Certificate::load(folder.files())
                .expect_err("is no good")
                .to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
