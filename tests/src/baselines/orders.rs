//! B4: what an order does to the database, and nothing else: the order, its lines, a movement and a conditional update of
//! the stock per line, and a desired quantity per line and channel. Sixteen orders share a commit with full sync.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, Transaction, params};

const GROUP: i64 = 16;
const LINES: i64 = 3;
const VARIANTS: i64 = 10_000;

const DOCUMENT: usize = 2_048;

/// Keys and indexes as a hub for many merchants and shops needs them.
const TABLES: &str = "
    CREATE TABLE orders (tenant TEXT, id TEXT, connection TEXT NOT NULL, external_id TEXT NOT NULL, state TEXT NOT NULL,
        total_minor BIGINT NOT NULL, placed_at BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (tenant, id));
    CREATE UNIQUE INDEX orders_external ON orders (tenant, connection, external_id);
    CREATE INDEX orders_placed ON orders (tenant, placed_at);
    CREATE TABLE order_line (tenant TEXT, order_id TEXT, line BIGINT, variant TEXT NOT NULL, title TEXT NOT NULL,
        quantity BIGINT NOT NULL, total_minor BIGINT NOT NULL, PRIMARY KEY (tenant, order_id, line));
    CREATE TABLE movement (tenant TEXT, id TEXT, ref TEXT NOT NULL, line TEXT NOT NULL, kind TEXT NOT NULL, variant TEXT NOT NULL,
        quantity BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (tenant, id), UNIQUE (tenant, ref, line, kind, variant));
    CREATE TABLE stock (tenant TEXT, variant TEXT, on_hand BIGINT NOT NULL, reserved BIGINT NOT NULL,
        PRIMARY KEY (tenant, variant), CHECK (reserved <= on_hand));
    CREATE TABLE desired (tenant TEXT, connection TEXT, listing TEXT, field TEXT, version BIGINT NOT NULL, due_at BIGINT NOT NULL,
        PRIMARY KEY (tenant, connection, listing, field));
    CREATE INDEX desired_due ON desired (due_at);";

/// Orders per second. `channels` is how many shops are told about each line.
pub fn run(folder: &Path, orders: i64, channels: i64) -> f64 {
    let mut connection = Connection::open(folder.join("orders.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.set_prepared_statement_cache_capacity(32);
    connection.execute_batch(TABLES).unwrap();
    let filling = connection.transaction().unwrap();
    for variant in 0..VARIANTS {
        filling.execute("INSERT INTO stock VALUES ('main', ?1, 1000000000, 0)", params![name(variant)]).unwrap();
    }
    filling.commit().unwrap();
    let began = Instant::now();
    let mut done = 0;
    while done < orders {
        let transaction = connection.transaction().unwrap();
        for order in done..orders.min(done + GROUP) {
            one(&transaction, order, channels).unwrap();
        }
        transaction.commit().unwrap();
        done += GROUP;
    }
    orders as f64 / began.elapsed().as_secs_f64()
}

fn name(variant: i64) -> String {
    format!("var_{variant:026}")
}

fn one(tx: &Transaction<'_>, order: i64, channels: i64) -> rusqlite::Result<()> {
    let (id, at) = (format!("ord_{order:026}"), 1_700_000_000_000 + order);
    let mut insert =
        tx.prepare_cached("INSERT INTO orders VALUES ('main', ?1, 'con_1', ?2, 'paid', 12900, ?3, ?4) ON CONFLICT DO NOTHING")?;
    insert.execute(params![id, order.to_string(), at, "x".repeat(DOCUMENT)])?;
    let mut insert_line = tx.prepare_cached("INSERT INTO order_line VALUES ('main', ?1, ?2, ?3, 'A canvas bag, green', 1, 4300)")?;
    let mut insert_movement = tx.prepare_cached("INSERT INTO movement VALUES ('main', ?1, ?2, ?3, 'reserve', ?4, -1, ?5)")?;
    let mut reserve =
        tx.prepare_cached("UPDATE stock SET reserved = reserved + 1 WHERE tenant = 'main' AND variant = ?1 AND on_hand - reserved >= 1")?;
    let mut want = tx.prepare_cached(
        "INSERT INTO desired VALUES ('main', ?1, ?2, 'stock', 1, ?3)
         ON CONFLICT (tenant, connection, listing, field) DO UPDATE SET version = version + 1, due_at = excluded.due_at",
    )?;
    for line in 0..LINES {
        let variant = name((order * 7 + line * 331) % VARIANTS);
        insert_line.execute(params![id, line, variant])?;
        insert_movement.execute(params![format!("mov_{order:024}{line:02}"), id, line.to_string(), variant, at])?;
        assert_eq!(reserve.execute(params![variant])?, 1);
        for channel in 0..channels {
            want.execute(params![format!("con_{channel}"), variant, at])?;
        }
    }
    Ok(())
}
