//! Recorded orders become the records they should.

use entrepot_vendure::contract::*;
use entrepot_vendure::translate;

use super::recorded::{facts, order};

fn read(name: &str) -> Order {
    translate::order(&order(name), &facts()).unwrap()
}

fn eur(amounts: &Amounts) -> &str {
    assert_eq!(amounts.shop.currency, "EUR");
    &amounts.shop.amount
}

fn line(order: &Order, kind: LineKind, n: usize) -> &Line {
    order.lines.iter().filter(|line| line.kind == kind).nth(n).unwrap()
}

#[test]
fn an_order_keeps_its_money_its_people_and_what_has_left() {
    let order = read("full");
    assert_eq!(
        (order.status, order.payment, order.channel_status.as_str()),
        (OrderStatus::Placed, PaymentStatus::PartiallyRefunded, "PartiallyShipped")
    );
    assert_eq!((eur(&order.total), eur(order.tax_total.as_ref().unwrap())), ("55.3", "8.83"));
    assert_eq!((eur(order.discount_total.as_ref().unwrap()), eur(order.refunded_total.as_ref().unwrap())), ("5.6", "9.85"));
    let of_lines: Vec<&str> = order.lines.iter().map(|line| eur(&line.total)).collect();
    assert_eq!(of_lines, ["28.2", "19.7", "4.9", "2.5"], "they add up to the total");
    let taxes: Vec<&str> = order.lines.iter().flat_map(|line| &line.taxes).map(|tax| eur(&tax.amount)).collect();
    assert_eq!(taxes, ["4.5", "3.15", "0.78", "0.4"], "and these to the tax");

    let mug = line(&order, LineKind::Physical, 0);
    assert_eq!((mug.quantity, mug.fulfilled, mug.released), (3, 2, 0));
    assert_eq!((mug.listing.as_deref(), mug.sku.as_deref(), eur(&mug.discount)), (Some("1"), Some("ITEM-1"), "3.3"));
    let lamp = line(&order, LineKind::Physical, 1);
    assert_eq!((lamp.quantity, lamp.fulfilled), (2, 0), "made ready is not shipped");
    assert_eq!(line(&order, LineKind::Fee, 0).title, "Gift wrap");

    let numbers: Vec<&str> = order.shipments.iter().flat_map(|s| &s.tracking).map(|tracking| tracking.number.as_str()).collect();
    assert_eq!((order.shipments.len(), numbers), (1, vec!["JJD1", "JJD2"]));
    assert!(order.extras.iter().any(|extra| extra.key == "fulfillmentsNotShipped" && extra.json.contains("1Z")));
    assert_eq!((order.refunds.len(), order.refunds[0].reason.as_deref()), (1, Some("too dark")));
    assert_eq!(order.ship_to.unwrap().region_code.as_deref(), Some("DE-BE"));
    assert_eq!(order.bill_to.unwrap().lines[0], "Rechnungsweg 7");
    assert_eq!(order.updated_at, "2026-11-29T01:19:02Z", "when it was paid back, long after its own time of change");
}

#[test]
fn a_cancelled_order_keeps_what_was_ordered_as_units_that_never_leave() {
    let order = read("cancelled");
    assert_eq!(order.status, OrderStatus::Cancelled);
    assert_eq!(eur(&order.total), "4.9", "the shop keeps the shipping fee");
    let goods = line(&order, LineKind::Physical, 0);
    assert_eq!((goods.quantity, goods.fulfilled, goods.released, eur(&goods.total)), (2, 0, 2, "21"));
    assert!(order.bill_to.is_none(), "an address of nothing is none");
}

#[test]
fn a_unit_cancelled_after_another_left_is_released_and_the_order_complete() {
    let order = read("partly cancelled");
    let goods = line(&order, LineKind::Physical, 0);
    assert_eq!((goods.quantity, goods.fulfilled, goods.released), (2, 1, 1));
    assert_eq!(order.status, OrderStatus::Completed);
    assert_eq!(eur(&line(&order, LineKind::Shipping, 0).total), "0", "its shipping was cancelled too");
}

#[test]
fn a_cart_is_a_draft() {
    let mut cart = order("full");
    cart["active"] = true.into();
    cart["state"] = "AddingItems".into();
    cart["orderPlacedAt"] = serde_json::Value::Null;
    assert_eq!(translate::order(&cart, &facts()).unwrap().status, OrderStatus::Draft);
}

#[test]
fn a_refusal_names_the_field_and_what_stands_there() {
    let mut wrong = order("full");
    wrong["lines"][1]["proratedLinePriceWithTax"] = "a lot".into();
    let refusal = translate::order(&wrong, &facts()).unwrap_err().to_string();
    assert!(refusal.contains("lines[1].proratedLinePriceWithTax") && refusal.contains("a lot"), "{refusal}");
}
