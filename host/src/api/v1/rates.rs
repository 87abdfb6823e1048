//! Exchange rates: what sources published, what the merchant wrote down, which of them answers for what.

use axum::extract::{Path, State};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, created, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Raw, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::ctx::Ctx;
use crate::money::{Decimal, RoundingMode, decimal_from_text};
use crate::page::PageRequest;
use crate::rates::{self, Observation, Purpose, Recorded, SeriesKey, Use};
use entrepot_crossborder::fx::{Policy, RateKind};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/rates", "What a series says of one currency, newest day first, corrections with what they correct", list)
        .post("/rates", "Write down a rate of one's own", set)
        .post("/rates/import", "Read a file: the ECB's CSV or XML, openexchangerates' JSON, or CSV of one's own", import)
        .get("/rates/lookup", "The rate of a day, by a purpose or of a series", lookup)
        .get("/rates/series", "Series of rates and how far they reach", series)
        .get("/rates/uses", "Which series answers for which purpose, and how old its rates may be", uses)
        .put("/rates/uses/{purpose}", "Say which series answers for prices, tax or orders", set_use)
}

/// Decimals of a rate that had to be divided; one that was published is shown as it was.
const SHOWN_DECIMALS: u32 = 12;

async fn series(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(rates::list_series(&mut app.store.read().await?, &ctx.tenant).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    series: Option<String>,
    quote: String,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Listed>) -> Answer {
    let mut conn = app.store.read().await?;
    rates::check_code(&wanted.quote)?;
    let key = match &wanted.series {
        Some(text) => SeriesKey::parse(text)?,
        None => rates::table(&mut conn, &ctx.tenant, Purpose::Prices).await?.series,
    };
    let request = PageRequest { cursor: wanted.cursor, limit: wanted.limit };
    page(rates::list(&mut conn, &ctx.tenant, &key, &wanted.quote, &request).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    quote: String,
    /// Default: the series' own.
    base: Option<String>,
    /// Default: today, UTC.
    date: Option<Date>,
    purpose: Option<Purpose>,
    series: Option<String>,
    policy: Option<Policy>,
    /// Default: what the purpose says; a series alone has none.
    max_age_days: Option<u32>,
}

async fn lookup(State(app): State<App>, Reader(ctx): Reader, Query(asked): Query<Asked>) -> Answer {
    let mut conn = app.store.read().await?;
    let (table, key, built_in, max_age) = match (&asked.series, asked.purpose) {
        (Some(_), Some(_)) => {
            return Err(Error::new(Code::Invalid, "a purpose has its series; hint: name one of the two").about("series"));
        }
        (Some(text), None) => {
            let key = SeriesKey::parse(text)?;
            (rates::table_of(&mut conn, &ctx.tenant, &key).await?, key, false, None)
        }
        (None, purpose) => {
            let book = rates::table(&mut conn, &ctx.tenant, purpose.unwrap_or(Purpose::Prices)).await?;
            (book.table, book.series, book.built_in, book.max_age_days)
        }
    };
    let date = asked.date.unwrap_or_else(|| today(&ctx));
    let (policy, max_age_days) = (asked.policy.unwrap_or_default(), asked.max_age_days.or(max_age));
    for code in [Some(&asked.quote), asked.base.as_ref()].into_iter().flatten() {
        rates::check_code(code)?;
    }
    let base = asked.base.unwrap_or_else(|| table.base().to_owned());
    let found = table.rate_on(&base, &asked.quote, date, policy, max_age_days).map_err(rates::Error::from)?;
    let value = found.rate.to_decimal(SHOWN_DECIMALS, RoundingMode::HalfUp).map_err(rates::Error::Money)?;
    told(json!({
        "base": base, "quote": asked.quote, "value": value.normalize(), "date": date, "published_on": found.rate_date,
        "kind": table.kind(), "source": table.source(), "series": key, "built_in": built_in, "max_age_days": max_age_days,
    }))
}

fn today(ctx: &Ctx) -> Date {
    jiff::Timestamp::from_millisecond(ctx.now_ms()).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    base: String,
    quote: String,
    /// A text, so that no digit is lost on the way.
    value: String,
    date: Option<Date>,
    /// Default: fixed.
    kind: Option<String>,
}

async fn set(State(app): State<App>, Writer(ctx): Writer, Body(own): Body<Own>) -> Answer {
    let kind = own.kind.as_deref().map(rates::parse_kind).transpose()?.unwrap_or(RateKind::Fixed);
    let series = SeriesKey { source: rates::OWN.into(), kind, base: rates::currency(&own.base)? };
    let value: Decimal = decimal_from_text(&own.value)
        .map_err(|error| Error::new(Code::Invalid, format!("{error}; hint: write 1.0735, with a point")).about("value"))?;
    let published_on = own.date.unwrap_or_else(|| today(&ctx));
    let observation = Observation { quote: own.quote, value, published_on };
    let answer = json!({ "series": series, "quote": observation.quote, "value": value, "published_on": published_on });
    let recorded = record(&app, &ctx, &series, rates::OWN_TITLE, vec![observation]).await?;
    created(with(answer, &recorded)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    source: Option<String>,
}

async fn import(State(app): State<App>, Writer(ctx): Writer, Query(how): Query<How>, Raw(file): Raw) -> Answer {
    let text = std::str::from_utf8(&file).map_err(|_| crate::sheet::Error::NotUtf8)?;
    if how.source.as_deref().is_some_and(|source| SeriesKey::parse(&format!("{source}/mid/EUR")).is_err()) {
        return Err(
            Error::new(Code::Invalid, "this cannot name a source; hint: use up to 40 characters, none of them a slash").about("source")
        );
    }
    let mut done = Vec::new();
    for file in rates::read_file(text, how.source.as_deref())? {
        let observations = file.observations.len();
        let recorded = record(&app, &ctx, &file.series, &file.title, file.observations).await?;
        done.push(with(json!({ "series": file.series, "observations": observations }), &recorded)?);
    }
    all(done)
}

fn with(mut answer: Value, recorded: &Recorded) -> Result<Value, Error> {
    if let (Some(fields), Value::Object(more)) = (answer.as_object_mut(), serde_json::to_value(recorded)?) {
        fields.extend(more);
    }
    Ok(answer)
}

/// In pieces, so that a whole history keeps nobody waiting.
async fn record(app: &App, ctx: &Ctx, series: &SeriesKey, title: &str, observations: Vec<Observation>) -> Result<Recorded, Error> {
    let mut recorded = Recorded::default();
    for piece in observations.chunks(rates::AT_ONCE) {
        let (ctx, series, title, piece) = (ctx.clone(), series.clone(), title.to_owned(), piece.to_vec());
        recorded += app
            .store
            .write(move |tx| Box::pin(async move { Ok::<_, Error>(rates::record(tx, &ctx, &series, &title, &piece).await?) }))
            .await?;
    }
    let (ctx, source) = (ctx.clone(), series.source.clone());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                rates::ready(tx, &ctx, &source).await?;
                Ok::<_, Error>(crate::sync::tax::rates_came(tx, &ctx).await?)
            })
        })
        .await?;
    Ok(recorded)
}

async fn uses(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    let mut conn = app.store.read().await?;
    let mut found = Vec::new();
    for purpose in Purpose::ALL {
        let book = rates::table(&mut conn, &ctx.tenant, *purpose).await?;
        found.push(json!({
            "purpose": purpose, "series": book.series, "title": book.table.source(), "built_in": book.built_in,
            "last_on": book.table.last_day(), "max_age_days": book.max_age_days,
        }));
    }
    all(found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// Null or left out: the series of middle rates that came first.
    series: Option<String>,
    /// Null or left out: any age.
    max_age_days: Option<u32>,
}

async fn set_use(State(app): State<App>, Writer(ctx): Writer, Path(purpose): Path<String>, Body(chosen): Body<Chosen>) -> Answer {
    let series = chosen.series.as_deref().map(SeriesKey::parse).transpose()?;
    let wanted = Use { purpose: Purpose::parse(&purpose)?, series, max_age_days: chosen.max_age_days };
    let answer = json!(wanted);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                rates::set_use(tx, &ctx, &wanted).await?;
                Ok::<_, Error>(crate::sync::tax::rates_came(tx, &ctx).await?)
            })
        })
        .await?;
    told(answer)
}
