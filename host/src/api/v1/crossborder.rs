//! Tax, duty and landed cost: questions, who sells where, rules, what was frozen on orders, totals and returns, gates.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use entrepot_crossborder::quote::QuoteInput;
use entrepot_crossborder::screening::Subject;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Admin, Body, Query, Raw, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::crossborder::{self, ChannelFacts, EntityFacts, GoodsFacts, Parcel};
use crate::money::{Currency, Decimal, Money};
use crate::page::PageRequest;
use crate::sync::{fanout, gates, tax};
use crate::{catalog, connections, orders};

pub fn add(routes: Routes) -> Routes {
    routes
        .post("/crossborder/quote", "Who owes the tax on a sale, how much, by which rule; `entity`: on whose behalf", quote)
        .get("/crossborder/entities", "Legal entities by name", entities)
        .get("/crossborder/entities/{entity}", "A legal entity", entity)
        .put("/crossborder/entities/{entity}", "Make a legal entity or change its facts", set_entity)
        .delete("/crossborder/entities/{entity}", "Remove one that no connection sells for", remove_entity)
        .get("/crossborder/channels", "What each connection is for the tax", channels)
        .put("/connections/{connection}/tax", "Say whose sales a connection makes, and whether it collects", set_channel)
        .get("/crossborder/rules", "The rule set in force: version, when it was last checked, own files, unverified rows", rules)
        .get("/crossborder/rules/{file}", "The text of an own rule file", rule_file)
        .put("/crossborder/rules/{file}", "Put a rule file in force; refused by name if the set does not load", set_rules)
        .delete("/crossborder/rules/{file}", "Take a rule file out of force", remove_rules)
        .get("/variants/{variant}/tax", "What tax, customs and safety know of a variant", goods)
        .put("/variants/{variant}/tax", "Say what tax, customs and safety ask of a variant", set_goods)
        .get("/variants/{variant}/gates", "What keeps an offer of it off channels that sell into `to`", closed_gates)
        .get("/orders/{order}/tax", "The tax of an order with its reasons, as frozen", explain)
        .get("/orders/{order}/papers", "The customs paper its parcel needs, and what that lacks", papers)
        .get("/crossborder/orders", "How orders stand; incomplete=true: only those whose answer lacks something", standings)
        .post("/crossborder/again", "Work out anew the orders that lack something, or one; earlier versions are kept", again)
        .get("/crossborder/differences", "Where channels charged otherwise than we calculate", differences)
        .post("/crossborder/differences/settle", "Somebody has looked at the differences of an order", settle)
        .get("/crossborder/thresholds", "Running totals per legal entity against the lines the law draws", thresholds)
        .get("/crossborder/report", "The VAT return of a period; format=csv", report)
        .post("/orders/{order}/payouts", "Book what an order in another currency than the books was paid out at", pay_out)
        .get("/crossborder/gains", "What rates gained and lost on payouts and refunds of a period; format=csv", gains)
        .get("/crossborder/lists", "Sanction lists that were imported", lists)
        .put("/crossborder/lists/{list}", "Import a sanction list (CSV: id, name, aliases, country)", import_list)
        .delete("/crossborder/lists/{list}", "Forget a sanction list", remove_list)
        .post("/crossborder/screen", "Look a name up in the lists", screen)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Behalf {
    entity: Option<String>,
}

async fn quote(State(app): State<App>, Reader(ctx): Reader, Query(behalf): Query<Behalf>, Body(question): Body<QuoteInput>) -> Answer {
    let mut conn = app.store.read().await?;
    let entity = match &behalf.entity {
        Some(name) => Some(crossborder::get_entity(&mut conn, &ctx.tenant, name).await?),
        None => None,
    };
    let found = crossborder::ask(&mut conn, &ctx.tenant, entity.as_ref(), question).await?;
    let words = found.words(&*crossborder::rules(&mut conn, &ctx.tenant).await?);
    let mut answer = serde_json::to_value(&found)?;
    answer["tax_line"] = json!(found.tax_line());
    answer["words"] = json!(words);
    told(answer)
}

async fn entities(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(crossborder::entities(&mut app.store.read().await?, &ctx.tenant).await?)
}

async fn entity(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    told(crossborder::get_entity(&mut app.store.read().await?, &ctx.tenant, &name).await?)
}

async fn set_entity(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(facts): Body<EntityFacts>) -> Answer {
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            gates::facts_changed(tx, &ctx, None).await?;
            Ok::<_, Error>(crossborder::set_entity(tx, &ctx, &name, facts).await?)
        })
    });
    told(set.await?)
}

async fn remove_entity(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    told(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(crossborder::remove_entity(tx, &ctx, &name).await?) })).await?)
}

async fn channels(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(crossborder::channels(&mut app.store.read().await?, &ctx.tenant).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    entity: String,
    #[serde(default)]
    kind: Option<entrepot_crossborder::quote::Channel>,
    #[serde(default)]
    collects: crossborder::Collects,
    #[serde(default)]
    ships_from: Option<String>,
    #[serde(default)]
    sells_to: Vec<String>,
}

async fn set_channel(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(profile): Body<Profile>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?.id;
    let facts = ChannelFacts { kind: profile.kind, collects: profile.collects, ships_from: profile.ships_from, sells_to: profile.sells_to };
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            gates::facts_changed(tx, &ctx, Some(&connection)).await?;
            Ok::<_, Error>(crossborder::set_channel(tx, &ctx, &connection, &profile.entity, facts).await?)
        })
    });
    told(set.await?)
}

async fn rules(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    let mut conn = app.store.read().await?;
    let set = crossborder::rules(&mut conn, &ctx.tenant).await?;
    let unverified: Vec<Value> = set
        .citations()
        .filter(|row| !row.verification.is_verified())
        .map(|row| json!({ "row": row.rule, "verification": row.verification }))
        .collect();
    told(json!({
        "version": set.version(),
        "last_checked": set.last_checked(),
        "files": crossborder::rule_files(&mut conn, &ctx.tenant).await?,
        "names": entrepot_crossborder::rules::RuleFile::names().collect::<Vec<_>>(),
        "rows": set.citations().count(),
        "unverified": unverified,
        "notice": entrepot_crossborder::rules::NOT_ADVICE,
    }))
}

async fn rule_file(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Result<Response, Error> {
    let text = crossborder::rule_file(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn text(bytes: &[u8]) -> Result<String, Error> {
    let refused = |_| Error::new(Code::Malformed, "the file is not UTF-8 text; hint: save it as UTF-8");
    Ok(std::str::from_utf8(bytes).map_err(refused)?.trim_start_matches('\u{feff}').to_owned())
}

fn in_force(set: &entrepot_crossborder::rules::RuleSet) -> Value {
    json!({ "version": set.version(), "last_checked": set.last_checked() })
}

async fn set_rules(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Raw(file): Raw) -> Answer {
    let file = text(&file)?;
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            gates::facts_changed(tx, &ctx, None).await?;
            Ok::<_, Error>(in_force(&*crossborder::set_rules(tx, &ctx, &name, &file).await?))
        })
    });
    told(set.await?)
}

async fn remove_rules(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            gates::facts_changed(tx, &ctx, None).await?;
            Ok::<_, Error>(in_force(&*crossborder::remove_rules(tx, &ctx, &name).await?))
        })
    });
    told(set.await?)
}

async fn goods(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    told(crossborder::goods(&mut conn, &ctx.tenant, &variant.id).await?)
}

async fn set_goods(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(facts): Body<GoodsFacts>) -> Answer {
    let variant = catalog::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?.id;
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            let set = crossborder::set_goods(tx, &ctx, &variant, facts).await?;
            fanout::stock_changed(tx, &ctx, std::slice::from_ref(&variant)).await?;
            Ok::<_, Error>(set)
        })
    });
    told(set.await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    to: String,
    entity: Option<String>,
    /// `air_passenger`, `air_cargo`, `road`, …: for batteries.
    mode: Option<String>,
}

async fn closed_gates(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>, Query(wanted): Query<Where>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    let facts = crossborder::goods(&mut conn, &ctx.tenant, &variant.id).await?;
    let entity = match &wanted.entity {
        Some(name) => Some(crossborder::get_entity(&mut conn, &ctx.tenant, name).await?.facts),
        None => None,
    };
    let set = crossborder::rules(&mut conn, &ctx.tenant).await?;
    let to = wanted.to.trim().to_ascii_uppercase();
    let to = set.place(&to, None, None).map_or(to.clone(), |place| place.is_country.clone());
    if to.len() != 2 || !to.bytes().all(|b| b.is_ascii_uppercase()) {
        let message = format!("`{}` is not a country; hint: give its two-letter ISO code, such as DE", wanted.to);
        return Err(Error::new(Code::Invalid, message).about("to"));
    }
    let date = crossborder::day(ctx.now_ms(), &jiff::tz::TimeZone::UTC);
    told(crossborder::gates(&set, &gates::goods(&variant, &facts), entity.as_ref(), &to, wanted.mode.as_deref(), date)?)
}

async fn explain(State(app): State<App>, Reader(ctx): Reader, Path(id): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let id = orders::resolve(&mut conn, &ctx.tenant, &id).await?;
    told(crossborder::explain(&mut conn, &ctx.tenant, &id).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    /// `post` or `courier`.
    by: Option<String>,
    #[serde(default)]
    letter: bool,
    /// Units of the order's currency per special drawing right.
    per_sdr: Option<Decimal>,
}

async fn papers(State(app): State<App>, Reader(ctx): Reader, Path(id): Path<String>, Query(how): Query<How>) -> Answer {
    let by_post = match how.by.as_deref() {
        None | Some("courier") => false,
        Some("post") => true,
        Some(other) => {
            return Err(Error::new(Code::Invalid, format!("`{other}` is no way of transport; hint: give post or courier")).about("by"));
        }
    };
    let mut conn = app.store.read().await?;
    let id = orders::resolve(&mut conn, &ctx.tenant, &id).await?;
    let order = orders::find(&mut conn, &ctx.tenant, &id).await?.ok_or_else(|| orders::Error::Missing(id.clone()))?;
    let tax = crossborder::explain(&mut conn, &ctx.tenant, &id).await.ok();
    let variants: Vec<_> = order.lines.iter().filter_map(|line| line.variant.clone()).collect();
    let known = catalog::find_many(&mut conn, &ctx.tenant, &variants).await?;
    let facts = crossborder::goods_of(&mut conn, &ctx.tenant, &variants).await?;
    let nothing = GoodsFacts::default();
    let goods: Vec<_> = known.values().map(|variant| gates::goods(variant, facts.get(&variant.id).unwrap_or(&nothing))).collect();
    let value = order.lines.iter().filter(|line| line.kind == orders::LineKind::Physical).map(|line| &line.total);
    let value = Money::sum(value, order.total.currency())?;
    // What the order and the catalogue fill in; who sends and by which number is for the label.
    let mut given =
        BTreeSet::from(["category", "quantity", "value", "currency", "total_value", "date", "recipient_name", "recipient_address"]);
    given.extend(["line_quantity_unit", "line_unit_price", "line_total", "total", "freight", "discounts", "buyer_name_address_tax_id"]);
    let every = |has: fn(&crossborder::Goods<'_>) -> bool| !goods.is_empty() && goods.iter().all(has);
    let conditional: [(&[&'static str], bool); 4] = [
        (&["hs6", "line_hs_code"], every(|g| g.hs.is_some())),
        (&["country_of_origin", "line_origin"], every(|g| g.origin.is_some())),
        (&["net_weight_kg", "total_weight_kg", "total_gross_weight_kg", "gross_net_weight"], every(|g| g.weight_g.is_some())),
        (&["item_description", "line_description"], every(|g| g.facts.description.is_some())),
    ];
    for (fields, known) in conditional {
        if known {
            given.extend(fields);
        }
    }
    if tax.is_some_and(|tax| tax.entity.is_some()) {
        given.insert("sender_name");
    }
    let set = crossborder::rules(&mut conn, &ctx.tenant).await?;
    let date = crossborder::day(order.placed_at, &jiff::tz::TimeZone::UTC);
    let parcel = Parcel { by_post, letter_class: how.letter, ccy_per_sdr: how.per_sdr, date };
    told(crossborder::papers(&set, parcel, value, &goods, &given)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    incomplete: bool,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn standings(State(app): State<App>, Reader(ctx): Reader, Query(which): Query<Which>) -> Answer {
    let request = PageRequest { cursor: which.cursor, limit: which.limit };
    page(crossborder::standings(&mut app.store.read().await?, &ctx.tenant, which.incomplete, &request).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    #[serde(default)]
    order: Option<String>,
}

async fn again(State(app): State<App>, Writer(ctx): Writer, Body(wish): Body<Again>) -> Answer {
    let only = match &wish.order {
        Some(order) => Some(orders::resolve(&mut app.store.read().await?, &ctx.tenant, order).await?),
        None => None,
    };
    told(json!({ "orders": tax::again(&app.sync, &ctx, only).await? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    #[serde(default)]
    settled: bool,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn differences(State(app): State<App>, Reader(ctx): Reader, Query(which): Query<Looked>) -> Answer {
    let request = PageRequest { cursor: which.cursor, limit: which.limit };
    page(crossborder::differences(&mut app.store.read().await?, &ctx.tenant, which.settled, &request).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settled {
    order: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    note: String,
}

async fn settle(State(app): State<App>, Writer(ctx): Writer, Body(wish): Body<Settled>) -> Answer {
    let order = orders::resolve(&mut app.store.read().await?, &ctx.tenant, &wish.order).await?;
    let settled = app.store.write(move |tx| {
        Box::pin(async move {
            let count = crossborder::settle(tx, &ctx, &order, wish.kind.as_deref(), &wish.note).await?;
            Ok::<_, Error>(json!({ "order": order, "settled": count }))
        })
    });
    told(settled.await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Totals {
    entity: Option<String>,
    /// Day to look back from; today.
    as_of: Option<jiff::civil::Date>,
}

async fn thresholds(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Totals>) -> Answer {
    let mut conn = app.store.read().await?;
    let as_of = match wanted.as_of {
        Some(day) => day,
        None => crossborder::day(ctx.now_ms(), &crate::lanes::schedule::zone_of_merchant(&mut conn, &ctx.tenant).await?),
    };
    let entities = match &wanted.entity {
        Some(name) => vec![crossborder::get_entity(&mut conn, &ctx.tenant, name).await?],
        None => crossborder::entities(&mut conn, &ctx.tenant).await?,
    };
    let mut found = Vec::new();
    for entity in &entities {
        found.extend(crossborder::thresholds_of(&mut conn, &ctx.tenant, entity, as_of).await?);
    }
    all(found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    /// `2026`, `2026-Q4` or `2026-11`.
    period: String,
    country: Option<String>,
    entity: Option<String>,
    currency: Option<String>,
    format: Option<String>,
}

async fn report(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Period>) -> Result<Response, Error> {
    let days = crossborder::period(&wanted.period)?;
    let currency = Currency::from_code(wanted.currency.as_deref().unwrap_or("EUR"))
        .map_err(|error| Error::new(Code::Invalid, error.to_string()).about("currency"))?;
    let mut conn = app.store.read().await?;
    let entity = match &wanted.entity {
        Some(name) => Some(crossborder::get_entity(&mut conn, &ctx.tenant, name).await?),
        None => None,
    };
    let country = wanted.country.map(|code| code.trim().to_ascii_uppercase());
    let report = crossborder::vat_report(&mut conn, &ctx.tenant, entity.as_ref(), country.as_deref(), days, currency).await?;
    match wanted.format.as_deref() {
        None | Some("json") => Ok(told(report)?.into_response()),
        Some("csv") => {
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            Ok((kind, report.report.to_csv()).into_response())
        }
        Some(other) => Err(no_format(other)),
    }
}

async fn pay_out(
    State(app): State<App>,
    Writer(ctx): Writer,
    Path(order): Path<String>,
    Body(payout): Body<crossborder::Payout>,
) -> Answer {
    let order = orders::resolve(&mut app.store.read().await?, &ctx.tenant, &order).await?;
    let booked = app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(crossborder::pay_out(tx, &ctx, &order, &payout).await?) }));
    told(booked.await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Booked {
    period: String,
    entity: Option<String>,
    format: Option<String>,
}

async fn gains(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Booked>) -> Result<Response, Error> {
    let days = crossborder::period(&wanted.period)?;
    let mut conn = app.store.read().await?;
    let entity = match &wanted.entity {
        Some(name) => Some(crossborder::get_entity(&mut conn, &ctx.tenant, name).await?),
        None => None,
    };
    let rows = crossborder::gains(&mut conn, &ctx.tenant, entity.as_ref(), days).await?;
    match wanted.format.as_deref() {
        None | Some("json") => Ok(all(rows)?.into_response()),
        Some("csv") => {
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            Ok((kind, crossborder::gains_csv(&rows)).into_response())
        }
        Some(other) => Err(no_format(other)),
    }
}

fn no_format(text: &str) -> Error {
    Error::new(Code::Invalid, format!("there is no format `{text}`; hint: give json or csv")).about("format")
}

async fn lists(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(crossborder::lists(&mut app.store.read().await?, &ctx.tenant).await?)
}

async fn import_list(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Raw(file): Raw) -> Answer {
    let file = text(&file)?;
    told(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(crossborder::import_list(tx, &ctx, &name, &file).await?) })).await?)
}

async fn remove_list(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let answer = json!({ "name": name, "removed": true });
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(crossborder::remove_list(tx, &ctx, &name).await?) })).await?;
    told(answer)
}

/// A name is personal: the scope is that of personal data.
async fn screen(State(app): State<App>, Admin(ctx): Admin, Body(subject): Body<Subject>) -> Answer {
    told(crossborder::screen(&mut app.store.read().await?, &ctx.tenant, &subject).await?)
}
