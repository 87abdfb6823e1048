//! Erasing a buyer from everything the hub keeps: the key, what was sealed with it, and the deliveries that told of the orders.
//!
//! The ids of the erased are also noted outside of the database, one line each: a copy made before does not know them, and is
//! told when it is restored.

use std::io::Write as _;
use std::path::Path;

use super::{Error, Sync};
use crate::clock::to_rfc3339;
use crate::ctx::Ctx;
use crate::id::PersonId;
use crate::inbox;
use crate::lanes::{self, Claim};
use crate::orders::persons::{self, Erased, Whom};
use crate::secrets::Vault;
use crate::store::Store;

impl Sync {
    /// Erases whoever is meant, and notes it for copies that do not know of it yet. Durable when it returns. `guard`: the lane
    /// on whose behalf.
    pub async fn erase(&self, ctx: &Ctx, whom: Whom, guard: Option<&Claim>) -> Result<Vec<Erased>, Error> {
        let erased = erase(&self.store, &self.vault, ctx, whom, guard.cloned()).await?;
        if let Some(log) = &self.erasure_log {
            note(log, ctx.now_ms(), &erased).map_err(|source| Error::NotNoted { path: log.clone(), source })?;
        }
        Ok(erased)
    }
}

/// Here only; whoever restores a copy repeats what a log says without noting it again.
pub async fn erase(store: &Store, vault: &Vault, ctx: &Ctx, whom: Whom, guard: Option<Claim>) -> Result<Vec<Erased>, Error> {
    let (vault, owned) = (vault.clone(), ctx.clone());
    let erased = store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(claim) = &guard {
                    lanes::fence(tx, claim).await?;
                }
                let erased = persons::erase(tx, &owned, &vault, &whom).await?;
                for (connection, external_id) in erased.iter().flat_map(|erased| &erased.orders) {
                    inbox::forget_lane(tx, &owned, &inbox::order_lane(connection, external_id)).await?;
                }
                Ok::<_, Error>(erased)
            })
        })
        .await?;
    if !erased.is_empty() {
        store.scrub().await?;
    }
    Ok(erased)
}

/// Adds lines to the log beside the master key.
pub fn note(log: &Path, at_ms: i64, erased: &[Erased]) -> std::io::Result<()> {
    if erased.is_empty() {
        return Ok(());
    }
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::options().create(true).append(true).open(log)?;
    for erased in erased {
        writeln!(file, "{} {}", erased.person, to_rfc3339(at_ms))?;
    }
    file.sync_all()
}

/// Whom a log names; a line that names nobody is an error, for it may be one that was cut short.
pub fn named(text: &str) -> Result<Vec<PersonId>, Error> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let person = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        PersonId::parse(word).map_err(|error| {
            Error::refused(format!("a line of the log of erasures cannot be read: {error}"), "correct or remove that line")
        })
    };
    lines.map(person).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clock::Clock;
    use crate::id::{Entropy, Ids};

    #[test]
    fn the_log_is_appended_to_and_read_back_and_a_cut_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("erasures.log");
        let ids = Ids::new(Clock::manual(1), Entropy::seeded(1));
        let erased = |person: &PersonId| Erased { person: person.clone(), orders: Vec::new(), new: true };
        let (a, b) = (PersonId::new(&ids), PersonId::new(&ids));
        note(&log, 1_700_000_000_000, &[erased(&a)]).unwrap();
        note(&log, 1_700_000_000_000, &[erased(&b)]).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(named(&text).unwrap(), [a, b]);
        assert!(named(&text[..text.len() - 40]).unwrap_err().to_string().contains("cannot be read"));
    }
}
