//! Incremental parser of a server's replies: a code and lines of text. Accepts all that RFC 5321
//! (section 4.2) allows, and what servers really send: no text at all, any charset, LF alone.

use std::fmt;

/// The longest line, in bytes. RFC 5321 allows 512.
const MAX_LINE_BYTES: usize = 4_096;

/// The most lines of one reply.
const MAX_LINES: usize = 100;

/// A reply of a server. Its text is the server's own and may hold private facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code: 200 to 599.
    pub code: u16,
    /// Its lines, without code and control characters.
    pub lines: Vec<String>,
}

impl Reply {
    /// Whether it is positive (2xx or 3xx).
    pub fn is_yes(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether it is a permanent refusal (5xx).
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// All lines as one.
    pub fn text(&self) -> String {
        self.lines.join(" ").trim().to_owned()
    }

    /// Whether its text contains this word, in any case.
    pub fn mentions(&self, word: &str) -> bool {
        self.text().to_ascii_lowercase().contains(word)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

/// Why bytes are not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A line without a code.
    NotSmtp,
    /// A TLS record: the port speaks TLS from the first byte.
    Tls,
    /// A line or a reply is longer than it may be.
    TooLong,
}

/// Parses replies from bytes.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    lines: Vec<String>,
}

impl Parser {
    /// Adds bytes that were read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether all bytes are consumed.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.lines.is_empty()
    }

    /// The next reply, as soon as it is complete.
    ///
    /// # Errors
    /// [`Malformed`]; the parser cannot be used any more then.
    pub fn next(&mut self) -> Result<Option<Reply>, Malformed> {
        if self.lines.is_empty() && self.buffer.starts_with(&TLS_RECORD) {
            return Err(Malformed::Tls);
        }
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            if line.len() > MAX_LINE_BYTES || self.lines.len() >= MAX_LINES {
                return Err(Malformed::TooLong);
            }
            let line = line.trim_ascii_end();
            if line.is_empty() && self.lines.is_empty() {
                continue; // some servers end a reply with one line end too many
            }
            if let Some(code) = self.take_line(line)? {
                let lines = std::mem::take(&mut self.lines);
                return Ok(Some(Reply { code, lines }));
            }
        }
        if self.buffer.len() > MAX_LINE_BYTES {
            return Err(Malformed::TooLong);
        }
        Ok(None)
    }

    /// Keeps a line's text; returns the code if it is the last line of its reply.
    fn take_line(&mut self, line: &[u8]) -> Result<Option<u16>, Malformed> {
        let (code, rest) = line.split_at_checked(3).ok_or(Malformed::NotSmtp)?;
        let [
            first @ b'2'..=b'5',
            second @ b'0'..=b'9',
            third @ b'0'..=b'9',
        ] = code
        else {
            return Err(Malformed::NotSmtp);
        };
        let (goes_on, text) = match rest {
            [b'-', text @ ..] => (true, text),
            [b'0'..=b'9', ..] => return Err(Malformed::NotSmtp),
            [b' ' | b'\t', text @ ..] | text => (false, text),
        };
        self.lines.push(readable(text));
        let digit = |byte: &u8| u16::from(byte - b'0');
        Ok((!goes_on).then(|| digit(first) * 100 + digit(second) * 10 + digit(third)))
    }
}

/// The first bytes of a TLS alert or handshake record: a reply begins with a digit.
const TLS_RECORD: [u8; 2] = [0x15, 0x03];

/// UTF-8 where it is, otherwise Latin-1, which gives a character for each byte. Without control
/// characters.
fn readable(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).map_or_else(
        |_| bytes.iter().map(|byte| char::from(*byte)).collect(),
        str::to_owned,
    );
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replies(bytes: &[u8]) -> Result<Vec<(u16, Vec<String>)>, Malformed> {
        let mut parser = Parser::default();
        parser.feed(bytes);
        let mut all = Vec::new();
        while let Some(reply) = parser.next()? {
            all.push((reply.code, reply.lines));
        }
        Ok(all)
    }

    #[test]
    fn what_servers_really_answer_is_read() {
        for (bytes, code, lines) in [
            (&b"250 2.0.0 taken\r\n"[..], 250, &["2.0.0 taken"][..]),
            (b"250\r\n", 250, &[""]),
            (b"250 \r\n", 250, &[""]),
            (b"354\n", 354, &[""]),
            (b"250 2.0.0 \xfcbernommen\r\n", 250, &["2.0.0 übernommen"]),
            ("250 übernommen\r\n".as_bytes(), 250, &["übernommen"]),
            (
                b"550 \xc4\xe3\xba\xc3\r\n",
                550,
                &["Äãºà".replace('à', "Ã").as_str()],
            ),
            (
                b"250-mx\r\n250-starttls\r\n250 auth=plain\r\n",
                250,
                &["mx", "starttls", "auth=plain"],
            ),
            (b"250-\r\n250\r\n", 250, &["", ""]),
            (b"\r\n220 mx\r\n", 220, &["mx"]),
            (b"220 a\tb\x07\r\n", 220, &["a b "]),
            (b"250ok\r\n", 250, &["ok"]),
        ] {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(replies(bytes), Ok(vec![(code, lines)]), "{bytes:?}");
        }
        assert_eq!(replies(b"250-mx\r\n250 of").expect("so far well"), []);
        assert_eq!(replies(b"250 a\r\n421 b\r\n").expect("two").len(), 2);
    }

    #[test]
    fn what_is_no_reply_is_refused_and_nothing_grows_without_bound() {
        for bytes in [
            &b"what?\r\n"[..],
            b"25\r\n",
            b"650 x\r\n",
            b"2500 x\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
        ] {
            assert_eq!(replies(bytes), Err(Malformed::NotSmtp), "{bytes:?}");
        }
        assert_eq!(
            replies(b"\x15\x03\x01\x00\x02\x02\x46"),
            Err(Malformed::Tls)
        );
        assert_eq!(
            replies(&[b'2'; MAX_LINE_BYTES + 1]),
            Err(Malformed::TooLong)
        );
        let long = [&b"250 "[..], &[b'x'; MAX_LINE_BYTES], b"\r\n"].concat();
        assert_eq!(replies(&long), Err(Malformed::TooLong));
        assert_eq!(
            replies(&b"250-x\r\n".repeat(MAX_LINES + 1)),
            Err(Malformed::TooLong)
        );
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_bytes_are_cut(bytes in prop::collection::vec(prop_oneof![
            Just(b'2'), Just(b'5'), Just(b'0'), Just(b'-'), Just(b' '), Just(b'\r'), Just(b'\n'), any::<u8>(),
        ], 0..80)) {
            let mut parser = Parser::default();
            let mut apart = Vec::new();
            let mut end = Ok(());
            for byte in &bytes {
                parser.feed(&[*byte]);
                match parser.next() {
                    Ok(reply) => apart.extend(reply.map(|reply| (reply.code, reply.lines))),
                    Err(wrong) => {
                        end = Err(wrong);
                        break;
                    }
                }
            }
            prop_assert_eq!(replies(&bytes), end.map(|()| apart));
        }
    }
}
