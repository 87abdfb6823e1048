//! Seeing to it that the channel's webhooks reach us: on a schedule, because channels drop subscriptions without a word.

use futures::future::BoxFuture;

use super::error::ending;
use super::{Error, Sync, health, on_behalf};
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::lanes::{Claim, Handler, HandlerError};

pub struct Subscriptions(pub Sync);

impl Handler for Subscriptions {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

/// The address a channel is given.
pub fn callback_url(public_url: &str, connection: &Connection) -> String {
    format!("{}/webhooks/{}", public_url.trim_end_matches('/'), connection.webhook_path)
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(id) = claim.connection() else { return Ok(()) };
    // Nobody outside can reach this hub: the connection polls.
    let Some(public_url) = &sync.public_url else { return Ok(()) };
    let ctx = &on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(()) };
    drop(conn);
    if !connection.may_read() {
        return Ok(());
    }
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    let Some(webhooks) = &session.manifest().webhooks else { return Ok(()) };
    let ensured =
        session.caller.webhooks_ensure(session.context(1, ""), callback_url(public_url, &connection), webhooks.topics.clone()).await;
    let subscriptions = health::heard(sync, ctx, &connection, ensured).await?;
    let active = subscriptions.iter().filter(|subscription| subscription.active).count();
    tracing::info!(connection = %connection.name, active, wanted = webhooks.topics.len(), "webhook subscriptions");
    health::note(sync, ctx, &connection, None).await
}
