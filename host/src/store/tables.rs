//! Which tables a database has, by its own word: for what concerns all of them and knows none.

use super::{Dialect, Error, Sql, Store};
use crate::args;

/// One table as the database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// In the order in which `SELECT *` gives them.
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// Part of the primary key.
    pub key: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    Bytes,
    /// Something that our migrations never use.
    Other,
}

impl Kind {
    fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "bigint" => Self::Int,
            "text" => Self::Text,
            "blob" | "bytea" => Self::Bytes,
            _ => Self::Other,
        }
    }
}

const SQLITE: &str = "SELECT t.name, c.name, c.type, CASE WHEN c.pk > 0 THEN 1 ELSE 0 END \
                      FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c \
                      WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY t.name, c.cid";

const POSTGRES: &str = "SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT), CAST(format_type(a.atttypid, NULL) AS TEXT), \
                        CAST(EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS INT) \
                        FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
                        WHERE t.relkind IN ('r', 'p') AND t.relnamespace = CAST(current_schema() AS regnamespace) \
                        ORDER BY CAST(t.relname AS TEXT) COLLATE \"C\", a.attnum";

impl Store {
    /// Every table, in the order of their names.
    pub async fn tables(&self) -> Result<Vec<Table>, Error> {
        let sql = match self.dialect() {
            Dialect::Sqlite => SQLITE,
            Dialect::Postgres => POSTGRES,
        };
        let mut tables: Vec<Table> = Vec::new();
        for row in self.read().await?.fetch_all(sql, args![]).await? {
            let (table, name, kind): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if tables.last().is_none_or(|last| last.name != table) {
                tables.push(Table { name: table, columns: Vec::new() });
            }
            if let Some(last) = tables.last_mut() {
                last.columns.push(Column { name, kind: Kind::named(&kind), key: row.get(3)? });
            }
        }
        Ok(tables)
    }
}
