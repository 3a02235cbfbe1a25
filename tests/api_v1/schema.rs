//! Compares an answer with the schemas of the OpenAPI document: the fields, all of them and no
//! other, and their types.

use serde::Serialize;
use serde_json::{Map, Value};

/// A list of things of this schema.
pub fn check(document: &impl Serialize, list: &Value, name: &str) {
    let document = serde_json::to_value(document).expect("serialises");
    let schemas = &document["components"]["schemas"];
    for item in list.as_array().expect("a list") {
        fits(schemas, &schemas[name], item, name);
    }
}

/// An answer of this schema, which may be one of its own or a list of those.
#[allow(
    dead_code,
    reason = "each test of the API has its own copy of this module, and not all have answers of any form"
)]
pub fn check_answer(document: &Value, schema: &Value, answer: &Value, at: &str) {
    fits(&document["components"]["schemas"], schema, answer, at);
}

fn fits(schemas: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|target| target.rsplit('/').next())
    {
        return fits(schemas, &schemas[name], value, at);
    }
    if let Some(either) = schema["oneOf"].as_array() {
        let schema = either
            .iter()
            .find(|schema| schema["type"] != "null")
            .expect("something beside null");
        if !value.is_null() {
            fits(schemas, schema, value, at);
        }
        return;
    }
    let kinds = schema["type"].as_array();
    if kinds.is_some_and(|kinds| kinds.contains(&Value::from("null"))) && value.is_null() {
        return;
    }
    if schema["allOf"].is_array() {
        return object(schemas, schema, value, at);
    }
    let kind = kinds
        .and_then(|kinds| kinds.iter().find(|kind| **kind != "null"))
        .unwrap_or(&schema["type"]);
    match kind.as_str() {
        Some("boolean") => assert!(value.is_boolean(), "{at}: {value}"),
        Some("integer") => assert!(value.is_i64() || value.is_u64(), "{at}: {value}"),
        Some("number") => assert!(value.is_number(), "{at}: {value}"),
        Some("string") => text(schema, value, at),
        Some("array") => {
            for item in value
                .as_array()
                .unwrap_or_else(|| panic!("{at} is no list: {value}"))
            {
                fits(schemas, &schema["items"], item, at);
            }
        }
        Some("object") => object(schemas, schema, value, at),
        other => panic!("{at}: {other:?} is not among the types that the API uses"),
    }
}

fn text(schema: &Value, value: &Value, at: &str) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{at} is no text: {value}"));
    if schema["format"] == "date-time" {
        assert!(
            text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z'),
            "{at} is no time: {text}"
        );
    }
}

fn object(schemas: &Value, schema: &Value, value: &Value, at: &str) {
    let value = value
        .as_object()
        .unwrap_or_else(|| panic!("{at} is no object: {value}"));
    let Some(form) = Form::of(schemas, schema) else {
        return;
    };
    for name in &form.required {
        assert!(value.contains_key(name), "{at} has no {name}");
    }
    for (key, item) in value {
        let known = form.fields.get(key).or(form.others.as_ref());
        let known = known.unwrap_or_else(|| panic!("{at} has {key}, which is not in the document"));
        fits(schemas, known, item, &format!("{at}.{key}"));
    }
}

/// The schema of an object.
#[derive(Default)]
struct Form {
    /// The documented fields, by name.
    fields: Map<String, Value>,
    /// Which of them are required.
    required: Vec<String>,
    /// The schema of further fields.
    others: Option<Value>,
}

impl Form {
    /// Also of a combined schema; `None` where it may hold anything.
    fn of(schemas: &Value, schema: &Value) -> Option<Self> {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|target| target.rsplit('/').next())
        {
            return Self::of(schemas, &schemas[name]);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return Some(
                parts
                    .iter()
                    .filter_map(|part| Self::of(schemas, part))
                    .fold(Self::default(), Self::and),
            );
        }
        let (fields, others) = (
            schema["properties"].as_object().cloned(),
            schema.get("additionalProperties").cloned(),
        );
        if fields.is_none() && others.is_none() {
            return None;
        }
        let required = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        Some(Self {
            fields: fields.unwrap_or_default(),
            required,
            others,
        })
    }

    fn and(mut self, more: Self) -> Self {
        self.fields.extend(more.fields);
        self.required.extend(more.required);
        self.others = self.others.or(more.others);
        self
    }
}
