//! A mail server that answers by a script, byte by byte: any status, any text, late, in pieces,
//! never, or by closing; by command and by
//! recipient. Where the script has no rule it is a correct server, with STARTTLS, AUTH and
//! everything else that is configured.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::smtp_script::{Answer, GREETING, Rule, Then};

/// The longest line that is taken, in bytes.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// The most mails and commands that are kept, each.
const MAX_KEPT: usize = 100_000;

/// The longest mail that is taken, in bytes.
const MAX_MAIL_BYTES: usize = 4 << 20;

/// The configuration of the server.
#[derive(Default)]
pub struct AwkwardSetup {
    /// The rules; the first that matches decides.
    pub rules: Vec<Rule>,
    /// The extensions in EHLO besides STARTTLS and AUTH.
    pub offers: Vec<String>,
    /// The ways to log in; empty: none.
    pub logins: Vec<String>,
    /// The user name and password that it requires before a mail.
    pub credentials: Option<(String, String)>,
    /// Certificate and key: it offers STARTTLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// It speaks TLS from the first byte instead.
    pub implicit_tls: bool,
}

/// A mail that it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMail {
    /// The address after `FROM:` in MAIL.
    pub from: String,
    /// The addresses of RCPT.
    pub to: Vec<String>,
    /// The content, with LF and without the doubled dots.
    pub content: String,
}

/// The server. It stops when it is dropped.
pub struct AwkwardSmtp {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What the connections of a server share.
pub(super) struct Shared {
    setup: AwkwardSetup,
    pub rules: Mutex<Vec<Rule>>,
    /// The user name and password that it requires before a mail.
    pub credentials: Mutex<Option<(String, String)>>,
    commands: Mutex<Vec<String>>,
    pub mails: Mutex<Vec<TakenMail>>,
    /// How many mails it accepted.
    pub taken: watch::Sender<usize>,
    connections: Mutex<usize>,
}

impl Shared {
    /// A server with this configuration, before its first connection.
    pub fn new(mut setup: AwkwardSetup) -> Self {
        Self {
            rules: Mutex::new(std::mem::take(&mut setup.rules)),
            credentials: Mutex::new(setup.credentials.take()),
            setup,
            commands: Mutex::default(),
            mails: Mutex::default(),
            taken: watch::Sender::default(),
            connections: Mutex::default(),
        }
    }
}

impl AwkwardSmtp {
    /// Starts on any free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(setup: AwkwardSetup) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(setup));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The received commands, without the lines of mails.
    pub fn commands(&self) -> Vec<String> {
        locked(&self.shared.commands).clone()
    }

    /// The accepted mails.
    pub fn mails(&self) -> Vec<TakenMail> {
        locked(&self.shared.mails).clone()
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        *locked(&self.shared.connections)
    }

    /// Replaces the rules from now on.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        *locked(&self.shared.rules) = rules;
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep<T>(list: &Mutex<Vec<T>>, item: T) {
    let mut list = locked(list);
    if list.len() < MAX_KEPT {
        list.push(item);
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        *locked(&shared.connections) += 1;
        clients.spawn(talk(stream, Arc::clone(&shared)));
        while clients.try_join_next().is_some() {}
    }
}

/// Serves one connection. `None` ends it, here and below.
pub(super) async fn talk(stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let acceptor = shared.setup.tls.clone().map(TlsAcceptor::from);
    if let (Some(acceptor), true) = (&acceptor, shared.setup.implicit_tls) {
        let stream = acceptor.accept(stream).await.ok()?;
        return Talk::new(stream, &shared, true).run(true).await;
    }
    let mut talk = Talk::new(stream, &shared, false);
    talk.run(true).await?;
    let stream = acceptor?.accept(talk.stream.into_inner()).await.ok()?;
    Talk::new(stream, &shared, true).run(false).await
}

struct Talk<'a, S> {
    stream: BufReader<S>,
    shared: &'a Shared,
    secure: bool,
    logged_in: bool,
    from: String,
    to: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, S> {
    fn new(stream: S, shared: &'a Shared, secure: bool) -> Self {
        Self {
            stream: BufReader::new(stream),
            shared,
            secure,
            logged_in: false,
            from: String::new(),
            to: Vec::new(),
        }
    }

    /// Talks until TLS begins (`Some`) or the connection ends (`None`).
    async fn run(&mut self, greet: bool) -> Option<()> {
        if greet {
            self.answer(GREETING, "220 awkward").await?;
        }
        loop {
            let line = self.line().await?;
            keep(&self.shared.commands, line.clone());
            let verb = line
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.answer(&line, &self.abilities()).await.map(|_| ())?,
                "STARTTLS" if self.shared.setup.tls.is_some() => {
                    if self
                        .answer(&line, "220 go ahead")
                        .await?
                        .starts_with(b"220")
                    {
                        return Some(());
                    }
                }
                "AUTH" => self.log_in(&line).await?,
                "MAIL" => self.begin(&line).await?,
                "RCPT" => self.name(&line).await?,
                "DATA" => self.take(&line).await?,
                "QUIT" => return self.answer(&line, "221 bye").await.and(None),
                _ => self.answer(&line, "250 ok").await.map(|_| ())?,
            }
        }
    }

    fn abilities(&self) -> String {
        let setup = &self.shared.setup;
        let mut lines = vec!["awkward".to_owned()];
        lines.extend(setup.offers.iter().cloned());
        if setup.tls.is_some() && !self.secure {
            lines.push("STARTTLS".to_owned());
        }
        if !setup.logins.is_empty() {
            lines.push(format!("AUTH {}", setup.logins.join(" ")));
        }
        let last = lines.pop().unwrap_or_default();
        let mut reply = String::new();
        for line in lines {
            reply.extend(["250-", &line, "\r\n"]);
        }
        reply + "250 " + &last
    }

    async fn log_in(&mut self, line: &str) -> Option<()> {
        let mut shown = decoded(line.split(' ').nth(2).unwrap_or_default());
        if line.eq_ignore_ascii_case("AUTH LOGIN") {
            let asked = self.answer(line, "334 VXNlcm5hbWU6").await?;
            if !asked.starts_with(b"334") {
                return Some(());
            }
            let user = decoded(&self.line().await?);
            self.put(&Answer::line("334 UGFzc3dvcmQ6")).await?;
            let password = decoded(&self.line().await?);
            shown = [&b"\0"[..], &user, b"\0", &password].concat();
        }
        let wanted = locked(&self.shared.credentials).clone();
        let right = wanted
            .is_none_or(|(user, password)| shown == format!("\0{user}\0{password}").into_bytes());
        let good = if right { "235 welcome" } else { "535 5.7.8 no" };
        let answer = self.answer("logged in", good);
        self.logged_in = answer.await?.starts_with(b"235");
        Some(())
    }

    async fn begin(&mut self, line: &str) -> Option<()> {
        let known = locked(&self.shared.credentials).is_none() || self.logged_in;
        let good = if known {
            "250 ok"
        } else {
            "530 5.7.0 log in first"
        };
        if is_yes(&self.answer(line, good).await?) {
            line.get(10..)
                .unwrap_or_default()
                .clone_into(&mut self.from);
            self.to.clear();
        }
        Some(())
    }

    async fn name(&mut self, line: &str) -> Option<()> {
        if is_yes(&self.answer(line, "250 ok").await?) {
            let path = line.split(['<', '>']).nth(1).unwrap_or_default();
            self.to.push(path.to_owned());
        }
        Some(())
    }

    async fn take(&mut self, line: &str) -> Option<()> {
        if !self.answer(line, "354 go on").await?.starts_with(b"354") {
            return Some(());
        }
        let (mut content, mut fits) = (String::new(), true);
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            fits = fits && content.len() + line.len() < MAX_MAIL_BYTES;
            if fits {
                content.extend([line.strip_prefix('.').unwrap_or(&line), "\n"]);
            }
        }
        if !fits {
            return self.answer(".", "552 5.3.4 too large").await.map(|_| ());
        }
        let mail = TakenMail {
            from: self.from.clone(),
            to: std::mem::take(&mut self.to),
            content,
        };
        // Stored before it is answered: what the answer says holds also where the server closes
        // right after it.
        let answer = self.decide(".", "250 taken");
        if is_yes(&answer.bytes) {
            keep(&self.shared.mails, mail);
        }
        self.put(&answer).await?;
        let count = locked(&self.shared.mails).len();
        self.shared.taken.send_replace(count);
        Some(())
    }

    /// Answers by the rules, otherwise positively; returns the answer.
    async fn answer(&mut self, line: &str, good: &str) -> Option<Vec<u8>> {
        let answer = self.decide(line, good);
        self.put(&answer).await?;
        Some(answer.bytes)
    }

    fn decide(&self, line: &str, good: &str) -> Answer {
        let secure = self.secure;
        let rule = locked(&self.shared.rules)
            .iter_mut()
            .find_map(|rule| rule.matches(line, secure).then(|| rule.answer.clone()));
        rule.unwrap_or_else(|| Answer::line(good))
    }

    async fn put(&mut self, answer: &Answer) -> Option<()> {
        if !answer.delay.is_zero() {
            sleep(answer.delay).await;
        }
        let stream = self.stream.get_mut();
        for piece in answer.bytes.chunks(answer.piece.unwrap_or(usize::MAX)) {
            stream.write_all(piece).await.ok()?;
            stream.flush().await.ok()?;
            if answer.piece.is_some() {
                tokio::task::yield_now().await;
            }
        }
        match answer.then {
            Then::GoOn => Some(()),
            Then::Hang => std::future::pending().await,
            Then::HangUp => None,
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let mut bounded = (&mut self.stream).take(MAX_LINE_BYTES);
        bounded.read_until(b'\n', &mut bytes).await.ok()?;
        let line = bytes.strip_suffix(b"\n")?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line).into_owned())
    }
}

/// Decodes base64; `None` or empty where it is not base64.
fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text.trim()).unwrap_or_default()
}

fn is_yes(answer: &[u8]) -> bool {
    answer.starts_with(b"2")
}
