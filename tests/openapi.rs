//! The checked-in OpenAPI documents say what the code does. `UPDATE=1` (which `scripts/openapi.sh`
//! sets) writes them anew.

#![allow(
    clippy::too_many_lines,
    reason = "a test is one scenario from beginning to end"
)]
#![expect(clippy::expect_used, reason = "the helpers of a test fail as tests do")]

use std::collections::BTreeSet;
use std::path::Path;

use labwatch::http::auth::Need;
use reqwest::Method;
use serde_json::{Map, Value};

#[path = "openapi/client.rs"]
mod client;
#[path = "openapi/problems.rs"]
mod problems;
#[path = "openapi/support.rs"]
mod support;
#[path = "support/tools.rs"]
mod tools;

/// The most lines that both documents may have together.
const MAX_LINES: usize = 4_400;

#[test]
fn the_documents_are_those_of_the_code() {
    check(
        "openapi/labwatch-v1.json",
        &labwatch::http::document(),
        labwatch::http::DOCUMENT_JSON,
    );
    check(
        "openapi/labwatch-v2.json",
        &labwatch::http::document_v2(),
        labwatch::http::DOCUMENT_V2_JSON,
    );
}

fn check(path: &str, document: &utoipa::openapi::OpenApi, served: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let made = labwatch::http::written(document).expect("serialises");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &made).expect("writes the document");
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == made,
        "{path} is not what the code says: run scripts/openapi.sh, and look at what changed"
    );
    assert_eq!(served, made, "what is served is what is checked in");
}

#[test]
fn the_documents_stay_short() {
    let texts = [
        labwatch::http::DOCUMENT_JSON,
        labwatch::http::DOCUMENT_V2_JSON,
    ];
    let lines: usize = texts.iter().map(|text| text.lines().count()).sum();
    assert!(lines <= MAX_LINES, "{lines} lines");
}

fn documents() -> [Value; 2] {
    [labwatch::http::document(), labwatch::http::document_v2()]
        .map(|document| serde_json::to_value(document).expect("serialises"))
}

/// The forms of other systems leave fields out where they have no value. Their names begin
/// so.
const DIALECTS: [&str; 4] = ["Agent", "Actuator", "Axway", "Ft"];

#[test]
fn every_field_is_described_and_always_there() {
    for document in documents() {
        let sent = bodies(&document);
        for (name, schema) in
            entries(&document["components"]["schemas"]).filter(|(name, _)| !sent.contains(*name))
        {
            let required: Vec<_> = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            // The rate of a stream is a field of all dialects.
            let leaves_out =
                DIALECTS.iter().any(|dialect| name.starts_with(dialect)) || name == "HealthStream";
            for (field, about) in entries(&schema["properties"]) {
                let always = required.contains(&field.as_str()) || leaves_out;
                assert!(
                    always,
                    "{name}.{field} is always there, and the document should say so"
                );
                // What may be null and has a schema of its own is described beside the reference.
                let description = about
                    .get("description")
                    .unwrap_or(&about["oneOf"][0]["description"]);
                let by_its_type = about["$ref"].is_string();
                assert!(
                    description.is_string() || by_its_type,
                    "{name}.{field} has no description: {about}"
                );
            }
        }
    }
}

/// What generators rely on: every operation has a name of its own, says what it is, and describes
/// its parameters and answers.
#[test]
fn every_operation_is_whole() {
    for document in documents() {
        let mut ids = BTreeSet::new();
        for (path, methods) in entries(&document["paths"]) {
            for (method, operation) in entries(methods) {
                let at = format!("{method} {path}");
                let id = operation["operationId"].as_str().expect("has a name");
                assert!(ids.insert(id.to_owned()), "{at}: {id} is used twice");
                assert!(
                    operation["summary"].is_string() && operation["tags"][0].is_string(),
                    "{at} says what it is"
                );
                check_parameters(&document, path, operation);
                check_answers(&document, &at, operation);
            }
        }
    }
}

fn check_parameters(document: &Value, path: &str, operation: &Value) {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut in_path = BTreeSet::new();
    for parameter in parameters.map(|parameter| resolved(document, parameter)) {
        let name = parameter["name"].as_str().expect("has a name");
        assert!(
            parameter["description"].is_string(),
            "{path}: {name} has no description"
        );
        match parameter["in"].as_str() {
            Some("path") => drop(in_path.insert(format!("{{{name}}}"))),
            Some("query" | "header") => {}
            other => assert_eq!(other, None, "{path}: {name}"),
        }
    }
    let template: BTreeSet<_> = path
        .split('/')
        .filter(|part| part.starts_with('{'))
        .map(str::to_owned)
        .collect();
    assert_eq!(in_path, template, "{path}");
}

fn check_answers(document: &Value, at: &str, operation: &Value) {
    let answers = &operation["responses"];
    let refused = resolved(document, &answers["default"]);
    let forms = entries(&refused["content"]).map(|(_, form)| &form["schema"]["$ref"]);
    assert_eq!(forms.count(), 1, "{at} can be refused, in one form");
    for (status, answer) in entries(answers) {
        let answer = resolved(document, answer);
        assert!(
            answer["description"]
                .as_str()
                .is_some_and(|words| !words.is_empty()),
            "{at} {status} has no description"
        );
        let is_empty = status == "204" || (at.ends_with("__gtg") && status != "default");
        assert_eq!(answer["content"].is_null(), is_empty, "{at} {status}");
        if status == "201" {
            assert!(answer["headers"]["Location"].is_object(), "{at}");
        }
    }
}

/// What stands behind a reference.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(place) = value["$ref"].as_str() else {
        return value;
    };
    document
        .pointer(place.trim_start_matches('#'))
        .expect("the reference leads somewhere")
}

#[test]
fn what_several_operations_share_stands_once() {
    let [_, document] = documents();
    let mut seen = BTreeSet::new();
    for (path, methods) in entries(&document["paths"]) {
        for (_, operation) in entries(methods) {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let is_shared = parameter["$ref"].is_string();
                assert!(
                    is_shared || seen.insert(parameter.to_string()),
                    "{path} repeats a parameter: {parameter}"
                );
            }
        }
    }
}

/// Closed sets of words are enums, so that generated clients know them.
#[test]
fn words_are_enums() {
    let [_, document] = documents();
    let schemas = &document["components"]["schemas"];
    for (name, some) in [
        ("Health", "flapping"),
        ("Bookable", "withdrawn"),
        ("Reason", "already-held"),
        ("Fault", "unreachable"),
        ("SourceHealth", "late"),
        ("OutboxState", "superseded"),
    ] {
        let words = schemas[name]["enum"].as_array().expect("has words");
        assert!(words.iter().any(|word| word == some), "{name}");
    }
    let events = schemas["StreamEvent"]["oneOf"].as_array().expect("kinds");
    assert_eq!(events.len(), 6, "each event of the stream has a schema");
}

/// Pages and what they are made of, the documents themselves, and the second spelling of a path:
/// all else stands in a document.
const UNDOCUMENTED: [&str; 23] = [
    "/api/v1/experiments/",
    "/api/v1/openapi.json",
    "/swagger.json",
    "/api/v1/docs",
    "/api/v2/openapi.json",
    "/api/v2/docs",
    "/api/v2/docs/",
    "/api/v2/docs/{file}",
    "/login",
    "/logout",
    "/",
    "/experiments/{stub}",
    "/pools",
    "/experiments",
    "/timeline",
    "/categories",
    "/sources",
    "/holds",
    "/outbox",
    "/reports",
    "/lab",
    "/lab/{pool}",
    "/favicon.ico",
];

/// Walks the router's own list, so a new route cannot be forgotten.
#[test]
fn every_route_for_programs_is_documented() {
    let documents = documents();
    let routes = support::all();
    let mut seen = BTreeSet::new();
    for rule in routes.rules() {
        let at = format!("{} {}", rule.method, rule.path);
        assert!(seen.insert(at.clone()), "{at} stands twice");
        let page = UNDOCUMENTED.contains(&rule.path.as_str())
            || ["/assets/", "/do/"]
                .iter()
                .any(|folder| rule.path.starts_with(folder));
        assert_eq!(rule.documented, !page, "{at}");
        let method = rule.method.as_str().to_lowercase();
        let operation = documents
            .iter()
            .map(|document| &document["paths"][&rule.path][&method])
            .find(|operation| operation.is_object());
        assert_eq!(operation.is_some(), rule.documented, "{at}");
        let scope = match rule.need {
            Need::Scope(scope) => Value::from(scope.as_str()),
            Need::Always | Need::Read | Need::Students => Value::Null,
        };
        if let Some(operation) = operation {
            assert_eq!(operation["security"][0]["token"][0], scope, "{at}");
        }
        let way_in = ["/login", "/logout"].contains(&rule.path.as_str());
        assert!(
            rule.method == Method::GET || way_in || !scope.is_null(),
            "{at} changes something without a scope"
        );
    }
    for (path, methods) in documents
        .iter()
        .flat_map(|document| entries(&document["paths"]))
    {
        for (method, _) in entries(methods) {
            let at = format!("{} {path}", method.to_uppercase());
            assert!(seen.contains(&at), "{at} is no route");
        }
    }
}

/// The schemas of what is sent to us, where fields may be left out.
fn bodies(document: &Value) -> BTreeSet<String> {
    let methods = entries(&document["paths"]).flat_map(|(_, methods)| entries(methods));
    let mut names: BTreeSet<String> = methods
        .filter_map(|(_, operation)| {
            name(&operation["requestBody"]["content"]["application/json"]["schema"])
        })
        .collect();
    let parts: Vec<_> = names
        .iter()
        .filter_map(|name| document["components"]["schemas"][name]["oneOf"].as_array())
        .flatten()
        .filter_map(name)
        .collect();
    names.extend(parts);
    names
}

fn name(schema: &Value) -> Option<String> {
    let place = schema["$ref"].as_str()?;
    place.rsplit('/').next().map(str::to_owned)
}

#[test]
fn the_head_names_us_and_the_licence() {
    for document in documents() {
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["title"], "labwatch");
        assert_eq!(
            document["info"]["license"]["identifier"],
            "MIT OR Apache-2.0"
        );
    }
    let [first, _] = documents();
    let paths: Vec<_> = entries(&first["paths"])
        .map(|(path, _)| path.clone())
        .collect();
    let ours = ["/api/v1/experiments", "/api/v1/experiments/events/{name}"];
    assert_eq!(paths, ours);
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
