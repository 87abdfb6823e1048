//! A quote in sentences a merchant can hand to an accountant.

use super::answer::Quote;
use crate::money::{Decimal, Money};
use crate::rules::{Citation, RuleSet};

fn known(amount: Option<Money>) -> String {
    amount.map_or_else(|| "not known".to_owned(), |m| m.to_string())
}

fn by(collector: &str) -> String {
    match collector {
        "buyer_reverse_charge" => "accounted for by the buyer (reverse charge)".to_owned(),
        "none" => "collected by nobody".to_owned(),
        "seller_if_nexus" => "collected by the seller where it has nexus".to_owned(),
        "customs" => "collected by customs".to_owned(),
        other => format!("collected by the {other}"),
    }
}

impl Quote {
    /// The tax in one line: rates, scheme, collector, amount.
    pub fn tax_line(&self) -> String {
        let rates: Vec<String> = self
            .rates
            .iter()
            .map(|r| {
                let percent = (r.rate * Decimal::ONE_HUNDRED).normalize();
                format!("{} {percent} % {}", r.tax, r.jurisdiction)
            })
            .collect();
        let tax = match self.amounts.tax {
            Some(tax) if rates.is_empty() => format!("Tax {tax}"),
            Some(tax) => format!("{}: {tax}", rates.join(" + ")),
            None => "Tax not known".to_owned(),
        };
        match (&self.scheme, &self.collector) {
            (Some(scheme), Some(collector)) => format!("{tax}, scheme {scheme}, {}", by(collector)),
            _ => format!("{tax}: who owes it cannot be said yet"),
        }
    }

    /// The whole answer with its reasons and sources, one sentence per item.
    pub fn words(&self, rules: &RuleSet) -> Vec<String> {
        let a = &self.amounts;
        let mut out = vec![self.tax_line()];
        out.push(format!(
            "Goods {}, shipping {}, duty {}, tax {}, fees {}; landed {}",
            a.goods,
            a.shipping,
            known(a.duty),
            known(a.tax),
            a.fees,
            known(a.landed_total)
        ));
        if let Some(high) = &self.amounts_high {
            out.push(format!(
                "With only part of a tariff code known the duty may be up to {} and the landed total up to {}",
                known(high.duty),
                known(high.landed_total)
            ));
        }
        for rate in &self.exchange_rates {
            out.push(format!("1 {} = {} {} by {} of {}", rate.from, rate.rate.normalize(), rate.to, rate.source, rate.rate_date));
        }
        for step in &self.trace {
            let facts: Vec<String> = step.facts.iter().map(|f| format!("{} {}", f.name.replace('_', " "), f.value)).collect();
            let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) };
            out.push(format!("{}{facts}. {}", step.why, cited(&step.citation, rules)));
        }
        for rate in &self.rates {
            out.push(format!("{} in {}. {}", rate.tax, rate.jurisdiction, cited(&rate.citation, rules)));
        }
        out.extend(self.assumptions.iter().map(|a| format!("Assumed: {a}")));
        out.extend(self.missing.iter().map(|m| format!("Missing: {m}")));
        out.push(format!(
            "Rules {} last checked {}. {}",
            self.rule_set_version.chars().take(12).collect::<String>(),
            self.rules_last_checked,
            self.notice
        ));
        out
    }
}

/// Rule, since when, article, sources by title, and how sure.
pub fn cited(citation: &Citation, rules: &RuleSet) -> String {
    let mut text = format!("Rule {}", citation.rule);
    if let Some(from) = citation.period.valid_from
        && !citation.rule.contains(&from.to_string())
    {
        text.push_str(&format!(" since {from}"));
    }
    if !citation.legal.is_empty() {
        text.push_str(&format!(", {}", citation.legal));
    }
    let titles: Vec<String> = citation
        .sources
        .iter()
        .map(|id| match rules.source(id) {
            Some(source) => format!("{id} {}", source.title),
            None => id.clone(),
        })
        .collect();
    if titles.is_empty() {
        text.push_str("; no source");
    } else {
        text.push_str(&format!("; source {}", titles.join(", ")));
    }
    let mark = if citation.verification.is_verified() { "" } else { " (UNVERIFIED)" };
    text.push_str(&format!("; {}{mark}", citation.verification));
    text
}
