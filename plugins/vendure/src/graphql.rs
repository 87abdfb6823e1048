//! Every GraphQL document the connector sends, whole.

/// Reads one file of `graphql/`, and the fragments it uses.
macro_rules! document {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("graphql/", $file, ".graphql"))),+)
    };
}

pub const SHOP: &str = document!("shop", "shop_facts");
pub const LOCATIONS: &str = document!("locations");
pub const ORDERS: &str = document!("orders", "shop_facts", "order_fields", "line_fields", "address", "fulfillment_fields");
pub const ORDER_STAMPS: &str = document!("order_stamps");
pub const ORDER_PARCELS: &str = document!("order_parcels", "fulfillment_fields");
pub const VARIANTS: &str = document!("variants", "shop_facts", "level_fields");
pub const STOCK: &str = document!("stock", "shop_facts", "level_fields");
pub const SET_STOCK: &str = document!("set_stock", "level_fields");
pub const PRICES: &str = document!("prices", "shop_facts");
pub const SET_PRICES: &str = document!("set_prices");
pub const FULFIL: &str = document!("fulfil");
pub const SHIP: &str = document!("ship");
pub const CANCEL_ORDER: &str = document!("cancel_order");
