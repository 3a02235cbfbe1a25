//! The name in EHLO (RFC 5321, section 4.1.4): the configured one, else this host's full name, else
//! its address.

use std::net::IpAddr;

use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// Where Linux keeps this host's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The static host table; a host's full name stands before its short one.
const HOSTS: &str = "/etc/hosts";

/// How much of either is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The longest name.
const MAX_NAME_BYTES: usize = 253;

/// The name for a connection from this local address.
pub async fn name(set: Option<&str>, local: Option<IpAddr>) -> String {
    if let Some(set) = set {
        return set.to_owned();
    }
    let host = read(HOST_NAME).await;
    match full_name(host.trim(), &read(HOSTS).await) {
        Some(full) => full,
        None => literal(local),
    }
}

async fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path).await {
        // A file that cannot be read gives no name: the address is used then.
        let _ = file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn full_name(host: &str, hosts: &str) -> Option<String> {
    let from_file = hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = line.split_whitespace().skip(1).collect();
        let full = names.iter().find(|name| is_full(name))?;
        names.contains(&host).then_some(*full)
    });
    [Some(host), from_file]
        .into_iter()
        .flatten()
        .find(|name| is_full(name))
        .map(str::to_owned)
}

/// Whether a name is fully qualified.
fn is_full(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    name.len() <= MAX_NAME_BYTES
        && labels.len() > 1
        && labels.iter().all(|label| is_label(label))
        && !["localdomain", "localhost", "local"].contains(&last.to_ascii_lowercase().as_str())
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn literal(local: Option<IpAddr>) -> String {
    match local.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_is_found_or_the_address_is_used() {
        let debian = "127.0.0.1 localhost\n127.0.1.1\tlab1.example.org lab1 # this host\n";
        for (host, hosts, name) in [
            ("lab1.example.org", "", Some("lab1.example.org")),
            ("lab1", debian, Some("lab1.example.org")),
            ("vm", debian, None),
            ("vm", "127.0.1.1 vm.localdomain vm", None),
            ("", debian, None),
            ("15b0717dc4c2", "172.17.0.2 15b0717dc4c2", None),
            ("a_b.example.org", "", None),
            ("192.0.2.1", "", None),
        ] {
            assert_eq!(full_name(host, hosts).as_deref(), name, "{host}");
        }
        for (address, literal_is) in [
            (Some("192.0.2.7"), "[192.0.2.7]"),
            (Some("::ffff:192.0.2.7"), "[192.0.2.7]"),
            (Some("2001:db8::7"), "[IPv6:2001:db8::7]"),
            (None, "[127.0.0.1]"),
        ] {
            let address = address.map(|text| text.parse().expect("an address"));
            assert_eq!(literal(address), literal_is);
        }
    }

    #[tokio::test]
    async fn what_is_set_is_used() {
        assert_eq!(name(Some("lab.example.org"), None).await, "lab.example.org");
    }
}
