//! The fields of any form, from an address or a body.

use url::form_urlencoded;

/// The most fields that are read of a form; none of ours has that many.
const MAX_FIELDS: usize = 40;

/// The fields of a form, in their order. A missing field counts as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Decodes the fields of a form.
    pub(super) fn of(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded).take(MAX_FIELDS);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.trim().to_owned()))
                .collect(),
        )
    }

    /// The value of a field, without white space around it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The values of all fields of this name.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The fields as a query string, without this one.
    pub(super) fn without(&self, name: &str) -> String {
        let kept = self
            .0
            .iter()
            .filter(|(known, value)| known != name && !value.is_empty());
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_written() {
        let fields = Fields::of(b"name=+pend00+&day=mon&day=tue&check=1&text=&x=a%26b");
        assert_eq!(
            (
                fields.get("name"),
                fields.get("text"),
                fields.get("nothing")
            ),
            ("pend00", "", "")
        );
        assert_eq!(fields.all("day").collect::<Vec<_>>(), ["mon", "tue"]);
        assert_eq!(
            fields.without("check"),
            "name=pend00&day=mon&day=tue&x=a%26b"
        );
    }
}
