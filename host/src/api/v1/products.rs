//! The catalogue: products, variants, and files of them.

use axum::body::Body as Stream;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, created, page, told};
use crate::api::error::Error;
use crate::api::request::{Body, Query, Raw, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::catalog::{self, Export, Facts, Filter, VariantPatch};
use crate::id::{ProductId, VariantId};
use crate::page::PageRequest;
use crate::stock;
use crate::sync::fanout;

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/products", "Products, oldest first", products)
        .post("/products", "Make a product", create_product)
        .get("/products/{product}", "A product with its variants", product)
        .patch("/products/{product}", "Rename a product", rename)
        .post("/products/{product}/variants", "Add a variant", create_variant)
        .get("/variants", "Variants by SKU; `text` looks into SKU, GTIN and titles", variants)
        .get("/variants/{variant}", "A variant, by id or SKU", variant)
        .patch("/variants/{variant}", "Change what is named; null clears", change)
        .post("/catalogue/import", "Read a CSV file; with dry_run=true only report", import)
        .get("/catalogue/export", "The catalogue as CSV", export)
}

async fn products(State(app): State<App>, Reader(ctx): Reader, Query(request): Query<PageRequest>) -> Answer {
    page(catalog::list_products(&mut app.store.read().await?, &ctx.tenant, &request).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Titled {
    title: String,
}

async fn create_product(State(app): State<App>, Writer(ctx): Writer, Body(new): Body<Titled>) -> Answer {
    created(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(catalog::create_product(tx, &ctx, &new.title).await?) })).await?)
}

async fn product(State(app): State<App>, Reader(ctx): Reader, Path(id): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let id = ProductId::parse(&id)?;
    let product = catalog::get_product(&mut conn, &ctx.tenant, &id).await?;
    let variants = catalog::of_product(&mut conn, &ctx.tenant, &id).await?;
    let mut answer = serde_json::to_value(product)?;
    answer["variants"] = serde_json::to_value(variants)?;
    told(answer)
}

async fn rename(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(new): Body<Titled>) -> Answer {
    let id = ProductId::parse(&id)?;
    told(
        app.store
            .write(move |tx| Box::pin(async move { Ok::<_, Error>(catalog::rename_product(tx, &ctx, &id, &new.title).await?) }))
            .await?,
    )
}

async fn create_variant(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(facts): Body<Facts>) -> Answer {
    let id = ProductId::parse(&id)?;
    created(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(catalog::create_variant(tx, &ctx, &id, facts).await?) })).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    text: Option<String>,
    product: Option<ProductId>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn variants(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Wanted>) -> Answer {
    let request = PageRequest { cursor: wanted.cursor, limit: wanted.limit };
    let filter = Filter { text: wanted.text, product: wanted.product };
    page(catalog::list(&mut app.store.read().await?, &ctx.tenant, &filter, &request).await?)
}

async fn variant(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    let levels = stock::levels(&mut conn, &ctx.tenant, &variant.id).await?;
    let mut answer = serde_json::to_value(variant)?;
    answer["stock"] = serde_json::to_value(levels)?;
    told(answer)
}

/// What is kept safe decides what channels show, and so do facts that a gate asks for.
async fn change(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(patch): Body<VariantPatch>) -> Answer {
    let id: VariantId = catalog::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?.id;
    let changed = app.store.write(move |tx| {
        Box::pin(async move {
            let changed = catalog::change_variant(tx, &ctx, &id, patch).await?;
            fanout::stock_changed(tx, &ctx, std::slice::from_ref(&id)).await?;
            Ok::<_, Error>(changed)
        })
    });
    told(changed.await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    #[serde(default)]
    dry_run: bool,
}

async fn import(State(app): State<App>, Writer(ctx): Writer, Query(how): Query<How>, Raw(file): Raw) -> Answer {
    let republish: catalog::Hook = std::sync::Arc::new(|tx, ctx, variants| {
        Box::pin(async move {
            fanout::stock_changed(tx, ctx, variants).await.map_err(|error| match error {
                crate::sync::Error::Store(error) => error,
                other => crate::store::Error::Setup { what: crate::store::chain(&other), hint: "look at the log".into() },
            })
        })
    });
    let options = catalog::Options { dry_run: how.dry_run, republish: Some(republish), progress: None };
    let report = catalog::import(&app.store, &ctx, std::io::Cursor::new(file), options).await?;
    let mut answer = serde_json::to_value(report)?;
    answer["dry_run"] = json!(how.dry_run);
    told(answer)
}

/// Streamed: a page of variants at a time, so that a large catalogue takes no memory.
async fn export(State(app): State<App>, Reader(ctx): Reader) -> Result<Response, Error> {
    let pieces = futures::stream::try_unfold((Export::new(&ctx.tenant), app), |(mut export, app)| async move {
        let piece = export.next_piece(&mut app.store.read().await?).await?;
        Ok::<_, catalog::Error>(piece.map(|piece| (piece, (export, app))))
    });
    let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"catalogue.csv\"")];
    Ok((kind, Stream::from_stream(pieces)).into_response())
}
