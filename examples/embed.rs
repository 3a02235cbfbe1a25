//! A program that uses labwatch for its own health, with no laboratory configured: `cargo run
//! --example embed`, then `curl http://127.0.0.1:3008/readiness`, `/status/queue`, `/__gtg?categories=storage`, `/actuator/info` or `/actuator/motd`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use labwatch::config::{Sources, load_without_laboratory};
use labwatch::health::dialects::Endpoint;
use labwatch::health::{Attempt, Finding, Identity, Pace, State};
use labwatch::http::status_on;
use labwatch::service::{Extensions, serve_with};
use serde_json::json;

/// Where this program answers.
const PORT: u16 = 3008;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = SocketAddr::from(([127, 0, 0, 1], PORT));
    if let Some(other) = status_on(address).await {
        return Err(format!("another instance, version {}, runs already", other.version).into());
    }
    let settings = [
        ("port_serve", PORT.to_string()),
        ("api_read", "open".to_owned()),
        ("data_dir", "none".to_owned()),
        ("label", "robot-fleet".to_owned()),
    ];
    let sources = Sources {
        overrides: settings.map(|(key, value)| (key.to_owned(), value)).into(),
        ..Sources::default()
    };
    let config = load_without_laboratory(&sources)?.config;

    let mut extensions = Extensions {
        identity: Some(Identity::of_program(
            "robot-fleet",
            "1.2.3",
            Timestamp::now(),
        )),
        ..Extensions::default()
    };
    let queue = extensions.components.push("queue", None, &[])?;
    queue.report(Finding::new(State::Warn, "80 % full"));
    let pace = Pace {
        period: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        retries: 1,
        cooldown: Duration::from_millis(500),
    };
    let disk = Box::new(|| Box::pin(look_at_disk()) as _);
    let categories = ["storage".to_owned()];
    extensions
        .components
        .probe("disk", &categories, pace, disk)?;
    extensions
        .contributors
        .push(("fleet", Box::new(|_| Ok(json!({ "robots": 7 })))));
    extensions.endpoints.push(Endpoint {
        name: "motd".to_owned(),
        answer: Arc::new(|health| Ok(json!({ "hello from": health.settings.label }))),
    });
    Box::pin(serve_with(config, extensions)).await?;
    Ok(())
}

/// Finds out how the disk is; it may take its time and fail.
async fn look_at_disk() -> Attempt {
    match tokio::fs::metadata("/").await {
        Ok(_) => Attempt::Found(Finding::ok()),
        Err(error) => Attempt::Failed(error.to_string()),
    }
}
