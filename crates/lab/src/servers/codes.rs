//! The codes for opening a websocket: issued by the access API, valid once and for a short time.
//! Reads no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::token::Claims;

/// How long a code is good, nominally.
const LIFE: SignedDuration = SignedDuration::from_secs(30);

/// How often expired codes are removed, which is when they really end.
const SWEEP: Duration = Duration::from_secs(60);

/// The most codes that are kept; further ones replace the oldest.
const MAX_CODES: usize = 10_000;

/// The codes that have not been used.
#[derive(Debug)]
pub(super) struct Codes {
    given: BTreeMap<String, (Timestamp, Claims)>,
    next_sweep: Timestamp,
}

impl Codes {
    /// No codes yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            given: BTreeMap::new(),
            next_sweep: now.checked_add(SWEEP).unwrap_or(now),
        }
    }

    /// Issues a code for a bearer of these claims.
    pub fn give(&mut self, claims: Claims, now: Timestamp) -> String {
        self.sweep(now);
        if self.given.len() >= MAX_CODES {
            let oldest = self
                .given
                .iter()
                .min_by_key(|(_, (at, _))| *at)
                .map(|(code, _)| code.clone());
            oldest.and_then(|code| self.given.remove(&code));
        }
        let code = uuid();
        self.given.insert(code.clone(), (now, claims));
        code
    }

    /// Redeems a code: returns its claims if it was valid.
    pub fn take(&mut self, code: &str, now: Timestamp) -> Option<Claims> {
        self.sweep(now);
        self.given.remove(code).map(|(_, claims)| claims)
    }

    fn sweep(&mut self, now: Timestamp) {
        if now >= self.next_sweep {
            self.given
                .retain(|_, (at, _)| now.duration_since(*at) <= LIFE);
            self.next_sweep = now.checked_add(SWEEP).unwrap_or(now);
        }
    }
}

/// A random UUID (version 4).
pub(super) fn uuid() -> String {
    let random = fastrand::u128(..);
    let versioned = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{versioned:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_code_is_good_once_and_until_the_sweep_after_its_life() {
        let mut codes = Codes::new(at(0));
        let (first, second, third) = (
            codes.give(Claims::default(), at(0)),
            codes.give(Claims::default(), at(25)),
            codes.give(Claims::default(), at(45)),
        );
        assert!(
            codes.take(&first, at(59)).is_some(),
            "past its nominal life, but not swept yet"
        );
        assert!(codes.take(&first, at(59)).is_none(), "used");
        assert!(codes.take(&second, at(61)).is_none(), "swept");
        assert!(codes.take(&third, at(61)).is_some());
        assert!(codes.take("junk", at(61)).is_none());
    }

    #[test]
    fn codes_are_uuids_of_version_4() {
        for _ in 0..100 {
            let code = uuid();
            let lengths: Vec<usize> = code.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12]);
            assert_eq!(&code[14..15], "4");
            assert!("89ab".contains(&code[19..20]), "{code}");
        }
    }
}
