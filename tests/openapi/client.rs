//! The documents as tools of others read them: a validator, and a generator of clients whose client
//! is used against the router.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use labwatch::http::auth::Scope;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Server, large, token};
use crate::tools::tool;

/// Each tool ends within this time, or something hangs.
const WITHIN: Duration = Duration::from_secs(120);

const DOCUMENTS: [&str; 2] = ["labwatch-v1.json", "labwatch-v2.json"];

fn home(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn run(command: &mut Command) -> (bool, String) {
    command.env("NO_PROXY", "127.0.0.1").kill_on_drop(true);
    let ended = timeout(WITHIN, command.output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = ended.expect("it ends").expect("it starts");
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (status.success(), said.concat())
}

#[tokio::test]
#[ignore = "needs Python tools; scripts/test.sh runs it"]
async fn the_documents_are_valid() {
    for document in DOCUMENTS {
        let file = home("openapi").join(document);
        let (ok, said) = run(Command::new(tool("openapi-spec-validator")).arg(file)).await;
        assert!(ok, "{document}: {said}");
    }
}

#[tokio::test]
#[ignore = "needs Python tools; scripts/test.sh runs it"]
async fn a_generated_client_works() {
    let folder = tempfile::tempdir().expect("a folder");
    for document in DOCUMENTS {
        let into = folder.path().join(document.trim_end_matches(".json"));
        std::fs::create_dir(&into).expect("a folder");
        let mut command = Command::new(tool("openapi-python-client"));
        command
            .args(["generate", "--meta", "none", "--fail-on-warning"])
            .arg("--path")
            .arg(home("openapi").join(document))
            .arg("--config")
            .arg(home("tests/tools/client.yml"))
            .arg("--output-path")
            .arg(into.join("client"));
        let (ok, said) = run(&mut command).await;
        assert!(ok && !said.contains("WARNING"), "{document}: {said}");
    }
    let server = Server::start(large()).await;
    let mut command = Command::new(tool("python"));
    command
        .arg(home("tests/openapi/client.py"))
        .arg(folder.path().join("labwatch-v2"))
        .arg(format!("http://{}", server.address))
        .arg(token(Scope::Admin));
    let (ok, said) = run(&mut command).await;
    assert!(ok, "{said}");
    assert!(said.contains("the client works"), "{said}");
}
