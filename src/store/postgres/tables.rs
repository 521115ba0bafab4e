//! The tables on a server: whose they are, which version they have, and how they are brought up to date.

use super::fault;
use super::line::Line;
use crate::store::StoreError;
use crate::store::migrations::{self, LATEST};
use crate::store::session::{Session, Transaction};
use sqlx::migrate::MigrateError;

/// Makes the tables, or brings them up to date, all in one transaction: of several replicas that start together one does it, and the
/// others find it done.
pub async fn prepare(line: &mut Line) -> Result<(), StoreError> {
    let place = line.place().to_owned();
    let mut transaction = line.session().begin().await?;
    refuse_foreign(&mut transaction, &place).await?;
    match version(&mut transaction).await? {
        // Nothing to do, so that the role needs no right to make tables but for an upgrade.
        LATEST => {}
        later @ LATEST.. => return Err(StoreError::Newer { place, version: later }),
        _ => migrate(&mut transaction, place).await?,
    }
    // A state that can be read is not yet one that can be written.
    transaction.query("DELETE FROM leases WHERE name IS NULL").execute().await?;
    transaction.commit().await
}

async fn migrate(transaction: &mut Transaction<'_>, place: String) -> Result<(), StoreError> {
    let Session::Postgres(connection, _) = transaction.session() else { return Ok(()) };
    migrations::run_postgres(connection).await.map_err(|why| match why {
        MigrateError::Execute(why) | MigrateError::ExecuteMigration(why, _) => {
            StoreError::Server { place, why: fault::sentence(&why) }
        }
        why => StoreError::Migrate { place, why },
    })
}

/// A schema with tables, none of which is ours, is somebody else's. Those of an extension are nobody's.
pub async fn refuse_foreign(transaction: &mut Transaction<'_>, place: &str) -> Result<(), StoreError> {
    const FOREIGN: &str = "SELECT count(*) AS n FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace \
        WHERE s.nspname = current_schema() AND t.relkind IN ('r', 'p') AND t.relname <> '_sqlx_migrations' \
        AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = t.oid AND d.deptype = 'e') \
        AND NOT EXISTS (SELECT 1 FROM pg_class AS o WHERE o.relnamespace = s.oid AND o.relname = 'leases')";
    match transaction.query(FOREIGN).fetch_one().await?.get::<i64>("n") {
        0 => Ok(()),
        _ => Err(StoreError::ForeignSchema { place: place.to_owned() }),
    }
}

/// The version of the tables; 0 for none.
pub async fn version(transaction: &mut Transaction<'_>) -> Result<i64, StoreError> {
    const OURS: &str = "SELECT count(*) AS n FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace \
        WHERE s.nspname = current_schema() AND t.relname = '_sqlx_migrations'";
    if transaction.query(OURS).fetch_one().await?.get::<i64>("n") == 0 {
        return Ok(0);
    }
    let latest = "SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations";
    Ok(transaction.query(latest).fetch_one().await?.get("version"))
}
