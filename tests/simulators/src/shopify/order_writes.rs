//! What an app may do to an order besides shipping it: cancel, refund, annotate.

use apollo_compiler::resolvers::FieldError;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::shopify::aftersale::{Cancellation, RefundPlan};
use crate::shopify::facts::{gid, number};
use crate::shopify::graph::{Ctx, Slot};
use crate::shopify::keyed::keyed;
use crate::shopify::model::{Order, Restock};
use crate::shopify::mutations::{UserError, decimal, strings, text, user_errors};
use crate::shopify::state::State;
use crate::shopify::thing::Thing;

fn find<'a>(state: &'a State, args: &Value, name: &str) -> Option<&'a Order> {
    text(args, name).and_then(|id| number(id, "Order")).and_then(|id| state.orders.get(&id))
}

/// The channel works on a cancellation in the background; here it is done when the answer goes out.
pub(crate) fn cancel(state: &mut State, args: &Value, now: i64) -> Slot {
    let answer = |job: Option<(i64, i64)>, errors: &[UserError]| {
        let id = job.map(|(job, _)| gid("Job", job));
        let result = job.map_or_else(Slot::null, |(job, order)| {
            let facts = [
                ("done", Slot::Value(json!(false))),
                ("errors", Slot::Value(json!([]))),
                ("id", Slot::Value(json!(gid("OrderCancelJobResult", job)))),
                ("order", Slot::One(Thing::Order(order))),
                ("status", Slot::Value(json!("STARTED"))),
            ];
            Slot::Payload("OrderCancelJobResult", facts.to_vec())
        });
        Slot::Payload(
            "OrderCancelPayload",
            vec![
                ("job", Slot::Value(id.map_or(Value::Null, |id| json!({ "id": id, "done": false })))),
                ("jobResult", result),
                ("orderCancelUserErrors", user_errors(errors)),
            ],
        )
    };
    let Some(order) = find(state, args, "orderId").map(|order| order.id) else {
        return answer(None, &[UserError::coded("NOT_FOUND", &["orderId"], "Order does not exist")]);
    };
    let how = Cancellation {
        reason: text(args, "reason").unwrap_or("OTHER").to_owned(),
        restock: args["restock"].as_bool().unwrap_or_default(),
        refund: args["refund"].as_bool().or_else(|| args["refundMethod"]["originalPaymentMethodsRefund"].as_bool()).unwrap_or_default(),
        staff_note: text(args, "staffNote").map(str::to_owned),
    };
    match state.cancel(order, how, now) {
        Ok(()) => answer(Some((state.next_id(), order)), &[]),
        Err(refused) => answer(None, &[UserError::coded("INVALID", &["orderId"], refused.to_string())]),
    }
}

pub(crate) fn refund(ctx: &Ctx<'_>, response_key: &str, args: &Value) -> Result<Slot, FieldError> {
    let input = &args["input"];
    let run = |state: &mut State| {
        let missing = || vec![UserError::new(&["orderId"], "Order does not exist")];
        let order = find(state, input, "orderId").ok_or_else(missing)?;
        let plan = plan(order, input)?;
        let id = order.id;
        state.refund(id, plan, ctx.now).map(Some).map_err(|_| missing())
    };
    keyed(ctx, response_key, args, run, |state, made, errors| {
        let order = made.and_then(|id| state.refunds.get(&id)).map(|refund| Thing::Order(refund.order));
        Slot::Payload(
            "RefundCreatePayload",
            vec![("order", Slot::maybe(order)), ("refund", Slot::maybe(made.map(Thing::Refund))), ("userErrors", user_errors(errors))],
        )
    })
}

/// Only transactions move money; lines without one are taken back for nothing.
fn plan(order: &Order, input: &Value) -> Result<RefundPlan, Vec<UserError>> {
    let mut lines = Vec::new();
    for (index, entry) in input["refundLineItems"].as_array().into_iter().flatten().enumerate() {
        let at = index.to_string();
        let refuse = |field: &str, words: &str| vec![UserError::new(&["refundLineItems", &at, field], words)];
        let id = text(entry, "lineItemId").and_then(|id| number(id, "LineItem"));
        let line = id.and_then(|id| order.line(id)).ok_or_else(|| refuse("lineItemId", "Line item does not exist"))?;
        let units = entry["quantity"].as_i64().unwrap_or_default();
        if units < 1 || units > line.quantity - line.refunded {
            return Err(refuse("quantity", "Quantity cannot refund more items than were purchased"));
        }
        let restock = match text(entry, "restockType") {
            Some("CANCEL") if units > line.unfulfilled() => {
                return Err(refuse("restockType", "Restock type CANCEL is only for items that were not fulfilled"));
            }
            Some("CANCEL") => Restock::Cancel,
            Some("RETURN" | "LEGACY_RESTOCK") => Restock::Return,
            _ => Restock::No,
        };
        lines.push((line.id, units, restock));
    }
    let transactions = input["transactions"].as_array().into_iter().flatten();
    let amount: Decimal = transactions.filter_map(|known| decimal(&known["amount"])).sum();
    let left = order.received() - order.refunded();
    if amount > left && input["allowOverRefunding"] != json!(true) {
        return Err(vec![UserError::new(&["transactions"], "Refund amount is more than what is left of the payment")]);
    }
    let shipping = &input["shipping"];
    let shipping = shipping["fullRefund"] == json!(true) || decimal(&shipping["amount"]).is_some_and(|amount| amount > Decimal::ZERO);
    Ok(RefundPlan { lines, amount: Some(amount), shipping, note: text(input, "note").unwrap_or_default().to_owned() })
}

pub(crate) fn update(state: &mut State, input: &Value, now: i64) -> Result<Slot, Vec<UserError>> {
    let missing = || vec![UserError::new(&["id"], "Order does not exist")];
    let id = find(state, input, "id").ok_or_else(missing)?.id;
    if let Some(order) = state.orders.get_mut(&id) {
        if input.get("note").is_some() {
            order.note = text(input, "note").map(str::to_owned);
        }
        if input.get("tags").is_some() {
            order.tags = strings(input, "tags");
        }
        if let Some(email) = text(input, "email") {
            email.clone_into(&mut order.buyer.email);
        }
    }
    state.touch_order(id, now);
    Ok(Slot::One(Thing::Order(id)))
}

pub(crate) fn add_tags(state: &mut State, args: &Value, now: i64) -> Result<Slot, Vec<UserError>> {
    let missing = || vec![UserError::new(&["id"], "The resource does not exist or cannot be tagged")];
    let thing = Thing::find(state, text(args, "id").unwrap_or_default()).ok_or_else(missing)?;
    let kept = match thing {
        Thing::Order(id) => state.orders.get_mut(&id).map(|order| &mut order.tags),
        Thing::Product(id) => state.products.get_mut(&id).map(|product| &mut product.tags),
        _ => None,
    };
    let kept = kept.ok_or_else(missing)?;
    kept.extend(strings(args, "tags"));
    kept.sort();
    kept.dedup();
    match thing {
        Thing::Order(id) => state.touch_order(id, now),
        Thing::Product(id) => state.touch_product(id, now),
        _ => {}
    }
    Ok(Slot::One(thing))
}
