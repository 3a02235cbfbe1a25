//! An address that may hold a secret in its path or query, as those of webhooks often do. Only its
//! host is shown.

use std::fmt;

use url::Url;

/// An http or https address of which only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HiddenUrl(Url);

impl HiddenUrl {
    /// A placeholder for an address that was not read, because secrets are not read.
    pub(super) fn unread() -> Option<Self> {
        Url::parse("https://not-read.invalid/").ok().map(Self)
    }

    /// The whole address, for the request only.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for HiddenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0.origin().ascii_serialization())?;
        let bare = self.0.path() == "/" && self.0.query().is_none();
        if bare {
            Ok(())
        } else {
            f.write_str("\u{2026}")
        }
    }
}

impl fmt::Debug for HiddenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HiddenUrl({self})")
    }
}

/// Parses an address; the error quotes nothing of it.
pub(super) fn hidden_url(text: &str) -> Result<HiddenUrl, String> {
    callable(text).map(HiddenUrl)
}

/// An http or https address that can be requested as it is.
pub(super) fn callable(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        Err("has another scheme".to_owned())
    } else if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        Err("has a user or a fragment".to_owned())
    } else {
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_is_shown() {
        for (text, shown) in [
            (
                "https://hooks.example.org/T00/s3cr3t?k=s3cr3t",
                "https://hooks.example.org/\u{2026}",
            ),
            ("http://localhost:8080", "http://localhost:8080/"),
            ("https://x.org/?s3cr3t", "https://x.org/\u{2026}"),
        ] {
            let url = hidden_url(text).expect("is one");
            assert_eq!(
                (url.to_string(), format!("{url:?}")),
                (shown.to_owned(), format!("HiddenUrl({shown})"))
            );
            assert!(url.expose().as_str().starts_with(text));
        }
        for bad in [
            "s3cr3t",
            "ftp://x/s3cr3t",
            "https://me:s3cr3t@x",
            "https://x/#s3cr3t",
        ] {
            assert!(!hidden_url(bad).expect_err("is none").contains("s3cr3t"));
        }
    }
}
