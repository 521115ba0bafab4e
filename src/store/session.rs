//! One way to give statements to either kind of database.
//!
//! The statements are the same for both (`$1`, upserts, BIGINT, TEXT); what differs is sqlx's types, and they end here. sqlx's own
//! `Any` was the alternative: it copies every value of every row once more, and knows no booleans in SQLite.

use super::StoreError;
use super::postgres::Watch;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query as Prepared;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Connection, Decode, Encode, Row as _, SqlSafeStr, Type};

/// A database, for as long as nobody else needs it.
pub(super) enum Session<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection, Watch<'c>),
}

/// All that is done in it counts once it has been committed, or not at all.
pub(super) enum Transaction<'c> {
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    Postgres(sqlx::Transaction<'c, Postgres>, Watch<'c>),
}

/// A statement with what stands for `$1`, `$2`...
pub(super) enum Query<'c> {
    Sqlite(&'c mut SqliteConnection, Prepared<'static, Sqlite, SqliteArguments>),
    Postgres(&'c mut PgConnection, Watch<'c>, Prepared<'static, Postgres, PgArguments>),
}

pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What can be written into a column.
pub(super) trait Value<'v>: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres> {}
impl<'v, T: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres>> Value<'v> for T {}

/// What can be read from one.
pub(super) trait Column<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}
impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Column<'r> for T {}

impl<'c> Session<'c> {
    pub fn query(self, sql: impl SqlSafeStr) -> Query<'c> {
        match self {
            Self::Sqlite(connection) => Query::Sqlite(connection, sqlx::query(sql)),
            Self::Postgres(connection, watch) => Query::Postgres(connection, watch, sqlx::query(sql)),
        }
    }

    /// Begins to write. Whoever else would write waits until this is over: what is read in between stays true.
    pub async fn begin(self) -> Result<Transaction<'c>, StoreError> {
        self.transaction("BEGIN IMMEDIATE", super::postgres::BEGIN).await
    }

    /// Begins to read what belongs together.
    pub async fn begin_to_read(self) -> Result<Transaction<'c>, StoreError> {
        self.transaction("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn transaction(self, sqlite: &'static str, postgres: &'static str) -> Result<Transaction<'c>, StoreError> {
        Ok(match self {
            Self::Sqlite(connection) => Transaction::Sqlite(connection.begin_with(sqlite).await?),
            Self::Postgres(connection, mut watch) => {
                watch.enter();
                let transaction = watch.over(connection.begin_with(postgres)).await?;
                Transaction::Postgres(transaction, watch)
            }
        })
    }
}

impl Transaction<'_> {
    pub fn session(&mut self) -> Session<'_> {
        match self {
            Self::Sqlite(transaction) => Session::Sqlite(transaction),
            Self::Postgres(transaction, watch) => Session::Postgres(transaction, watch.again()),
        }
    }

    pub fn query(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        self.session().query(sql)
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction, mut watch) => {
                watch.over(transaction.commit()).await?;
                watch.leave();
            }
        }
        Ok(())
    }
}

impl Query<'_> {
    /// What stands for the next `$n`.
    pub fn bind<'v>(self, value: impl Value<'v>) -> Self {
        match self {
            Self::Sqlite(connection, query) => Self::Sqlite(connection, query.bind(value)),
            Self::Postgres(connection, watch, query) => Self::Postgres(connection, watch, query.bind(value)),
        }
    }

    /// Says how many rows were written.
    pub async fn execute(self) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(connection, query) => query.execute(connection).await?.rows_affected(),
            Self::Postgres(connection, mut watch, query) => {
                watch.over(query.execute(connection)).await?.rows_affected()
            }
        })
    }

    pub async fn fetch_all(self) -> Result<Vec<Row>, StoreError> {
        self.fetch_each(|row| row).await
    }

    /// What `make` makes of each row, of which no more than one is held.
    pub async fn fetch_each<T: Send + Unpin>(
        self,
        make: impl Fn(Row) -> T + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        Ok(match self {
            Self::Sqlite(connection, query) => query.map(|row| make(Row::Sqlite(row))).fetch_all(connection).await?,
            Self::Postgres(connection, mut watch, query) => {
                watch.over(query.map(|row| make(Row::Postgres(row))).fetch_all(connection)).await?
            }
        })
    }

    pub async fn fetch_optional(self) -> Result<Option<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(connection, query) => query.fetch_optional(connection).await?.map(Row::Sqlite),
            Self::Postgres(connection, mut watch, query) => {
                watch.over(query.fetch_optional(connection)).await?.map(Row::Postgres)
            }
        })
    }

    pub async fn fetch_one(self) -> Result<Row, StoreError> {
        self.fetch_optional().await?.ok_or(StoreError::Query(sqlx::Error::RowNotFound))
    }
}

impl Row {
    /// The value of a column, as sqlx's `get` gives it: the statement and the tables are both ours.
    pub fn get<'r, T: Column<'r>>(&'r self, column: &str) -> T {
        match self {
            Self::Sqlite(row) => row.get(column),
            Self::Postgres(row) => row.get(column),
        }
    }
}

/// What stands in a statement for `rows` rows of `columns` values.
///
/// SQLite looks each numbered one up among those before it; unnumbered ones it counts.
pub(super) fn placeholders(session: &Session<'_>, rows: usize, columns: usize) -> String {
    use std::fmt::Write as _;
    let numbered = matches!(session, Session::Postgres(..));
    let mut text = String::with_capacity(rows * columns * 8);
    for row in 0..rows {
        for column in 0..columns {
            text.push_str(match (row, column) {
                (0, 0) => "(",
                (_, 0) => "), (",
                _ => ", ",
            });
            match numbered {
                true => drop(write!(text, "${}", row * columns + column + 1)),
                false => text.push('?'),
            }
        }
    }
    text.push(')');
    text
}
