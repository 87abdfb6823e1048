//! One connection to the file. A statement runs where it is asked for: the thread that owns the connection needs no way to another
//! one and back, which costs more than most statements do.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};

use crate::store::{Error, Row, Text, Value};

/// Statements that stay prepared.
const PREPARED: usize = 512;
/// How long it waits for another that holds the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);
/// What is deleted or replaced is overwritten in its page: a destroyed key must not be found in the file.
const SETTINGS: &str = "PRAGMA temp_store = memory; PRAGMA cache_size = -16000; PRAGMA secure_delete = fast;";

/// Pages in the log before they are carried over into the file (16 MiB): what changes again and again is carried over once.
const CARRY_OVER: &str = "PRAGMA wal_autocheckpoint = 4000";

pub struct Direct {
    conn: Connection,
    /// Texts of the program, by where they lie.
    texts: HashMap<(usize, usize), Positional>,
}

impl Direct {
    /// Creates the file where it is missing. What is committed is on the disk.
    pub fn writing(path: &Path) -> Result<Self, Error> {
        let direct = Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        direct.raw("PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA foreign_keys = on;")?;
        direct.raw(CARRY_OVER)?;
        Ok(direct)
    }

    pub fn reading(path: &Path) -> Result<Self, Error> {
        Self::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// For one question to a file that may be in use.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Neither the file nor anything beside it is changed or locked: for one that nobody uses.
    pub fn untouched(path: &Path) -> Result<Self, Error> {
        let path = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
        Self::open(Path::new(&format!("file:{path}?immutable=true")), OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open(path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(PREPARED);
        conn.execute_batch(SETTINGS)?;
        Ok(Self { conn, texts: HashMap::new() })
    }

    /// Without parameters. A text of several statements runs once, such as a migration, or seldom.
    pub fn raw(&self, sql: &str) -> Result<(), Error> {
        if sql.contains(';') {
            return Ok(self.conn.execute_batch(sql)?);
        }
        self.conn.prepare_cached(sql)?.raw_query().next()?;
        Ok(())
    }

    pub fn execute(&mut self, text: Text, args: &[Value]) -> Result<u64, Error> {
        self.run(text, args, |_| Ok(()))?;
        Ok(self.conn.changes())
    }

    pub fn fetch(&mut self, text: Text, args: &[Value]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.run(text, args, |row| {
            rows.push(to_row(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    fn run(&mut self, text: Text, args: &[Value], each: impl FnMut(&rusqlite::Row) -> Result<(), Error>) -> Result<(), Error> {
        match text {
            Text::Static(text) => {
                let place = (text.as_ptr() as usize, text.len());
                let positional = self.texts.entry(place).or_insert_with(|| Positional::of(text));
                run(&mut *self.conn.prepare_cached(&positional.sql)?, &positional.order, args, each)
            }
            Text::Built(text) => {
                let positional = Positional::of(&text);
                run(&mut *self.conn.prepare_cached(&positional.sql)?, &positional.order, args, each)
            }
        }
    }
}

fn run(
    statement: &mut Statement,
    order: &[usize],
    args: &[Value],
    mut each: impl FnMut(&rusqlite::Row) -> Result<(), Error>,
) -> Result<(), Error> {
    // An argument that is missing stays NULL; PostgreSQL, on which every store test runs too, refuses it.
    for (at, arg) in order.iter().map_while(|n| args.get(*n)).enumerate() {
        match arg {
            Value::Int(v) => statement.raw_bind_parameter(at + 1, v)?,
            Value::Text(v) => statement.raw_bind_parameter(at + 1, v.as_deref())?,
            Value::Bytes(v) => statement.raw_bind_parameter(at + 1, v.as_deref())?,
        }
    }
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

fn to_row(row: &rusqlite::Row) -> Result<Row, Error> {
    let columns = row.as_ref().column_count();
    let mut cells = Vec::with_capacity(columns);
    for column in 0..columns {
        let odd = |found: &str| Error::Shape { column, found: found.to_owned() };
        cells.push(match row.get_ref(column)? {
            ValueRef::Null => Value::Int(None),
            ValueRef::Integer(v) => Value::Int(Some(v)),
            ValueRef::Text(v) => Value::Text(Some(String::from_utf8(v.to_vec()).map_err(|_| odd("a text that is not UTF-8"))?)),
            ValueRef::Blob(v) => Value::Bytes(Some(v.to_vec())),
            ValueRef::Real(_) => return Err(odd("REAL")),
        });
    }
    Ok(Row(cells))
}

/// A statement with its parameters by position (`?`): SQLite looks every other kind up by its name, from the front of a list.
struct Positional {
    sql: String,
    /// For each `?`, which argument it is.
    order: Vec<usize>,
}

impl Positional {
    /// `$n` outside of quotes is the nth argument.
    fn of(sql: &str) -> Self {
        let mut out = Self { sql: String::with_capacity(sql.len()), order: Vec::new() };
        let (mut rest, mut quoted) = (sql, false);
        while let Some(at) = rest.find(['$', '\'']) {
            let (before, found) = rest.split_at(at);
            out.sql.push_str(before);
            let digits = found[1..].bytes().take_while(u8::is_ascii_digit).count();
            match found[1..=digits].parse::<usize>() {
                Ok(n) if n > 0 && !quoted && found.starts_with('$') => {
                    out.sql.push('?');
                    out.order.push(n - 1);
                    rest = &found[1 + digits..];
                }
                _ => {
                    quoted ^= found.starts_with('\'');
                    out.sql.push_str(&found[..1]);
                    rest = &found[1..];
                }
            }
        }
        out.sql.push_str(rest);
        out
    }
}

#[test]
fn parameters_go_by_position_except_in_quotes() {
    let positional = Positional::of("SELECT 'it''s $1', $2 FROM t WHERE a = $1 AND b = $2 AND c = $12 AND d = '$'");
    assert_eq!(positional.sql, "SELECT 'it''s $1', ? FROM t WHERE a = ? AND b = ? AND c = ? AND d = '$'");
    assert_eq!(positional.order, [1, 0, 1, 11]);
}
