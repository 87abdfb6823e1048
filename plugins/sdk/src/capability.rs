//! One module per capability: its `Guest` trait, its records, and the macro that exports it.
//!
//! Each is generated from a world of its own, so that a connector exports what it implements and nothing else. All share
//! the records of [`crate::types`].

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $package:ident / $interface:ident, $world:literal;)*) => {$(
        $(#[$doc])*
        #[allow(unsafe_code, clippy::all, unused_imports)]
        pub mod $name {
            wit_bindgen::generate!({
                inline: $world,
                path: ["../../wit/v1/types", "../../wit/v1/host", "../../wit/v1/channel", "../../wit/v1/carrier", "../../wit/v1/finance"],
                with: {
                    "entrepot:types/base@1.0.0": crate::bindings::entrepot::types::base,
                    "entrepot:types/commerce@1.0.0": crate::bindings::entrepot::types::commerce,
                },
                additional_derives: [PartialEq],
                generate_unused_types: true,
                generate_all,
                pub_export_macro: true,
            });
            pub use self::exports::entrepot::$package::$interface::*;
        }
    )*};
}

capabilities! {
    /// Required of every connector.
    connection = channel / connection, "package entrepot:sdk-connection; world connection { import entrepot:types/commerce@1.0.0; export entrepot:channel/connection@1.0.0; }";
    /// Orders by polling.
    orders_in = channel / orders_in, "package entrepot:sdk-orders-in; world orders-in { import entrepot:types/commerce@1.0.0; export entrepot:channel/orders-in@1.0.0; }";
    /// What exists on the channel.
    listings_in = channel / listings_in, "package entrepot:sdk-listings-in; world listings-in { import entrepot:types/commerce@1.0.0; export entrepot:channel/listings-in@1.0.0; }";
    /// Stock towards the channel.
    stock_out = channel / stock_out, "package entrepot:sdk-stock-out; world stock-out { import entrepot:types/commerce@1.0.0; export entrepot:channel/stock-out@1.0.0; }";
    /// Prices towards the channel.
    prices_out = channel / prices_out, "package entrepot:sdk-prices-out; world prices-out { import entrepot:types/commerce@1.0.0; export entrepot:channel/prices-out@1.0.0; }";
    /// Shipped goods towards the channel.
    fulfilment_out = channel / fulfilment_out, "package entrepot:sdk-fulfilment-out; world fulfilment-out { import entrepot:types/commerce@1.0.0; export entrepot:channel/fulfilment-out@1.0.0; }";
    /// Cancelling at the channel.
    cancellations_out = channel / cancellations_out, "package entrepot:sdk-cancellations-out; world cancellations-out { import entrepot:types/commerce@1.0.0; export entrepot:channel/cancellations-out@1.0.0; }";
    /// Money back.
    refunds = channel / refunds, "package entrepot:sdk-refunds; world refunds { import entrepot:types/commerce@1.0.0; export entrepot:channel/refunds@1.0.0; }";
    /// Goods coming back.
    returns = channel / returns, "package entrepot:sdk-returns; world returns { import entrepot:types/commerce@1.0.0; export entrepot:channel/returns@1.0.0; }";
    /// Content towards the channel.
    offers_out = channel / offers_out, "package entrepot:sdk-offers-out; world offers-out { import entrepot:types/commerce@1.0.0; export entrepot:channel/offers-out@1.0.0; }";
    /// Webhooks: subscriptions and translation.
    webhooks = channel / webhooks, "package entrepot:sdk-webhooks; world webhooks { import entrepot:types/commerce@1.0.0; export entrepot:channel/webhooks@1.0.0; }";
    /// Signature schemes that the manifest cannot declare.
    webhook_verify = channel / webhook_verify, "package entrepot:sdk-webhook-verify; world webhook-verify { import entrepot:types/commerce@1.0.0; export entrepot:channel/webhook-verify@1.0.0; }";
    /// Logins that the hub's own OAuth 2 cannot do.
    signing = channel / signing, "package entrepot:sdk-signing; world signing { import entrepot:types/commerce@1.0.0; export entrepot:channel/signing@1.0.0; }";
    /// Quotes of a carrier.
    rates = carrier / rates, "package entrepot:sdk-rates; world rates { import entrepot:types/commerce@1.0.0; export entrepot:carrier/rates@1.0.0; }";
    /// Labels of a carrier.
    shipments = carrier / shipments, "package entrepot:sdk-shipments; world shipments { import entrepot:types/commerce@1.0.0; export entrepot:carrier/shipments@1.0.0; }";
    /// Where parcels are.
    tracking = carrier / tracking, "package entrepot:sdk-tracking; world tracking { import entrepot:types/commerce@1.0.0; export entrepot:carrier/tracking@1.0.0; }";
    /// Address validation.
    addresses = carrier / addresses, "package entrepot:sdk-addresses; world addresses { import entrepot:types/commerce@1.0.0; export entrepot:carrier/addresses@1.0.0; }";
    /// Pickups and end-of-day lists.
    handover = carrier / handover, "package entrepot:sdk-handover; world handover { import entrepot:types/commerce@1.0.0; export entrepot:carrier/handover@1.0.0; }";
    /// Exchange rates.
    rates_in = finance / rates_in, "package entrepot:sdk-rates-in; world rates-in { import entrepot:types/commerce@1.0.0; export entrepot:finance/rates-in@1.0.0; }";
}
