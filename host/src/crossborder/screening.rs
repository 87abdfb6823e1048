//! Sanction lists the merchant imports, and who is looked up in them. None is shipped.

use std::sync::{Arc, Mutex, PoisonError};

use entrepot_crossborder::screening::{List, Screening, Settings, Subject, screen as compare};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Error, store};
use crate::ctx::{Ctx, Tenant};
use crate::hex::hex;
use crate::store::{Sql, WriteTx};

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListView {
    pub name: String,
    /// Hash of its text: an answer names it.
    pub version: String,
    pub entries: i64,
    pub imported_at: i64,
    pub imported_by: String,
}

/// Lists as they were read last, by their texts: reading a large one takes a while.
static READ: Mutex<Option<(String, Arc<Vec<List>>)>> = Mutex::new(None);

/// Takes a list, in place of the one of the same name.
pub async fn import_list(tx: &mut WriteTx, ctx: &Ctx, name: &str, text: &str) -> Result<ListView, Error> {
    let name = super::model::clean_name(name)?;
    let list = List::from_csv(&name, text)?;
    let entries = i64::try_from(list.entries().len()).unwrap_or(i64::MAX);
    store::put_list(tx, ctx, &name, list.version(), entries, text).await?;
    Ok(ListView { name, version: list.version().to_owned(), entries, imported_at: ctx.now_ms(), imported_by: ctx.actor.clone() })
}

pub async fn remove_list(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<(), Error> {
    if store::drop_list(tx, ctx, name).await? { Ok(()) } else { Err(Error::NoList { name: name.chars().take(80).collect() }) }
}

pub async fn lists(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<ListView>, Error> {
    store::lists(conn, tenant).await
}

/// Looks a name up in every list. Without any list nobody is clear.
pub async fn screen(conn: &mut impl Sql, tenant: &Tenant, subject: &Subject) -> Result<Screening, Error> {
    let texts = store::list_texts(conn, tenant).await?;
    let mut hash = Sha256::new();
    for (name, text) in &texts {
        hash.update(name.len().to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(text.as_bytes());
    }
    let key = hex(hash.finalize());
    let known = READ.lock().unwrap_or_else(PoisonError::into_inner).as_ref().filter(|(of, _)| *of == key).map(|(_, lists)| lists.clone());
    let lists = match known {
        Some(lists) => lists,
        None => {
            let lists = texts.iter().map(|(name, text)| List::from_csv(name, text)).collect::<Result<Vec<_>, _>>()?;
            let lists = Arc::new(lists);
            *READ.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, lists.clone()));
            lists
        }
    };
    Ok(compare(&lists, subject, Settings::default()))
}
