//! `[advice]`: the advice in notifications to maintainers. Patterns and text bounds are the
//! engine's.

use std::collections::BTreeMap;

use super::reader::Reader;
use engine::{Advice, AdviceError, Pattern};

const ALLOWED: &str = "one line of at most 1000 bytes";

/// The built-in texts with those of the file.
pub(super) fn advice(reader: &mut Reader<'_>) -> Advice {
    let Some(row) = reader.rows_of("advice").first() else {
        return Advice::default();
    };
    reader.row = Some(row);
    let mut texts = BTreeMap::new();
    for pattern in Pattern::ALL {
        if let Some(text) = reader.parsed(pattern.as_str(), |text| Ok(text.to_owned())) {
            texts.insert(pattern.as_str().to_owned(), text);
        }
    }
    let advice = Advice::with_texts(texts).unwrap_or_else(|errors| {
        for error in &errors {
            refuse(reader, error);
        }
        Advice::default()
    });
    reader.row = None;
    advice
}

fn refuse(reader: &mut Reader<'_>, error: &AdviceError) {
    match error {
        AdviceError::Text(pattern) => reader.wrong(pattern.as_str(), "is not usable", ALLOWED),
        AdviceError::Unknown(name) => reader.wrong(name, "is not a pattern of symptoms", ""),
    }
}
