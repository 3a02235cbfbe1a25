//! The image of the recipe's last stage, made of a small Debian and the program of this test, runs
//! with Docker or podman: as its own user, with its files read-only and its store in a volume.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{debian, read};

const BASE: &str = "localhost/labwatch-test-base";
const IMAGE: &str = "localhost/labwatch-test";
const NAME: &str = "labwatch-test";

/// It watches the laboratory within this time, on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// What makes and runs containers, and what it is given with each command and with `run`.
struct Engine {
    program: &'static str,
    always: Vec<String>,
    build: &'static [&'static str],
    run: &'static [&'static str],
}

impl Engine {
    /// Docker where its daemon answers, else podman with a store of its own in `folder`.
    fn find(folder: &Path) -> Option<Self> {
        let works = |program: &str, argument: &str| {
            let output = Command::new(program).arg(argument).output();
            output.is_ok_and(|output| output.status.success())
        };
        if works("docker", "info") {
            return Some(Self {
                program: "docker",
                always: Vec::new(),
                build: &[],
                run: &[],
            });
        }
        let place = |name: &str| folder.join(name).display().to_string();
        let mut always = vec!["--root".to_owned(), place("root")];
        always.extend(["--runroot".to_owned(), place("run")]);
        // Nothing of systemd is needed, and no journal.
        always.extend(["--cgroup-manager=cgroupfs", "--events-backend=file"].map(str::to_owned));
        if works("runc", "--version") {
            always.push("--runtime=runc".to_owned());
        }
        works("podman", "--version").then_some(Self {
            program: "podman",
            always,
            // With the check of health, which the other format does not know.
            build: &["--format=docker", "--isolation=chroot", "--layers=false"],
            // More than a container inside of a container may ask for is its default.
            run: &["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"],
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(&self.always).args(arguments);
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Runs a command that must end well, and returns what it printed.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes the image that the recipe begins its last stage with.
    fn import(&self, root: &str) {
        let mut packer = Command::new("tar")
            .args(["-C", root, "-c", "."])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar runs");
        let archive = packer.stdout.take().expect("a pipe");
        let imported = self.command(&["import", "-", BASE]).stdin(archive).output();
        assert!(imported.expect("it runs").status.success());
        assert!(packer.wait().expect("tar ends").success());
    }

    /// Why no container can be run here at all.
    fn obstacle(&self) -> Option<String> {
        let mut arguments = vec!["run", "--rm", "--network=host"];
        arguments.extend(self.run);
        arguments.extend([BASE, "true"]);
        let output = self.output(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        (!output.status.success()).then(|| format!("{} runs no container: {said}", self.program))
    }

    /// The log of the container, for a test that fails.
    fn log(&self) -> String {
        let output = self.output(&["logs", NAME]);
        let log = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for arguments in [
            &["rm", "--force", NAME][..],
            &["volume", "rm", NAME],
            &["rmi", "--force", IMAGE, BASE],
        ] {
            let _ = self.output(arguments);
        }
    }
}

/// The recipe without the stage that builds the program, which takes the network and a while.
fn last_stage() -> String {
    let recipe = read("Dockerfile");
    let last = recipe.rsplit_once("\nFROM ").expect("two stages").1;
    let (_, last) = last.split_once('\n').expect("what is done with it");
    let copied = last
        .lines()
        .map(|line| match line.strip_prefix("COPY --from=build ") {
            Some(rest) => format!("COPY labwatch {}", rest.split_once(' ').expect("a place").1),
            None => line.to_owned(),
        });
    let lines: Vec<String> = copied.collect();
    format!("FROM {BASE}\n{}\n", lines.join("\n"))
}

/// Writes the settings of a laboratory as Docker reads them, and its secrets as files.
fn configure(folder: &Path, lab: &lab::Lab, port: u16) {
    let secrets = folder.join("secrets");
    fs::create_dir(&secrets).expect("a folder");
    let mut settings = fs::File::create(folder.join("labwatch.env")).expect("a file");
    let mut set = |name: &str, value: &str| writeln!(settings, "{name}={value}").expect("writes");
    for (name, value) in lab.environment() {
        if let Some(server) = name.strip_prefix("STATUS_SECRET_") {
            let file = format!("secret_{}", server.to_lowercase());
            fs::write(secrets.join(&file), value).expect("writes");
            set(&format!("{name}_FILE"), &format!("/secrets/{file}"));
        } else {
            set(&name, &value);
        }
    }
    set("STATUS_ADDRESS_SERVE", "127.0.0.1");
    set("STATUS_PORT_SERVE", &port.to_string());
    for file in fs::read_dir(&secrets).expect("a folder") {
        let path = file.expect("a file").path();
        std::os::unix::fs::chown(&path, Some(10_001), None).expect("the superuser may");
        fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("the superuser may");
    }
}

/// Waits until the API shows an experiment that is evaluated.
fn until_it_watches(engine: &Engine, port: u16) {
    let begun = Instant::now();
    let check = ["exec", NAME, "labwatch", "status", "--check", "relay"];
    while !engine.output(&check).status.success() {
        let log = || engine.log();
        assert!(begun.elapsed() < STARTS_WITHIN, "port {port}: {}", log());
        sleep(Duration::from_millis(500));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(
    clippy::print_stderr,
    reason = "the output of the tests says what was left out"
)]
async fn the_image_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(engine) = Engine::find(folder.path()) else {
        eprintln!("not tested: neither a daemon of Docker nor podman is here");
        return;
    };
    let root = match debian::obstacle().map_or_else(debian::root, Err) {
        Ok(root) => root,
        Err(why) => {
            eprintln!("not tested: {why}");
            return;
        }
    };
    engine.import(&root);
    if let Some(why) = engine.obstacle() {
        eprintln!("not tested: {why}");
        return;
    }

    let context = folder.path().join("context");
    fs::create_dir(&context).expect("a folder");
    fs::copy(env!("CARGO_BIN_EXE_labwatch"), context.join("labwatch")).expect("copies");
    fs::write(context.join("Dockerfile"), last_stage()).expect("writes");
    let context = context.display().to_string();
    let mut build = vec!["build", "--network=host", "--tag", IMAGE];
    build.extend(engine.build);
    build.push(&context);
    engine.ok(&build);

    let lab = lab::Lab::start(lab::Plan::fleet(2)).await.expect("starts");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    configure(folder.path(), &lab, port);
    let settings = folder.path().join("labwatch.env").display().to_string();
    let secrets = format!("{}:/secrets:ro", folder.path().join("secrets").display());
    let volume = format!("{NAME}:/var/lib/labwatch");
    let mut run = vec!["run", "--detach", "--name", NAME, "--network=host"];
    run.extend(["--read-only", "--env-file", &settings]);
    run.extend(["--volume", &volume, "--volume", &secrets]);
    run.extend(engine.run);
    run.push(IMAGE);
    engine.ok(&run);

    until_it_watches(&engine, port);
    let health = engine.ok(&["inspect", NAME, "--format", "{{.Config.Healthcheck}}"]);
    assert!(health.contains("labwatch status --check self"), "{health}");
    engine.ok(&["exec", NAME, "labwatch", "status", "--check", "self"]);
    assert_eq!(engine.ok(&["exec", NAME, "id", "-u"]), "10001");
    let write = engine.output(&["exec", NAME, "touch", "/etc/labwatch"]);
    assert!(!write.status.success(), "its files are read-only");

    engine.ok(&["stop", NAME]);
    let code = engine.ok(&["inspect", NAME, "--format", "{{.State.ExitCode}}"]);
    assert_eq!(code, "0", "{}", engine.log());
    engine.ok(&["start", NAME]);
    until_it_watches(&engine, port);
    let log = engine.log();
    let first_starts = log
        .matches("this is the first start on this folder")
        .count();
    assert_eq!(first_starts, 1, "the store is there again: {log}");
}
