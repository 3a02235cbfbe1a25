//! Cross-origin access to the API. Opens nothing.

use url::{Origin, Url};

use super::reader::Reader;

/// The sites whose pages may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCors {
    /// None.
    None,
    /// Those of every site.
    Any,
    /// Those of these sites, each as browsers write it.
    Origins(Vec<String>),
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    None,
    Any,
    Origin(String),
}

/// `API_CORS`.
pub(super) fn cors(reader: &mut Reader<'_>) -> ApiCors {
    let words = reader.list("api_cors", word);
    if words.contains(&Word::Any) {
        return ApiCors::Any;
    }
    let origins: Vec<_> = words
        .into_iter()
        .filter_map(|word| match word {
            Word::Origin(origin) => Some(origin),
            Word::None | Word::Any => None,
        })
        .collect();
    if origins.is_empty() {
        ApiCors::None
    } else {
        ApiCors::Origins(origins)
    }
}

/// An origin is compared byte by byte with what browsers send, so only their form is accepted.
fn word(text: &str) -> Result<Word, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Word::None);
    }
    if text == "*" {
        return Ok(Word::Any);
    }
    let origin = Url::parse(text).ok().map(|url| url.origin());
    match origin.filter(Origin::is_tuple) {
        Some(origin) if origin.ascii_serialization() == text => Ok(Word::Origin(text.to_owned())),
        Some(origin) => Err(format!(
            "is not as browsers write it: write {}",
            origin.ascii_serialization()
        )),
        None => Err("is not an origin".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_as_browsers_write_it() {
        let origin = |text: &str| Ok(Word::Origin(text.to_owned()));
        for (text, expect) in [
            ("none", Ok(Word::None)),
            ("*", Ok(Word::Any)),
            ("https://lab.example", origin("https://lab.example")),
            ("http://localhost:8080", origin("http://localhost:8080")),
            (
                "https://lab.example/",
                Err("is not as browsers write it: write https://lab.example".to_owned()),
            ),
            (
                "https://lab.example:443",
                Err("is not as browsers write it: write https://lab.example".to_owned()),
            ),
            ("lab.example", Err("is not an origin".to_owned())),
            ("file:///x", Err("is not an origin".to_owned())),
        ] {
            assert_eq!(word(text), expect, "{text}");
        }
    }
}
