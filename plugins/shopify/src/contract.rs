//! The contract under short names: shared records and what each capability exports.

pub use entrepot_sdk::cancellations_out::Cancellation;
pub use entrepot_sdk::fulfilment_out::Dispatch;
pub use entrepot_sdk::http::{BodyForm, Request, Response};
pub use entrepot_sdk::listings_in::ListingPage;
pub use entrepot_sdk::orders_in::{Found, OrderPage, Refused};
pub use entrepot_sdk::prices_out::{PriceChange, Reading as PriceReading};
pub use entrepot_sdk::stock_out::{Reading as StockReading, StockChange};
pub use entrepot_sdk::types::*;
pub use entrepot_sdk::webhooks::{Delivery, Event, ListingLevels, OrderHint, Subscription};
