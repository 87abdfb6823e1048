//! Exchange rates from connectors that publish them, one page a run.
//!
//! A page may hold years. It is recorded in pieces, so that other writers are not kept waiting; the cursor moves with the last
//! piece. Recording is idempotent, so a page that was cut short by a crash is simply read again.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiff::civil::Date;

use super::convert::{self, Refusal};
use super::error::ending;
use super::reading::{self, Reading};
use super::{Error, Sync, health, store};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::money::decimal_from_text;
use crate::plugins::wire::rates_in::{Publication, RateKind as WireKind, RatePage};
use crate::rates::{self, Observation, Purpose, SeriesKey};
use entrepot_crossborder::fx::RateKind;

pub struct Rates(pub Sync);

const STREAM: &str = "rates-in";
/// Values a page. The whole history of a central bank takes a handful.
const PAGE: u32 = 60_000;

impl Handler for Rates {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(Reading { ctx, connection, cursor, session }) = reading::open(sync, ctx, claim, STREAM).await? else { return Ok(()) };
    let ctx = &ctx;
    let page = session.caller.rates_pull(session.context(1, ""), cursor, PAGE).await;
    let page = health::heard(sync, ctx, &connection, page).await?;
    take(sync, ctx, claim, &connection, read(&connection.plugin, page)?).await?;
    // Whoever asks next, perhaps inside a unit of work, finds the table made.
    rates::table(&mut sync.store.read().await?, &ctx.tenant, Purpose::Tax).await?;
    health::note(sync, ctx, &connection, None).await
}

/// A page in our own strict form.
struct Read {
    title: String,
    series: Vec<(SeriesKey, Vec<Observation>)>,
    /// What was read is newer than what was refused of these days before.
    days: Option<(Date, Date)>,
    refusals: Vec<(String, String)>,
    cursor: String,
    more: bool,
}

fn read(plugin: &str, page: RatePage) -> Result<Read, Error> {
    if plugin == rates::OWN {
        return Err(Error::refused(
            format!("a connector called `{plugin}` cannot bring rates: that is the name of what the merchant wrote down"),
            "its author must give it another name",
        ));
    }
    let mut series: BTreeMap<String, (SeriesKey, Vec<Observation>)> = BTreeMap::new();
    let mut refusals: Vec<(String, String)> = page.refused.into_iter().map(|refused| (refused.key, refused.failure.message)).collect();
    let mut days: Option<(Date, Date)> = None;
    for publication in page.publications {
        let place = publication.published_on.clone();
        match head(plugin, &publication) {
            Ok((key, day)) => {
                days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
                let (_, known) = series.entry(key.to_string()).or_insert_with(|| (key, Vec::new()));
                for (quote, value) in publication.values {
                    match observation(&quote, &value, &publication.base, day) {
                        Ok(observation) => known.push(observation),
                        Err(refusal) => refusals.push((format!("{place} {quote}"), refusal.to_string())),
                    }
                }
            }
            Err(refusal) => refusals.push((place, refusal.to_string())),
        }
    }
    for (key, _) in &mut refusals {
        *key = key.chars().take(80).collect();
    }
    let title = page.source.trim().chars().take(120).collect::<String>();
    let title = if title.is_empty() { plugin.to_owned() } else { title };
    Ok(Read { title, series: series.into_values().collect(), days, refusals, cursor: page.cursor, more: page.more })
}

/// Which series a publication belongs to, and its day.
fn head(plugin: &str, publication: &Publication) -> Result<(SeriesKey, Date), Refusal> {
    let day = publication.published_on.parse().or_else(|_| {
        convert::refuse("published-on", format!("`{}` is not a day such as 2026-10-30", convert::shortened(&publication.published_on)))
    })?;
    let kind = match publication.kind {
        WireKind::Mid => RateKind::Mid,
        WireKind::Bid => RateKind::Bid,
        WireKind::Ask => RateKind::Ask,
        WireKind::Customs => RateKind::Customs,
        WireKind::Fixed => RateKind::Fixed,
        WireKind::Other => return convert::refuse("kind", "rates of another kind than mid, bid, ask, customs and fixed are not kept"),
    };
    let base = rates::currency(&publication.base).or_else(|error| convert::refuse("base", error.to_string()))?;
    Ok((SeriesKey { source: plugin.to_owned(), kind, base }, day))
}

fn observation(quote: &str, value: &str, base: &str, day: Date) -> Result<Observation, Refusal> {
    rates::check_code(quote).or_else(|error| convert::refuse("currency", error.to_string()))?;
    let value = decimal_from_text(value).or_else(|error| convert::refuse("value", error.to_string()))?;
    if value.is_sign_negative() || value.is_zero() {
        return convert::refuse("value", format!("{value} is not above zero; what was not published is left out"));
    }
    if quote == base {
        return convert::refuse("currency", format!("a rate of {quote} in {base} says nothing"));
    }
    Ok(Observation { quote: quote.to_owned(), value, published_on: day })
}

async fn take(sync: &Sync, ctx: &Ctx, claim: &Claim, connection: &Connection, read: Read) -> Result<(), Error> {
    let mut recorded = rates::Recorded::default();
    for (key, observations) in &read.series {
        for piece in observations.chunks(rates::AT_ONCE) {
            let (ctx, claim, key, title, piece) = (ctx.clone(), claim.clone(), key.clone(), read.title.clone(), piece.to_vec());
            recorded += sync
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        lanes::fence(tx, &claim).await?;
                        Ok::<_, Error>(rates::record(tx, &ctx, &key, &title, &piece).await?)
                    })
                })
                .await?;
        }
    }
    if recorded.corrected > 0 {
        tracing::info!(connection = %connection.name, corrected = recorded.corrected, "rates were corrected by their source");
    }
    let (ctx, claim, id, source) = (ctx.clone(), claim.clone(), connection.id.clone(), connection.plugin.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                if let Some((first, last)) = read.days {
                    store::clear_refusals(tx, &ctx, &id, KIND, &first.to_string(), &format!("{last}~")).await?;
                }
                for (key, why) in &read.refusals {
                    store::refuse(tx, &ctx, &id, KIND, key, why).await?;
                }
                store::put_cursor(tx, &ctx, &id, STREAM, &read.cursor).await?;
                if !read.more {
                    rates::ready(tx, &ctx, &source).await?;
                    super::tax::rates_came(tx, &ctx).await?;
                }
                let outcome = if read.more { Outcome::Again { at_ms: ctx.now_ms() } } else { Outcome::Done };
                Ok(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}

/// Of refusals. Their keys begin with the day, so that reading a day again replaces what was refused of it.
const KIND: &str = "rate";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn page(publications: Vec<Publication>) -> RatePage {
        RatePage { source: " ".into(), publications, refused: Vec::new(), cursor: "c".into(), more: false, extras: Vec::new() }
    }

    fn published(day: &str, kind: WireKind, base: &str, values: &[(&str, &str)]) -> Publication {
        let values = values.iter().map(|(quote, value)| ((*quote).to_owned(), (*value).to_owned())).collect();
        Publication { published_on: day.into(), kind, base: base.into(), values, extras: Vec::new() }
    }

    #[test]
    fn each_kind_and_base_is_a_series_under_the_connectors_own_name() {
        let read = read(
            "bank",
            page(vec![
                published("2026-10-30", WireKind::Mid, "EUR", &[("USD", "1.1172")]),
                published("2026-10-29", WireKind::Mid, "EUR", &[("USD", "1.12")]),
                published("2026-10-30", WireKind::Ask, "EUR", &[("USD", "1.13")]),
                published("2026-10-30", WireKind::Mid, "USD", &[("EUR", "0.9")]),
            ]),
        )
        .unwrap();
        let names: Vec<(String, usize)> = read.series.iter().map(|(key, rates)| (key.to_string(), rates.len())).collect();
        assert_eq!(names, [("bank/ask/EUR".into(), 1), ("bank/mid/EUR".into(), 2), ("bank/mid/USD".into(), 1)]);
        assert_eq!(read.title, "bank", "a source without a name is called like its connector");
        assert_eq!(read.days.map(|(a, b)| (a.to_string(), b.to_string())), Some(("2026-10-29".into(), "2026-10-30".into())));
        assert!(read.refusals.is_empty());
    }

    #[test]
    fn what_is_no_rate_is_refused_alone_with_its_day_and_its_currency() {
        let values = [("USD", "1.1"), ("GBP", "0"), ("JPY", "1e2"), ("usd", "1.1"), ("EUR", "1"), ("NOK", "-3")];
        let read = read(
            "bank",
            page(vec![
                published("2026-10-30", WireKind::Mid, "EUR", &values),
                published("30.10.2026", WireKind::Mid, "EUR", &[("USD", "1.1")]),
                published("2026-10-30", WireKind::Other, "EUR", &[("USD", "1.1")]),
                published("2026-10-30", WireKind::Mid, "EURO", &[("USD", "1.1")]),
            ]),
        )
        .unwrap();
        assert_eq!(read.series.iter().map(|(_, rates)| rates.len()).sum::<usize>(), 1);
        let keys: Vec<&str> = read.refusals.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "2026-10-30 GBP",
                "2026-10-30 JPY",
                "2026-10-30 usd",
                "2026-10-30 EUR",
                "2026-10-30 NOK",
                "30.10.2026",
                "2026-10-30",
                "2026-10-30"
            ]
        );
        assert!(read.refusals[1].1.contains("1e2"), "{:?}", read.refusals[1]);
    }

    #[test]
    fn no_connector_writes_under_the_merchants_own_name() {
        assert!(read("own", page(Vec::new())).is_err());
    }
}
