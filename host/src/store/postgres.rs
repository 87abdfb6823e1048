//! PostgreSQL: a pool, each unit of work a transaction of its own at the server's default isolation (read committed);
//! correctness rests on conditional updates and unique keys, not on the isolation level.

use std::borrow::Cow;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions, PgRow};
use sqlx::{Column as _, Connection as _, Row as _, TypeInfo as _};

use super::{Bell, Conn, Error, Row, Text, Value, WRITE_OPEN, WriteTx, chain, dialect};

const CONNECTIONS: u32 = 16;
/// A connection that was in use so short a time ago is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);
/// How often tables that grow are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A unit of work waits for nothing but the server. One that is silent for so long stands still with its process, and the
/// rows it locked are wanted by others before the leases of its lanes end.
const SILENCE_MS: &str = "10000";

pub struct Postgres {
    pool: PgPool,
    bell: Bell,
}

impl Postgres {
    pub async fn connect(url: &str, bell: Bell) -> Result<Self, Error> {
        let setup = |error: &dyn std::fmt::Display| Error::Setup {
            what: format!("cannot reach the PostgreSQL database: {error}"),
            hint: "check host, port, database name, user and password of --database; the server must be 15 or newer".into(),
        };
        let options: sqlx::postgres::PgConnectOptions = url.parse().map_err(|e: sqlx::Error| setup(&e))?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            // A round trip of its own before each unit of work; one that was at work a moment ago is asked when it is given back.
            .test_before_acquire(false)
            .before_acquire(|conn, seen| {
                Box::pin(async move { if seen.idle_for > FRESH { conn.ping().await.map(|()| true) } else { Ok(true) } })
            })
            .connect_with(options.options([("idle_in_transaction_session_timeout", SILENCE_MS)]))
            .await
            .map_err(|e| setup(&e))?;
        let version: String = sqlx::query_scalar("SELECT current_setting('server_version_num')").fetch_one(&pool).await?;
        if version.parse::<u32>().unwrap_or(0) / 10_000 < dialect::OLDEST_POSTGRES {
            return Err(setup(&format!("server version {version} is too old")));
        }
        tokio::spawn(know_young_tables(pool.clone()));
        Ok(Self { pool, bell })
    }

    pub async fn acquire(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, Error> {
        Ok(self.pool.acquire().await?)
    }

    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut WriteTx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        // A task of its own: a caller that goes away must not leave a connection inside a transaction.
        let mut tx = WriteTx::new(Conn::Postgres(self.acquire().await?), self.bell.clone());
        let task = tokio::spawn(async move {
            tx.raw("BEGIN").await?;
            let outcome = std::panic::AssertUnwindSafe(WRITE_OPEN.scope((), work(&mut tx))).catch_unwind().await;
            match outcome {
                Ok(Ok(value)) => {
                    tx.raw("COMMIT").await?;
                    std::mem::take(&mut tx.after_commit).into_iter().for_each(|hook| hook());
                    Ok(value)
                }
                Ok(Err(error)) => {
                    tx.raw("ROLLBACK").await?;
                    Err(error)
                }
                Err(_) => {
                    tx.raw("ROLLBACK").await?;
                    Err(Error::Panicked.into())
                }
            }
        });
        task.await.unwrap_or(Err(Error::Closed.into()))
    }

    pub async fn listen(&self, channel: &str) -> Result<Listener, Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(channel).await?;
        Ok(Listener(listener))
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Has tables counted that have doubled since they were counted last. The server does so too, once a minute; a first import is through by
/// then, with every statement planned as if its table were empty.
async fn know_young_tables(pool: PgPool) {
    let closed = pool.close_event();
    let mut closed = std::pin::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Err(error) = count_young_tables(&pool).await {
            tracing::debug!(error = %chain(&error), "tables that grow could not be counted; the server does it in its own time");
        }
    }
}

async fn count_young_tables(pool: &PgPool) -> Result<(), Error> {
    let young: Vec<String> = sqlx::query_scalar(
        "SELECT format('ANALYZE (SKIP_LOCKED) %I.%I', schemaname, relname) FROM pg_stat_user_tables
         WHERE schemaname = current_schema() AND n_mod_since_analyze > 250 AND n_mod_since_analyze > n_live_tup / 2",
    )
    .fetch_all(pool)
    .await?;
    for sql in young {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
    }
    Ok(())
}

/// Hears notifications of one channel; connects again by itself, and what was sent meanwhile is lost.
pub struct Listener(PgListener);

impl Listener {
    /// The text that came with the next notification.
    pub async fn next(&mut self) -> Result<String, Error> {
        Ok(self.0.recv().await?.payload().to_owned())
    }
}

fn bind(text: Text, args: &[Value]) -> sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments> {
    args.iter().fold(sqlx::query(sqlx::SqlStr::from(text)), |query, arg| match arg {
        Value::Int(v) => query.bind(*v),
        Value::Text(v) => query.bind(v.as_deref().map(storable)),
        Value::Bytes(v) => query.bind(v.as_deref()),
    })
}

pub async fn execute(conn: &mut sqlx::PgConnection, text: Text, args: &[Value]) -> Result<u64, Error> {
    Ok(bind(text, args).execute(conn).await?.rows_affected())
}

pub async fn fetch(conn: &mut sqlx::PgConnection, text: Text, args: &[Value]) -> Result<Vec<Row>, Error> {
    bind(text, args).fetch_all(conn).await?.iter().map(to_row).collect()
}

fn to_row(row: &PgRow) -> Result<Row, Error> {
    let cell = |column: &sqlx::postgres::PgColumn| -> Result<Value, Error> {
        let i = column.ordinal();
        Ok(match column.type_info().name() {
            "INT8" => Value::Int(row.try_get(i)?),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(i)?.map(i64::from)),
            "BOOL" => Value::Int(row.try_get::<Option<bool>, _>(i)?.map(i64::from)),
            "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(i)?),
            "BYTEA" => Value::Bytes(row.try_get(i)?),
            // SUM(bigint) is NUMERIC: the statement must cast it.
            other => return Err(Error::Shape { column: i, found: other.to_owned() }),
        })
    };
    row.columns().iter().map(cell).collect::<Result<_, _>>().map(Row)
}

/// PostgreSQL's texts cannot hold the character NUL, which a channel may send.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
