//! Everything in which the two databases differ, each with its reason.

/// Which database speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// Appended to a SELECT whose rows will be changed, or must not change before this unit of work ends. SQLite's one writer makes it
    /// unnecessary there.
    pub fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// Appended to a SELECT whose rows must not be claimed ([`Self::skip_locked`]) before this unit of work ends. Many may do so at once,
    /// and whoever holds a claim already may change its row meanwhile.
    pub fn keep_unclaimed(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR KEY SHARE",
        }
    }

    /// Appended to the inner SELECT of a claim. SQLite has one writer, so nobody can hold the row.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Takes a name until the unit of work ends; whoever asks for the same name meanwhile waits. SQLite's one writer makes
    /// it unnecessary there.
    pub(super) fn claim_name(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            // The lock's own type, void, is none of the types a row is read as.
            Self::Postgres => Some("SELECT CAST(pg_advisory_xact_lock(hashtextextended($1, 0)) AS TEXT)"),
        }
    }
}

pub fn version_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SELECT sqlite_version()",
        Dialect::Postgres => "SELECT current_setting('server_version')",
    }
}

/// Versions 3.7.0 to 3.51.2 can corrupt a WAL file when two connections write and checkpoint at once
/// (sqlite.org/wal.html#walresetbug).
pub const OLDEST_SQLITE: (i32, i32, i32) = (3, 51, 3);

/// Oldest PostgreSQL the statements are tested on.
pub const OLDEST_POSTGRES: u32 = 15;

/// Out of space or read-only: nothing was written, and a later unit of work may succeed. PostgreSQL says so while its disk
/// is full, its transaction or its whole server is read-only (a standby).
pub fn is_unwritable(code: &str) -> bool {
    // SQLITE_FULL, and SQLITE_READONLY with its extended codes.
    matches!(code, "53100" | "25006") || sqlite_code(code).is_some_and(|code| matches!(code & 0xff, 8 | 13))
}

/// SQLite could not read or write its file (any of its extended codes), so it may have undone the whole transaction.
pub fn is_disk_failure(code: &str) -> bool {
    const IOERR: i64 = 10;
    sqlite_code(code).is_some_and(|code| code & 0xff == IOERR)
}

/// The database cannot be asked at the moment: classes 08 (connection), 53 (resources), 57P (shutting down, starting, crashed) and
/// 58 (its own system) of SQLSTATE; of SQLite a file that cannot be read, written or opened.
pub fn is_away(code: &str) -> bool {
    const CANTOPEN: i64 = 14;
    match sqlite_code(code) {
        Some(file) => file & 0xff == CANTOPEN || is_disk_failure(code),
        None => ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)),
    }
}

/// A value that a unique key has already; SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE.
pub fn is_duplicate(code: &str) -> bool {
    matches!(code, "23505" | "1555" | "2067")
}

/// A value that breaks a CHECK.
pub fn is_check(code: &str) -> bool {
    matches!(code, "23514" | "275")
}

/// Serialisation failure and deadlock on PostgreSQL; busy and locked on SQLite.
pub fn is_contention(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517")
}

/// SQLite's codes are shorter than SQLSTATE.
fn sqlite_code(code: &str) -> Option<i64> {
    if code.len() < 5 { code.parse().ok() } else { None }
}
