//! The HTTP API: where it listens, who may read and change, and which proxies are trusted. Opens
//! nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use engine::model::Gather as _;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::cors::{ApiCors, cors};
use super::hidden::callable;
use super::reader::{Reader, none_or};
use super::secret::open_file;
use super::servers::base_path;

/// The shortest secret for signing access tokens of the API, in bytes: as long as the output of
/// HS256 (RFC 7518, 3.2).
pub const MIN_API_SECRET_BYTES: usize = 32;

/// The fewest different characters of a random secret: of 32 hexadecimal digits, all but one in a
/// million have more.
const FEWEST_CHARACTERS: usize = 8;

/// A network of proxies with fewer fixed bits is larger than a laboratory's own.
const WIDEST_NETWORK: u8 = 8;

/// The HTTP API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// `ADDRESS_SERVE` and `PORT_SERVE`; `None`: there is no API and no page.
    pub listen: Option<SocketAddr>,
    /// The further addresses of `ADDRESS_SERVE`, which this host need not have.
    pub listen_also: Vec<SocketAddr>,
    /// `API_PREFIX`: the path below which requests come in: empty, or with a leading and no
    /// trailing slash.
    pub prefix: String,
    /// `SECRET_API`: the secret that signs access tokens; `None`: there are no tokens, so nothing
    /// can be changed.
    pub secret: Option<SecretString>,
    /// `API_READ`: who may read. Unless it is [`ApiRead::Open`] there is a secret, unless only the
    /// rules were loaded.
    pub read: ApiRead,
    /// `API_TLS_CERT` and `API_TLS_KEY`; `None`: no TLS.
    pub tls: Option<ApiTls>,
    /// `API_TRUSTED_PROXY`: the proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// `API_URL`: the address at which readers reach the API and the page, without a slash at its
    /// end; `None`: not known.
    pub url: Option<String>,
    /// `API_CORS`: the other sites whose pages may use the API.
    pub cors: ApiCors,
    /// `API_SESSION`: how long a session of a browser lasts.
    pub session: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiRead {
    /// No token is needed; names of persons are left out.
    Open,
    Token,
    /// The page of students needs no token, the rest does.
    Students,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTls {
    /// The file with the certificate and its chain, in PEM.
    pub cert: PathBuf,
    /// The file with the private key, in PEM.
    pub key: PathBuf,
}

pub(super) fn api(reader: &mut Reader<'_>) -> ApiSettings {
    let mut listen = listen(reader).into_iter();
    let read = match reader.word("api_read") {
        Some("open") => ApiRead::Open,
        Some("students") => ApiRead::Students,
        _ => ApiRead::Token,
    };
    let (prefix, url) = (
        reader.parsed("api_prefix", prefix),
        reader.parsed("api_url", public_url),
    );
    let prefix = prefix.unwrap_or_default();
    warn_of_path(reader, &prefix, url.as_deref());
    let settings = ApiSettings {
        listen: listen.next(),
        listen_also: listen.collect(),
        prefix,
        secret: secret(reader, read),
        read,
        tls: tls(reader),
        trusted_proxies: reader.list_or_none("api_trusted_proxy", network),
        url,
        cors: cors(reader),
        session: reader.duration("api_session"),
    };
    reader.warnings.extend(open_without_need(&settings));
    settings
}

/// Warnings about settings that give more access than they need to.
fn open_without_need(settings: &ApiSettings) -> Vec<String> {
    let secret = settings.secret.as_ref().map(ExposeSecret::expose_secret);
    let mut listens = settings.listen.iter().chain(&settings.listen_also);
    let is_bare =
        settings.tls.is_none() && listens.any(|listen| !listen.ip().to_canonical().is_loopback());
    let every = settings
        .trusted_proxies
        .iter()
        .any(|net| net.prefix_len() < WIDEST_NETWORK);
    let warnings = [
        secret.filter(|secret| is_guessable(secret)).map(|_| {
            "secret_api repeats few characters, so that it could be guessed: make one with openssl rand -base64 48".to_owned()
        }),
        is_bare.then(|| {
            "address_serve lets other hosts connect without TLS, so that tokens can be read on the way: set api_tls_cert and api_tls_key, \
             or have a proxy with TLS ask 127.0.0.1".to_owned()
        }),
        every.then(|| {
            "api_trusted_proxy names so many addresses that clients could claim any address: name your proxies alone".to_owned()
        }),
        settings
            .tls
            .as_ref()
            .and_then(|tls| open_file("api_tls_key", &tls.key)),
    ];
    warnings.into_iter().flatten().collect()
}

/// Whether a secret has so few different characters that it was typed and not random.
fn is_guessable(secret: &str) -> bool {
    let different: BTreeSet<char> = secret.chars().gather();
    different.len() < FEWEST_CHARACTERS
}

/// Every address to listen on; none without a port.
fn listen(reader: &mut Reader<'_>) -> Vec<SocketAddr> {
    let mut addresses = reader.list("address_serve", ip);
    let port = reader.parsed("port_serve", port).flatten();
    let mut seen = BTreeSet::new();
    addresses.retain(|address| seen.insert(*address));
    let listen = |port| addresses.iter().map(move |ip| SocketAddr::new(*ip, port));
    port.into_iter().flat_map(listen).collect()
}

pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    text.trim_matches(['[', ']'])
        .parse()
        .map_err(|_| "is not an IP address".to_owned())
}

/// One port, or `None` where the word is none.
pub(super) fn port(text: &str) -> Result<Option<u16>, String> {
    none_or(text, |text| {
        text.parse().map_err(|_| "is not such a number".to_owned())
    })
}

/// A path in canonical form: requests are compared with it byte by byte.
fn prefix(text: &str) -> Result<String, String> {
    let path = base_path(text)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    if path.bytes().all(plain) {
        Ok(path)
    } else {
        Err("has other characters".to_owned())
    }
}

/// Warns of a different path in `API_URL`: a proxy can add a prefix, but seldom replaces the path.
fn warn_of_path(reader: &mut Reader<'_>, prefix: &str, url: Option<&str>) {
    let path = url
        .and_then(|url| Url::parse(url).ok())
        .map(|url| url.path().trim_end_matches('/').to_owned());
    if let Some(path) = path.filter(|path| !path.ends_with(prefix)) {
        let warning = format!(
            "api_url leads to the path {path}/, and api_prefix is {prefix}: unless a proxy puts the one in the place of the other, api_url ends with {prefix}"
        );
        reader.warnings.push(warning);
    }
}

fn secret(reader: &mut Reader<'_>, read: ApiRead) -> Option<SecretString> {
    const KEY: &str = "secret_api";
    let before = reader.problems.len();
    let secret = reader.secret(KEY);
    match &secret {
        Some(secret) if secret.expose_secret().len() < MIN_API_SECRET_BYTES => {
            let allowed = format!(
                "at least {MIN_API_SECRET_BYTES} bytes, such as openssl rand -base64 32 makes"
            );
            reader.wrong(KEY, "is too short, so that it could be guessed", &allowed);
        }
        None if (reader.secrets)(KEY)
            && read != ApiRead::Open
            && reader.problems.len() == before =>
        {
            let as_str = if read == ApiRead::Token {
                "token"
            } else {
                "students"
            };
            let why = format!(
                "api_read is {as_str}: name a file with it in secret_api_file, give it as a systemd credential, or "
            );
            reader.missing(KEY, &why);
        }
        Some(_) | None => {}
    }
    secret
}

fn tls(reader: &mut Reader<'_>) -> Option<ApiTls> {
    const PAIR: [&str; 2] = ["api_tls_cert", "api_tls_key"];
    let [cert, key] = PAIR.map(|key| reader.parsed(key, absolute));
    reader.both_or_none(PAIR);
    Some(ApiTls {
        cert: cert?,
        key: key?,
    })
}

pub(super) fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("is not an absolute path".to_owned())
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| "is neither an IP address nor a network".to_owned())?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!(
            "has bits beyond its prefix: write {}",
            network.trunc()
        ))
    }
}

fn public_url(text: &str) -> Result<String, String> {
    let url = callable(text)?;
    if url.query().is_some() {
        Err("has a query".to_owned())
    } else {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn prefixes() {
        for (text, expect) in [
            ("/", Ok("")),
            ("lab", Ok("/lab")),
            ("/ed0//lab/", Ok("/ed0/lab")),
            ("/a.b_c~d-1", Ok("/a.b_c~d-1")),
        ] {
            assert_eq!(prefix(text), expect.map(str::to_owned), "{text}");
        }
        for (bad, why) in [
            ("https://x.org/lab", "has a scheme: write the path alone"),
            ("/../lab", "is not a plain path"),
            ("/lab?x", "is not a plain path"),
            ("/l%61b", "is not a plain path"),
            ("/{name}", "has other characters"),
            ("/b\u{fc}ro", "has other characters"),
        ] {
            assert_eq!(prefix(bad), Err(why.to_owned()), "{bad}");
        }
    }

    #[test]
    fn what_is_open_without_need_is_warned_about() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("key.pem");
        std::fs::write(&key, "").expect("writes");
        let mode = |mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&key, permissions).expect("sets");
        };
        let settings = |secret: &str, listen: &str, proxy: &str, tls: bool| ApiSettings {
            listen: Some(listen.parse().expect("an address")),
            listen_also: Vec::new(),
            prefix: String::new(),
            secret: Some(secret.into()),
            read: ApiRead::Open,
            tls: tls.then(|| ApiTls {
                cert: key.clone(),
                key: key.clone(),
            }),
            trusted_proxies: vec![proxy.parse().expect("a network")],
            cors: ApiCors::None,
            url: None,
            session: Duration::from_secs(300),
        };
        let good = "q7Wv0Zx1Rk2Pm3Ln4Bh5Gt6Fd7Sa8Yu9";
        let check = |settings: &ApiSettings, expect: &str| {
            let warnings = open_without_need(settings);
            let expected = usize::from(!expect.is_empty());
            assert_eq!(warnings.len(), expected, "{expect}: {warnings:?}");
            assert!(
                warnings.iter().all(|warning| warning.contains(expect)),
                "{warnings:?}"
            );
        };
        mode(0o600);
        check(&settings(good, "127.0.0.1:1", "127.0.0.1/32", true), "");
        check(&settings(good, "0.0.0.0:1", "10.0.0.0/8", true), "");
        check(
            &settings(&"a".repeat(40), "127.0.0.1:1", "127.0.0.1/32", false),
            "secret_api",
        );
        check(
            &settings(good, "0.0.0.0:1", "127.0.0.1/32", false),
            "address_serve",
        );
        check(
            &settings(good, "127.0.0.1:1", "0.0.0.0/0", false),
            "api_trusted_proxy",
        );
        check(
            &settings(good, "127.0.0.1:1", "::/0", false),
            "api_trusted_proxy",
        );
        mode(0o644);
        check(
            &settings(good, "127.0.0.1:1", "127.0.0.1/32", true),
            "api_tls_key",
        );
    }

    #[test]
    fn networks() {
        for (text, network) in [
            ("127.0.0.1", "127.0.0.1/32"),
            ("::1", "::1/128"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ] {
            assert_eq!(
                super::network(text).map(|net| net.to_string()),
                Ok(network.to_owned())
            );
        }
        assert_eq!(none_or("None", network), Ok(None));
        assert_eq!(
            network("10.0.0.1/8"),
            Err("has bits beyond its prefix: write 10.0.0.0/8".to_owned())
        );
        for bad in ["localhost", "10.0.0.0/33", "10.0.0", ""] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }
}
