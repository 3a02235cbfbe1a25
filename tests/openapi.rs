//! The checked-in OpenAPI documents say what the code does. `UPDATE=1` (which `scripts/openapi.sh` sets) writes them anew.

#![allow(
    clippy::too_many_lines,
    reason = "a test tells one story from beginning to end"
)]
#![expect(clippy::expect_used, reason = "the helpers of a test fail as tests do")]

use std::path::Path;

use serde_json::{Map, Value};

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
    let made = document.to_pretty_json().expect("serialises") + "\n";
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

fn documents() -> [Value; 2] {
    [labwatch::http::document(), labwatch::http::document_v2()]
        .map(|document| serde_json::to_value(document).expect("serialises"))
}

/// The forms of other systems leave fields out where there is nothing to tell. Their names begin so.
const DIALECTS: [&str; 4] = ["Agent", "Actuator", "Axway", "Ft"];

#[test]
fn every_field_is_described_and_always_there() {
    for document in documents() {
        let asked = bodies(&document);
        for (name, schema) in
            entries(&document["components"]["schemas"]).filter(|(name, _)| !asked.contains(name))
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
                assert!(
                    description.is_string(),
                    "{name}.{field} has no description: {about}"
                );
            }
        }
    }
}

/// What a reader of the document relies on: the form of every answer, and that errors have one form.
#[test]
fn every_answer_is_documented() {
    let [_, document] = documents();
    for (path, methods) in entries(&document["paths"]) {
        for (method, notified) in entries(methods) {
            check_answers(&format!("{method} {path}"), notified);
        }
    }
}

/// What any path can be answered, whatever its handler does.
#[test]
fn what_every_path_can_be_answered_is_documented() {
    let documents = documents();
    for (path, methods) in documents
        .iter()
        .flat_map(|document| entries(&document["paths"]))
    {
        for (method, notified) in entries(methods) {
            let has = |status: &str| notified["responses"][status].is_object();
            let takes_json = notified["requestBody"].is_object() && path != "/actuator/logger";
            assert!(has("405") && has("500") && has("503"), "{method} {path}");
            assert_eq!(has("413"), method != "get", "{method} {path} takes a body");
            assert_eq!(has("415"), takes_json, "{method} {path} takes JSON");
            assert!(
                !has("406"),
                "{method} {path} has one form, or two of which one is for everybody"
            );
        }
    }
}

fn check_answers(path: &str, notified: &Value) {
    assert!(
        notified["summary"].is_string() && notified["tags"][0].is_string(),
        "{path} says what it is"
    );
    for (status, response) in entries(&notified["responses"]) {
        let form = &response["content"]["application/json"]["schema"];
        match status.as_str() {
            "200" if is_health(notified) => {
                assert!(
                    form["$ref"].is_string() || is_figures(response) || path.ends_with("__gtg"),
                    "{path} has a form"
                );
            }
            "200" => assert!(response["content"].is_object(), "{path} has a form"),
            "304" => assert!(response["content"].is_null(), "{path} has nothing to say"),
            // What is not well is told in the words of its dialect; good-to-go has none.
            "503" if is_health(notified) => assert!(
                form["$ref"].is_string() || response["content"].is_null(),
                "{path}"
            ),
            "400" if path.ends_with("__gtg") => assert!(response["content"].is_null(), "{path}"),
            _ => assert!(is_error(form), "{path} {status}"),
        }
    }
    for parameter in notified["parameters"].as_array().into_iter().flatten() {
        assert!(parameter["description"].is_string(), "{path}: {parameter}");
    }
    assert!(
        is_health(notified) || notified["responses"]["400"].is_object(),
        "{path} can be asked wrongly"
    );
}

fn is_health(notified: &Value) -> bool {
    notified["tags"][0] == "health"
}

fn is_figures(response: &Value) -> bool {
    entries(&response["content"]).all(|(kind, _)| kind.starts_with("application/openmetrics-text"))
}

fn is_error(form: &Value) -> bool {
    form["$ref"] == "#/components/schemas/Error"
}

/// Pages and what they are made of, the documents themselves, and the second spelling of a path: all else stands in a document.
const UNDOCUMENTED: [&str; 19] = [
    "/api/v1/experiments/",
    "/api/v1/openapi.json",
    "/swagger.json",
    "/api/v2/openapi.json",
    "/api/v2/docs",
    "/api/v2/docs.css",
    "/api/v1/docs",
    "/login",
    "/logout",
    "/",
    "/experiments/{stub}",
    "/pools",
    "/sources",
    "/holds",
    "/outbox",
    "/reports",
    "/lab",
    "/lab/{pool}",
    "/favicon.ico",
];

#[test]
fn every_route_for_programs_is_documented() {
    let documents = documents();
    for (method, path, need) in labwatch::http::ROUTES {
        let page = UNDOCUMENTED.contains(path)
            || ["/assets/", "/do/"]
                .iter()
                .any(|folder| path.starts_with(folder));
        let notified = documents
            .iter()
            .map(|document| &document["paths"][*path][method.as_str().to_lowercase()])
            .find(|notified| notified.is_object());
        assert_eq!(notified.is_some(), !page, "{method} {path}");
        let scoped = matches!(need, labwatch::http::auth::Need::Scope(_));
        if let Some(notified) = notified.filter(|_| scoped) {
            for status in ["401", "403", "429", "500", "503"] {
                assert!(
                    notified["responses"][status].is_object(),
                    "{method} {path} can be answered {status}"
                );
            }
        }
    }
}

/// The schemas of what is sent to us, where fields may be left out.
fn bodies(document: &Value) -> Vec<&String> {
    let methods = entries(&document["paths"]).flat_map(|(_, methods)| entries(methods));
    let sent: Vec<_> =
        methods
            .map(|(_, notified)| {
                &notified["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            })
            .collect();
    let is_sent = |name: &str| {
        sent.iter()
            .any(|form| **form == format!("#/components/schemas/{name}"))
    };
    entries(&document["components"]["schemas"])
        .map(|(name, _)| name)
        .filter(|name| is_sent(name))
        .collect()
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
    let ours = [
        "/api/v1/experiments",
        "/api/v1/experiments/events/{name}",
        "/api/v1/session",
        "/api/v1/tokens",
        "/api/v1/tokens/{id}",
    ];
    assert_eq!(paths, ours);
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
