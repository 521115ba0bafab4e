//! How the tables came to be, one step a version. What has been released is never changed.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

/// A step's name, and its statements for either kind of database: the same wherever the types allow it.
struct Step {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl Step {
    const fn same(name: &'static str, sql: &'static str) -> Self {
        Self { name, sqlite: sql, postgres: sql }
    }
}

const STEPS: &[Step] = &[
    Step {
        name: "first",
        sqlite: include_str!("migrations/0001_first.sql"),
        postgres: include_str!("migrations/postgres/0001_first.sql"),
    },
    Step::same("certificates", include_str!("migrations/0002_certificates.sql")),
    Step::same("orders", include_str!("migrations/0003_orders.sql")),
    Step::same("rotation", include_str!("migrations/0004_rotation.sql")),
    Step {
        name: "calendar",
        sqlite: include_str!("migrations/0005_calendar.sql"),
        postgres: include_str!("migrations/postgres/0005_calendar.sql"),
    },
];

/// The version of the tables that this program writes.
pub(super) const LATEST: i64 = STEPS.len() as i64;

/// Takes the steps that have not been taken yet, in a file.
pub(super) async fn run_sqlite<C: Migrate>(connection: &mut C) -> Result<(), MigrateError> {
    let migrator = migrator(|step| step.sqlite);
    // Another process may be doing the same at this moment. Each step can be lost to it once; the next look finds it done.
    let mut outcome = migrator.run_direct(None, connection, false).await;
    for _ in STEPS {
        if !matches!(outcome, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))) {
            break;
        }
        outcome = migrator.run_direct(None, connection, false).await;
    }
    outcome
}

/// The same, on a server, within a transaction of the caller's: all of them or none.
pub(super) async fn run_postgres<C: Migrate>(connection: &mut C) -> Result<(), MigrateError> {
    migrator(|step| step.postgres).set_locking(false).run_direct(None, connection, false).await
}

fn migrator(sql: impl Fn(&Step) -> &'static str) -> Migrator {
    let migration = |(version, step): (i64, &Step)| {
        Migration::new(version, step.name.into(), MigrationType::Simple, sql(step).into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(STEPS).map(migration).collect())
}
