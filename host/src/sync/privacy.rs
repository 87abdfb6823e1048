//! What a channel asks on a person's behalf, or when a shop is gone: deliveries that the manifest says are the hub's own to obey.
//! No connector sees them.

use serde_json::Value;

use super::{Error, Sync};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::inbox::{self, Ending, Recorded};
use crate::lanes::{self, Claim};
use crate::orders::{self, persons::Whom};
use crate::plugins::manifest::{Asks, Privacy};

/// Does what is asked, and keeps nothing of who asked.
pub async fn obey(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    rule: &Privacy,
    delivery: &Recorded,
) -> Result<Ending, Error> {
    let Ok(body) = serde_json::from_slice::<Value>(&delivery.body) else { return Ok(Ending::Refused("the body is not JSON".into())) };
    let customer = rule.customer.as_deref().and_then(|pointer| text(body.pointer(pointer)?)).map(|id| format!("{}{id}", rule.prefix));
    match (rule.asks, customer) {
        (Asks::Export, Some(customer)) => {
            let (name, id) = (&connection.name, &delivery.id);
            return Ok(Ending::Refused(format!(
                "a customer asks what is kept; hint: give the shop's owner what `entrepot person export --connection '{name}' --customer {customer}` prints, then `entrepot sync skip {id}`"
            )));
        }
        (Asks::Erase, Some(customer)) => {
            erase(sync, ctx, claim, Whom::Customer { connection: connection.id.clone(), external_id: customer }).await?;
            for order in rule.orders.as_deref().and_then(|pointer| body.pointer(pointer)?.as_array()).into_iter().flatten().filter_map(text)
            {
                let external_id = format!("{}{order}", rule.order_prefix);
                let mut conn = sync.store.read().await?;
                let known = orders::find_external(&mut conn, &ctx.tenant, &connection.id, &external_id).await?;
                drop(conn);
                if let Some(order) = known {
                    erase(sync, ctx, claim, Whom::Order(order)).await?;
                }
            }
        }
        (Asks::EraseAll, _) => while erase(sync, ctx, claim, Whom::SomeOf(connection.id.clone())).await? > 0 {},
        (Asks::Export | Asks::Erase, None) => return Ok(Ending::Refused("the body names no customer".into())),
    }
    let (owned, claim) = (ctx.clone(), claim.clone());
    let forgotten = sync.store.write(move |tx| {
        Box::pin(async move {
            lanes::fence(tx, &claim).await?;
            Ok::<_, Error>(inbox::forget_lane(tx, &owned, claim.key()).await?)
        })
    });
    forgotten.await?;
    Ok(Ending::Done)
}

async fn erase(sync: &Sync, ctx: &Ctx, claim: &Claim, whom: Whom) -> Result<usize, Error> {
    Ok(sync.erase(ctx, whom, Some(claim)).await?.len())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
