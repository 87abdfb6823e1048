//! Two pages: trying a destination and reading the reasons, and the tax of one order.

use std::fmt::Write;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use entrepot_crossborder::quote::{Quote, QuoteInput, cited};
use entrepot_crossborder::rules::{NOT_ADVICE, RuleSet};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{esc, note, section, table, whole};
use super::{Shown, answer, looker, texts as t};
use crate::api::error::Error;
use crate::app::App;
use crate::crossborder::{self, DifferenceView, Entity, Explanation};
use crate::ctx::Ctx;
use crate::id::OrderId;
use crate::money::{Currency, Money};
use crate::orders;
use crate::page::PageRequest;

/// What the form sends; everything as text, because a browser sends nothing else.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Asked {
    to: String,
    region: String,
    postal: String,
    from: String,
    price: String,
    qty: String,
    currency: String,
    shipping: String,
    date: String,
    buyer: String,
    channel: String,
    category: String,
    kind: String,
    hs: String,
    duty: String,
    mode: String,
    inclusive: String,
    entity: String,
}

impl Asked {
    fn question(&self, today: &str) -> Result<QuoteInput, String> {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let upper = |text: &str| said(text).map(|text| text.to_ascii_uppercase());
        let code = upper(&self.currency).unwrap_or_else(|| "EUR".to_owned());
        let currency = Currency::from_code(&code).map_err(|error| error.to_string())?;
        let minor = |text: &str| Money::parse(text.trim(), currency).map(|money| money.minor()).map_err(|error| error.to_string());
        let shipping = said(&self.shipping).map_or(Ok(0), |text| minor(&text))?;
        let qty = said(&self.qty).map_or(Ok(1), |text| text.parse::<u32>().map_err(|_| format!("\"{text}\" is not a number of pieces")))?;
        let mut question = json!({
            "date": said(&self.date).unwrap_or_else(|| today.to_owned()),
            "ship_to": upper(&self.to),
            "region": said(&self.region),
            "postal_code": said(&self.postal),
            "ship_from": upper(&self.from),
            "buyer": said(&self.buyer),
            "channel": said(&self.channel),
            "mode": said(&self.mode),
            "currency": code,
            "prices_include_tax": self.inclusive == "yes",
            "shipping_minor": shipping,
            "lines": [{
                "unit_minor": minor(&self.price)?, "qty": qty, "category": said(&self.category), "kind": said(&self.kind),
                "hs": said(&self.hs), "duty_rate": said(&self.duty),
            }],
        });
        if let Some(fields) = question.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        if let Some(line) = question["lines"][0].as_object_mut() {
            line.retain(|_, value: &mut Value| !value.is_null());
        }
        serde_json::from_value(question).map_err(|error| error.to_string())
    }
}

pub(super) async fn tryout(State(shown): State<Shown>, Query(asked): Query<Asked>, request: Request) -> Response {
    let Some(ctx) = looker(&shown, request).await else { return Redirect::to("/login").into_response() };
    answer(try_page(&shown.app, &ctx, &asked).await)
}

async fn try_page(app: &App, ctx: &Ctx, asked: &Asked) -> Result<String, Error> {
    let mut conn = app.store.read().await?;
    let set = crossborder::rules(&mut conn, &ctx.tenant).await?;
    let entities = crossborder::entities(&mut conn, &ctx.tenant).await?;
    let files = crossborder::rule_files(&mut conn, &ctx.tenant).await?.len();
    let today = crossborder::day(ctx.now_ms(), &crate::lanes::schedule::zone_of_merchant(&mut conn, &ctx.tenant).await?).to_string();
    let mut out = String::new();
    section(&mut out, t::TAX, &format!("{}{}", note(t::TAX_WHY), form(asked, &entities, &today)));
    if !asked.to.trim().is_empty() {
        let entity = entities.iter().find(|entity| entity.name == asked.entity);
        match asked.question(&today) {
            Ok(question) => match crossborder::ask(&mut conn, &ctx.tenant, entity, question).await {
                Ok(quote) => reasons(&mut out, &quote, &set),
                Err(error @ crossborder::Error::Store(_)) => return Err(error.into()),
                Err(error) => section(&mut out, t::TAX_ANSWER, &note(&error.to_string())),
            },
            Err(why) => section(&mut out, t::TAX_ANSWER, &note(&why)),
        }
    }
    let open = crossborder::differences(&mut conn, &ctx.tenant, false, &PageRequest::first(50)).await?.items;
    section(&mut out, t::TAX_DIFFERENCES, &differences(&open));
    section(&mut out, t::TAX_RULES, &rules(&set, files));
    Ok(whole(&out))
}

fn rules(set: &RuleSet, files: usize) -> String {
    let unverified = set.citations().filter(|row| !row.verification.is_verified()).count();
    let short: String = set.version().chars().take(12).collect();
    format!(
        "<p>{} {} {}</p><p>{unverified} / {} {}; {files} {}</p>{}",
        esc(&short),
        t::TAX_CHECKED,
        set.last_checked(),
        set.citations().count(),
        t::TAX_UNVERIFIED,
        t::TAX_OWN_FILES,
        note(NOT_ADVICE)
    )
}

fn field(out: &mut String, label: &str, name: &str, value: &str, more: &str) {
    let _ = write!(out, "<label><span>{label}</span><input name=\"{name}\" value=\"{}\"{more}></label>", esc(value));
}

fn choice(out: &mut String, label: &str, name: &str, chosen: &str, options: &[(&str, &str)]) {
    let _ = write!(out, "<label><span>{label}</span><select name=\"{name}\">");
    for (value, text) in options {
        let mark = if *value == chosen { " selected" } else { "" };
        let _ = write!(out, "<option value=\"{}\"{mark}>{}</option>", esc(value), esc(text));
    }
    out.push_str("</select></label>");
}

fn form(asked: &Asked, entities: &[Entity], today: &str) -> String {
    let mut out = String::from("<form method=\"get\" action=\"/tax\" class=\"ask\">");
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    field(&mut out, t::TAX_TO, "to", &asked.to, " required maxlength=\"2\"");
    field(&mut out, t::TAX_REGION, "region", &asked.region, "");
    field(&mut out, t::TAX_POSTAL, "postal", &asked.postal, "");
    field(&mut out, t::TAX_FROM, "from", &asked.from, " maxlength=\"2\"");
    field(&mut out, t::TAX_PRICE, "price", &asked.price, " required inputmode=\"decimal\"");
    field(&mut out, t::TAX_QTY, "qty", &or(&asked.qty, "1"), " inputmode=\"numeric\"");
    field(&mut out, t::TAX_CURRENCY, "currency", &or(&asked.currency, "EUR"), " maxlength=\"3\"");
    field(&mut out, t::TAX_SHIPPING, "shipping", &asked.shipping, " inputmode=\"decimal\"");
    field(&mut out, t::TAX_DATE, "date", &or(&asked.date, today), " type=\"date\"");
    let unknown = ("", t::TAX_UNKNOWN);
    choice(&mut out, t::TAX_BUYER, "buyer", &asked.buyer, &[unknown, ("consumer", "consumer"), ("business", "business")]);
    choice(&mut out, t::TAX_CHANNEL, "channel", &asked.channel, &[unknown, ("own_store", "own store"), ("marketplace", "marketplace")]);
    choice(&mut out, t::TAX_MODE, "mode", &asked.mode, &[unknown, ("courier", "courier"), ("post", "post"), ("freight", "freight")]);
    choice(&mut out, t::TAX_INCLUSIVE, "inclusive", &asked.inclusive, &[("", t::TAX_NO), ("yes", t::TAX_YES)]);
    field(&mut out, t::TAX_CATEGORY, "category", &asked.category, "");
    let kinds = ["ordinary", "excise", "food", "restricted"].map(|kind| (kind, kind));
    choice(&mut out, t::TAX_KIND, "kind", &asked.kind, &std::iter::once(unknown).chain(kinds).collect::<Vec<_>>());
    field(&mut out, t::TAX_HS, "hs", &asked.hs, " inputmode=\"numeric\"");
    field(&mut out, t::TAX_DUTY, "duty", &asked.duty, " inputmode=\"decimal\"");
    let names: Vec<(&str, &str)> =
        std::iter::once(("", t::TAX_NO_ENTITY)).chain(entities.iter().map(|e| (e.name.as_str(), e.name.as_str()))).collect();
    choice(&mut out, t::TAX_ENTITY, "entity", &asked.entity, &names);
    let _ = write!(out, "<button>{}</button></form>", t::TAX_ASK);
    out
}

/// The answer, its amounts, its reasons with their sources, what was assumed and what is missing.
fn reasons(out: &mut String, quote: &Quote, set: &RuleSet) {
    let mark = |verified: bool| match verified {
        true => format!("<i class=\"good\">{}</i>", t::TAX_VERIFIED),
        false => format!("<i class=\"bad\">{}</i>", t::TAX_NOT_VERIFIED),
    };
    // What no rule decided is neither verified nor not.
    let marked = if quote.trace.is_empty() { String::new() } else { mark(quote.verified) };
    section(out, t::TAX_ANSWER, &format!("<p><b>{}</b> {marked}</p>{}", esc(&quote.tax_line()), note(&quote.notice)));
    let a = &quote.amounts;
    let known = |money: Option<Money>| money.map_or_else(|| t::TAX_UNKNOWN.to_owned(), |money| money.to_string());
    let mut rows = String::new();
    for (name, value) in [
        (t::TAX_GOODS, a.goods.to_string()),
        (t::TAX_SHIPPING, a.shipping.to_string()),
        (t::TAX_DUTY_SUM, known(a.duty)),
        (t::TAX_TAX_SUM, known(a.tax)),
        (t::TAX_LANDED, known(a.landed_total)),
        (t::TAX_AT_CHECKOUT, known(a.buyer_pays_at_checkout)),
        (t::TAX_AT_DELIVERY, known(a.buyer_pays_at_delivery)),
        (t::TAX_SELLER_PAYS, known(a.seller_pays)),
    ] {
        let _ = write!(rows, "<tr><td>{name}</td><td class=\"n\">{}</td></tr>", esc(&value));
    }
    section(out, t::TAX_AMOUNTS, &table(&[("", false), ("", true)], &rows));
    let mut rows = String::new();
    for step in &quote.trace {
        let facts: Vec<String> = step.facts.iter().map(|fact| format!("{}: {}", fact.name.replace('_', " "), fact.value)).collect();
        let _ = write!(
            rows,
            "<tr><td>{}</td><td><small>{}</small></td><td><small>{}</small></td><td>{}</td></tr>",
            esc(&step.why),
            esc(&facts.join("; ")),
            esc(&cited(&step.citation, set)),
            mark(step.citation.verification.is_verified())
        );
    }
    for rate in &quote.rates {
        let percent = (rate.rate * crate::money::Decimal::ONE_HUNDRED).normalize();
        let _ = write!(
            rows,
            "<tr><td>{} {percent} % {}: {}</td><td></td><td><small>{}</small></td><td>{}</td></tr>",
            esc(&rate.tax),
            esc(&rate.jurisdiction),
            esc(&rate.amount.to_string()),
            esc(&cited(&rate.citation, set)),
            mark(rate.citation.verification.is_verified())
        );
    }
    section(
        out,
        t::TAX_REASONS,
        &table(&[(t::TAX_REASON, false), (t::TAX_FACTS, false), (t::TAX_SOURCE, false), (t::TAX_MARK, false)], &rows),
    );
    list(out, t::TAX_ASSUMED, &quote.assumptions, "");
    list(out, t::TAX_MISSING, &quote.missing, t::TAX_NOTHING_MISSING);
}

fn list(out: &mut String, title: &str, items: &[String], none: &str) {
    match items {
        [] if none.is_empty() => {}
        [] => section(out, title, &format!("<p class=\"fine\">{none}</p>")),
        items => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>", esc(item))).collect();
            section(out, title, &format!("<ul class=\"trouble\">{items}</ul>"));
        }
    }
}

fn differences(open: &[DifferenceView]) -> String {
    if open.is_empty() {
        return format!("<p class=\"fine\">{}</p>", t::TAX_NO_DIFFERENCE);
    }
    let item = |d: &DifferenceView| {
        format!("<li><a href=\"/orders/{}/tax\">{}</a> <span>{}</span></li>", esc(d.order.as_str()), esc(&d.number), esc(&d.words))
    };
    format!("<ul class=\"trouble\">{}</ul>", open.iter().map(item).collect::<String>())
}

pub(super) async fn of_order(State(shown): State<Shown>, Path(id): Path<String>, request: Request) -> Response {
    let Some(ctx) = looker(&shown, request).await else { return Redirect::to("/login").into_response() };
    match order_page(&shown.app, &ctx, &id).await {
        Ok(Some(page)) => answer(Ok(page)),
        Ok(None) => (StatusCode::NOT_FOUND, Html(whole(&note(t::NO_ORDERS)))).into_response(),
        Err(error) => answer(Err(error)),
    }
}

async fn order_page(app: &App, ctx: &Ctx, id: &str) -> Result<Option<String>, Error> {
    let Ok(id) = OrderId::parse(id) else { return Ok(None) };
    let mut conn = app.store.read().await?;
    if orders::find(&mut conn, &ctx.tenant, &id).await?.is_none() {
        return Ok(None);
    }
    let set = crossborder::rules(&mut conn, &ctx.tenant).await?;
    let mut out = String::new();
    match crossborder::explain(&mut conn, &ctx.tenant, &id).await {
        Ok(told) => explained(&mut out, &told, &set),
        Err(crossborder::Error::NotYet(id)) => {
            section(&mut out, t::TAX_OF_ORDER, &note(&crossborder::Error::NotYet(id).to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Some(whole(&out)))
}

fn explained(out: &mut String, told: &Explanation, set: &RuleSet) {
    let words: String = told.words.iter().map(|line| format!("<li>{}</li>", esc(line))).collect();
    section(out, t::TAX_OF_ORDER, &format!("<p><b>{}</b></p><ul class=\"trouble\">{words}</ul>", esc(&told.tax_line)));
    if let Some(current) = told.versions.iter().find(|version| version.version == told.standing.version) {
        reasons(out, &current.answer, set);
    }
    let open: Vec<DifferenceView> = told.differences.iter().filter(|d| d.settled_at.is_none()).cloned().collect();
    section(out, t::TAX_DIFFERENCES, &differences(&open));
}
