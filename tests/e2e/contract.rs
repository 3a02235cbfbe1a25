//! Every path of the documents, asked in many ways by a tool that knows nothing of labwatch: no
//! fault of ours, and no undocumented answer.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lab::RelayVersion;
use labwatch::http::auth::{Authority, Grant, Scope};
use tokio::process::Command;
use tokio::time::timeout;

use super::eventually::eventually;
use super::laboratory::laboratory;
use super::monitor::{Monitor, get};
use super::tools::tool;

const SECRET: &str = "the-s3cr3t-of-the-ap1-of-the-contract";

/// What is checked of every answer. `ignored_auth` is not among them: it asks with refused tokens
/// on, and from the eleventh of a minute the answer to one is 429, which it does not know.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method";

/// How many requests are made up for each path, beside those that lie at the edges of its
/// parameters.
const EXAMPLES: &str = "15";

/// It ends within this time, or something hangs.
const WITHIN: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs schemathesis; scripts/test.sh runs it"]
async fn every_answer_is_as_the_documents_say() {
    let lab = laboratory(RelayVersion::V07, &["pend00", "pend01", "spin00"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labwatch.toml");
    std::fs::write(
        &file,
        "non_fatal = [\"wiki\", \"mail\", \"jump\"]\n[[service]]\nname = \"wiki\"\n",
    )
    .expect("writes");
    let settings = [
        ("SECRET_API", SECRET),
        ("CONFIG", file.to_str().expect("a name")),
    ];
    let monitor = Monitor::start(&lab, &settings).await;
    monitor.sees_well(&["pend00", "pend01", "spin00"]).await;
    let ready = async || {
        get(monitor.port(), "/readiness")
            .await
            .filter(|(status, _)| *status == 200)
    };
    eventually("it is ready", || monitor.tail(), ready).await;

    let grant = Grant {
        name: "tool".into(),
        scopes: [Scope::Admin].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life: Duration::from_secs(3_600),
    };
    let token = Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
        .token;
    for document in ["labwatch-v1.json", "labwatch-v2.json"] {
        let (ok, said) = called(&monitor, document, &token, folder.path()).await;
        assert!(ok, "{document}:\n{said}");
        println!(
            "measured: {}",
            said.lines().rev().take(3).collect::<Vec<_>>().join(" ")
        );
    }
    monitor.stop("TERM", &lab).await;
}

/// Calls every path of a document. The stream of changes is left out: it does not end.
async fn called(monitor: &Monitor, document: &str, token: &str, folder: &Path) -> (bool, String) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (document, settings) = (
        home.join("openapi").join(document),
        home.join("tests/tools/schemathesis.toml"),
    );
    let base = format!("http://127.0.0.1:{}", monitor.port());
    let mut command = Command::new(tool("st"));
    command
        .arg("--config-file")
        .arg(settings)
        .arg("run")
        .arg(document)
        .args([
            "--url",
            &base,
            "--header",
            &format!("Authorization: Bearer {token}"),
        ]);
    command.args([
        "--exclude-path",
        "/api/v2/stream",
        "--checks",
        CHECKS,
        "--max-examples",
        EXAMPLES,
        "--seed",
        "1",
    ]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--request-timeout",
        "10",
        "--no-color",
        "--generation-deterministic",
    ]);
    // What it keeps between runs stays in the test's own folder.
    let output = command
        .current_dir(folder)
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true)
        .output();
    let output = timeout(WITHIN, output)
        .await
        .expect("it ends")
        .expect("it starts");
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (output.status.success(), said.replace(token, "TOKEN"))
}
