//! What a run of a lane that reads a stream begins with.

use super::{Error, Session, Sync, imports, on_behalf, store};
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::lanes::Claim;

pub struct Reading {
    /// In the connection's name.
    pub ctx: Ctx,
    pub connection: Connection,
    /// Where the stream goes on; `None` at its beginning.
    pub cursor: Option<String>,
    pub session: Session,
}

/// `None`: there is nothing to read, because the connection is gone or reads nothing now, or its connector brings no such stream.
pub async fn open(sync: &Sync, ctx: &Ctx, claim: &Claim, stream: &str) -> Result<Option<Reading>, Error> {
    let Some(id) = claim.connection() else { return Ok(None) };
    let ctx = on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(None) };
    let cursor = store::cursor(&mut conn, &ctx, id, stream).await?;
    let held = imports::is_held(&mut conn, &ctx.tenant, id, stream).await?;
    drop(conn);
    if held || !connection.may_read() {
        return Ok(None);
    }
    let session = sync.connectors.session(sync, &ctx, &connection).await?;
    Ok(session.caller.offers(stream).then_some(Reading { ctx, connection, cursor, session }))
}
