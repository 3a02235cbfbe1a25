//! Reads the rows of a table, and the kinds of values that several tables share: names, patterns,
//! long texts. Knows no table by name.

use std::collections::BTreeSet;

use super::reader::Reader;
use engine::model::MAX_NAME_BYTES;

/// The longest name in the settings.
pub const MAX_SLUG_BYTES: usize = 64;

/// The longest text of a reason or an explanation in the settings.
pub const MAX_TEXT_BYTES: usize = 500;

impl Reader<'_> {
    /// Every row of a table by its name, which is unique and none of `reserved`.
    pub(super) fn named_rows<T>(
        &mut self,
        table: &str,
        reserved: &[&str],
        mut read: impl FnMut(&mut Self, String) -> Option<T>,
    ) -> Vec<T> {
        let mut taken = BTreeSet::new();
        let mut values = Vec::new();
        for row in self.rows_of(table) {
            self.row = Some(row);
            let name = self.row_name(reserved, &mut taken);
            values.extend(read(self, name));
        }
        self.row = None;
        values
    }

    /// The name of the row; empty where it is wrong, so that the rest of the row is still read.
    fn row_name(&mut self, reserved: &[&str], taken: &mut BTreeSet<String>) -> String {
        let allowed = self.kind("name").allowed();
        if self.find("name").is_none() {
            self.missing("name", "");
        }
        let Some(name) = self.parsed("name", slug) else {
            return String::new();
        };
        if reserved.contains(&name.as_str()) {
            self.wrong("name", "is taken by labwatch itself", &allowed);
        } else if !taken.insert(name.clone()) {
            self.wrong("name", "is there twice", "each needs a name of its own");
        }
        name
    }

    pub(super) fn required_patterns(&mut self, key: &str) -> Vec<String> {
        if self.find(key).is_none() {
            self.missing(key, "");
        }
        self.list(key, pattern)
    }

    pub(super) fn sentences(&mut self, key: &str) -> Option<String> {
        self.parsed(key, |text| {
            if text.len() > MAX_TEXT_BYTES {
                Err("is too long".to_owned())
            } else {
                Ok(text.to_owned())
            }
        })
    }
}

pub(super) fn slug(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if text.len() > MAX_SLUG_BYTES {
        Err("is too long".to_owned())
    } else if text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("has other characters".to_owned())
    }
}

pub(super) fn pattern(text: &str) -> Result<String, String> {
    if text.len() > MAX_NAME_BYTES {
        Err("is longer than any name".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_plain() {
        for good in ["a", "pend-00", "A.b_c", "0"] {
            assert_eq!(slug(good), Ok(good.to_owned()));
        }
        for bad in ["a b", "a/b", "\u{e9}", "a*", &"x".repeat(65)] {
            assert!(slug(bad).is_err(), "{bad}");
        }
    }
}
