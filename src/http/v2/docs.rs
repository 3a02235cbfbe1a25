//! The documents of the API for programs and for people: a page made from the document on this side, without script, that loads nothing
//! but its own style.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::DOCUMENT_V2_JSON;
use crate::http::document::DOCUMENT_JSON;
use crate::http::routes::json;

/// The page may load its style from where it comes from, and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const STYLE: &str = include_str!("docs.css");

static PAGE: LazyLock<String> = LazyLock::new(|| written(DOCUMENT_V2_JSON));
static PAGE_OF_V1: LazyLock<String> = LazyLock::new(|| written(DOCUMENT_JSON));

/// The OpenAPI document of version 2.
pub(in crate::http) async fn document() -> Response {
    json(Bytes::from_static(DOCUMENT_V2_JSON.as_bytes()))
}

/// The document of version 2, to read.
pub(in crate::http) async fn page() -> Response {
    html(&PAGE)
}

/// The document of version 1, to read.
pub(in crate::http) async fn page_of_v1() -> Response {
    html(&PAGE_OF_V1)
}

/// How the pages look.
pub(in crate::http) async fn style() -> Response {
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/css; charset=utf-8"),
        ),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        ),
    ];
    (headers, STYLE).into_response()
}

fn html(page: &'static str) -> Response {
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, page).into_response()
}

/// A document as a page. Its links are relative: a proxy may serve us below a path of its own.
fn written(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let title = format!(
        "{} API, version {}",
        text(&document["info"]["title"]),
        text(&document["info"]["version"])
    );
    let mut page = Page(String::new());
    page.add("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.add("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    page.element("title", "", &title);
    page.add("<link rel=\"stylesheet\" href=\"../v2/docs.css\"></head><body><header>");
    page.element("h1", "", &title);
    page.prose(text(&document["info"]["description"]));
    page.add("<nav><a href=\"../v1/docs\">Version 1</a> <a href=\"../v2/docs\">Version 2</a> ");
    page.add("<a href=\"../v1/openapi.json\">document 1</a> <a href=\"../v2/openapi.json\">document 2</a></nav></header><main>");
    for tag in list(&document["tags"]) {
        page.element("h2", "", text(&tag["name"]));
        page.prose(text(&tag["description"]));
        for (path, methods) in entries(&document["paths"]) {
            for (method, operation) in
                entries(methods).filter(|(_, it)| list(&it["tags"]).contains(&tag["name"]))
            {
                page.operation(path, method, operation);
            }
        }
    }
    page.element("h2", "", "schemas");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        page.schema(name, schema);
    }
    page.add("</main></body></html>");
    page.0
}

/// A page in the making. Everything from the document is escaped.
struct Page(String);

impl Page {
    fn add(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn element(&mut self, name: &str, attributes: &str, content: &str) {
        // Writing into a string does not fail.
        let _ = write!(self.0, "<{name}{attributes}>{}</{name}>", marked(content));
    }

    fn prose(&mut self, text: &str) {
        for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            self.element("p", "", paragraph);
        }
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        self.add("<section>");
        self.element("h3", "", &format!("{} {path}", method.to_uppercase()));
        self.prose(text(&operation["summary"]));
        self.prose(text(&operation["description"]));
        let parameters = list(&operation["parameters"]);
        if !parameters.is_empty() {
            self.add(
                "<table><caption>Parameters</caption><tr><th>Name<th>Where<th>What<th>Form</tr>",
            );
            for parameter in parameters {
                self.row(
                    &[
                        text(&parameter["name"]),
                        text(&parameter["in"]),
                        text(&parameter["description"]),
                    ],
                    &parameter["schema"],
                );
            }
            self.add("</table>");
        }
        self.add("<table><caption>Answers</caption><tr><th>Status<th>What<th>Form</tr>");
        for (status, response) in entries(&operation["responses"]) {
            let form = entries(&response["content"])
                .next()
                .map_or(&Value::Null, |(_, content)| &content["schema"]);
            self.row(&[status, text(&response["description"])], form);
        }
        self.add("</table></section>");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        let _ = write!(self.0, "<section id=\"{}\">", escaped(name));
        self.element("h3", "", name);
        self.prose(text(&schema["description"]));
        let parts: Vec<&Value> = std::iter::once(schema)
            .chain(list(&schema["allOf"]))
            .collect();
        if parts
            .iter()
            .any(|part| entries(&part["properties"]).next().is_some())
        {
            self.add("<table><caption>Fields</caption><tr><th>Name<th>What<th>Form</tr>");
            for part in parts {
                if part["$ref"].is_string() {
                    self.row(&["", "All fields of"], part);
                }
                for (field, about) in entries(&part["properties"]) {
                    self.row(&[field, text(&about["description"])], about);
                }
            }
            self.add("</table>");
        } else {
            self.add("<p>Form: ");
            self.form(schema);
            self.add("</p>");
        }
        self.add("</section>");
    }

    fn row(&mut self, cells: &[&str], form: &Value) {
        self.add("<tr>");
        for cell in cells {
            self.element("td", "", cell);
        }
        self.add("<td>");
        self.form(form);
        self.add("</td></tr>");
    }

    /// What kind of thing a schema stands for, with a way to the schema of its own where it has one; a dash where there is no schema.
    fn form(&mut self, schema: &Value) {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|target| target.rsplit('/').next())
        {
            let _ = write!(self.0, "<a href=\"#{0}\">{0}</a>", escaped(name));
        } else if schema["type"] == "array" {
            self.add("list of ");
            self.form(&schema["items"]);
        } else if let Some(kinds) = schema["type"].as_array() {
            let kinds: Vec<&str> = kinds.iter().map(text).collect();
            self.add(&escaped(&kinds.join(" or ")));
        } else if let Some(either) = schema["oneOf"].as_array().and_then(|either| either.first()) {
            self.form(either);
            self.add(" or null");
        } else if schema["additionalProperties"].is_object() {
            self.add("map of ");
            self.form(&schema["additionalProperties"]);
        } else {
            self.add(&escaped(
                schema["format"]
                    .as_str()
                    .or(schema["type"].as_str())
                    .unwrap_or("–"),
            ));
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| (key.as_str(), value))
}

/// A text in which what stands between backticks is code. A backtick without its fellow stays.
fn marked(text: &str) -> String {
    let mut parts = escaped(text);
    while let Some((before, (code, after))) = parts
        .split_once('`')
        .and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
    {
        parts = format!("{before}<code>{code}</code>{after}");
    }
    parts
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_path_and_schema_and_nothing_from_outside() {
        for (source, page) in [(DOCUMENT_JSON, &*PAGE_OF_V1), (DOCUMENT_V2_JSON, &*PAGE)] {
            let document: Value = serde_json::from_str(source).expect("JSON");
            for (path, item) in entries(&document["paths"]) {
                for (method, _) in entries(item) {
                    assert!(
                        page.contains(&format!("<h3>{} {path}</h3>", method.to_uppercase())),
                        "{method} {path}"
                    );
                }
            }
            for (name, _) in entries(&document["components"]["schemas"]) {
                assert!(page.contains(&format!("<section id=\"{name}\">")), "{name}");
            }
            for wrong in [
                "<script", "style=", "http://", "https://", " onclick", "<style", "=\"/",
            ] {
                assert!(!page.contains(wrong), "{wrong}");
            }
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        for (text, marks) in [
            ("a", "a"),
            ("`<a>`, `b`", "<code>&lt;a&gt;</code>, <code>b</code>"),
            ("a ` b", "a ` b"),
            ("``", "<code></code>"),
        ] {
            assert_eq!(marked(text), marks);
        }
    }

    #[test]
    fn a_form_that_is_put_together_shows_all_its_fields() {
        let section = PAGE
            .split("<section id=\"HealthExperiments\">")
            .nth(1)
            .and_then(|rest| rest.split("</section>").next());
        let section = section.expect("a section");
        assert!(
            section.contains("<td>listed</td>") && section.contains("href=\"#HealthTally\""),
            "{section}"
        );
    }

    #[test]
    fn every_link_inside_leads_somewhere() {
        for page in [&*PAGE, &*PAGE_OF_V1] {
            for target in page
                .split("href=\"#")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                assert!(
                    page.contains(&format!("<section id=\"{target}\">")),
                    "{target}"
                );
            }
        }
    }
}
