//! The way of one order: in, reserved, told to the other shop, shipped here or there, written back, changed, given back.

use entrepot::fulfilment::State;
use entrepot::orders::Status;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::Kind;

async fn from_order_to_tracking(place: Place, seller: Kind) {
    let mut hub = TestHub::trading(place).await;
    let (shop, other) = (hub.shop(seller), hub.shop(seller.other()));
    assert_eq!(hub.books("MUG").await, (10, 0));
    let order = shop.sell("MUG", 2).unwrap();
    hub.run().await;

    assert_eq!(hub.books("MUG").await, (10, 2), "in and reserved");
    assert_eq!(other.shows("MUG"), Some(8), "the other shop was told");
    assert_eq!(shop.shows("MUG"), Some(8), "the selling shop had taken them off itself");
    let view = hub.order(seller, order).await;
    assert_eq!((view.status, view.holds.as_str(), view.short, view.unmapped), (Status::Placed, "stock", 0, 0));

    let shipment = hub.ship(seller, order, "JJD000390007").await;
    assert_eq!(shipment.state, State::Pending);
    hub.run().await;
    assert_eq!(hub.books("MUG").await, (8, 0), "left the shelf and is no longer promised");
    assert!(shop.is_shipped(order));
    assert_eq!(shop.times_told(order, "JJD000390007"), 1);
    let shipments = hub.shipments(&view.id).await;
    assert_eq!(shipments.len(), 1, "the shop's echo is the same parcel");
    assert_eq!(shipments[0].state, State::Written);
    assert_eq!(other.shows("MUG"), Some(8), "shipping changes nothing that can be promised");

    hub.poll(seller).await;
    hub.run().await;
    assert_eq!(hub.books("MUG").await, (8, 0), "the shop's own account of the shipment is not booked again");
    assert_eq!(hub.shipments(&view.id).await.len(), 1);
    hub.finish().await;
}

on_both! {
    async fn an_order_in_woocommerce_goes_all_the_way_to_tracking_and_shopify_is_told(place: Place) {
        from_order_to_tracking(place, Kind::Woo).await;
    }

    async fn an_order_in_shopify_goes_all_the_way_to_tracking_and_woocommerce_is_told(place: Place) {
        from_order_to_tracking(place, Kind::Shopify).await;
    }
}

async fn untold(place: Place, seller: Kind) {
    let mut hub = TestHub::trading(place).await;
    let shop = hub.shop(seller);
    shop.sell("MUG", 2).unwrap();
    hub.pass(60_000).await;
    assert!(shop.effects().is_empty(), "the shop's own quantity was overwritten: {:?}", shop.effects());
    assert!(shop.pushes().is_empty(), "it was told what it showed: {:?}", shop.pushes());
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_sold_is_not_told_what_it_already_shows() {
    for seller in [Kind::Woo, Kind::Shopify] {
        untold(Place::file(), seller).await;
        if let Some(place) = Place::server().await {
            untold(place, seller).await;
        }
    }
}
