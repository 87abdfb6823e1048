//! Operations of the landed_cost suite.

use serde_json::{Value, json};

use super::Context;
use super::input::{Input, Refusal, refuse};
use crate::documents::{self, customs_form};
use crate::gates::{self, Battery, DangerousReason, dangerous_goods};
use crate::landed::{self, Duty, Incoterm, Shipment, UnitLine, ddp_price, landed_cost, landed_units};
use crate::money::{Currency, Money};
use crate::rules::{DutyBase, TaxBase};

pub(super) fn answer(context: &Context, op: &str, input: Input<'_>) -> Result<Value, Refusal> {
    match op {
        "landed_cost" => cost(context, input),
        "landed_units" => units(input),
        "ddp_price" => ddp(input),
        "customs_form" => form(context, input),
        "dangerous_goods" => dangerous(context, input),
        _ => Err(Refusal::UnknownOp),
    }
}

fn cost(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let ccy = input.currency("ccy")?;
    let destination = input.text("destination")?;
    let row = context.rules.valuation(destination).or_else(|| {
        let zone = context.rules.zone_of(destination, context.rules.last_checked())?;
        context.rules.valuation(&zone.zone)
    });
    let unknown = || refuse("no_valuation", format!("no valuation row for {destination}"));
    let duty_base: Option<DutyBase> = input.named("duty_base")?;
    let tax_base: Option<TaxBase> = input.named("tax_base")?;
    let mut fees = Money::zero(ccy);
    if input.get("fees").is_some() {
        for fee in input.objects("fees")? {
            fees = fees.checked_add(fee.money("minor", ccy)?)?;
        }
    }
    let duty = match (input.flag("duty_relieved")?, input.get("flat_duty_minor")) {
        (true, _) => Some(Duty::Relieved),
        (false, Some(_)) => Some(Duty::Flat(input.money("flat_duty_minor", ccy)?)),
        (false, None) => input.optional_decimal("duty_rate")?.map(Duty::Rate),
    };
    let shipment = Shipment {
        goods: input.money("goods_minor", ccy)?,
        freight: input.money_or_zero("freight_minor", ccy)?,
        insurance: input.money_or_zero("insurance_minor", ccy)?,
        onward: input.money_or_zero("onward_minor", ccy)?,
        duty_base: duty_base.or(row.map(|r| r.duty_base)).ok_or_else(unknown)?,
        tax_base: tax_base.or(row.map(|r| r.tax_base)).ok_or_else(unknown)?,
        duty,
        tax_rate: input.optional_decimal("tax_rate")?,
        fees,
    };
    let landed = landed_cost(&shipment).map_err(|e| match e {
        landed::Error::Money(e) => e.into(),
        landed::Error::NoTaxRate => refuse("missing_tax_rate", e),
        landed::Error::NoDuty => refuse("missing_duty", e),
    })?;
    let mut answer = json!({
        "customs_value_minor": landed.customs_value.minor(),
        "duty_minor": landed.duty.minor(),
        "tax_base_minor": landed.tax_base.minor(),
        "tax_minor": landed.tax.minor(),
        "fees_minor": landed.fees.minor(),
        "landed_total_minor": landed.total.minor(),
    });
    let incoterm: Option<Incoterm> = input.named("incoterm")?;
    if let Some(incoterm) = incoterm {
        let (buyer, seller) = landed.by_incoterm(incoterm)?;
        answer["buyer_pays_at_delivery_minor"] = json!(buyer.minor());
        answer["seller_pays_duties_taxes_minor"] = json!(seller.minor());
    }
    Ok(answer)
}

fn count(input: Input<'_>, key: &str) -> Result<u64, Refusal> {
    u64::try_from(input.int_or(key, 0)?).map_err(|_| Refusal::Malformed(format!("{key} is negative")))
}

fn units(input: Input<'_>) -> Result<Value, Refusal> {
    let ccy = input.currency("ccy")?;
    let mut lines = Vec::new();
    for line in input.objects("lines")? {
        lines.push(UnitLine { unit: line.money("unit_minor", ccy)?, qty: count(line, "qty")?, weight_g: count(line, "weight_g")? });
    }
    let mut charges = Vec::new();
    for charge in input.objects("charges")? {
        let by = charge.named("by")?;
        let by = by.ok_or_else(|| Refusal::Malformed("a charge has no `by`".to_owned()))?;
        charges.push((by, charge.money("minor", ccy)?));
    }
    let costs = landed_units(&lines, &charges)?;
    let line_cost: Vec<i64> = costs.iter().map(|(cost, _)| cost.minor()).collect();
    let unit_cost: Vec<String> = costs.iter().map(|(_, unit)| unit.to_string()).collect();
    Ok(json!({"line_cost_minor": line_cost, "unit_cost": unit_cost}))
}

fn ddp(input: Input<'_>) -> Result<Value, Refusal> {
    // The question is about minor units of any currency.
    let ccy = match input.get("ccy") {
        Some(_) => input.currency("ccy")?,
        None => Currency::from_code("EUR")?,
    };
    let base = input.named("duty_base")?;
    let (duty, tax, all_in) = ddp_price(
        input.money("net_goods_minor", ccy)?,
        input.money_or_zero("net_shipping_minor", ccy)?,
        base.ok_or_else(|| Refusal::Malformed("input.duty_base is missing".to_owned()))?,
        input.decimal("duty_rate")?,
        input.decimal("tax_rate")?,
    )?;
    Ok(json!({"duty_minor": duty.minor(), "tax_minor": tax.minor(), "all_in_minor": all_in.minor()}))
}

fn form(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let value = input.money("value_minor", input.currency("ccy")?)?;
    let letter = matches!(input.text_or("mail_class", "")?, "letter" | "small_packet");
    let (form, sdr) = customs_form(
        &context.rules,
        context.rules.last_checked(),
        input.text("channel")? == "post",
        letter,
        value,
        input.decimal("ccy_per_sdr")?,
    )
    .map_err(|e| match e {
        documents::Error::Money(e) => e.into(),
        other => refuse("not_in_force", other),
    })?;
    Ok(json!({"form": form.id(), "value_sdr": sdr.to_string()}))
}

fn dangerous(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let battery = Battery {
        un: input.text("un")?,
        packing: input.text("packing")?,
        mode: input.text("mode")?,
        watt_hours: input.optional_decimal("wh")?,
        state_of_charge_percent: input.optional_decimal("soc_percent")?,
        date: input.date("date")?,
    };
    let reason = dangerous_goods(&context.rules, &battery).map_err(|e| match &e {
        gates::Error::Money(inner) => inner.clone().into(),
        gates::Error::UnknownGoods { .. } => refuse("unknown_goods", e),
        gates::Error::MissingFact { .. } => refuse("missing_fact", e),
    })?;
    Ok(json!({"allowed": reason == DangerousReason::Ok, "reason": reason.name()}))
}
