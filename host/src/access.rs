//! Who asks, and what they may do: API keys for programs, sessions for people at the pages.
//!
//! A key is `ek_` and 256 random bits; a login link and a session cookie are 256 random bits. Only their SHA-256 is kept,
//! and each request is looked up by it, so a revoked key stops at once. The tenant comes from the credential, never from a
//! request. Whoever calls [`authenticate`] asks [`Grant::allows`] before doing anything.

mod error;
mod store;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use error::Error;

use crate::ctx::{Ctx, Tenant};
use crate::id::{Entropy, KeyId};
use crate::page::{Page, PageRequest};
use crate::secrets::Secret;
use crate::store::{Sql, WriteTx};

const KEY_PREFIX: &str = "ek_";
/// Characters of a key that are kept in clear: enough to recognise, too few to guess the rest.
const SHOWN: usize = 8;
const LINK_LIFE_MS: i64 = 10 * 60_000;
const SESSION_LIFE_MS: i64 = 12 * 3_600_000;
/// How exact `last_used_at` is: one write a minute and key, however many requests.
const LAST_USED_MS: i64 = 60_000;

/// What a credential is good for. Each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Read,
    Write,
    Admin,
}

impl Scope {
    pub const ALL: &'static [Self] = &[Self::Read, Self::Write, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| Error::UnknownScope { value: text.chars().take(40).collect() })
    }
}

/// An accepted credential.
#[derive(Clone, Debug)]
pub struct Grant {
    pub tenant: Tenant,
    /// For the ledger and the timeline: `key:key_…` or `person:…`.
    pub actor: String,
    pub scope: Scope,
    /// Whether a browser sends it by itself: then a change needs the token of [`csrf_token`].
    pub ambient: bool,
    touch: Option<KeyId>,
}

impl Grant {
    pub fn allows(&self, scope: Scope) -> bool {
        self.scope >= scope
    }

    /// Whether [`record_use`] has something to note; most requests of a busy key do not.
    pub fn wants_record(&self) -> bool {
        self.touch.is_some()
    }
}

/// A key as lists show it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Key {
    pub id: KeyId,
    pub name: String,
    /// First characters, to recognise it by.
    pub start: String,
    pub scope: Scope,
    pub created_by: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

/// Makes a key. The secret is returned once and never again.
pub async fn create_key(tx: &mut WriteTx, ctx: &Ctx, name: &str, scope: Scope, expires_at: Option<i64>) -> Result<(Key, Secret), Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::BadName);
    }
    if let Some(at) = expires_at.filter(|at| *at <= ctx.now_ms()) {
        return Err(Error::Past { at: crate::clock::to_rfc3339(at) });
    }
    let text = format!("{KEY_PREFIX}{}", random_text(ctx.ids.entropy()));
    let key = Key {
        id: KeyId::new(&ctx.ids),
        name: name.to_owned(),
        start: text.chars().take(SHOWN).collect(),
        scope,
        created_by: ctx.actor.clone(),
        created_at: ctx.now_ms(),
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    store::insert_key(tx, ctx, &key, digest(&text)).await?;
    Ok((key, Secret::from_text(&text)))
}

/// Oldest first, revoked ones too.
pub async fn list_keys(conn: &mut impl Sql, tenant: &Tenant, request: &PageRequest) -> Result<Page<Key>, Error> {
    store::list_keys(conn, tenant, request).await
}

/// Stops a key at once; a second time changes nothing.
pub async fn revoke_key(tx: &mut WriteTx, ctx: &Ctx, id: &KeyId) -> Result<Key, Error> {
    store::revoke_key(tx, ctx, id).await?.ok_or_else(|| Error::UnknownKey { id: id.clone() })
}

/// Checks a key or a session cookie. Every reason to refuse looks the same from outside.
pub async fn authenticate(conn: &mut impl Sql, now_ms: i64, presented: &str) -> Result<Grant, Error> {
    let hash = digest(presented);
    if presented.starts_with(KEY_PREFIX) {
        let (tenant, key) = store::find_key(conn, &hash).await?.ok_or(Error::Refused)?;
        if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now_ms) {
            return Err(Error::Refused);
        }
        let stale = key.last_used_at.is_none_or(|at| now_ms.saturating_sub(at) >= LAST_USED_MS);
        return Ok(Grant { tenant, actor: format!("key:{}", key.id), scope: key.scope, ambient: false, touch: stale.then_some(key.id) });
    }
    let (tenant, actor, scope) = store::find_session(conn, "session", &hash, now_ms).await?.ok_or(Error::Refused)?;
    Ok(Grant { tenant, actor, scope, ambient: true, touch: None })
}

/// Notes that a key was used.
pub async fn record_use(tx: &mut WriteTx, ctx: &Ctx, grant: &Grant) -> Result<(), Error> {
    match &grant.touch {
        Some(id) => store::touch_key(tx, &grant.tenant, id, ctx.now_ms()).await,
        None => Ok(()),
    }
}

/// Makes a token for a link that opens the pages once, within ten minutes.
pub async fn create_link(tx: &mut WriteTx, ctx: &Ctx, scope: Scope) -> Result<Secret, Error> {
    store::drop_expired(tx, ctx).await?;
    let text = random_text(ctx.ids.entropy());
    store::insert_session(tx, ctx, "link", digest(&text), &ctx.actor, scope, ctx.now_ms().saturating_add(LINK_LIFE_MS)).await?;
    Ok(Secret::from_text(&text))
}

/// A session that began: the cookie's value, which is returned once.
pub struct Session {
    pub cookie: Secret,
    pub scope: Scope,
    /// For the cookie's `Max-Age`.
    pub life_s: i64,
}

/// Turns the token of a link into a session; a second use of the same link is refused.
pub async fn redeem_link(tx: &mut WriteTx, ctx: &Ctx, token: &str) -> Result<Session, Error> {
    let (tenant, actor, scope) = store::take_link(tx, &digest(token), ctx.now_ms()).await?.ok_or(Error::Refused)?;
    let text = random_text(ctx.ids.entropy());
    let ctx = Ctx { tenant, ..ctx.clone() };
    store::insert_session(tx, &ctx, "session", digest(&text), &actor, scope, ctx.now_ms().saturating_add(SESSION_LIFE_MS)).await?;
    Ok(Session { cookie: Secret::from_text(&text), scope, life_s: SESSION_LIFE_MS / 1000 })
}

/// Ends a session; one that does not exist has ended already.
pub async fn end_session(tx: &mut WriteTx, cookie: &str) -> Result<(), Error> {
    store::end_session(tx, &digest(cookie)).await
}

/// What a page puts into its forms: only who can read the page of this session knows it.
pub fn csrf_token(cookie: &str) -> String {
    // HMAC takes keys of any length, so there is always a token.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(cookie.as_bytes()) else { return String::new() };
    mac.update(b"entrepot form");
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

pub fn csrf_matches(cookie: &str, given: &str) -> bool {
    let token = csrf_token(cookie);
    !token.is_empty() && token.as_bytes().ct_eq(given.as_bytes()).into()
}

fn random_text(entropy: &Entropy) -> String {
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    entropy.fill(&mut *bytes);
    URL_SAFE_NO_PAD.encode(bytes.as_slice())
}

fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests;
