//! Unknown names: which of them are problems, which are warnings, and the setting that was probably
//! meant.

use super::declared::{ENV_PREFIX, TABLES, Table, declared, settings, table, variable};
use super::nearest::nearest;
use super::problem::Problem;

/// A name that is not a setting.
pub(super) struct Unknown {
    /// The name as in error texts: without the prefix of the environment.
    pub(super) key: String,
    pub(super) origin: String,
    /// Whether it comes from the environment, which other programs use too.
    pub(super) from_environment: bool,
}

impl Unknown {
    /// The error. `is_set` says which settings are set by any layer but the defaults.
    pub(super) fn problem(&self, is_set: impl Fn(&str) -> bool) -> Problem {
        if let Some(table) = table(&self.key) {
            let wrong = format!("is {}", table.heading());
            let allowed = "tables stand in the configuration file only";
            return Problem::new(&self.key, wrong, allowed, &self.origin);
        }
        let names: Vec<&str> = settings().map(|setting| setting.name).collect();
        // A setting that is set already was not meant.
        let meant = nearest(&self.key, &names).filter(|name| !is_set(name));
        let meant = meant.map(|name| {
            let name = if self.from_environment {
                variable(name)
            } else {
                name.to_owned()
            };
            format!("did you mean {name}?")
        });
        let allowed = meant.unwrap_or_default();
        Problem::new(&self.key, "is not a setting", &allowed, &self.origin)
    }

    pub(super) fn warning(&self, is_set: impl Fn(&str) -> bool) -> String {
        let mut problem = self.problem(is_set);
        problem.wrong += " and is ignored";
        problem.to_string()
    }
}

/// Whether a variable is one of those that Kubernetes and Docker set for each service. A service
/// with the name `status` gets names with labwatch's prefix.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    if address {
        return true;
    }
    let key = name.strip_prefix(ENV_PREFIX).unwrap_or(name);
    if declared(&key.to_ascii_lowercase()).is_some() {
        return false;
    }
    let is_port = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = key.rsplit('_');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("HOST" | "PORT"), Some("SERVICE"), _) => true,
        (Some("PROTO" | "PORT" | "ADDR"), Some("TCP" | "UDP" | "SCTP"), Some(port)) => {
            is_port(port)
        }
        _ => key.contains("SERVICE_PORT_"),
    }
}

/// The error for an unknown table of the file.
pub(super) fn unknown_table(key: &str, origin: &str) -> Problem {
    let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    let meant = nearest(key, &names)
        .and_then(table)
        .map(|table| format!("did you mean {}?", table.heading()));
    let all = || {
        let headings: Vec<String> = TABLES.iter().map(Table::heading).collect();
        format!(
            "the tables are {}; settings stand without one, such as host_book",
            headings.join(", ")
        )
    };
    let allowed = meant.unwrap_or_else(all);
    Problem::new(key, "is not a table that labwatch knows", &allowed, origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_services_are_distinguished_from_settings() {
        for (name, value) in [
            ("STATUS_PORT", "tcp://10.0.0.1:3007"),
            ("STATUS_EMAIL_PORT", "tcp://10.0.0.2:25"),
            ("STATUS_SERVICE_HOST", "10.0.0.1"),
            ("STATUS_SERVICE_PORT", "3007"),
            ("STATUS_SERVICE_PORT_HTTP", "3007"),
            ("STATUS_PORT_3007_TCP", "tcp://10.0.0.1:3007"),
            ("STATUS_PORT_3007_TCP_PROTO", "tcp"),
            ("STATUS_PORT_3007_TCP_PORT", "3007"),
            ("STATUS_PORT_3007_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(is_service_link(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("STATUS_PORT", "3007"),
            ("STATUS_PORT_SERVE", "3007"),
            ("STATUS_EMAIL_PORT", "25"),
            ("STATUS_HOST_BOOK", "app.example.org"),
            ("STATUS_PORT_X_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }
}
