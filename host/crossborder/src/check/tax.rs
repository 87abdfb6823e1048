//! Operations of the tax suite.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Context;
use super::input::{Input, Refusal, refuse};
use crate::money::{Currency, Exact, Money, RoundingMode};
use crate::quote::{Buyer, Channel, Decision, SaleFacts, decide};
use crate::rules::{Calculation, UsState};
use crate::tax::national::{
    CnCbecChannel, CnOrder, CnPostal, TrPostal, br_remessa, ca_import, ch_import, cn_cbec, cn_postal, in_tcs, jp_personal, kr_personal,
    mx_courier, tr_postal, us_entry, us_nexus, us_sourcing,
};
use crate::tax::{Error, ItemDutyRule, PlaceFacts, item_duty, jurisdiction_of, place_of_supply, rate_for};

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NoRate { .. } => "no_rate",
            Error::NotEu { .. } => "not_eu",
            Error::UnknownRateKey { .. } => "unknown_rate_key",
            Error::MissingNumber { .. } => "missing_number",
            Error::OverLimit { .. } => "over_limit",
            Error::MissingFact { .. } => "missing_fact",
            Error::NotInForce(_) => "scheme_not_in_force",
            Error::Money(inner) => return inner.clone().into(),
            Error::Fx(inner) => return inner.clone().into(),
        };
        refuse(code, error)
    }
}

pub(super) fn answer(context: &Context, op: &str, input: Input<'_>) -> Result<Value, Refusal> {
    match op {
        "rate_as_of" => rate_as_of(context, input),
        "eu_place_of_supply" => place(context, input),
        "import_scheme" => import_scheme(context, input),
        "eu_item_duty" => per_item(context, input),
        "cn_cbec" => cbec(context, input),
        "cn_postal" => postal(context, input),
        "br_remessa" => remessa(context, input),
        "kr_personal" => korea(context, input),
        "jp_personal" => japan(context, input),
        "mx_courier" => mexico(context, input),
        "tr_postal" => turkey(context, input),
        "us_entry" => entry(context, input),
        "ca_courier" => canada(context, input),
        "in_tcs" => india(context, input),
        "ch_import" => swiss(context, input),
        "us_nexus" => nexus(context, input),
        "us_sourcing" => sourcing(context, input),
        _ => Err(Refusal::UnknownOp),
    }
}

fn ccy(code: &str) -> Result<Currency, Refusal> {
    Ok(Currency::from_code(code)?)
}

/// A question without a date is about the rules as last checked.
fn date_or_checked(context: &Context, input: Input<'_>) -> Result<Date, Refusal> {
    match input.get("date") {
        Some(_) => input.date("date"),
        None => Ok(context.rules.last_checked()),
    }
}

fn rate_as_of(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let (jurisdiction, category) = (input.text("jurisdiction")?, input.text("category")?);
    let found = context.rules.rates(jurisdiction, category, input.date("date")?);
    if found.is_empty() {
        return Err(refuse("no_rate", format!("{jurisdiction} {category}")));
    }
    let rates: Vec<Value> = found
        .iter()
        .map(|r| {
            json!({
                "tax": r.tax,
                "rate": r.rate.normalize().to_string(),
                "valid_from": r.period.valid_from.map(|d| d.to_string()),
            })
        })
        .collect();
    Ok(json!({"rates": rates}))
}

fn place(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let eur = ccy("EUR")?;
    let seller = input.text("seller_country")?;
    let elsewhere = match input.get("other_establishments") {
        None => false,
        Some(Value::Array(list)) => list.iter().any(|c| c.as_str() != Some(seller)),
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(count)) => count.as_i64() != Some(0),
        Some(other) => {
            return Err(Refusal::Malformed(format!("other_establishments {other} is not a list")));
        }
    };
    let facts = PlaceFacts {
        seller_country: seller.to_owned(),
        ship_to: input.text("ship_to")?.to_owned(),
        region: input.optional_text("region")?.map(str::to_owned),
        date: input.date("date")?,
        year_to_date: input.money_or_zero("ytd_before_minor", eur)?,
        sale_net: input.money("sale_net_minor", eur)?,
        previous_year: input.money_or_zero("previous_year_minor", eur)?,
        several_states: elsewhere || input.flag("ships_from_several")?,
        opted_destination: input.flag("opted_destination")?,
        business_buyer: input.text_or("buyer", "consumer")? == "business",
        category: input.text_or("category", "standard")?.to_owned(),
    };
    let place = place_of_supply(&context.rules, &facts)?;
    let rate = match &place.rate {
        Some(rate) => rate.total()?.normalize().to_string(),
        None => "0".to_owned(),
    };
    Ok(json!({
        "taxing_country": place.taxing_country,
        "rate": rate,
        "vat_minor": place.vat.minor(),
        "reason": place.reason.name(),
    }))
}

fn import_scheme(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let rules = &context.rules;
    let date = input.date("date")?;
    let currency = input.currency("ccy")?;
    let region = input.optional_text("region")?;
    let ship_to = match (input.text("ship_to")?, region) {
        ("GB", Some("XI" | "NIR" | "GB-NIR")) => "XI",
        (country, _) => country,
    };
    let zone = rules.zone_of(ship_to, date).map_or(ship_to, |z| z.zone.as_str());
    let in_zone = |given: &str| given == zone || rules.zone_of(given, date).is_some_and(|z| z.zone == zone);
    let mut goods = Exact::ZERO;
    let mut dearest = Exact::ZERO;
    let mut kinds = Vec::new();
    for line in input.objects("lines")? {
        let unit = line.money("unit_minor", currency)?.exact();
        goods = goods.add(unit.mul(line.exact("qty")?)?)?;
        if unit.compare(dearest)?.is_gt() {
            dearest = unit;
        }
        kinds.extend(line.optional_text("kind")?);
    }
    let shipping = input.money_or_zero("shipping_minor", currency)?;
    let insurance = input.money_or_zero("insurance_minor", currency)?;
    let extras = shipping.checked_add(insurance)?.exact();
    let registrations: Vec<String> = match input.get("seller_registrations") {
        None => Vec::new(),
        Some(_) => input.list("seller_registrations")?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
    };
    let territory = region.and_then(|r| rules.territory(ship_to, r));
    let facts = SaleFacts {
        rules,
        rates: &context.rates,
        date,
        ccy: currency.code(),
        max_rate_age_days: None,
        given_rate: None,
        buyer: Some(input.named("buyer")?.unwrap_or(Buyer::Consumer)),
        channel: Some(input.named("channel")?.unwrap_or(Channel::OwnStore)),
        ship_from: input.optional_text("ship_from")?,
        ship_to,
        goods_in_zone: Some(input.optional_text("ship_from_zone")?.is_some_and(in_zone)),
        seller_in_zone: Some(input.optional_text("seller_zone")?.is_none_or(in_zone)),
        outside_tax_area: Some(territory.is_some_and(|t| !t.in_vat_area)),
        registrations: Some(&registrations),
        kinds: Some(kinds),
        hs: None,
        origin: None,
        mode: input.optional_text("mode")?,
        one_consignment: Some(input.flag("one_consignment")?),
        elect_border: Some(input.flag("elect_border")?),
        personal_use: Some(input.flag("personal_use")?),
        cbec_channel: Some(input.flag("cbec_channel")?),
        consignment_goods: Some(goods),
        dearest_item: Some(dearest),
        consignment_cif: Some(goods.add(extras)?),
        conversions: Default::default(),
    };
    let facts = SaleFacts { given_rate: given_rate(&facts, zone, input)?, ..facts };
    let rule = match decide(&facts, zone) {
        Decision::Rule(rule) => rule,
        Decision::Missing(what) => {
            // A rate that cannot be found is the one fact this question cannot carry itself.
            let failed = facts.conversions.borrow().iter().find_map(|c| c.2.clone().err());
            return Err(match failed {
                Some(error) => error.into(),
                None => refuse("missing_fact", what.join("; ")),
            });
        }
        Decision::NotCovered => return Err(refuse("not_covered", ship_to)),
    };
    let mut answer = json!({
        "scheme": rule.scheme,
        "collector": rule.collector,
        "tax_point": rule.tax_point,
    });
    if let Some((amount, measure_ccy)) = &rule.measure {
        let value = facts.amount(*amount).unwrap_or(Exact::ZERO);
        let value = facts.in_currency(value, measure_ccy)?;
        let shown = value.to_decimal(2, RoundingMode::HalfUp)?;
        answer["threshold_value"] = json!(format!("{shown:.2}"));
        answer["threshold_ccy"] = json!(measure_ccy);
    }
    if rule.calculation == Calculation::SaleTax {
        let taxable = Money::from_exact_rounded(goods.add(extras)?, currency, RoundingMode::HalfUp)?;
        let jurisdiction = jurisdiction_of(rules, ship_to, region, date);
        let rate = rate_for(rules, &jurisdiction, input.text_or("category", "standard")?, date)?.total()?;
        answer["taxable_minor"] = json!(taxable.minor());
        answer["rate"] = json!(rate.normalize().to_string());
        answer["tax_minor"] = json!(taxable.mul_rounded(rate, RoundingMode::HalfUp)?.minor());
    }
    Ok(answer)
}

/// The rate given with the question as units of the threshold's currency per unit of the sale's. It may be
/// written either way round: the published cross rate, where there is one, tells which way was meant.
fn given_rate(facts: &SaleFacts<'_>, zone: &str, input: Input<'_>) -> Result<Option<Exact>, Refusal> {
    let Some(rate) = input.optional_decimal("fx_rate")?.map(Exact::from_decimal) else {
        return Ok(None);
    };
    let measured = facts.rules.rules(zone, facts.date).find_map(|r| r.measure.as_ref());
    let Some((_, ccy)) = measured else {
        return Ok(Some(rate));
    };
    let inverse = Exact::ONE.div(rate)?;
    let Ok(published) = facts.in_currency(Exact::ONE, ccy) else {
        return Ok(Some(rate));
    };
    // How far off a rate is, as a ratio of at least one.
    let off = |candidate: Exact| -> Result<Exact, Refusal> {
        let ratio = candidate.div(published)?;
        Ok(if ratio.compare(Exact::ONE)?.is_lt() { Exact::ONE.div(ratio)? } else { ratio })
    };
    Ok(Some(if off(inverse)?.compare(off(rate)?)?.is_lt() { inverse } else { rate }))
}

fn per_item(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let intrinsic = input.money("intrinsic_eur_minor", ccy("EUR")?)?;
    let lines = input.objects("lines")?;
    let codes: Vec<&str> = lines.iter().map(|l| l.text("code")).collect::<Result<_, _>>()?;
    let full = input.text_or("declaration", "H7")? == "H1";
    let duty = item_duty(&context.rules, input.date("date")?, intrinsic.exact(), full, &codes)?;
    let rule = match duty.rule {
        ItemDutyRule::None => "none",
        ItemDutyRule::PerItem => "eu.item_duty",
        ItemDutyRule::Tariff => "tariff",
    };
    Ok(json!({
        "items": duty.items,
        "duty_eur_minor": duty.duty.map(|d| d.minor()),
        "rule": rule,
    }))
}

fn cbec(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let cny = ccy("CNY")?;
    let order = CnOrder {
        dutiable: input.money("dutiable_minor", cny)?,
        year_to_date: input.money_or_zero("ytd_minor", cny)?,
        consumption_rate: input.optional_decimal("consumption_rate")?.unwrap_or_default(),
        duty_rate: input.optional_decimal("duty_rate")?,
        vat_rate: input.optional_decimal("vat_rate")?,
        single_item: input.flag("single_item")?,
    };
    let tax = cn_cbec(&context.rules, input.date("date")?, &order)?;
    let channel = match tax.channel {
        CnCbecChannel::Reduced => "cbec_reduced",
        CnCbecChannel::Full => "cbec_full",
        CnCbecChannel::OverAnnualLimit => {
            return Ok(json!({"channel": "general_trade", "reason": "annual_limit"}));
        }
        CnCbecChannel::OverOrderLimit => {
            return Ok(json!({"channel": "general_trade", "reason": "order_limit"}));
        }
    };
    Ok(json!({
        "channel": channel,
        "duty_minor": tax.duty.minor(),
        "consumption_tax_minor": tax.consumption_tax.minor(),
        "vat_minor": tax.vat.minor(),
        "total_tax_minor": tax.total.minor(),
        "composite_rate_percent": tax.composite_rate_percent.map(|r| r.to_string()),
    }))
}

fn postal(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let result = cn_postal(
        &context.rules,
        date_or_checked(context, input)?,
        input.text("ship_from")?,
        input.money("value_minor", ccy("CNY")?)?,
        input.decimal("rate")?,
        input.flag("single_indivisible")?,
    )?;
    Ok(match result {
        CnPostal::Exempt => json!({"result": "exempt", "tax_minor": 0}),
        CnPostal::Taxed(tax) => json!({"result": "taxed", "tax_minor": tax.minor()}),
        CnPostal::ReturnOrGoodsClearance => {
            json!({"result": "return_or_goods_clearance", "tax_minor": null})
        }
    })
}

fn remessa(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let date = input.date("date")?;
    let value = input.money("value_usd_minor", ccy("USD")?)?;
    let icms = match input.optional_decimal("icms_rate")? {
        Some(rate) => rate,
        None => rate_for(&context.rules, "BR", "remessa", date)?.total()?,
    };
    let tax = br_remessa(&context.rules, date, value, icms).map_err(|e| match e {
        Error::OverLimit { .. } => refuse("over_3000_usd", e),
        other => other.into(),
    })?;
    Ok(json!({
        "import_tax_minor": tax.import_tax.minor(),
        "icms_minor": tax.icms.minor(),
        "total_minor": tax.total.minor(),
    }))
}

fn korea(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let usd = ccy("USD")?;
    let goods = input.money("goods_usd_minor", usd)?;
    let tax = kr_personal(
        &context.rules,
        date_or_checked(context, input)?,
        input.text("ship_from")?,
        input.flag("list_clearance")?,
        goods,
        Money::new(input.int_or("cif_usd_minor", goods.minor())?, usd),
        input.optional_decimal("duty_rate")?,
    )?;
    Ok(json!({
        "exempt": tax.exempt,
        "duty_minor": tax.duty.minor(),
        "vat_minor": tax.vat.minor(),
    }))
}

fn japan(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let retail = input.optional_decimal("retail_jpy")?;
    let customs = input.optional_decimal("customs_value_jpy")?;
    let (value, by_retail) = match (customs, retail) {
        (Some(value), _) => (value, false),
        (None, Some(value)) => (value, input.flag("personal_use")?),
        (None, None) => {
            return Err(Refusal::Malformed("neither retail_jpy nor customs_value_jpy is given".to_owned()));
        }
    };
    let tax = jp_personal(&context.rules, input.date("date")?, Exact::from_decimal(value), by_retail, Money::zero(ccy("JPY")?))?;
    Ok(json!({
        "customs_value_jpy": tax.customs_value.to_string(),
        "exempt": tax.exempt,
        "jct_jpy": tax.jct.minor(),
    }))
}

fn mexico(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let value = input.money("value_usd_minor", ccy("USD")?)?;
    let origin = input.text("origin")?;
    match mx_courier(&context.rules, input.date("date")?, origin, value)? {
        Some(tax) => Ok(json!({
            "rate": tax.rate.normalize().to_string(),
            "tax_minor": tax.tax.minor(),
        })),
        None => Err(refuse("not_simplified", "above the limit or not in force")),
    }
}

fn turkey(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let eur = ccy("EUR")?;
    let route = tr_postal(
        &context.rules,
        input.date("date")?,
        input.flag("from_eu")?,
        input.flag("list_iv")?,
        input.money("goods_eur_minor", eur)?,
        input.money_or_zero("transport_eur_minor", eur)?,
    )?;
    Ok(match route {
        TrPostal::Simplified { tax } => json!({"route": "simplified", "tax_minor": tax.minor()}),
        TrPostal::FullDeclaration => json!({"route": "full_declaration"}),
    })
}

fn entry(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let entry = us_entry(
        &context.rules,
        input.date("date")?,
        input.text("mode")?,
        input.money("value_usd_minor", ccy("USD")?)?,
        input.optional_decimal("ieepa_rate")?,
    )?;
    let mut answer = json!({"duty_free": entry.duty_free, "rule": entry.rule.name()});
    if let Some(duty) = entry.specific_duty {
        answer["specific_duty_minor"] = json!(duty.minor());
    }
    if let Some(surcharge) = entry.surcharge {
        answer["surcharge_minor"] = json!(surcharge.minor());
    }
    Ok(answer)
}

fn canada(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let tax = ca_import(
        &context.rules,
        input.date("date")?,
        input.text("ship_from")?,
        input.text("mode")?,
        input.money("vfd_minor", ccy("CAD")?)?,
        input.optional_decimal("duty_rate")?,
        input.text("province")?,
    )?;
    Ok(json!({"duty_minor": tax.duty.minor(), "tax_minor": tax.tax.minor()}))
}

fn india(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let inr = ccy("INR")?;
    let tcs = in_tcs(
        &context.rules,
        input.date("date")?,
        input.money("supplies_minor", inr)?,
        input.money_or_zero("returns_minor", inr)?,
        input.flag("intra_state")?,
    )?;
    Ok(json!({
        "cgst_minor": tcs.cgst.minor(),
        "sgst_minor": tcs.sgst.minor(),
        "igst_minor": tcs.igst.minor(),
        "tcs_minor": tcs.total.minor(),
    }))
}

fn swiss(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let tax = ch_import(
        &context.rules,
        input.date("date")?,
        input.money("assessment_minor", ccy("CHF")?)?,
        input.text_or("category", "standard")?,
    )?;
    Ok(json!({"tax_minor": tax.tax.minor(), "levied": tax.levied}))
}

fn state<'a>(context: &'a Context, code: &str) -> Result<&'a UsState, Refusal> {
    let row = context.rules.us_state(code.trim_start_matches("US-"));
    row.ok_or_else(|| refuse("unknown_state", code))
}

fn nexus(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let transactions =
        u64::try_from(input.int_or("transactions", 0)?).map_err(|_| Refusal::Malformed("input.transactions is negative".to_owned()))?;
    let nexus = us_nexus(state(context, input.text("state")?)?, input.decimal("sales_usd")?, transactions, input.flag("inclusive")?);
    Ok(json!({"nexus": nexus.nexus, "why": nexus.why.name()}))
}

fn sourcing(context: &Context, input: Input<'_>) -> Result<Value, Refusal> {
    let found =
        us_sourcing(state(context, input.text("from_state")?)?, state(context, input.text("to_state")?)?, input.flag("marketplace")?);
    let mut answer = json!({"collector": found.collector, "sourced_to": found.sourced_to});
    if let Some(location) = found.location {
        answer["location"] = json!(location);
    }
    Ok(answer)
}
