//! Refunds.

use serde_json::{Value, json};

use super::{Call, PAGE_MAX, number};
use crate::contract::RefundOrder;
use crate::decimal;
use crate::translate::OUR_REFUND;

pub fn list_refunds(order: &str) -> Call {
    Call::get(format!("/wc/v3/orders/{order}/refunds")).query("per_page", PAGE_MAX.to_string())
}

/// `api_refund` and `api_restock` default to true at the shop, which would move money and goods; both are always said.
/// The mark lets a repeat find what the first try did.
pub fn create_refund(refund: &RefundOrder, mark: &str) -> Call {
    let lines: Vec<Value> = refund
        .lines
        .iter()
        .map(|line| {
            let mut object = json!({ "id": number(&line.line), "quantity": line.quantity });
            if let (Some(amount), Value::Object(members)) = (&line.amount, &mut object) {
                members.insert("refund_total".to_owned(), amount_number(&amount.shop.amount));
            }
            object
        })
        .collect();
    let restock = !refund.lines.is_empty() && refund.lines.iter().all(|line| line.restocked == Some(true));
    Call::send(
        "POST",
        format!("/wc/v3/orders/{}/refunds", refund.order),
        json!({
            "amount": refund.amount.shop.amount,
            "reason": refund.reason.as_deref().unwrap_or_default(),
            "api_refund": refund.pay_out,
            "api_restock": restock,
            "meta_data": [{ "key": OUR_REFUND, "value": mark }],
            "line_items": lines,
        }),
    )
}

/// An amount as a JSON number, as the field is documented. One whose value the number would not keep goes as text, which the
/// shop reads too.
fn amount_number(amount: &str) -> Value {
    let number: Option<Value> = serde_json::from_str(amount).ok().filter(Value::is_number);
    let exact = |number: &Value| decimal::parse(&number.to_string()) == decimal::parse(amount);
    number.filter(exact).unwrap_or_else(|| Value::from(amount))
}
