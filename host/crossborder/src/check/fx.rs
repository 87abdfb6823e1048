//! Operations of the fx suite.

use serde_json::{Value, json};

use super::Context;
use super::input::{Input, Refusal, refuse};
use crate::fx::{self, Error, OrderLock, Policy, RateKind, customs_month_rate, spread_quote, threshold_twice};
use crate::money::{Currency, Decimal, Money, RoundingMode};

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NoRate { .. } | Error::NeverFixed { .. } => "no_rate",
            Error::Stale { .. } => "stale_rate",
            Error::NotFixedYet { .. } => "not_fixed_yet",
            Error::OverRefund { .. } => "over_refund",
            Error::BadFile { .. } => "bad_file",
            Error::Money(inner) => return inner.clone().into(),
        };
        refuse(code, error)
    }
}

pub(super) fn answer(context: &Context, op: &str, input: Input<'_>) -> Result<Value, Refusal> {
    match op {
        "rate_on" => {
            let (base, quote) = (input.text("base")?, input.text("quote")?);
            let found = context.rates.rate_on(base, quote, input.date("date")?, policy(input)?, age(input)?)?;
            Ok(json!({"rate": decimals(found.rate, 8)?, "rate_date": found.rate_date.to_string()}))
        }
        "convert" => convert(context, input),
        "fixed_euro" => {
            let code = input.text("ccy")?;
            let fixed = context.rules.fixed_euro(code).ok_or_else(|| Error::NeverFixed { currency: code.to_owned() })?;
            let euro = fixed.to_euro(input.int("minor")?, input.date("date")?, input.mode("mode")?)?;
            Ok(json!({"eur_minor": euro.minor()}))
        }
        "customs_month_rate" => {
            let found = customs_month_rate(&context.rates, input.text("ccy")?, input.date("import_date")?)?;
            Ok(json!({"rate": decimals(found.rate, 8)?, "rate_date": found.rate_date.to_string()}))
        }
        "threshold_twice" => twice(context, input),
        "spread_quote" => spread(input),
        "present_price" => present(input),
        "settlement" => settlement(input),
        "refund_fx" => refund(input),
        _ => Err(Refusal::UnknownOp),
    }
}

fn decimals(value: crate::money::Exact, places: u32) -> Result<String, Refusal> {
    Ok(value.to_decimal(places, RoundingMode::HalfUp)?.to_string())
}

fn policy(input: Input<'_>) -> Result<Policy, Refusal> {
    Ok(input.named("policy")?.unwrap_or_default())
}

fn age(input: Input<'_>) -> Result<Option<u32>, Refusal> {
    match input.get("max_age_days") {
        None => Ok(None),
        Some(_) => u32::try_from(input.int("max_age_days")?)
            .map(Some)
            .map_err(|_| Refusal::Malformed("input.max_age_days is out of range".to_owned())),
    }
}

fn convert(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let from = input.object("from")?;
    let amount = from.money("minor", from.currency("ccy")?)?;
    let (money, rate_date) =
        context.rates.convert(amount, input.currency("to")?, input.date("date")?, policy(input)?, age(input)?, input.mode("mode")?)?;
    Ok(json!({"minor": money.minor(), "rate_date": rate_date.to_string()}))
}

fn twice(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let intrinsic = input.money("intrinsic_minor", input.currency("ccy")?)?;
    let payment = input.date("payment_date")?;
    let threshold = context.rules.programs_of("eu.ioss").find_map(|p| p.number("threshold"));
    let threshold = threshold.ok_or_else(|| refuse("no_threshold", "eu.ioss has no threshold"))?;
    let both = threshold_twice(&context.rates, intrinsic, threshold, payment, input.date("import_date")?)?;
    Ok(json!({
        "sale_eur_minor": both.sale_value.minor(),
        "sale_rate_date": both.sale_rate_date.to_string(),
        "ioss_at_sale": both.low_value_at_sale,
        "import_eur_minor": both.import_value.minor(),
        "import_rate_date": both.import_rate_date.to_string(),
        "over_at_import": both.over_at_import,
    }))
}

fn spread(input: Input<'_>) -> Result<Value, Refusal> {
    let buys = match input.text("customer_side")? {
        "buy_base" => true,
        "sell_base" => false,
        other => {
            return Err(Refusal::Malformed(format!("customer_side \"{other}\" is neither buy_base nor sell_base")));
        }
    };
    let markup = input.optional_decimal("markup_bps")?.unwrap_or_default();
    let quote = spread_quote(input.decimal("mid")?, input.decimal("spread_bps")?, markup, buys)?;
    Ok(json!({
        "bid": quote.bid.to_string(),
        "ask": quote.ask.to_string(),
        "customer_rate": quote.customer_rate.to_string(),
    }))
}

fn present(input: Input<'_>) -> Result<Value, Refusal> {
    let base = input.currency("base_ccy")?;
    let lock = OrderLock {
        base,
        quote: input.currency("ccy")?,
        rate: input.decimal("rate")?,
        markup_bps: input.optional_decimal("markup_bps")?.unwrap_or_default(),
        kind: RateKind::Mid,
        source: "case".to_owned(),
        rate_date: jiff::civil::Date::default(),
        expires_on: None,
    };
    let shown = lock.present(input.money("base_minor", base)?, input.mode("mode")?)?;
    Ok(json!({
        "presentment_minor": shown.price.minor(),
        "locked_rate": shown.locked_rate.to_string(),
    }))
}

fn settlement(input: Input<'_>) -> Result<Value, Refusal> {
    let base = input.currency("base_ccy")?;
    let settled = fx::settle(
        input.money("charged_minor", input.currency("ccy")?)?,
        input.decimal("locked_units_per_base")?,
        input.decimal("settle_units_per_base")?,
        input.optional_decimal("conversion_fee_rate")?.unwrap_or(Decimal::ZERO),
        input.money_or_zero("remittance_fee_minor", base)?,
    )?;
    Ok(json!({
        "expected_base_minor": settled.expected.minor(),
        "gross_base_minor": settled.gross.minor(),
        "fx_gain_loss_minor": settled.fx_gain_loss.minor(),
        "fees_minor": settled.fees.minor(),
        "net_base_minor": settled.net.minor(),
    }))
}

fn refund(input: Input<'_>) -> Result<Value, Refusal> {
    let ccy: Currency = input.currency("ccy")?;
    let base = input.currency("base_ccy")?;
    let money = |key: &str| -> Result<Money, Refusal> { input.money_or_zero(key, ccy) };
    input.int("refund_minor")?;
    input.int("charged_minor")?;
    let done = fx::refund(
        money("refund_minor")?,
        money("charged_minor")?,
        money("already_refunded_minor")?,
        input.decimal("locked_units_per_base")?,
        input.decimal("today_units_per_base")?,
        base,
    )?;
    Ok(json!({
        "refund_minor": done.refund.minor(),
        "base_at_lock_minor": done.base_at_lock.minor(),
        "base_cash_minor": done.base_cash.minor(),
        "fx_gain_loss_minor": done.fx_gain_loss.minor(),
    }))
}
