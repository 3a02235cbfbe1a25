//! The SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` shows it.

use std::fmt;

use aws_lc_rs::digest;

const BYTES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// That of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits, with or without colons between the pairs.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is none".to_owned();
        let digits: Vec<u8> = text
            .chars()
            .filter(|character| *character != ':')
            .map(|character| {
                character
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
            })
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        if digits.len() % 2 == 1 {
            return Err(wrong());
        }
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_shown_and_in_hexadecimal() {
        let shown = Fingerprint::of(b"a certificate").to_string();
        assert_eq!(shown.len(), 95);
        let bare = shown.replace(':', "").to_lowercase();
        for text in [&shown, &bare] {
            assert_eq!(
                Fingerprint::parse(text),
                Ok(Fingerprint::of(b"a certificate"))
            );
        }
        for wrong in [
            "",
            "AB",
            &bare[1..],
            &format!("{bare}00"),
            &bare.replace('a', "g"),
            "SHA1",
        ] {
            if wrong != bare {
                assert!(Fingerprint::parse(wrong).is_err(), "{wrong}");
            }
        }
    }
}
