//! Whether a reader wants JSON or a page: JSON where `Accept` names it and does not prefer HTML,
//! and where the header is missing, which no browser does; otherwise the page.

/// Parses an `Accept` header; an empty one counts as missing.
pub fn wants_json(accept: &str) -> bool {
    if accept.trim().is_empty() {
        return true;
    }
    let ranges: Vec<(String, f32)> = accept.split(',').filter_map(range).collect();
    let quality = |names: &[&str]| {
        let of = |name: &&str| {
            ranges
                .iter()
                .find(|(range, _)| range == name)
                .map(|(_, quality)| *quality)
        };
        names.iter().find_map(of)
    };
    let json = quality(&["application/json", "application/*"]);
    let html = quality(&["text/html", "text/*", "*/*"]).unwrap_or(0.0);
    json.is_some_and(|json| json > 0.0 && json >= html)
}

/// A media range and its quality, which is 1 unless it says otherwise.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts
        .next()
        .filter(|name| !name.is_empty())?
        .to_ascii_lowercase();
    let quality =
        parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((
        name,
        quality.map_or(1.0, |text| text.parse().unwrap_or(0.0)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_20_json_is_given_where_it_is_named_or_nothing_is_and_html_is_not_preferred() {
        for (accept, json) in [
            ("application/json, */*", true),
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/html, application/json", true),
            ("application/*", true),
            ("text/html;q=0.9, application/json;q=0.8", false),
            ("application/json;q=0, */*", false),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                false,
            ),
            ("*/*", false),
            ("", true),
            (" ", true),
            (";;,,q=", false),
        ] {
            assert_eq!(wants_json(accept), json, "{accept}");
        }
    }
}
