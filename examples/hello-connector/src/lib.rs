//! The smallest useful connector: `connection` asks the shop who it is, `webhooks` turns one kind of delivery into a hint.
//!
//! `manifest.json` beside `Cargo.toml` declares what it may do. Build it with `entrepot plugin build examples/hello-connector`.

use entrepot_sdk::prelude::*;
use entrepot_sdk::webhooks::{Delivery, Event, OrderHint, Subscription};
use entrepot_sdk::{connection, webhooks};
use serde::Deserialize;

struct Hello;

entrepot_sdk::export_connector!(Hello: connection, webhooks);

/// `settings` of the manifest.
#[derive(Deserialize)]
struct Settings {
    origin: String,
}

/// The shop's answer to `GET /api/shop`.
#[derive(Deserialize)]
struct Shop {
    id: String,
    name: String,
}

impl connection::Guest for Hello {
    fn check(ctx: Context) -> Result<Account, Failure> {
        let settings: Settings = entrepot_sdk::settings(&ctx)?;
        let shop: Shop = Request::get(format!("{}/api/shop", settings.origin)).credential("api").send()?.success()?.json()?;
        Ok(Account {
            external_id: shop.id,
            name: shop.name,
            currency: None,
            country: None,
            time_zone: None,
            scopes: Vec::new(),
            extras: Vec::new(),
        })
    }

    fn describe(_: Context, what: String) -> Result<Vec<Document>, Failure> {
        Err(Failure::unsupported(format!("This shop has no list called `{what}`.")))
    }
}

impl webhooks::Guest for Hello {
    /// The shop's owner enters the address by hand, so there is nothing to ask for.
    fn ensure(_: Context, callback_url: String, topics: Vec<String>) -> Result<Vec<Subscription>, Failure> {
        Ok(topics
            .into_iter()
            .map(|topic| Subscription { external_id: topic.clone(), topic, callback_url: callback_url.clone(), active: true })
            .collect())
    }

    fn remove(_: Context, _: Vec<String>) -> Result<u32, Failure> {
        Ok(0)
    }

    fn translate(_: Context, delivery: Delivery) -> Result<Vec<Event>, Failure> {
        translate(&delivery.topic, &delivery.body).map(|event| vec![event])
    }
}

/// Pure, so that it can be tested without the hub.
fn translate(topic: &str, body: &str) -> Result<Event, Failure> {
    #[derive(Deserialize)]
    struct Changed {
        order: String,
    }
    if topic != "order.changed" {
        return Ok(Event::Ignored(format!("topic `{topic}`")));
    }
    let changed: Changed =
        serde_json::from_str(body).map_err(|error| Failure::invalid(format!("An order.changed delivery cannot be read: {error}.")))?;
    Ok(Event::OrderChanged(OrderHint { external_id: changed.order, updated_at: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_order_becomes_a_hint() {
        let event = translate("order.changed", r#"{"order":"17"}"#);
        assert_eq!(event, Ok(Event::OrderChanged(OrderHint { external_id: "17".into(), updated_at: None })));
    }

    #[test]
    fn an_unknown_topic_is_ignored_by_name() {
        assert_eq!(translate("cart.created", "{}"), Ok(Event::Ignored("topic `cart.created`".into())));
    }

    #[test]
    fn a_body_that_cannot_be_read_is_refused() {
        assert!(matches!(translate("order.changed", "[]"), Err(failure) if failure.fault == Fault::Invalid));
    }
}
