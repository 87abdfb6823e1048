//! Every GraphQL document the connector sends, whole. They are checked against the schema of [`VERSION`] in the tests.

/// The version of the Admin API the documents are written for.
pub const VERSION: &str = "2026-10";

/// Reads one file of `graphql/`, and the fragments it uses.
macro_rules! document {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("graphql/", $file, ".graphql"))),+)
    };
}

pub const ORDERS_PAGE: &str = document!("orders_page", "order_fields", "line_fields", "address", "tax", "bag");
pub const ORDERS_BY_IDS: &str = document!("orders_by_ids", "order_fields", "line_fields", "address", "tax", "bag");
pub const ORDERS_COUNT: &str = document!("orders_count");
pub const ORDER_LINES: &str = document!("order_lines", "line_fields", "tax", "bag");
pub const ORDER_FULFILLMENTS: &str = document!("order_fulfillments");
pub const FULFILLMENT_LINES: &str = document!("fulfillment_lines");
pub const ORDER_REFUNDS: &str = document!("order_refunds", "refund_line_fields", "bag");
pub const REFUND_LINES: &str = document!("refund_lines", "refund_line_fields", "bag");
pub const ORDER_STATE: &str = document!("order_state");
pub const CANCEL_ORDER: &str = document!("cancel_order");
pub const SHOP: &str = document!("shop");
pub const SHOP_ADDRESS: &str = document!("shop_address");
pub const CURRENCY: &str = document!("currency");
pub const CATALOGUE_SIZE: &str = document!("catalogue_size");
pub const LOCATIONS: &str = document!("locations");
pub const VARIANTS_PAGE: &str = document!("variants_page", "variant_fields", "level_fields");
pub const VARIANTS_BY_IDS: &str = document!("variants_by_ids", "variant_fields", "level_fields");
pub const ITEM_LEVELS: &str = document!("item_levels", "level_fields");
pub const STOCK_BY_IDS: &str = document!("stock_by_ids", "level_fields");
pub const RUN_EXPORT: &str = document!("run_export");
pub const EXPORT_STATE: &str = document!("export_state");
pub const SET_QUANTITIES: &str = document!("set_quantities");
pub const PRICES_BY_IDS: &str = document!("prices_by_ids");
pub const UPDATE_PRICES: &str = document!("update_prices");
pub const LIST_PRICES: &str = document!("list_prices");
pub const SET_LIST_PRICES: &str = document!("set_list_prices");
pub const FULFILLMENT_ORDERS: &str = document!("fulfillment_orders");
pub const FULFILLMENT_ORDER_LINES: &str = document!("fulfillment_order_lines");
pub const CREATE_FULFILLMENT: &str = document!("create_fulfillment");
pub const WEBHOOKS: &str = document!("webhooks");
pub const CREATE_WEBHOOK: &str = document!("create_webhook");
pub const DELETE_WEBHOOK: &str = document!("delete_webhook");

/// What the shop is to export. Sent within [`RUN_EXPORT`]; bulk operations take neither variables nor sizes.
pub const EXPORTED_VARIANTS: &str = document!("exported_variants");

/// All that are sent by themselves, by name.
pub const ALL: [(&str, &str); 32] = [
    ("orders_page", ORDERS_PAGE),
    ("orders_by_ids", ORDERS_BY_IDS),
    ("orders_count", ORDERS_COUNT),
    ("order_lines", ORDER_LINES),
    ("order_fulfillments", ORDER_FULFILLMENTS),
    ("fulfillment_lines", FULFILLMENT_LINES),
    ("order_refunds", ORDER_REFUNDS),
    ("refund_lines", REFUND_LINES),
    ("order_state", ORDER_STATE),
    ("cancel_order", CANCEL_ORDER),
    ("shop", SHOP),
    ("shop_address", SHOP_ADDRESS),
    ("currency", CURRENCY),
    ("catalogue_size", CATALOGUE_SIZE),
    ("run_export", RUN_EXPORT),
    ("export_state", EXPORT_STATE),
    ("locations", LOCATIONS),
    ("variants_page", VARIANTS_PAGE),
    ("variants_by_ids", VARIANTS_BY_IDS),
    ("item_levels", ITEM_LEVELS),
    ("stock_by_ids", STOCK_BY_IDS),
    ("set_quantities", SET_QUANTITIES),
    ("prices_by_ids", PRICES_BY_IDS),
    ("update_prices", UPDATE_PRICES),
    ("list_prices", LIST_PRICES),
    ("set_list_prices", SET_LIST_PRICES),
    ("fulfillment_orders", FULFILLMENT_ORDERS),
    ("fulfillment_order_lines", FULFILLMENT_ORDER_LINES),
    ("create_fulfillment", CREATE_FULFILLMENT),
    ("webhooks", WEBHOOKS),
    ("create_webhook", CREATE_WEBHOOK),
    ("delete_webhook", DELETE_WEBHOOK),
];
