//! TLS of the API's own: with its headers, a cookie for TLS alone, and a certificate that is
//! replaced while it runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use labwatch::http::auth::{Reading, Scope};
use labwatch::http::{Certificate, TlsFiles};
use reqwest::Client;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::server::{Server, client, header};
use super::{LIST, one};

struct Pair {
    certificate: String,
    key: String,
}

fn pair() -> Pair {
    let signed =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    Pair {
        certificate: signed.cert.pem(),
        key: signed.signing_key.serialize_pem(),
    }
}

fn put(folder: &Path, pair: &Pair) -> TlsFiles {
    let files = TlsFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    fs::write(&files.certificate, &pair.certificate).expect("writes");
    fs::write(&files.key, &pair.key).expect("writes");
    files
}

/// A client that trusts this certificate alone, and opens a connection for each request.
fn trusting(pair: &Pair) -> Client {
    let root = reqwest::Certificate::from_pem(pair.certificate.as_bytes()).expect("a certificate");
    client()
        .tls_certs_only([root])
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client")
}

#[tokio::test]
async fn over_tls_browsers_get_strict_transport_security() {
    let (folder, pair) = (tempfile::tempdir().expect("a folder"), pair());
    let certificate = Certificate::load(put(folder.path(), &pair)).expect("loads");
    let server = Server::start_with(Reading::Open, one(), trusting(&pair), Some(certificate)).await;
    let answer = server.get(LIST).send().await.expect("answers");
    assert_eq!(
        (
            answer.status().as_u16(),
            header(&answer, "strict-transport-security").as_str()
        ),
        (200, "max-age=31536000")
    );
    let signed_in = server
        .sign_in(&server.token(Scope::Read))
        .send()
        .await
        .expect("answers");
    let cookie = header(&signed_in, "set-cookie");
    assert!(
        cookie.starts_with("__Host-labwatch-") && cookie.ends_with("; Secure"),
        "{cookie}"
    );

    let port = server
        .base
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port");
    let mut plain = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("connects");
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sends");
    let mut said = Vec::new();
    let _ended_how = plain.read_to_end(&mut said).await;
    assert!(
        !said.starts_with(b"HTTP"),
        "nothing is answered without TLS"
    );
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
    let (folder, first, second) = (tempfile::tempdir().expect("a folder"), pair(), pair());
    let certificate = Certificate::load(put(folder.path(), &first)).expect("loads");
    let mut following = JoinSet::new();
    following
        .spawn(Arc::clone(&certificate).follow(Duration::from_millis(5), CancellationToken::new()));
    let server =
        Server::start_with(Reading::Open, one(), trusting(&first), Some(certificate)).await;
    // Each time a new client: one that was there before resumes its session and looks at no
    // certificate.
    let shows = async |pair: &Pair| {
        trusting(pair)
            .get(format!("{}{LIST}", server.base))
            .send()
            .await
            .is_ok()
    };
    assert!(shows(&first).await && !shows(&second).await);

    fs::write(folder.path().join("key.pem"), &second.key).expect("writes");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(shows(&first).await, "half of a new pair changes nothing");
    put(folder.path(), &second);
    tokio::time::timeout(Duration::from_secs(20), async {
        while !shows(&second).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the new certificate is shown");
    assert!(!shows(&first).await);
}
