//! Why access is refused or a key cannot be made.

use crate::id::KeyId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    /// Unknown, revoked, expired or used up: one answer for all.
    #[error("this key or session is not valid; hint: make a new key with `entrepot key create`, or a new link with `entrepot login`")]
    Refused,
    #[error("there is no key {id}; hint: `entrepot key list`")]
    UnknownKey { id: KeyId },
    #[error("`{value}` is no scope; hint: read, write or admin")]
    UnknownScope { value: String },
    #[error("a key needs a name of 1 to 100 characters; hint: say who or what will use it")]
    BadName,
    #[error("{at} is in the past; hint: name a later time, or none for a key without an end")]
    Past { at: String },
}
