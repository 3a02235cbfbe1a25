//! Commands in the name of an admin.

use std::time::Duration;

use jiff::Timestamp;
use labwatch::http::auth::{Authority, Grant, Scope};
use reqwest::{Client, Method};
use serde_json::Value;

use super::monitor::Monitor;

pub const SECRET: &str = "the-s3cr3t-of-the-ap1-of-the-orders";

pub async fn order(
    monitor: &Monitor,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    try_order(monitor.port(), method, path, body)
        .await
        .expect("answers")
}

/// Status and body of the answer to a command; `None` where the program is gone before it answers.
pub async fn try_order(
    port: u16,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Option<(u16, Value)> {
    let grant = Grant {
        name: "Ada".into(),
        scopes: [Scope::Admin].into_iter().collect(),
        reports: vec!["*".to_owned()].try_into().expect("a name"),
        life: Duration::from_secs(600),
    };
    let token = Authority::new(&SECRET.into())
        .issue(&grant, Timestamp::now())
        .expect("issues")
        .token;
    let client = Client::builder().no_proxy().build().expect("a client");
    let request = client
        .request(method, format!("http://127.0.0.1:{port}{path}"))
        .header("accept", "application/json")
        .bearer_auth(token);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let response = request.send().await.ok()?;
    Some((
        response.status().as_u16(),
        response.json().await.unwrap_or_default(),
    ))
}
