//! Buyers who ask what is kept of them, or to be forgotten.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, all, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Admin, Body, Query};
use crate::api::routes::Routes;
use crate::app::App;
use crate::connections;
use crate::ctx::Ctx;
use crate::id::{OrderId, PersonId};
use crate::orders::persons::{self, Whom};
use crate::page::{Cursor, Page, PageRequest};

pub fn add(routes: Routes) -> Routes {
    routes
        .post("/persons/export", "Everything kept of a buyer: by an order, a connection's customer id, or an e-mail address", export)
        .post("/persons/erase", "Erase a buyer: named the same way, or as a log of erasures names them", erase)
        .get("/persons/erased", "Who was erased, by ids that nothing else carries any more", erased)
}

/// A body, so that no address of a buyer stands in an access log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    order: Option<String>,
    connection: Option<String>,
    customer: Option<String>,
    email: Option<String>,
    persons: Option<Vec<String>>,
}

async fn export(State(app): State<App>, Admin(ctx): Admin, Body(wanted): Body<Wanted>) -> Answer {
    let mut kept = Vec::new();
    for whom in whom(&app, &ctx, wanted).await? {
        kept.extend(app.export(&ctx, &whom).await?);
    }
    all(kept)
}

async fn erase(State(app): State<App>, Admin(ctx): Admin, Body(wanted): Body<Wanted>) -> Answer {
    let mut erased = Vec::new();
    for whom in whom(&app, &ctx, wanted).await? {
        erased.extend(app.erase(&ctx, whom).await?);
    }
    let orders: usize = erased.iter().map(|erased| erased.orders.len()).sum();
    let persons: Vec<&PersonId> = erased.iter().map(|erased| &erased.person).collect();
    told(json!({ "erased": persons.len(), "persons": persons, "orders": orders }))
}

async fn erased(State(app): State<App>, Admin(ctx): Admin, Query(request): Query<PageRequest>) -> Answer {
    let after = request.after("erasures", 1)?.map(|keys| PersonId::parse(&keys[0])).transpose()?;
    let found = persons::erasures(&mut app.store.read().await?, &ctx.tenant, after.as_ref(), request.limit() + 1).await?;
    page(Page::cut(found, request.limit(), |last| Cursor::new("erasures", &[last.person.as_str()])))
}

async fn whom(app: &App, ctx: &Ctx, wanted: Wanted) -> Result<Vec<Whom>, Error> {
    match wanted {
        Wanted { order: Some(order), connection: None, customer: None, email: None, persons: None } => {
            Ok(vec![Whom::Order(OrderId::parse(&order)?)])
        }
        Wanted { order: None, connection: Some(name), customer: Some(external_id), email: None, persons: None } => {
            let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?.id;
            Ok(vec![Whom::Customer { connection, external_id }])
        }
        Wanted { order: None, connection: None, customer: None, email: Some(email), persons: None } => Ok(vec![Whom::Email(email)]),
        Wanted { order: None, connection: None, customer: None, email: None, persons: Some(persons) } => {
            persons.iter().map(|person| Ok(Whom::Person(PersonId::parse(person)?))).collect()
        }
        _ => Err(Error::new(Code::Invalid, "say who is meant in one way; hint: order, or connection and customer, or email, or persons")),
    }
}
