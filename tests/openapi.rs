//! The checked-in OpenAPI document says what the code does. `UPDATE=1` (which `scripts/openapi.sh` sets) writes it anew.

use std::path::Path;

use serde_json::Value;

#[test]
fn the_document_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/labwatch-v1.json");
    let made = labwatch::api::document().to_pretty_json().expect("serialises") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).expect("writes the document");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "openapi/labwatch-v1.json is not what the code says: run scripts/openapi.sh, and look at what changed");
    assert_eq!(labwatch::api::DOCUMENT_JSON, made, "what is served is what is checked in");
}

#[test]
fn every_field_is_described_and_always_there() {
    let document = serde_json::to_value(labwatch::api::document()).expect("serialises");
    let schemas = document["components"]["schemas"].as_object().expect("has schemas");
    for name in
        ["Experiment", "Event", "ConnectionReport", "Statistics", "Direction", "Stream", "Error", "Who", "RevokedToken", "Revocation"]
    {
        let schema = schemas.get(name).unwrap_or_else(|| panic!("there is no schema {name}: {:?}", schemas.keys()));
        let required: Vec<_> = schema["required"].as_array().expect("has required fields").iter().filter_map(Value::as_str).collect();
        for (field, about) in schema["properties"].as_object().expect("has fields") {
            assert!(required.contains(&field.as_str()), "{name}.{field} is always there, and the document should say so");
            assert!(about["description"].is_string(), "{name}.{field} has no description");
        }
    }
}

#[test]
fn the_head_names_us_and_the_licence() {
    let document = serde_json::to_value(labwatch::api::document()).expect("serialises");
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "labwatch");
    assert_eq!(document["info"]["license"]["identifier"], "MIT OR Apache-2.0");
    let paths: Vec<_> = document["paths"].as_object().expect("has paths").keys().cloned().collect();
    let ours = ["/api/v1/experiments", "/api/v1/experiments/events/{name}", "/api/v1/session", "/api/v1/tokens", "/api/v1/tokens/{id}"];
    assert_eq!(paths, ours);
}
