//! The common parts of the OpenAPI documents: the token, the form of errors, and parameters that
//! several paths share.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::Value;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, ResponseBuilder};

use super::routes::{TOKEN, operations};

/// The form of an error of version 2: the name of the schema, and the media type.
pub(super) const PROBLEM: (&str, &str) = ("Problem", "application/problem+json");

/// The description of every refusal.
const REFUSED: &str = "It was refused, and the body says why. 401 and 403 are about the token; 429 and 503 say in `Retry-After` after how many \
    seconds to try again";

const NO_SCOPES: [&str; 0] = [];

/// A document with the paths of `parts`, in which shared parts stand once. `refusal` names the
/// schema and the media type of every answer that an operation does not describe itself.
pub(super) fn put_together(
    head: OpenApi,
    parts: impl IntoIterator<Item = OpenApi>,
    refusal: (&str, &str),
) -> OpenApi {
    let headers = refusal == PROBLEM;
    let mut document = parts.into_iter().fold(head, OpenApi::merge_from);
    let components = document.components.get_or_insert_default();
    name_items(components);
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token from `labwatch token`. To read it can be the password of basic authentication too, with any user name.",
        ))
        .build();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
    // Where reading is open, reading needs no token. An operation that changes something names its
    // scope.
    document.security = Some(vec![
        SecurityRequirement::default(),
        SecurityRequirement::new(TOKEN, NO_SCOPES),
    ]);
    let (name, kind) = refusal;
    let body = Content::new(Some(Ref::from_schema_name(name)));
    let refused = ResponseBuilder::new()
        .description(REFUSED)
        .content(kind, body);
    components.responses.insert(name.to_owned(), refused.into());
    if headers {
        describe_headers(components);
    }
    for (method, operation) in document.paths.paths.values_mut().flat_map(operations) {
        let problem = Ref::from_response_name(name);
        let responses = &mut operation.responses.responses;
        responses
            .entry("default".to_owned())
            .or_insert(RefOr::Ref(problem));
        if headers && method == Method::GET {
            can_be_known_already(operation);
        }
    }
    share_parameters(&mut document);
    document
}

/// The headers of answers, beside those of every answer.
const HEADERS: [(&str, &str); 2] = [
    (
        "ETag",
        "Changes only when the body does. Send it back in `If-None-Match` to be answered 304 while nothing changed, and in `If-Match` with what changes it.",
    ),
    (
        "Link",
        "The address of the next page, as `<...>; rel=\"next\"`; absent on the last page.",
    ),
];

fn describe_headers(components: &mut Components) {
    for (name, words) in HEADERS {
        let header = Header::builder()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some(words))
            .build();
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
}

/// Documents that a JSON answer has a tag and, where it is a page, a link to the next.
fn can_be_known_already(operation: &mut Operation) {
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else {
        return;
    };
    if answer.content.get("application/json").is_none() {
        return;
    }
    let is_page = answer.description.starts_with("A page");
    let names = HEADERS.iter().take(if is_page { 2 } else { 1 });
    answer.headers.extend(names.map(|(name, _)| {
        let header = Ref::new(format!("#/components/headers/{name}"));
        ((*name).to_owned(), RefOr::Ref(header))
    }));
}

/// The prefix of the names of pages; the name of their items follows.
const PAGE: &str = "Page_";

/// Refers to the items of pages by name: the derive writes their whole schema into each page.
fn name_items(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let (Some(item), RefOr::T(Schema::Object(page))) = (name.strip_prefix(PAGE), schema) else {
            continue;
        };
        if let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items") {
            let item = RefOr::Ref(Ref::from_schema_name(item));
            items.items = ArrayItems::RefOrSchema(Box::new(item));
        }
    }
}

/// Moves each parameter that several operations have to the components, once.
fn share_parameters(document: &mut OpenApi) {
    let mut counts: BTreeMap<String, (usize, Parameter)> = BTreeMap::new();
    for_each_parameter(document, |parameter| {
        if let (Some(name), RefOr::T(parameter)) = (key(parameter), parameter) {
            counts
                .entry(name)
                .or_insert_with(|| (0, parameter.clone()))
                .0 += 1;
        }
    });
    counts.retain(|_, (count, _)| *count > 1);
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let components = document.components.get_or_insert_default();
    for (key, (_, parameter)) in counts {
        let mut name = parameter.name.clone();
        while components.parameters.contains_key(&name) {
            name.push('_');
        }
        components
            .parameters
            .insert(name.clone(), RefOr::T(parameter));
        names.insert(key, name);
    }
    for_each_parameter(document, |parameter| {
        if let Some(name) = key(parameter).and_then(|key| names.get(&key)) {
            *parameter = RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")));
        }
    });
}

/// The identity of a parameter.
fn key(parameter: &RefOr<Parameter>) -> Option<String> {
    serde_json::to_string(parameter).ok()
}

fn for_each_parameter(document: &mut OpenApi, mut what: impl FnMut(&mut RefOr<Parameter>)) {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(operations)
        .flat_map(|(_, operation)| operation.parameters.iter_mut().flatten())
        .for_each(&mut what);
}

/// The widest line of a written document, unless one text alone is wider.
const WIDTH: usize = 150;

/// The room for the name of a field, in bytes.
const NAME: usize = 20;

/// The document as it is checked in: what fits on a line stands on one, so that changes can be read
/// in a diff.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn written(document: &OpenApi) -> serde_json::Result<String> {
    let mut text = String::new();
    let mut value = serde_json::to_value(document)?;
    join_lines(&mut value);
    write(&value, 0, &mut text);
    text.push('\n');
    Ok(text)
}

/// Puts each paragraph of a description or summary on one line, because line breaks in the source
/// mean nothing.
fn join_lines(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                join_lines(field);
                if let (Value::String(text), "description" | "summary") = (field, name.as_str()) {
                    let paragraphs: Vec<_> = text.split("\n\n").map(joined).collect();
                    *text = paragraphs.join("\n\n");
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn joined(paragraph: &str) -> String {
    let is_list = paragraph.starts_with(['-', '|']) || paragraph.contains("\n- ");
    if is_list {
        paragraph.to_owned()
    } else {
        paragraph.replace('\n', " ")
    }
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let line = value.to_string();
    let is_scalar = |item: &Value| !item.is_array() && !item.is_object();
    match value {
        _ if fits(&line, depth) => text.push_str(&line),
        Value::Array(items) if items.iter().all(is_scalar) => fill(items, depth, text),
        Value::Array(items) => {
            let parts = items.iter().map(|item| (String::new(), item));
            spread(('[', ']'), parts, depth, text);
        }
        Value::Object(fields) => {
            let name = |name: &str| format!("{}: ", Value::from(name));
            let parts = fields.iter().map(|(key, field)| (name(key), field));
            spread(('{', '}'), parts, depth, text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&line),
    }
}

/// Each part on lines of its own.
fn spread<'a>(
    (open, close): (char, char),
    parts: impl Iterator<Item = (String, &'a Value)>,
    depth: usize,
    text: &mut String,
) {
    text.push(open);
    for (at, (name, part)) in parts.enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        indent(depth + 1, text);
        text.push_str(&name);
        write(part, depth + 1, text);
    }
    indent(depth, text);
    text.push(close);
}

/// Values side by side, as many as fit on a line.
fn fill(words: &[Value], depth: usize, text: &mut String) {
    text.push('[');
    let mut room = 0;
    for (at, word) in words.iter().enumerate() {
        let comma = if at + 1 < words.len() { "," } else { "" };
        let word = format!("{word}{comma}");
        if word.len() > room {
            indent(depth + 1, text);
            room = WIDTH.saturating_sub(depth * 2 + 2);
        }
        room = room.saturating_sub(word.len());
        text.push_str(&word);
    }
    indent(depth, text);
    text.push(']');
}

fn indent(depth: usize, text: &mut String) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

fn fits(line: &str, depth: usize) -> bool {
    line.len() + depth * 2 + NAME <= WIDTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_joined_and_lists_are_kept() {
        let mut value = serde_json::json!([{"description": "a\nb\n\n- c\n- d", "title": "e\nf"}]);
        join_lines(&mut value);
        let expect = serde_json::json!([{"description": "a b\n\n- c\n- d", "title": "e\nf"}]);
        assert_eq!(value, expect);
    }

    #[test]
    fn what_fits_stands_on_one_line() {
        let long = "x".repeat(WIDTH);
        let words = vec!["word"; 30];
        let value = serde_json::json!({"a": {"b": [1, 2]}, "c": [long, {}], "d": words});
        let mut text = String::new();
        write(&value, 0, &mut text);
        let filled = |count: usize| vec!["\"word\""; count].join(",");
        let expect = format!(
            "{{\n  \"a\": {{\"b\":[1,2]}},\n  \"c\": [\n    \"{long}\",\n    {{}}\n  ],\n  \"d\": [\n    {},\n    {}\n  ]\n}}",
            filled(20),
            filled(10)
        );
        assert_eq!(text, expect);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
