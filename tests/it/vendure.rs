//! A shop that nobody here wrote sells from one stock with a WooCommerce shop, through the hub's own program.
//!
//! The shop takes seconds to start, so one test plays everything with it: what a merchant does in either shop and in the hub, then
//! the same with programs and databases dying under it.

mod documents;
mod kills;
mod market;

use entrepot::fulfilment::State;
use entrepot::orders::Status;
use market::Market;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_shop_and_a_simulated_one_sell_from_one_stock() {
    let Some(mut market) = Market::open().await else { return };
    documents::every_document_is_valid_by_the_shops_own_schema(&market.vendure).await;
    sales_lower_both_shops(&market).await;
    parcels_travel_both_ways(&market).await;
    a_lost_event_is_healed_by_the_poll(&market).await;
    cancellations_give_back_everywhere(&market).await;
    a_price_reaches_the_real_shop(&market).await;
    kills::nothing_is_lost_doubled_or_oversold(&mut market).await;
    market.close().await;
}

async fn sales_lower_both_shops(market: &Market) {
    let before = market.relay.passed();
    let codes = market.vendure.sell(1, 2).await.unwrap();
    market.eventually("the sale there is shown here", async || market.woo.shows(&market.sku) == Some(98)).await;
    assert!(market.relay.passed() > before, "an event told it");
    let order = market.vendure_order(&codes[0]).await.unwrap();
    assert_eq!((order.status, order.holds.as_str(), order.short, order.unmapped), (Status::Placed, "stock", 0, 0));
    assert_eq!((order.total.minor(), order.tax.unwrap().minor()), (2_590, 413), "goods with tax, and shipping");
    assert_eq!(market.books().await, (100, 2));

    market.woo.sell(&market.sku, 3).unwrap();
    market.eventually("the sale here is shown there", async || market.vendure.available().await[&market.sku] == 95).await;
    assert_eq!(market.books().await, (100, 5));
    market.agrees().await;
}

async fn parcels_travel_both_ways(market: &Market) {
    // Shipped in the shop's own admin.
    let first = market.vendure.sell(1, 1).await.unwrap().remove(0);
    market.eventually("the order is here", async || market.vendure_order(&first).await.is_some()).await;
    let (on_hand, reserved) = market.books().await;
    market.vendure.ship(&first, "THEIRS-1").await;
    market.eventually("its parcel has left here", async || market.books().await == (on_hand - 1, reserved - 1)).await;

    // Shipped here.
    let second = market.vendure.sell(1, 1).await.unwrap().remove(0);
    market.eventually("the order is here", async || market.vendure_order(&second).await.is_some()).await;
    market.ship(&second, "OURS-1").await;
    market.eventually("the shop has the parcel", async || market.vendure.order(&second).await["state"] == "Shipped").await;
    let parcels = market.vendure.order(&second).await["fulfillments"].clone();
    assert_eq!(parcels.as_array().unwrap().len(), 1, "{parcels}");
    assert_eq!(parcels[0]["trackingCode"], "OURS-1");
    market.quiet().await;
    let order = market.vendure_order(&second).await.unwrap();
    let shipments = market.shipments(&order).await;
    assert_eq!(shipments.iter().map(|shipment| shipment.state).collect::<Vec<_>>(), [State::Written], "its echo is the same parcel");
    assert_eq!(market.books().await, (on_hand - 2, reserved - 1));
    market.agrees().await;
}

/// The shop does not call an order changed when it is shipped: a poll by the time of change would never see it.
async fn a_lost_event_is_healed_by_the_poll(market: &Market) {
    market.relay.loses(true);
    let code = market.vendure.sell(1, 1).await.unwrap().remove(0);
    market.poll().await;
    market.eventually("the poll finds the order", async || market.vendure_order(&code).await.is_some()).await;
    let (on_hand, reserved) = market.books().await;
    let before = market.vendure.order(&code).await;
    market.vendure.ship(&code, "THEIRS-2").await;
    assert_eq!(market.vendure.order(&code).await["updatedAt"], before["updatedAt"], "the shop sees no change in it");
    market.poll().await;
    market.eventually("the poll finds the parcel", async || market.books().await == (on_hand - 1, reserved - 1)).await;
    market.relay.loses(false);
    market.agrees().await;
}

async fn cancellations_give_back_everywhere(market: &Market) {
    let shown = market.woo.shows(&market.sku).unwrap();
    let code = market.vendure.sell(1, 4).await.unwrap().remove(0);
    market.eventually("it is sold", async || market.woo.shows(&market.sku) == Some(shown - 4)).await;
    market.vendure.cancel(&code).await;
    market.eventually("cancelled there, given back here", async || market.woo.shows(&market.sku) == Some(shown)).await;
    assert_eq!(market.vendure_order(&code).await.unwrap().status, Status::Cancelled);

    let order = market.woo.sell(&market.sku, 4).unwrap();
    market.eventually("it is sold", async || market.vendure.available().await[&market.sku] == shown - 4).await;
    market.woo.cancel(order);
    market.eventually("cancelled here, given back there", async || market.vendure.available().await[&market.sku] == shown).await;

    // Told to the shop by the connector.
    let code = market.vendure.sell(1, 2).await.unwrap().remove(0);
    market.eventually("it is sold", async || market.woo.shows(&market.sku) == Some(shown - 2)).await;
    market.cancel_there(&code).await;
    assert_eq!(market.vendure.order(&code).await["state"], "Cancelled");
    assert_eq!(market.vendure.order(&code).await["totalWithTax"], 0, "with its shipping fee");
    market.eventually("and given back here", async || market.woo.shows(&market.sku) == Some(shown)).await;
    market.agrees().await;
}

async fn a_price_reaches_the_real_shop(market: &Market) {
    market.price(1_190).await;
    market.eventually("the price is shown there", async || market.vendure.net_prices().await[&market.sku] == 1_000).await;
}
