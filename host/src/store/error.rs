//! What a database refuses, and what of it a caller branches on.

use std::borrow::Cow;

use super::dialect;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database refused a duplicate")]
    Duplicate(#[source] Cause),
    #[error("the database refused a value that breaks a rule of its table")]
    Check(#[source] Cause),
    /// Another transaction stood in the way; the same work may succeed when repeated.
    #[error("the database asks for a retry")]
    Contended(#[source] Cause),
    #[error("the database failed")]
    Driver(#[source] Cause),
    #[error("column {column} of a row does not hold what the code expects: {found}")]
    Shape { column: usize, found: String },
    #[error("the database is closed")]
    Closed,
    /// A unit of work broke off in the middle; nothing of it was stored.
    #[error("a unit of work panicked")]
    Panicked,
    /// Nothing of the unit of work was stored, and the next may succeed: a full disk, a file that may not be written just now.
    #[error("the database takes no writes at the moment: {why}; hint: look at the room on its disk and at its permissions")]
    Unwritable { why: String },
    /// A commit failed on its way to the disk. Nothing after it can be trusted, so the process must be restarted.
    #[error("a write could not be made durable; restart the hub after checking the disk")]
    Poisoned,
    #[error("{0}")]
    Migration(#[from] super::migrate::Error),
    #[error("{what}; hint: {hint}")]
    Setup { what: String, hint: String },
}

/// What a driver said.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error(transparent)]
    Server(#[from] sqlx::Error),
    #[error(transparent)]
    File(#[from] rusqlite::Error),
}

impl Cause {
    /// SQLSTATE, or SQLite's extended result code.
    pub fn code(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Server(error) => error.as_database_error()?.code(),
            Self::File(error) => error.sqlite_error().map(|error| error.extended_code.to_string().into()),
        }
    }

    fn is_away(&self) -> bool {
        match (self, self.code()) {
            (_, Some(code)) => dialect::is_away(&code),
            (Self::Server(error), None) => {
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed)
            }
            (Self::File(_), None) => false,
        }
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        let code = cause.code();
        match code.as_deref() {
            Some(code) if dialect::is_unwritable(code) => Self::Unwritable { why: cause.to_string() },
            Some(code) if dialect::is_duplicate(code) => Self::Duplicate(cause),
            Some(code) if dialect::is_check(code) => Self::Check(cause),
            Some(code) if dialect::is_contention(code) => Self::Contended(cause),
            _ => Self::Driver(cause),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Cause::from(error).into()
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Cause::from(error).into()
    }
}

/// Whether the work failed because another unit of work stood in its way, however deep the reason lies.
pub fn is_contended(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| matches!(error.downcast_ref(), Some(Error::Contended(_))))
}

/// Whether the database could not be asked, or takes no writes at the moment: the same work may succeed when it is back.
pub fn is_away(error: &(dyn std::error::Error + 'static)) -> bool {
    let away = |error: &Error| match error {
        Error::Driver(cause) => cause.is_away(),
        Error::Closed | Error::Unwritable { .. } | Error::Poisoned => true,
        _ => false,
    };
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.downcast_ref().is_some_and(away))
}

/// Whether the same work may succeed later, because the database or another unit of work stood in its way and not what was to be stored.
pub fn may_pass(error: &(dyn std::error::Error + 'static)) -> bool {
    is_away(error) || is_contended(error)
}

/// An error with everything that caused it, for the log. What only passes another one on is not said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

#[test]
fn a_database_that_is_away_is_told_from_one_that_refuses() {
    let driver = |error: sqlx::Error| Error::from(error);
    let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    for away in
        [driver(sqlx::Error::Io(gone())), driver(sqlx::Error::PoolTimedOut), Error::Closed, Error::Unwritable { why: "full".into() }]
    {
        assert!(is_away(&away) && may_pass(&away), "{away:?}");
    }
    for here in [driver(sqlx::Error::RowNotFound), Error::Panicked, Error::Shape { column: 0, found: "NULL".into() }] {
        assert!(!may_pass(&here), "{here:?}");
    }
    for code in ["57P01", "57P02", "57P03", "08006", "53300", "58030", "10", "522", "14"] {
        assert!(dialect::is_away(code), "{code}");
    }
    for code in ["57014", "22003", "42P01", "23505", "40001", "1", "19", "1555"] {
        assert!(!dialect::is_away(code), "{code}");
    }
}
