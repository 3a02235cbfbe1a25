//! The query parameters of the health endpoints: names are trimmed, unknown parameters are ignored.

/// A reader's request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// The categories in the requested order, each once. Empty: that of everything.
    pub categories: Vec<String>,
    /// Whether everything is to be checked first.
    pub fresh: bool,
    /// Whether all experiments are to be listed, instead of some that fail.
    pub full: bool,
}

impl Query {
    /// Parses the query part of an address.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match &*key {
                "categories" => query.name_all(&value),
                "cache" => query.fresh = value == "false",
                "full" => query.full = value == "true",
                _ => {}
            }
        }
        query
    }

    fn name_all(&mut self, list: &str) {
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if !self.categories.iter().any(|known| known == name) {
                self.categories.push(name.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_trimmed_repeated_and_named_once() {
        for (text, categories, fresh) in [
            ("", &[][..], false),
            ("categories=", &[], false),
            (
                "categories=%20a%20,b&categories=b,c,,",
                &["a", "b", "c"],
                false,
            ),
            ("cache=false", &[], true),
            ("cache=no&categories=a+b", &["a b"], false),
        ] {
            let query = Query::parse(text);
            assert_eq!(
                (
                    query
                        .categories
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .as_slice(),
                    query.fresh
                ),
                (categories, fresh)
            );
        }
        assert!(Query::parse("full=true").full && !Query::parse("full=1").full);
    }
}
