//! Listings: what channels offer, and which variant of ours each is.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, page, told};
use crate::api::error::Error;
use crate::api::request::{Body, Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::id::ListingId;
use crate::listings::{self, Filter, Link, Publication};
use crate::page::PageRequest;
use crate::sync::{fanout, intake, setup};
use crate::{catalog, connections};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/listings", "Listings, oldest first", list)
        .get("/listings/{listing}", "A listing with what the channel held when it was last read", show)
        .get("/connections/{connection}/links", "What matching would do with the parked listings: a dry run", propose)
        .post("/connections/{connection}/links", "Link what can be linked without doubt, and complete orders that waited", apply)
        .post("/connections/{connection}/missing", "Make variants of parked listings that nothing matches", create_missing)
        .post("/listings/{listing}/link", "Link by hand", link)
        .post("/listings/{listing}/unlink", "Park it again", unlink)
        .post("/listings/{listing}/ignore", "Park it for good", ignore)
        .put("/listings/{listing}/publication", "How much of our stock it may show", publication)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connection: Option<String>,
    link: Option<Link>,
    variant: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Wanted>) -> Answer {
    let mut conn = app.store.read().await?;
    let mut filter = Filter { link: wanted.link, ..Filter::default() };
    if let Some(name) = &wanted.connection {
        filter.connection = Some(connections::resolve(&mut conn, &ctx.tenant, name).await?.id);
    }
    if let Some(name) = &wanted.variant {
        filter.variant = Some(catalog::resolve(&mut conn, &ctx.tenant, name).await?.id);
    }
    page(listings::list(&mut conn, &ctx.tenant, &filter, &PageRequest { cursor: wanted.cursor, limit: wanted.limit }).await?)
}

async fn show(State(app): State<App>, Reader(ctx): Reader, Path(id): Path<String>) -> Answer {
    let id = ListingId::parse(&id)?;
    let mut conn = app.store.read().await?;
    let listing = listings::get(&mut conn, &ctx.tenant, &id).await?;
    let levels = listings::levels(&mut conn, &ctx.tenant, std::slice::from_ref(&id)).await?.remove(&id).unwrap_or_default();
    let mut answer = serde_json::to_value(listing)?;
    answer["levels"] = serde_json::to_value(levels)?;
    told(answer)
}

async fn propose(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>, Query(request): Query<PageRequest>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, &name).await?;
    page(listings::propose_links(&mut conn, &ctx.tenant, &connection.id, &request).await?)
}

async fn apply(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    let (linked, completed_lines) = setup::link_all(&app.sync, &ctx, &connection).await?;
    told(json!({ "linked": linked, "completed_lines": completed_lines }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// All parked ones if left out.
    #[serde(default)]
    listings: Option<Vec<ListingId>>,
}

/// Listings in one unit of work.
const AT_ONCE: usize = 100;

async fn create_missing(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(chosen): Body<Chosen>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?.id;
    let chosen = match chosen.listings {
        Some(chosen) => chosen,
        None => listings::parked(&mut app.store.read().await?, &ctx.tenant, &connection).await?,
    };
    let mut made = listings::Missing::default();
    for some in chosen.chunks(AT_ONCE) {
        let (by, connection, some) = (ctx.clone(), connection.clone(), some.to_vec());
        let unit = app.store.write(move |tx| {
            Box::pin(async move {
                let made = listings::create_missing(tx, &by, &connection, &some).await?;
                let variants: Vec<_> = made.created.iter().map(|(_, variant)| variant.clone()).collect();
                fanout::stock_changed(tx, &by, &variants).await?;
                fanout::prices_changed(tx, &by, Some(&variants)).await?;
                Ok::<_, Error>(made)
            })
        });
        let more = unit.await?;
        made.created.extend(more.created);
        made.products.extend(more.products);
        made.refused.extend(more.refused);
    }
    let completed = intake::retry_parked(&app.sync, &ctx, None).await?;
    let created: Vec<_> = made.created.iter().map(|(listing, variant)| json!({ "listing": listing, "variant": variant })).collect();
    let refused: Vec<_> = made.refused.iter().map(|(listing, why)| json!({ "listing": listing, "message": why })).collect();
    told(json!({ "created": created, "products": made.products, "refused": refused, "completed_lines": completed }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    /// Id or SKU.
    variant: String,
}

async fn link(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(to): Body<To>) -> Answer {
    let id = ListingId::parse(&id)?;
    let variant = catalog::resolve(&mut app.store.read().await?, &ctx.tenant, &to.variant).await?.id;
    let by = ctx.clone();
    let linked = app.store.write(move |tx| {
        Box::pin(async move {
            let linked = listings::link(tx, &by, &id, &variant).await?;
            fanout::stock_changed(tx, &by, std::slice::from_ref(&variant)).await?;
            fanout::prices_changed(tx, &by, Some(std::slice::from_ref(&variant))).await?;
            Ok::<_, Error>(linked)
        })
    });
    let linked = linked.await?;
    intake::retry_parked(&app.sync, &ctx, None).await?;
    told(linked)
}

async fn unlink(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>) -> Answer {
    let id = ListingId::parse(&id)?;
    told(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(listings::unlink(tx, &ctx, &id).await?) })).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    reason: Option<String>,
}

async fn ignore(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(because): Body<Because>) -> Answer {
    let id = ListingId::parse(&id)?;
    let reason = because.reason.unwrap_or_else(|| format!("by {}", ctx.actor));
    told(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(listings::ignore(tx, &ctx, &id, &reason).await?) })).await?)
}

async fn publication(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(wanted): Body<Publication>) -> Answer {
    let id = ListingId::parse(&id)?;
    let changed = app.store.write(move |tx| {
        Box::pin(async move {
            let changed = listings::set_publication(tx, &ctx, &id, &wanted).await?;
            if let Some(variant) = listings::get(tx, &ctx.tenant, &id).await?.variant.filter(|_| changed) {
                fanout::stock_changed(tx, &ctx, std::slice::from_ref(&variant)).await?;
            }
            Ok::<_, Error>(changed)
        })
    });
    told(json!({ "changed": changed.await?, "publication": wanted }))
}
