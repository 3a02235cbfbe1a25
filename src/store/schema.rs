//! The versions of the tables, and the migrations between them.

use rusqlite::Connection;

use super::migrate;

/// Every version of the tables, as the step from the one before it. Steps are only ever added.
const MIGRATIONS: [Migration; 4] = [
    Migration::sql(include_str!("schema.sql")),
    Migration::sql(include_str!("routes.sql")),
    Migration::sql(include_str!("bookings.sql")),
    Migration {
        sql: include_str!("state.sql"),
        then: Some(migrate::to_state),
    },
];

/// A step from one version of the tables to the next.
struct Migration {
    sql: &'static str,
    /// Moves rows where SQL alone cannot.
    then: Option<fn(&Connection) -> rusqlite::Result<()>>,
}

impl Migration {
    const fn sql(sql: &'static str) -> Self {
        Self { sql, then: None }
    }
}

/// The version of the tables.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT user_version FROM pragma_user_version, (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )
}

/// The newest version of the tables that is known.
pub(super) fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Migrates the tables to the newest version, all steps or none.
pub(super) fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(found).unwrap_or(0);
    if done >= MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step.sql)?;
        if let Some(then) = step.then {
            then(&transaction)?;
        }
    }
    transaction.pragma_update(None, "user_version", known_version())?;
    transaction.commit()
}
