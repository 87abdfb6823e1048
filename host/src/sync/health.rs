//! How a connection is, as its calls went.

use super::{Error, Sync};
use crate::connections::{self, Connection, Health};
use crate::ctx::Ctx;
use crate::lanes;
use crate::plugins::CallError;
use crate::plugins::wire::Fault;

/// What a call brought. A failure is written down as the connection's health.
pub async fn heard<T>(sync: &Sync, ctx: &Ctx, connection: &Connection, answer: Result<T, CallError>) -> Result<T, Error> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let error = Error::from(error);
            note(sync, ctx, connection, Some(&error)).await?;
            Err(error)
        }
    }
}

/// Writes a change of health; a connection that goes on as before writes nothing.
pub async fn note(sync: &Sync, ctx: &Ctx, connection: &Connection, error: Option<&Error>) -> Result<(), Error> {
    let (health, reason) = match error.map(|error| (error.failure().map(|failure| failure.fault), error)) {
        None => (Health::Healthy, None),
        // Being asked to slow down is not being ill.
        Some((Some(Fault::Throttled), _)) => return Ok(()),
        Some((Some(Fault::Auth | Fault::Permission | Fault::Config), error)) => (Health::Refused, Some(error.to_string())),
        Some((_, error)) => (Health::Failing, Some(error.to_string())),
    };
    if connection.health == health && connection.health_reason == reason {
        return Ok(());
    }
    let (ctx, id) = (ctx.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                if health == Health::Healthy {
                    lanes::answers_again(tx, &ctx, &id).await?;
                }
                connections::record_health(tx, &ctx, &id, health, reason.as_deref()).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}
