//! The scheme decision: rules of the destination in order of priority, the first that holds answers. A rule
//! that cannot be judged stops the search and names what it lacks, because a later rule would be a guess.

use crate::rules::{Condition, Fact, Limit, Rule, Truth};

use super::facts::SaleFacts;

#[derive(Debug)]
pub(crate) enum Decision<'a> {
    Rule(&'a Rule),
    /// Facts that are missing, in words.
    Missing(Vec<String>),
    /// The destination has no rules in the set, or none of them holds.
    NotCovered,
}

pub(crate) fn decide<'a>(facts: &SaleFacts<'a>, jurisdiction: &str) -> Decision<'a> {
    for rule in facts.rules.rules(jurisdiction, facts.date) {
        match Condition::all_hold(&rule.when, facts) {
            Truth::Yes => return Decision::Rule(rule),
            Truth::No => {}
            Truth::Unknown => return Decision::Missing(lacking(rule, facts)),
        }
    }
    Decision::NotCovered
}

fn lacking(rule: &Rule, facts: &SaleFacts<'_>) -> Vec<String> {
    let mut missing = Vec::new();
    for condition in &rule.when {
        if condition.holds(facts) != Truth::Unknown {
            continue;
        }
        let (mut asked, mut amounts) = (Vec::new(), Vec::new());
        condition.mentions(&mut asked, &mut amounts);
        for fact in asked {
            if facts.shown(fact) == "unknown" {
                missing.push(question(fact, facts.ship_to));
            }
        }
        for (amount, limit) in amounts {
            let ccy = match &limit {
                Limit::Fixed { ccy, .. } => ccy.clone(),
                Limit::Program { program, .. } => facts.rules.program(program, facts.date).map(|p| p.ccy.clone()).unwrap_or_default(),
            };
            if facts.amount(amount).is_none() {
                missing.push(format!("the amount {}", amount.name()));
            } else {
                missing.push(format!("a {} to {ccy} rate for {}", facts.ccy, facts.date));
            }
        }
    }
    missing
}

/// What to ask a person for.
fn question(fact: Fact, ship_to: &str) -> String {
    match fact {
        Fact::Buyer => "whether the buyer is a consumer or a business".to_owned(),
        Fact::Channel => "whether a marketplace or an own store sells".to_owned(),
        Fact::ShipFrom | Fact::GoodsInZone => "the country the goods are shipped from".to_owned(),
        Fact::SellerInZone => "the country the seller is established in".to_owned(),
        Fact::OutsideTaxArea => format!("the region of {ship_to}"),
        Fact::Registrations => "the tax registrations of the seller".to_owned(),
        Fact::Mode => "the way of transport (courier, post or freight)".to_owned(),
        Fact::PersonalUse => "whether the buyer imports for personal use".to_owned(),
        Fact::CbecChannel => "whether the parcel enters through the cross-border e-commerce channel".to_owned(),
        other => format!("the fact {}", other.name()),
    }
}
