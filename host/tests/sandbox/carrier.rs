//! Carriers' interfaces are bound like channels'.

use entrepot::plugins::services::Nothing;
use entrepot::plugins::wire::{commerce, rates};
use entrepot::plugins::{Caller, Limits};

use crate::rig::{bytes, carrier, context, engine, load};

fn address(country: Option<&str>) -> commerce::Address {
    commerce::Address {
        name: None,
        company: None,
        lines: Vec::new(),
        city: None,
        region_code: None,
        region: None,
        postal_code: None,
        country: country.map(str::to_owned),
        phone: None,
        email: None,
        extras: Vec::new(),
    }
}

fn parcel(weight_g: u32) -> commerce::Parcel {
    commerce::Parcel { reference: "1".into(), weight_g, length_mm: None, width_mm: None, height_mm: None, extras: Vec::new() }
}

#[tokio::test]
async fn a_carrier_quotes_tracks_and_refuses_by_type() {
    let loaded = load(&engine(), &bytes(carrier()), Limits::default()).await;
    let services = Nothing::services(entrepot::clock::Clock::manual(0));
    let tenant = entrepot::ctx::Tenant::main();
    let caller = Caller { loaded, services, tenant, connection: None, plugin: "flat-rate".into(), dry_run: false };

    let request = rates::QuoteRequest {
        ship_from: address(Some("DE")),
        ship_to: address(Some("FR")),
        parcels: vec![parcel(1_200), parcel(900)],
        customs: None,
        ship_at: None,
    };
    let quoted = caller.rates_quote(context(), request).await.unwrap();
    assert_eq!((quoted[0].price.amount.as_str(), quoted[0].price.currency.as_str()), ("3", "EUR"));
    assert_eq!(caller.tracking_poll(context(), vec!["A".into(), "B".into()]).await.unwrap().len(), 2);
    assert!(!caller.addresses_validate(context(), address(None)).await.unwrap().valid);
    assert!(caller.shipments_find(context(), "none".into()).await.unwrap().is_none());
    assert_eq!(caller.handover_manifest(context(), Vec::new()).await.unwrap_err().code(), "plugin-failure");
    assert_eq!(caller.stock_push(context(), Vec::new()).await.unwrap_err().code(), "unsupported");
}
