//! Price files in: base prices and costs, and fixed prices of lists.
//!
//! A row whose `connection`, `country`, `group`, `valid_from` and `valid_to` are empty sets the base price and the cost of its
//! SKU; any other row is a fixed price for that connection, country, group and time. An empty cell leaves what is there. A
//! refused row changes nothing and stops nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Serialize;

use super::model::NewLine;
use super::{Base, Error, bases, set_base, set_line};
use crate::catalog;
use crate::connections;
use crate::ctx::Ctx;
use crate::id::{ConnectionId, VariantId};
use crate::money::{Currency, Money};
use crate::sheet::{Row, Sheet, unguard};
use crate::store::{Sql, WriteTx};

pub const COLUMNS: [&str; 10] =
    ["sku", "price", "currency", "cost", "cost_currency", "connection", "country", "group", "valid_from", "valid_to"];
/// Problems that are told; the others are only counted.
const TOLD: usize = 200;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LineProblem {
    pub line: u64,
    pub problem: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    pub changed: u64,
    pub unchanged: u64,
    pub refused_lines: u64,
    pub refused: Vec<LineProblem>,
    /// Whose prices may be others now.
    #[serde(skip)]
    pub variants: Vec<VariantId>,
}

/// Reads a whole file in one unit of work; the caller undoes it to only look.
pub async fn import(tx: &mut WriteTx, ctx: &Ctx, source: impl Read) -> Result<Report, Error> {
    let mut sheet = Sheet::open(source)?;
    if let Some(unknown) = sheet.columns().iter().find(|column| !COLUMNS.contains(&column.as_str())) {
        return Err(Error::UnknownColumn { column: unknown.chars().take(80).collect() });
    }
    let columns: BTreeMap<String, usize> = sheet.columns().iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
    if !columns.contains_key("sku") {
        return Err(Error::NoSkuColumn);
    }
    let (mut report, mut touched) = (Report::default(), BTreeSet::new());
    let mut known: BTreeMap<String, ConnectionId> = BTreeMap::new();
    while let Some(row) = sheet.next_row()? {
        let (line, done) = match row {
            Err(bad) => (bad.line, Err(format!("{}; hint: {}", bad.what, bad.remedy))),
            Ok(row) => (row.line, take(tx, ctx, &columns, &row, &mut known).await?),
        };
        match done {
            Ok((variant, true)) => {
                report.changed += 1;
                touched.insert(variant);
            }
            Ok((_, false)) => report.unchanged += 1,
            Err(problem) => {
                report.refused_lines += 1;
                if report.refused.len() < TOLD {
                    report.refused.push(LineProblem { line, problem });
                }
            }
        }
    }
    report.variants = touched.into_iter().collect();
    Ok(report)
}

type Taken = Result<(VariantId, bool), String>;

async fn take(
    tx: &mut WriteTx,
    ctx: &Ctx,
    columns: &BTreeMap<String, usize>,
    row: &Row,
    known: &mut BTreeMap<String, ConnectionId>,
) -> Result<Taken, Error> {
    let cell = |name: &str| columns.get(name).and_then(|at| row.cells.get(*at)).map(|text| unguard(text)).filter(|text| !text.is_empty());
    let Some(sku) = cell("sku") else { return Ok(Err("no SKU; hint: fill the column `sku`".into())) };
    let Some(variant) = catalog::find_by_skus(tx, &ctx.tenant, &[sku]).await?.into_values().next() else {
        return Ok(Err(format!("there is no variant with the SKU `{sku}`; hint: import the catalogue first")));
    };
    let connection = match cell("connection") {
        None => None,
        Some(name) => match resolve(tx, ctx, name, known).await? {
            Ok(id) => Some(id),
            Err(problem) => return Ok(Err(problem)),
        },
    };
    let listed = ["country", "group", "valid_from", "valid_to"].iter().any(|name| cell(name).is_some()) || connection.is_some();
    let parsed = if listed { line(&cell, variant.id.clone(), connection) } else { base(&cell).map(Change::Base) };
    match parsed {
        Err(problem) => Ok(Err(problem)),
        Ok(Change::Base(new)) => {
            let before = bases(tx, &ctx.tenant, std::slice::from_ref(&variant.id)).await?.remove(&variant.id).unwrap_or_default();
            let merged = Base { price: new.price.or(before.price), cost: new.cost.or(before.cost) };
            settled(set_base(tx, ctx, &variant.id, &merged).await.map(|changed| (variant.id, changed)))
        }
        Ok(Change::Line(new)) => settled(set_line(tx, ctx, &new).await.map(|_| (variant.id, true))),
    }
}

/// A value that cannot be is the row's problem, everything else stops the file.
fn settled(done: Result<(VariantId, bool), Error>) -> Result<Taken, Error> {
    match done {
        Ok(taken) => Ok(Ok(taken)),
        Err(error @ Error::Invalid { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn resolve(
    conn: &mut impl Sql,
    ctx: &Ctx,
    name: &str,
    known: &mut BTreeMap<String, ConnectionId>,
) -> Result<Result<ConnectionId, String>, Error> {
    if let Some(id) = known.get(name) {
        return Ok(Ok(id.clone()));
    }
    match connections::resolve(conn, &ctx.tenant, name).await {
        Ok(found) => {
            known.insert(name.to_owned(), found.id.clone());
            Ok(Ok(found.id))
        }
        Err(error @ connections::Error::Unknown { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

enum Change {
    Base(Base),
    Line(NewLine),
}

fn amount<'a>(cell: &impl Fn(&str) -> Option<&'a str>, name: &str, currency: Option<&str>) -> Result<Option<Money>, String> {
    let Some(text) = cell(name) else { return Ok(None) };
    let code = currency.ok_or_else(|| format!("`{name}` {text} has no currency; hint: fill the column `currency`"))?;
    let currency = Currency::from_code(code).map_err(|error| error.to_string())?;
    Money::parse(text, currency).map(Some).map_err(|error| format!("`{name}`: {error}"))
}

fn base<'a>(cell: &impl Fn(&str) -> Option<&'a str>) -> Result<Base, String> {
    let currency = cell("currency");
    let base = Base { price: amount(cell, "price", currency)?, cost: amount(cell, "cost", cell("cost_currency").or(currency))? };
    if base == Base::default() {
        return Err("neither a price nor a cost; hint: fill one of the columns".into());
    }
    Ok(base)
}

fn line<'a>(cell: &impl Fn(&str) -> Option<&'a str>, variant: VariantId, connection: Option<ConnectionId>) -> Result<Change, String> {
    if cell("cost").is_some() {
        return Err("a cost is the variant's, not a list's; hint: give it in a row without connection, country, group and days".into());
    }
    let day = |name: &str| match cell(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| format!("`{name}` {text} is no day; hint: write 2026-01-31")),
    };
    let fixed = amount(cell, "price", cell("currency"))?;
    Ok(Change::Line(NewLine {
        variant: Some(variant),
        connection,
        country: cell("country").map(str::to_owned),
        group: cell("group").map(str::to_owned),
        valid_from: day("valid_from")?,
        valid_to: day("valid_to")?,
        fixed: Some(fixed.ok_or("no price; hint: fill the column `price`")?),
        ..NewLine::default()
    }))
}
