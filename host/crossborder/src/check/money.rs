//! Operations of the money suite.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Context;
use super::input::{Input, Refusal, decimal_of, refuse};
use crate::money::{Currency, Money};
use crate::pricing::{self, Charm, Costs};
use crate::tax::{Document, DocumentLine, Error as TaxError, InclusiveRound, PriceMode, cash_round, document_tax, split_gross};

pub(super) fn answer(context: &Context, op: &str, input: Input<'_>) -> Result<Value, Refusal> {
    match op {
        "parse_money" => parse_money(input),
        "format_major" => {
            let money = input.money("minor", input.currency("ccy")?)?;
            Ok(json!({"text": money.to_decimal_string()}))
        }
        "round" => {
            let (ccy, mode) = (input.currency("ccy")?, input.mode("mode")?);
            let money = Money::from_exact_rounded(input.exact("value")?, ccy, mode)?;
            Ok(json!({"minor": money.minor()}))
        }
        "cash_round" => cash(context, input),
        "allocate" => allocate(input),
        "split_gross" => split(input),
        "document_tax" => document(input),
        "charm_price" => charm(input),
        "floor_price" => floor(input),
        _ => Err(Refusal::UnknownOp),
    }
}

fn parse_money(input: Input<'_>) -> Result<Value, Refusal> {
    let code = input.text("ccy")?;
    let currency = match input.get("date") {
        None => Currency::from_code(code)?,
        Some(_) => Currency::parse(code, input.date("date")?)?,
    };
    let money = Money::parse_strict(input.text("text")?, currency)?;
    Ok(json!({"minor": money.minor()}))
}

fn cash(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let ccy = input.currency("ccy")?;
    let total = input.money("minor", ccy)?;
    let row = context.rules.cash_rounding(input.text("country")?, ccy.code());
    let (payable, difference) = match row {
        Some(row) if input.text_or("tender", "cash")? == "cash" => cash_round(total, row, input.optional_mode("tie")?)?,
        _ => (total, Money::zero(ccy)),
    };
    Ok(json!({"payable_minor": payable.minor(), "difference_minor": difference.minor()}))
}

fn allocate(input: Input<'_>) -> Result<Value, Refusal> {
    let total = input.money("total_minor", input.currency("ccy")?)?;
    let mut weights = Vec::new();
    for value in input.list("weights")? {
        let weight = decimal_of(value);
        weights.push(weight.ok_or_else(|| Refusal::Malformed(format!("weight {value} is not a number")))?);
    }
    let parts = total.allocate_by(&weights)?;
    let parts: Vec<i64> = parts.iter().map(Money::minor).collect();
    Ok(json!({"parts": parts}))
}

fn split(input: Input<'_>) -> Result<Value, Refusal> {
    let gross = input.money("gross_minor", input.currency("ccy")?)?;
    let round = input.named("round")?.unwrap_or(InclusiveRound::Tax);
    let (net, tax) = split_gross(gross, input.decimal("rate")?, round, input.mode("mode")?)?;
    Ok(json!({"net_minor": net.minor(), "tax_minor": tax.minor()}))
}

fn document(input: Input<'_>) -> Result<Value, Refusal> {
    let mut rates = BTreeMap::new();
    for (key, taxes) in input.object("rates")?.0 {
        let bad = || Refusal::Malformed(format!("rates.{key} is not an object of decimals"));
        let mut by_tax = BTreeMap::new();
        for (tax, rate) in taxes.as_object().ok_or_else(bad)? {
            by_tax.insert(tax.clone(), decimal_of(rate).ok_or_else(bad)?);
        }
        rates.insert(key.clone(), by_tax);
    }
    let lines = input.objects("lines")?.into_iter().map(|line| {
        Ok(DocumentLine { unit: line.decimal("unit")?, qty: line.decimal("qty")?, rate_key: line.text("rate_key")?.to_owned() })
    });
    let level = input.named("level")?;
    let document = Document {
        currency: input.currency("ccy")?,
        price_mode: input.named("price_mode")?.unwrap_or(PriceMode::Exclusive),
        level: level.ok_or_else(|| Refusal::Malformed("input.level is missing".to_owned()))?,
        mode: input.mode("mode")?,
        lines: lines.collect::<Result<_, Refusal>>()?,
        rates,
    };
    let tax = document_tax(&document).map_err(|e| match e {
        TaxError::Money(e) => e.into(),
        other => refuse("unknown_rate_key", other),
    })?;
    let mut answer = json!({"tax_total_minor": tax.tax.minor(), "total_minor": tax.total.minor()});
    if document.level != crate::tax::Level::Document {
        let by_rate: Map<String, Value> =
            tax.by_rate.iter().map(|((code, key), amount)| (format!("{code}:{key}"), json!(amount.minor()))).collect();
        answer["tax_by_rate_minor"] = Value::Object(by_rate);
    }
    Ok(answer)
}

fn price_refusal(error: pricing::Error) -> Refusal {
    match error {
        pricing::Error::Money(e) => e.into(),
        pricing::Error::Unreachable => refuse("unreachable", error),
        pricing::Error::BadStep => refuse("bad_step", error),
    }
}

fn charm(input: Input<'_>) -> Result<Value, Refusal> {
    let direction = input.named("direction")?;
    let charm = Charm {
        step: input.decimal("step")?,
        ending: input.decimal("ending")?,
        direction: direction.ok_or_else(|| Refusal::Malformed("input.direction is missing".to_owned()))?,
    };
    let price = charm.apply(input.exact("value")?, input.currency("ccy")?).map_err(price_refusal)?;
    Ok(json!({"price_minor": price.minor()}))
}

fn floor(input: Input<'_>) -> Result<Value, Refusal> {
    let ccy = input.currency("ccy")?;
    let costs = Costs {
        cost: input.money("cost_minor", ccy)?,
        shipping: input.money_or_zero("shipping_cost_minor", ccy)?,
        fixed_fee: input.money_or_zero("fixed_fee_minor", ccy)?,
        fee_rate: input.decimal("fee_rate")?,
        tax_rate: input.decimal("tax_rate")?,
        min_margin_rate: input.decimal("min_margin_rate")?,
    };
    let floor = costs.floor().map_err(price_refusal)?;
    Ok(json!({"floor_gross_minor": floor.minor()}))
}
