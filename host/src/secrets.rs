//! Credentials and personal data at rest: sealed, bound to their row, under keys that can be destroyed.
//!
//! Three layers. The [`MasterKey`] (a file outside the data folder) wraps other keys only. A *secret* (table `secret`) is
//! sealed under a key of its own that travels with it, wrapped. A *data key* (table `data_key`) seals many values of one
//! purpose, such as one customer or one day of deliveries; destroying it makes all of them unreadable, in backups too.

mod master;
mod seal;
mod secret;
mod vault;

pub use master::{Error as MasterKeyError, MasterKey};
pub use seal::{Key, Place, Unopened};
pub use secret::Secret;
pub use vault::{DataKey, Error, ROTATION_SLOTS, Vault};

#[cfg(test)]
mod tests;
