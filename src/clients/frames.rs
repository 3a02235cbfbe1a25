//! A byte stream on which the text frames of a websocket are read as binary ones, and which notes
//! whether any data came.
//!
//! The library ends a connection over text that is not UTF-8. Relay hands on whatever an experiment
//! sends, and joins waiting messages into one with the opcode of the first, so such text is
//! everyday; and here bytes are all that is needed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The opcodes of a websocket's frames (RFC 6455, section 5.2), in the lower half of the first
/// byte.
const OPCODE: u8 = 0x0f;
const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
/// Set in the opcodes of control frames.
const CONTROL: u8 = 0x08;

/// Set in the second byte of a frame that has a masking key.
const MASKED: u8 = 0x80;

/// How long a masking key is, in bytes.
const MASKING_KEY: u64 = 4;

/// A stream whose first answer is in HTTP, and all that follows are a websocket's frames.
#[derive(Debug)]
pub struct AsBinary<S> {
    inner: S,
    frames: Frames,
}

impl<S> AsBinary<S> {
    /// Nothing has been read from `inner` yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            frames: Frames::default(),
        }
    }

    /// Whether a byte of data has come, be it of a message that is not whole yet or too long to be
    /// taken.
    pub fn has_carried(&self) -> bool {
        self.frames.has_carried
    }
}

/// Where in the bytes the next one is.
#[derive(Debug)]
enum Place {
    /// In the HTTP answer; whether its latest line is empty so far.
    Answer { line_is_empty: bool },
    /// At the first byte of a frame.
    Opcode,
    /// At the second.
    Length,
    /// In the bytes that hold the length, where it is a long one.
    LongLength { left: u8, length: u64, key: u64 },
    /// In the masking key or the payload, with so many bytes left.
    Payload(u64),
}

#[derive(Debug)]
struct Frames {
    place: Place,
    is_data: bool,
    has_carried: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            place: Place::Answer {
                line_is_empty: false,
            },
            is_data: false,
            has_carried: false,
        }
    }
}

impl Frames {
    /// Follows the bytes that come next, and turns the opcodes among them.
    fn pass(&mut self, bytes: &mut [u8]) {
        let all = bytes.len();
        let mut at = 0;
        while let Some(byte) = bytes.get_mut(at) {
            at += if let Place::Payload(left) = self.place {
                self.skip(left, all - at)
            } else {
                self.step(byte);
                1
            };
        }
    }

    /// Passes over as much of the payload as there is. Returns how much that is.
    fn skip(&mut self, left: u64, there: usize) -> usize {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(there);
        self.has_carried |= self.is_data;
        self.place = payload(left - here as u64);
        here
    }

    fn step(&mut self, byte: &mut u8) {
        self.place = match self.place {
            Place::Answer { line_is_empty } => match *byte {
                b'\n' if line_is_empty => Place::Opcode,
                b'\n' => Place::Answer {
                    line_is_empty: true,
                },
                b'\r' => Place::Answer { line_is_empty },
                _ => Place::Answer {
                    line_is_empty: false,
                },
            },
            Place::Opcode => {
                self.is_data = *byte & CONTROL == 0;
                if *byte & OPCODE == TEXT {
                    *byte = (*byte & !OPCODE) | BINARY;
                }
                Place::Length
            }
            Place::Length => {
                let key = if *byte & MASKED == 0 { 0 } else { MASKING_KEY };
                let long = |left| Place::LongLength {
                    left,
                    length: 0,
                    key,
                };
                match *byte & !MASKED {
                    126 => long(2),
                    127 => long(8),
                    short => payload(u64::from(short) + key),
                }
            }
            Place::LongLength { left, length, key } => {
                let length = (length << 8) | u64::from(*byte);
                match left {
                    0 | 1 => payload(length.saturating_add(key)),
                    left => Place::LongLength {
                        left: left - 1,
                        length,
                        key,
                    },
                }
            }
            Place::Payload(left) => payload(left.saturating_sub(1)),
        };
    }
}

fn payload(left: u64) -> Place {
    if left == 0 {
        Place::Opcode
    } else {
        Place::Payload(left)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AsBinary<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if let Some(new) = buf.filled_mut().get_mut(before..) {
            self.frames.pass(new);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AsBinary<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

    /// A frame with this first byte and payload, and with a masking key where it is said.
    fn frame(first: u8, len: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let mut bytes = vec![first];
        match len {
            0..126 => bytes.push(mask | u8::try_from(len).expect("short")),
            126..0x1_0000 => {
                bytes.push(mask | 0x7e);
                bytes.extend(u16::try_from(len).expect("fits").to_be_bytes());
            }
            _ => {
                bytes.push(mask | 0x7f);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend([0x81; 4].iter().take(if masked { 4 } else { 0 }));
        bytes.extend(vec![0x81; len]);
        bytes
    }

    #[test]
    fn text_becomes_binary_and_nothing_else_changes() {
        let lengths = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000];
        for (first, then) in [
            (0x81, 0x82),
            (0x01, 0x02),
            (0xc1, 0xc2),
            (0x00, 0x00),
            (0x82, 0x82),
            (0x88, 0x88),
            (0x89, 0x89),
        ] {
            for masked in [false, true] {
                let row = |first: u8| lengths.map(|len| frame(first, len, masked)).concat();
                let sent = [HEAD, &row(first)].concat();
                let expected = [HEAD, &row(then)].concat();
                for at_once in [1, 7, 4096, sent.len()] {
                    let mut bytes = sent.clone();
                    let mut frames = Frames::default();
                    bytes
                        .chunks_mut(at_once)
                        .for_each(|chunk| frames.pass(chunk));
                    assert!(bytes == expected, "{first:#x} {masked} {at_once}");
                    assert!(matches!(frames.place, Place::Opcode));
                }
            }
        }
    }

    #[test]
    fn data_is_noted_before_its_message_is_whole() {
        for (first, len, carried) in [
            (0x01, 1, true),
            (0x82, 1 << 40, true),
            (0x81, 0, false),
            (0x89, 4, false),
        ] {
            let mut frames = Frames::default();
            let mut bytes = [HEAD, &frame(first, 0, false)[..1]].concat();
            bytes.push(127);
            bytes.extend(u64::to_be_bytes(len));
            frames.pass(&mut bytes);
            assert!(!frames.has_carried, "{first:#x}");
            frames.pass(&mut [0xb0; 1][..usize::from(len > 0)]);
            assert_eq!(frames.has_carried, carried, "{first:#x}");
        }
    }

    #[test]
    fn an_answer_with_bare_line_ends_ends_too() {
        let mut bytes = b"HTTP/1.1 101 OK\nupgrade: websocket\n\n\x81\x01\xb0".to_vec();
        let mut frames = Frames::default();
        frames.pass(&mut bytes);
        assert!(bytes.ends_with(b"\n\n\x82\x01\xb0") && frames.has_carried);
    }
}
