//! An etcd that shows a certificate, wants one, and asks for a user.

use std::fs;

use lab::{Lab, RelayVersion};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::etcd::Etcd;
use super::laboratory::{laboratory, switched};
use super::monitor::run;
use super::replicas::{borrowed, leads, replica, settings, times_led};

/// An authority, and certificates by it for etcd and its client, as files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Self { folder };
        let key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "an authority");
        files.write(
            "ca.pem",
            &authority.self_signed(&key).expect("signed").pem(),
        );
        let issuer = Issuer::new(authority, key);
        for name in ["etcd", "client"] {
            let own = KeyPair::generate().expect("a key");
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let mut wanted = CertificateParams::new(names).expect("parameters");
            // A user of that name would be taken for the client's; none has it.
            wanted.distinguished_name.push(DnType::CommonName, "");
            let signed = wanted.signed_by(&own, &issuer).expect("signed");
            files.write(&format!("{name}.pem"), &signed.pem());
            files.write(&format!("{name}.key"), &own.serialize_pem());
        }
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("a name").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_with_certificates_and_users_is_led_by_and_what_is_missing_is_named() {
    let lab = laboratory(RelayVersion::V07, &["pend00"]).await;
    let (files, others) = (Files::new(), Files::new());
    let etcd = Etcd::secured(
        [
            files.path("etcd.pem"),
            files.path("etcd.key"),
            files.path("ca.pem"),
        ],
        [files.path("client.pem"), files.path("client.key")],
    )
    .await;
    for asked in [
        &["user", "add", "root:the-r00t-passw0rd"][..],
        &["user", "grant-role", "root", "root"],
        &["role", "add", "labwatch"],
        &[
            "role",
            "grant-permission",
            "--prefix=true",
            "labwatch",
            "readwrite",
            "/labwatch/",
        ],
        &["user", "add", "labwatch:the-r1ght-passw0rd"],
        &["user", "grant-role", "labwatch", "labwatch"],
        &["auth", "enable"],
    ] {
        etcd.ctl(asked).await.expect("done");
    }
    let (ca, cert, key) = (
        files.path("ca.pem"),
        files.path("client.pem"),
        files.path("client.key"),
    );
    let (other_ca, other_cert, other_key) = (
        others.path("ca.pem"),
        others.path("client.pem"),
        others.path("client.key"),
    );
    let all = [
        ("CLUSTER_TLS_CA", &*ca),
        ("CLUSTER_TLS_CERT", &*cert),
        ("CLUSTER_TLS_KEY", &*key),
        ("CLUSTER_USER", "labwatch"),
        ("CLUSTER_PASSWORD", "the-r1ght-passw0rd"),
    ];
    let with = |n: usize, value| {
        let mut changed = all;
        changed[n].1 = value;
        changed
    };
    let mut foreign = with(1, &other_cert);
    foreign[2].1 = &other_key;
    for (settings, said) in [
        (with(0, &other_ca), "certificate"),
        (foreign, "etcd cannot be reached"),
        (with(4, "the-wr0ng-passw0rd"), "etcd refuses us"),
    ] {
        let refused = replica(&lab, &etcd, "refused", &settings).await;
        refused.logs(&["no lease from etcd", said]).await;
        assert_eq!(times_led(&refused), 0);
        refused.stop("TERM", &lab).await;
    }
    checked(&lab, &etcd, &all).await;
    let first = replica(&lab, &etcd, "first", &all).await;
    leads(&first, 1).await;
    let second = replica(&lab, &etcd, "second", &all).await;
    first.sees_well(&["pend00"]).await;
    second.sees_well(&["pend00"]).await;
    lab.power_off("pend00").expect("known");
    switched(&lab, "r-pend00", 1).await;
    first.kill(&lab).await;
    leads(&second, 1).await;
    lab.power_on("pend00").expect("known");
    switched(&lab, "r-pend00", 2).await;
    second.stop("TERM", &lab).await;
}

/// `check --connect` names what this user of etcd may not read: labwatch's own keys are not all.
async fn checked(lab: &Lab, etcd: &Etcd, user: &[(&str, &str)]) {
    let check = async |more: &[(&str, &str)]| {
        let settings = settings(etcd, "checking", &[user, more].concat());
        run(&["check", "--connect"], lab, &borrowed(&settings)).await
    };
    let alone = check(&[]).await;
    assert!(alone.said.contains("no replica leads"), "{}", alone.said);
    for (more, key) in [
        (("PUBLISH", "etcd"), "/vnf-agent/"),
        (("POLICY", "etcd"), "/ft/healthcheck/"),
    ] {
        let refused = check(&[more]).await;
        assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
        let place = format!("at the reading of {key}");
        assert!(refused.said.contains(&place), "{}", refused.said);
    }
}
