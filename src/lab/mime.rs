//! Reads just enough of a mail to look at it: headers, the text and the HTML part, their encodings. Pure; meant for mails of our own making.

/// A mail's headers and body.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    head: &'a str,
    body: &'a str,
}

/// How deep parts may be nested.
const MAX_DEPTH: usize = 8;

/// The decoded value of a header, or nothing.
pub(super) fn header(raw: &str, name: &str) -> String {
    decode_words(&Part::of(raw).header(name))
}

/// The decoded body of the first part with this content type, for example `text/plain`; a mail without a content type is plain text.
pub(super) fn text_of(raw: &str, content_type: &str) -> Option<String> {
    find(Part::of(raw), content_type, MAX_DEPTH)
}

impl<'a> Part<'a> {
    fn of(raw: &'a str) -> Self {
        match raw.split_once("\r\n\r\n") {
            Some((head, body)) => Self { head, body },
            None => Self {
                head: raw,
                body: "",
            },
        }
    }

    /// A header's value, unfolded.
    fn header(&self, name: &str) -> String {
        let unfolded = self.head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let value = unfolded
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        value
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    }

    fn decoded(&self) -> String {
        let bytes = match self
            .header("content-transfer-encoding")
            .to_ascii_lowercase()
            .as_str()
        {
            "base64" => base64(self.body),
            "quoted-printable" => quoted_printable(self.body),
            _ => self.body.as_bytes().to_vec(),
        };
        String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
    }
}

fn find(part: Part<'_>, wanted: &str, depth: usize) -> Option<String> {
    let kind = part.header("content-type");
    let lower = kind.to_ascii_lowercase();
    if lower.starts_with(wanted) || (lower.is_empty() && wanted == "text/plain") {
        return Some(part.decoded());
    }
    let boundary = kind
        .split_once("boundary=")
        .filter(|_| lower.starts_with("multipart/") && depth > 0)?
        .1;
    let boundary = boundary.trim_start_matches('"').split(['"', ';']).next()?;
    let whole = format!("\r\n{}", part.body);
    let delimiter = format!("\r\n--{boundary}");
    let inner = whole
        .split(&delimiter)
        .skip(1)
        .filter_map(|piece| piece.split_once("\r\n").map(|(_, rest)| rest));
    inner
        .map(Part::of)
        .find_map(|inner| find(inner, wanted, depth - 1))
}

/// Decodes the encoded words of a header (RFC 2047), in UTF-8.
fn decode_words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("=?") {
        let mut fields = after.splitn(4, '?');
        let (Some(_), Some(encoding), Some(text), Some(behind)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            break;
        };
        let Some(behind) = behind.strip_prefix('=') else {
            break;
        };
        // The space between two encoded words is not part of the text.
        if !before.trim().is_empty() || out.is_empty() {
            out.push_str(before);
        }
        let bytes = if encoding.eq_ignore_ascii_case("b") {
            base64(text)
        } else {
            quoted_printable(&text.replace('_', " "))
        };
        out.push_str(&String::from_utf8_lossy(&bytes));
        rest = behind;
    }
    out + rest
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind
            .get(..2)
            .filter(|_| first == b'=')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() {
            &behind[2..]
        } else {
            behind
        };
    }
    bytes
}

/// Decodes base64; characters outside the alphabet are skipped, as in mail they must be.
pub(super) fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sixes = text
        .bytes()
        .filter_map(|byte| ALPHABET.iter().position(|&one| one == byte));
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_usize, 0_u32);
    for six in sixes {
        held = (held << 6 | six) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the upper bits are of bytes that are out already"
            )]
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_and_decoded() {
        let mail = "Subject: =?utf-8?b?UGVuZMO8?= =?utf-8?q?_lost?= [ed0]\r\nContent-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n\
            --b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=\r\n=C3=9Fe\r\nb=3D1\r\n\
            --b1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\naGk8L2I+\r\n--b1--\r\n";
        assert_eq!(header(mail, "subject"), "Pend\u{fc} lost [ed0]");
        assert_eq!(
            text_of(mail, "text/plain").as_deref(),
            Some("Gr\u{fc}\u{df}e\nb=1")
        );
        assert_eq!(text_of(mail, "text/html").as_deref(), Some("<b>hi</b>"));
        assert_eq!(text_of(mail, "text/calendar"), None);
        assert_eq!(
            text_of("To: x\r\n\r\nplain\r\n", "text/plain").as_deref(),
            Some("plain\n")
        );
    }

    #[test]
    fn base64_is_decoded_whatever_is_left_over() {
        for (text, bytes) in [
            ("", ""),
            ("YQ==", "a"),
            ("YWI=", "ab"),
            ("YWJj", "abc"),
            ("YW\r\nJj", "abc"),
        ] {
            assert_eq!(base64(text), bytes.as_bytes());
        }
    }
}
