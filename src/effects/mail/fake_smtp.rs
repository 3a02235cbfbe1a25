//! A small mail server for tests: it takes mails, can be told to be difficult, and shows what it heard. Only built for tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::transport::smtp::client::Certificate;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::config::{MailAuth, MailSettings, MailTls};

/// How the server behaves.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    /// Encrypted from the first byte.
    pub(super) implicit_tls: bool,
    /// STARTTLS is offered.
    pub(super) starttls: bool,
    /// AUTH is offered, and asked for before a mail.
    pub(super) auth: bool,
    /// Its answers to lines that start so: the first that fits. `hang` answers nothing, `drop` closes.
    pub(super) answers: &'static [(&'static str, &'static str)],
}

/// The server. It stops when it is dropped.
pub(super) struct FakeSmtp {
    pub(super) port: u16,
    pub(super) root: Certificate,
    heard: Arc<Mutex<Heard>>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    mails: Vec<String>,
}

/// What user `user` with password `secret` says, by PLAIN and by LOGIN.
const LOGINS: [&str; 2] = ["AUTH PLAIN AHVzZXIAc2VjcmV0", "dXNlcg== c2VjcmV0"];

/// Settings that lead to a server on this port of this host, without protection and login.
pub(super) fn settings(port: u16) -> MailSettings {
    MailSettings {
        host: "localhost".into(),
        port,
        tls: MailTls::None,
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

impl FakeSmtp {
    pub(super) async fn start(manner: Manner) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let root = Certificate::from_der(certified.cert.der().to_vec()).expect("a root");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
            certified.signing_key.serialize_der(),
        ));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = config
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let mut server = JoinSet::new();
        server.spawn(listen(listener, acceptor, manner, Arc::clone(&heard)));
        Self {
            port,
            root,
            heard,
            _server: server,
        }
    }

    /// The lines that came, without those of mails.
    pub(super) fn lines(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics").lines.clone()
    }

    /// The mails that came, with `\n` line ends.
    pub(super) fn mails(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics").mails.clone()
    }
}

async fn listen(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    manner: Manner,
    heard: Arc<Mutex<Heard>>,
) {
    let mut guests = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        guests.spawn(welcome(
            stream,
            acceptor.clone(),
            manner,
            Arc::clone(&heard),
        ));
    }
}

async fn welcome(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    manner: Manner,
    heard: Arc<Mutex<Heard>>,
) -> Option<()> {
    if manner.implicit_tls {
        let stream = acceptor.accept(stream).await.ok()?;
        Talk {
            stream: BufReader::new(stream),
            manner,
            heard,
            secure: true,
            logged_in: false,
        }
        .run(true)
        .await?;
        return Some(());
    }
    let mut talk = Talk {
        stream: BufReader::new(stream),
        manner,
        heard: Arc::clone(&heard),
        secure: false,
        logged_in: false,
    };
    talk.run(true).await?;
    let stream = acceptor.accept(talk.stream.into_inner()).await.ok()?;
    Talk {
        stream: BufReader::new(stream),
        manner,
        heard,
        secure: true,
        logged_in: false,
    }
    .run(false)
    .await
}

struct Talk<S> {
    stream: BufReader<S>,
    manner: Manner,
    heard: Arc<Mutex<Heard>>,
    secure: bool,
    logged_in: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    /// Talks until the client wants to encrypt (`Some`) or the talk ends (`None`).
    async fn run(&mut self, greet: bool) -> Option<()> {
        if greet {
            let greeting = self.special("greeting").unwrap_or("220 fake ready");
            self.say(greeting).await?;
        }
        loop {
            let line = self.line().await?;
            self.heard
                .lock()
                .expect("nobody panics")
                .lines
                .push(line.clone());
            if let Some(answer) = self.special(&line) {
                self.say(answer).await?;
                continue;
            }
            match line.split(' ').next().unwrap_or_default() {
                "EHLO" => self.say(&self.abilities()).await?,
                "STARTTLS" if self.manner.starttls => return self.say("220 go ahead").await,
                "AUTH" => self.log_in(&line).await?,
                "MAIL" if self.manner.auth && !self.logged_in => {
                    self.say("530 who are you").await?
                }
                "DATA" => self.take_mail().await?,
                "QUIT" => return self.say("221 bye").await.and(None),
                _ => self.say("250 fine").await?,
            }
        }
    }

    fn special(&self, line: &str) -> Option<&'static str> {
        self.manner
            .answers
            .iter()
            .find(|(start, _)| line.starts_with(start))
            .map(|(_, answer)| *answer)
    }

    fn abilities(&self) -> String {
        let starttls = if self.manner.starttls && !self.secure {
            "250-STARTTLS\r\n"
        } else {
            ""
        };
        let auth = if self.manner.auth {
            "250-AUTH PLAIN LOGIN\r\n"
        } else {
            ""
        };
        format!("250-fake\r\n{starttls}{auth}250 8BITMIME")
    }

    async fn log_in(&mut self, line: &str) -> Option<()> {
        let mut said = line.to_owned();
        if line == "AUTH LOGIN" {
            self.say("334 VXNlcm5hbWU6").await?;
            let user = self.line().await?;
            self.say("334 UGFzc3dvcmQ6").await?;
            said = format!("{user} {}", self.line().await?);
        }
        self.logged_in = LOGINS.contains(&said.as_str());
        self.say(if self.logged_in {
            "235 welcome"
        } else {
            "535 5.7.8 wrong user or password"
        })
        .await
    }

    async fn take_mail(&mut self) -> Option<()> {
        self.say("354 go on").await?;
        let mut mail = String::new();
        loop {
            match self.line().await?.as_str() {
                "." => break,
                line => mail.extend([line.strip_prefix('.').unwrap_or(line), "\n"]),
            }
        }
        self.heard.lock().expect("nobody panics").mails.push(mail);
        self.say("250 taken").await
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await.ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    async fn say(&mut self, answer: &str) -> Option<()> {
        match answer {
            "hang" => std::future::pending().await,
            "drop" => None,
            answer => self
                .stream
                .get_mut()
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .ok(),
        }
    }
}
