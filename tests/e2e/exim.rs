//! A real mail server: Debian's exim, from a configuration in a temporary folder, on a port of this
//! host, with STARTTLS and AUTH, without the superuser's rights. It delivers into files of that
//! folder.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::eventually::eventually;
use super::monitor::free_port;

const EXIM: &str = "/usr/sbin/exim4";

/// Who may send.
pub const USER: &str = "labwatch";
pub const PASSWORD: &str = "ex1m-passw0rd-x5";

/// An address that the server does not take.
pub const GONE: &str = "gone@lab.example";

/// The user and group that it runs as where the tests run as the superuser: the system's `nobody`.
const NOBODY: u32 = 65_534;

pub struct Exim {
    folder: TempDir,
    pub port: u16,
    child: Option<Child>,
}

/// A mail as it was delivered.
#[derive(Debug)]
pub struct Delivered {
    pub to: String,
    pub subject: String,
    pub raw: String,
}

impl Exim {
    /// Starts it.
    pub async fn start() -> Self {
        assert!(
            Path::new(EXIM).exists(),
            "{EXIM} is not installed: run scripts/test.sh, which installs it (on Debian: exim4-daemon-light)"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        for name in ["spool", "log", "mail"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        certify(folder.path());
        let mut server = Self {
            folder,
            port,
            child: None,
        };
        let (user, group) = server.owner();
        fs::write(
            server.file("exim.conf"),
            configuration(&server.file(""), port, user, group),
        )
        .expect("written");
        server.give_to(user, group);
        server.start_again().await;
        server
    }

    /// Starts it after [`Exim::kill`], on the same port and with the same mails.
    pub async fn start_again(&mut self) {
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args([
                "--reuid",
                &NOBODY.to_string(),
                "--regid",
                &NOBODY.to_string(),
                "--clear-groups",
            ]);
        }
        command
            .args(["--no-new-privs", EXIM, "-C"])
            .arg(self.file("exim.conf"))
            .arg("-bdf");
        let said = fs::File::create(self.file("said")).expect("a file");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .current_dir(self.folder.path())
            .kill_on_drop(true);
        self.child = Some(command.spawn().expect("setpriv, of util-linux"));
        let answers = async || TcpStream::connect(("127.0.0.1", self.port)).await.ok();
        eventually("exim answers", || self.log(), answers).await;
    }

    /// Kills it: connections are refused.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("killed");
        }
        let refuses = async || {
            TcpStream::connect(("127.0.0.1", self.port))
                .await
                .is_err()
                .then_some(())
        };
        eventually("exim is gone", || self.log(), refuses).await;
    }

    /// The file with the certificate of the CA.
    pub fn roots(&self) -> PathBuf {
        self.file("roots.pem")
    }

    /// What was delivered, one for each recipient.
    pub fn mails(&self) -> Vec<Delivered> {
        let Ok(files) = fs::read_dir(self.file("mail/new")) else {
            return Vec::new();
        };
        files
            .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
            .map(Delivered::new)
            .collect()
    }

    /// Waits for a mail to this recipient with this in its subject.
    pub async fn mail(&self, to: &str, subject: &str) -> Delivered {
        let look = async || {
            self.mails()
                .into_iter()
                .find(|mail| mail.to == to && mail.subject.contains(subject))
        };
        eventually(
            &format!("a mail to {to}: {subject}"),
            || format!("{:#?}\n{}", self.mails(), self.log()),
            look,
        )
        .await
    }

    /// Everything that it wrote into its logs.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.file(name)).unwrap_or_default();
        ["said", "log/mainlog", "log/rejectlog", "log/paniclog"]
            .map(read)
            .join("\n")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As whom it runs: the system's `nobody`, or the user who runs the tests. Exim lets only its
    /// own user start it, so this one is.
    fn owner(&self) -> (u32, u32) {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(self.folder.path()).expect("a folder");
        if is_root() {
            (NOBODY, NOBODY)
        } else {
            (meta.uid(), meta.gid())
        }
    }

    fn give_to(&self, user: u32, group: u32) {
        if is_root() {
            let names = [
                "",
                "spool",
                "log",
                "mail",
                "exim.conf",
                "cert.pem",
                "key.pem",
            ];
            for name in names {
                chown(self.file(name), Some(user), Some(group)).expect("given away");
            }
        }
    }
}

impl Delivered {
    fn new(raw: String) -> Self {
        let header = |name: &str| {
            let head = raw
                .split("\n\n")
                .next()
                .unwrap_or_default()
                .replace("\n ", " ");
            head.lines()
                .find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
                .unwrap_or_default()
        };
        Self {
            to: header("Envelope-to:"),
            subject: header("Subject:"),
            raw,
        }
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A certificate for localhost, and the root that vouches for it.
fn certify(folder: &Path) {
    let mut ca = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    let root = ca.self_signed(&ca_key).expect("a root");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server
        .signed_by(&key, &Issuer::new(ca, ca_key))
        .expect("a certificate");
    for (name, text) in [
        ("roots.pem", root.pem()),
        ("cert.pem", server.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).expect("written");
    }
}

fn configuration(folder: &Path, port: u16, user: u32, group: u32) -> String {
    let folder = folder.display().to_string();
    let folder = folder.trim_end_matches('/');
    let local = GONE.split('@').next().unwrap_or_default();
    format!(
        r"exim_path = {EXIM}
exim_user = {user}
exim_group = {group}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
primary_hostname = mail.lab.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
keep_environment =
host_lookup =
deliver_drop_privilege
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = recipient
begin acl
recipient:
  require message = show who you are first
    authenticated = *
  deny message = no such user here
    local_parts = {local}
  accept
begin routers
everybody:
  driver = accept
  transport = folder
begin transports
folder:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
"
    )
}

/// Longer than exim takes to deliver what it has accepted.
pub const DELIVERS_WITHIN: Duration = Duration::from_secs(3);
