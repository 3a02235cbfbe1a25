//! A small mail server for tests: it accepts mails, can be set to misbehave, and records what it
//! received. Only built for tests.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::config::{Fingerprint, MailAuth, MailSettings, MailTls};
use lab::{Answer, AwkwardSetup, AwkwardSmtp, Rule};

/// How the server behaves.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    /// TLS from the first byte.
    pub(super) implicit_tls: bool,
    /// STARTTLS is offered.
    pub(super) starttls: bool,
    /// AUTH is offered, and asked for before a mail.
    pub(super) auth: bool,
    /// Its answers to lines with a prefix: the first that matches. `hang` answers nothing, `drop`
    /// closes.
    pub(super) answers: &'static [(&'static str, &'static str)],
}

/// The server. It stops when it is dropped.
pub(super) struct FakeSmtp {
    pub(super) port: u16,
    /// Its own certificate, which is its CA too.
    pub(super) identity: Identity,
    server: AwkwardSmtp,
}

/// Settings for a server on this port of this host, without protection and login.
pub(super) fn settings(port: u16) -> MailSettings {
    MailSettings {
        host: "localhost".into(),
        port,
        tls: MailTls::None,
        hello: Some("lab.example.org".into()),
        tls_ca: None,
        tls_fingerprint: None,
        auth: MailAuth::None,
        from: "Lab <labwatch@lab.example.org>".into(),
        to: vec!["ann@example.org".into(), "Bob <bob@example.org>".into()],
        cc: vec![],
        subject: "[lab]".into(),
        link: "https://lab.example.org/status".into(),
        timeout: Duration::from_secs(5),
        gather: Duration::ZERO,
    }
}

/// A certificate with its key.
pub(super) struct Identity {
    /// In PEM, as `EMAIL_TLS_CA` names it.
    pub(super) file: tempfile::NamedTempFile,
    pub(super) fingerprint: Fingerprint,
    pub(super) config: Arc<ServerConfig>,
}

impl Identity {
    /// For these names and this host.
    pub(super) fn of(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        change(&mut params);
        let certificate = params.self_signed(&key).expect("a certificate");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(certificate.pem().as_bytes())
            .expect("written");
        let der: CertificateDer<'static> = certificate.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .expect("a key");
        Self {
            file,
            fingerprint: Fingerprint::of(&der),
            config: Arc::new(config),
        }
    }
}

impl FakeSmtp {
    pub(super) async fn start(manner: Manner) -> Self {
        let identity = Identity::of(|_| {});
        let rules = manner.answers.iter().map(|(start, answer)| {
            let answer = match *answer {
                "hang" => Answer::hang(),
                "drop" => Answer::hang_up(),
                line => Answer::line(line),
            };
            Rule::on(start, answer)
        });
        let tls = manner.implicit_tls || manner.starttls;
        let setup = AwkwardSetup {
            rules: rules.collect(),
            offers: vec!["8BITMIME".to_owned()],
            logins: if manner.auth {
                vec!["PLAIN".to_owned(), "LOGIN".to_owned()]
            } else {
                vec![]
            },
            credentials: manner
                .auth
                .then(|| ("user".to_owned(), "secret".to_owned())),
            tls: tls.then(|| Arc::clone(&identity.config)),
            implicit_tls: manner.implicit_tls,
        };
        let server = AwkwardSmtp::start(setup).await.expect("a port");
        Self {
            port: server.address().port(),
            identity,
            server,
        }
    }

    /// The received lines, without those of mails.
    pub(super) fn lines(&self) -> Vec<String> {
        self.server.commands()
    }

    /// The received mails, with `\n` line ends.
    pub(super) fn mails(&self) -> Vec<String> {
        let mails = self.server.mails();
        mails.into_iter().map(|mail| mail.content).collect()
    }
}
