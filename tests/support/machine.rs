//! A small Debian with a real systemd, booted in a container for one test. Its network is the
//! host's; what it writes is gone with it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::debian;

/// What boots it, and what makes its files.
const TOOLS: [&str; 2] = ["systemd-nspawn", "debootstrap"];

/// It has booted within this time, on a busy machine.
const BOOTS_WITHIN: Duration = Duration::from_secs(60);

/// The interval of repeated checks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The machine. Dropping it ends all that runs in it.
pub struct Machine {
    container: Child,
    /// The process id of its systemd, as the host counts.
    leader: u32,
    console: PathBuf,
}

impl Machine {
    /// Boots one. There is none where a tool is missing or where containers cannot be made, which
    /// is said.
    #[allow(
        clippy::print_stderr,
        reason = "the output of the tests says what was left out"
    )]
    pub fn boot(folder: &Path) -> Option<Self> {
        if let Some(why) = obstacle() {
            eprintln!("not tested: {why}");
            return None;
        }
        let root = match debian::root() {
            Ok(root) => root,
            Err(why) => {
                eprintln!("not tested: {why}");
                return None;
            }
        };
        let console = folder.join("console");
        let output = std::fs::File::create(&console).expect("a file");
        let container = Command::new("systemd-nspawn")
            .args(["--register=no", "--keep-unit", "--boot"])
            .args(["--volatile=overlay", "--console=pipe", "-D", &root])
            .stdin(Stdio::null())
            .stderr(output.try_clone().expect("a handle"))
            .stdout(output)
            .spawn()
            .expect("systemd-nspawn runs");
        let mut machine = Self {
            container,
            leader: 0,
            console,
        };
        machine.leader = machine.until(BOOTS_WITHIN, "a process", Self::first_process);
        machine.until(BOOTS_WITHIN, "systemd is up", |machine| {
            let state = machine.run(&["systemctl", "is-system-running"]);
            ["running", "degraded"]
                .contains(&text(&state.stdout).trim())
                .then_some(())
        });
        Some(machine)
    }

    fn first_process(&self) -> Option<u32> {
        let id = self.container.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Runs a command in it, to its end.
    pub fn run(&self, command: &[&str]) -> Output {
        self.enter().args(command).output().expect("nsenter runs")
    }

    /// Runs a text of the shell in it, which must end well, and returns what it printed.
    pub fn sh(&self, script: &str) -> String {
        let output = self.run(&["sh", "-euc", script]);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(
            output.status.success(),
            "{script}\n{all}\n{}",
            self.circumstances()
        );
        all
    }

    /// Runs a text of the shell in it, which must fail, and returns what it printed.
    pub fn fails(&self, script: &str) -> String {
        let output = self.run(&["sh", "-euc", script]);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success(), "{script} does not fail\n{all}");
        all
    }

    /// Puts a file into it, below folders that are made where they are missing.
    pub fn put(&self, path: &str, mode: &str, content: &[u8]) {
        let script = format!("install -D -m {mode} /dev/stdin {path}");
        let mut child = self
            .enter()
            .args(["sh", "-euc", &script])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nsenter runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(content).expect("it is read");
        drop(stdin);
        assert!(child.wait().expect("it ends").success(), "{script}");
    }

    /// What the shell outside writes in front of a command that is to run in it.
    pub fn entrance(&self) -> String {
        let enter = self.enter();
        let words = std::iter::once(enter.get_program()).chain(enter.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.leader.to_string()])
            .args(["-m", "-u", "-i", "-p", "-C", "-r", "-w"])
            .args(["env", "-i", "LANG=C.UTF-8", "TERM=dumb"])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Looks again and again until there is something to see.
    pub fn until<T>(&self, longest: Duration, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            assert!(
                begun.elapsed() < longest,
                "not within {longest:?}: {what}\n{}",
                self.circumstances()
            );
            sleep(LOOK_EVERY);
        }
    }

    /// The end of the journal and of the console, for a test that fails.
    pub fn circumstances(&self) -> String {
        let journal = self.run(&["journalctl", "--no-pager", "-n", "40"]);
        let console = std::fs::read_to_string(&self.console).unwrap_or_default();
        let mut end: Vec<&str> = console.lines().rev().take(10).collect();
        end.reverse();
        let end = end.join("\n");
        format!("journal:\n{}\nconsole:\n{end}", text(&journal.stdout))
    }
}

impl Drop for Machine {
    /// The end of the first process is the end of all others; the container's supervisor then
    /// tidies up and ends by itself.
    fn drop(&mut self) {
        if self.leader == 0 {
            let _ = self.container.kill();
        } else {
            let leader = self.leader.to_string();
            let _ = Command::new("kill").args(["-KILL", &leader]).status();
        }
        let _ = self.container.wait();
    }
}

/// Why no machine can be booted here.
fn obstacle() -> Option<String> {
    let is_there = |tool: &&&str| {
        let found = Command::new(tool).arg("--version").output();
        found.is_err()
    };
    let missing = || {
        let missing = TOOLS.iter().find(is_there)?;
        Some(format!(
            "{missing} is missing (on Debian: systemd-container and debootstrap)"
        ))
    };
    debian::obstacle().or_else(missing)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
