//! Addresses as the envelope wants them: the domain always in ASCII (A-labels, RFC 5891), which
//! every server takes.

use std::fmt;

use lettre::Address;

/// A mail address in an envelope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvelopeAddress(String);

impl EnvelopeAddress {
    /// The address; a domain that has no form in ASCII stays as it is, and then needs SMTPUTF8 too.
    #[must_use]
    pub fn new(address: &Address) -> Self {
        let domain = ascii_domain(address.domain());
        Self(format!("{}@{domain}", address.user()))
    }

    /// Whether only a server with SMTPUTF8 (RFC 6531) can take it.
    #[must_use]
    pub fn needs_utf8(&self) -> bool {
        !self.0.is_ascii()
    }
}

impl fmt::Display for EnvelopeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A domain in ASCII. What is ASCII already, or has no such form, stays as it is.
pub fn ascii_domain(domain: &str) -> String {
    if domain.is_ascii() {
        return domain.to_owned();
    }
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_always_ascii_and_a_local_part_stays() {
        for (written, sent, needs_utf8) in [
            ("ann@example.org", "ann@example.org", false),
            ("bob@münchen.example", "bob@xn--mnchen-3ya.example", false),
            ("BOB@Example.ORG", "BOB@Example.ORG", false),
            ("jörg@münchen.example", "jörg@xn--mnchen-3ya.example", true),
            ("ann@[192.0.2.1]", "ann@[192.0.2.1]", false),
        ] {
            let address = EnvelopeAddress::new(&written.parse().expect("an address"));
            assert_eq!(
                (address.to_string().as_str(), address.needs_utf8()),
                (sent, needs_utf8)
            );
        }
    }
}
