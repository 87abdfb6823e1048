//! A small shop that answers the connector's queries by the documents: costs, idempotency keys, compare-and-set, pages.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use entrepot_sdk::http::Payload;
use entrepot_shopify::answer::Throttle;
use entrepot_shopify::calls::{Hub, Shop};
use entrepot_shopify::contract::*;
use entrepot_shopify::settings::Settings;
use serde_json::{Value, json};

/// 2026-11-21T10:00:00Z.
pub const NOW: i64 = 1_795_255_200;

#[derive(Default)]
pub struct Server {
    /// In the order of their last change.
    pub orders: RefCell<Vec<Value>>,
    pub fulfillments: RefCell<Vec<Value>>,
    /// Left of each line, by its number.
    pub remaining: RefCell<BTreeMap<u64, u32>>,
    /// By inventory item and location.
    pub stock: RefCell<BTreeMap<(String, String), i64>>,
    pub webhooks: RefCell<Vec<Value>>,
    /// Key and content of each keyed mutation, and its answer.
    pub keys: RefCell<BTreeMap<String, (Value, Value)>>,
    pub operations: RefCell<Vec<String>>,
    pub observed: RefCell<Vec<Throttle>>,
    /// Pages of more than this many rows are too costly.
    pub largest_page: Cell<Option<u64>>,
    /// Answers this instead, once; a `true` carries the request out and loses the answer.
    pub fault: RefCell<Option<(Result<Response, Failure>, bool)>>,
}

impl Hub for Server {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        let raw = request.raw();
        assert_eq!(raw.url, "https://shop.example/admin/api/2026-10/graphql.json");
        assert_eq!(raw.credentials, ["api"]);
        let Payload::Text(body) = &raw.body else { panic!("no body") };
        let body: Value = serde_json::from_str(body).unwrap();
        let name = body["query"].as_str().unwrap().split(['(', '{', ' ']).nth(1).unwrap().to_owned();
        assert_eq!(raw.mutating, body["query"].as_str().unwrap().starts_with("mutation"), "{name}");
        self.operations.borrow_mut().push(name.clone());
        if let Some((answer, carried_out)) = self.fault.borrow_mut().take() {
            if carried_out {
                self.answer(&name, &body["variables"]);
            }
            return answer;
        }
        Ok(self.answer(&name, &body["variables"]))
    }

    fn now(&self) -> i64 {
        NOW
    }

    fn observed(&self, throttle: Throttle) {
        self.observed.borrow_mut().push(throttle);
    }

    fn warn(&self, _: &str) {}
}

pub fn with_shop<T>(server: &Server, run: impl FnOnce(&Shop<'_>) -> T) -> T {
    let settings = Settings::parse(r#"{"origin":"https://shop.example/","since":"2026-11-01"}"#).unwrap();
    run(&Shop { hub: server, settings: &settings, sent: Cell::new(0) })
}

pub fn context(key: &str) -> Context {
    Context {
        connection: "con_1".into(),
        config_json: String::new(),
        trace: String::new(),
        attempt: 1,
        idempotency_key: key.into(),
        dry_run: false,
        extras: Vec::new(),
    }
}

pub fn data(value: Value) -> Response {
    let cost =
        json!({"requestedQueryCost": 10, "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1990, "restoreRate": 100.0}});
    Response::new(200, &[("date", "Sat, 21 Nov 2026 10:00:00 GMT")], json!({"data": value, "extensions": {"cost": cost}}).to_string())
}

pub fn errors(code: &str, cost: Value) -> Response {
    Response::new(200, &[], json!({"errors": [{"message": code, "extensions": {"code": code}}], "extensions": {"cost": cost}}).to_string())
}

fn page(rows: &[Value], first: u64, after: Option<&str>) -> Value {
    let start: usize = after.map_or(0, |cursor| cursor.parse().unwrap());
    let end = rows.len().min(start + first as usize);
    json!({"nodes": rows[start..end], "pageInfo": {"hasNextPage": end < rows.len(), "endCursor": end.to_string()}})
}

impl Server {
    fn answer(&self, name: &str, variables: &Value) -> Response {
        let text = |key: &str| variables[key].as_str();
        let number = |key: &str| variables[key].as_u64();
        if let (Some(largest), Some(first)) = (self.largest_page.get(), number("first"))
            && first > largest
        {
            return errors("MAX_COST_EXCEEDED", json!({}));
        }
        data(match name {
            "OrdersPage" => {
                assert!(text("query").unwrap().starts_with("updated_at:>='20"));
                let since = &text("query").unwrap()["updated_at:>='".len()..];
                let rows: Vec<Value> = self
                    .orders
                    .borrow()
                    .iter()
                    .filter(|order| order["updatedAt"].as_str().unwrap() >= &since[..20])
                    .map(|order| self.cut(order, number("lines").unwrap()))
                    .collect();
                json!({"orders": page(&rows, number("first").unwrap(), text("after"))})
            }
            "OrdersCount" => json!({"ordersCount": {"count": self.orders.borrow().len()}}),
            "OrdersByIds" => {
                json!({"nodes": variables["ids"].as_array().unwrap().iter().map(|id| self.orders.borrow().iter().find(|order| order["id"] == *id).map(|order| self.cut(order, number("lines").unwrap()))).collect::<Vec<_>>()})
            }
            "OrderLines" => {
                let orders = self.orders.borrow();
                let order = orders.iter().find(|order| order["id"] == variables["id"]).unwrap();
                json!({"order": {"lineItems": page(order["lineItems"]["nodes"].as_array().unwrap(), number("lines").unwrap(), text("after"))}})
            }
            "OrderFulfillments" => {
                json!({"order": {"fulfillments": self.fulfillments.borrow().iter().take(number("first").unwrap() as usize).collect::<Vec<_>>()}})
            }
            "OrderRefunds" => json!({"order": {"refunds": []}}),
            "Currency" => json!({"shop": {"currencyCode": "EUR"}}),
            "StockByIds" => {
                json!({"nodes": variables["ids"].as_array().unwrap().iter().map(|id| self.variant(id.as_str().unwrap())).collect::<Vec<_>>()})
            }
            "SetQuantities" => self.set_quantities(variables),
            "FulfillmentOrders" => self.fulfillment_orders(text("id").unwrap()),
            "CreateFulfillment" => self.fulfil(&variables["fulfillment"]),
            "OrderState" => {
                json!({"nodes": variables["ids"].as_array().unwrap().iter().map(|id| self.orders.borrow().iter().find(|order| order["id"] == *id).cloned()).collect::<Vec<_>>()})
            }
            "CancelOrder" => {
                let mut orders = self.orders.borrow_mut();
                let order = orders.iter_mut().find(|order| order["id"] == variables["orderId"]).unwrap();
                order["cancelledAt"] = json!("2026-11-21T10:00:00Z");
                json!({"orderCancel": {"job": {"id": "gid://shopify/Job/1", "done": false}, "orderCancelUserErrors": []}})
            }
            "PricesByIds" => {
                json!({"shop": {"currencyCode": "EUR"}, "nodes": variables["ids"].as_array().unwrap().iter().map(|id| json!({"id": id, "price": "1.00", "compareAtPrice": null, "product": {"id": "gid://shopify/Product/1"}})).collect::<Vec<_>>()})
            }
            "UpdatePrices" => {
                json!({"productVariantsBulkUpdate": {"productVariants": [], "userErrors": [{"code": "NEGATIVE_PRICE_VALUE", "field": ["variants", "1", "price"], "message": "bad price"}]}})
            }
            "Webhooks" => json!({"webhookSubscriptions": page(&self.webhooks.borrow(), 100, text("after"))}),
            "CreateWebhook" => {
                let id = format!("gid://shopify/WebhookSubscription/{}", 100 + self.webhooks.borrow().len());
                let made = json!({"id": id, "topic": variables["topic"], "uri": variables["subscription"]["uri"], "format": "JSON"});
                self.webhooks.borrow_mut().push(made.clone());
                json!({"webhookSubscriptionCreate": {"webhookSubscription": made, "userErrors": []}})
            }
            "DeleteWebhook" => {
                self.webhooks.borrow_mut().retain(|webhook| webhook["id"] != variables["id"]);
                json!({"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": variables["id"], "userErrors": []}})
            }
            other => panic!("the shop does not know {other}"),
        })
    }

    /// An order with the first page of its lines.
    fn cut(&self, order: &Value, lines: u64) -> Value {
        let mut order = order.clone();
        let all = order["lineItems"]["nodes"].as_array().unwrap().clone();
        order["lineItems"] = page(&all, lines, None);
        order["fulfillmentsCount"] = json!({"count": self.fulfillments.borrow().len()});
        order
    }

    fn variant(&self, id: &str) -> Value {
        let number = id.rsplit('/').next().unwrap();
        let item = format!("gid://shopify/InventoryItem/{number}");
        let levels: Vec<Value> = (self.stock.borrow().iter())
            .filter(|((held, _), _)| *held == item)
            .map(|((_, location), quantity)| json!({"location": {"id": location}, "quantities": [{"name": "available", "quantity": quantity}]}))
            .collect();
        if levels.is_empty() {
            Value::Null
        } else {
            json!({"id": id, "inventoryItem": {"id": item, "tracked": true, "inventoryLevels": page(&levels, 50, None)}})
        }
    }

    /// All or nothing; the same key with the same content gives the same answer again, with another content an error.
    fn set_quantities(&self, variables: &Value) -> Value {
        let (key, input) = (variables["key"].as_str().unwrap(), &variables["input"]);
        assert!(!key.trim().is_empty());
        if let Some((content, answer)) = self.keys.borrow().get(key) {
            assert_eq!(content, input, "the key came back with other content");
            return answer.clone();
        }
        let mut stock = self.stock.borrow_mut();
        let mut failed = Vec::new();
        let quantities = input["quantities"].as_array().unwrap();
        assert!(quantities.len() <= 250);
        for (at, change) in quantities.iter().enumerate() {
            assert!(change.get("changeFromQuantity").is_some(), "it must be said, if only as null");
            let place = (change["inventoryItemId"].as_str().unwrap().to_owned(), change["locationId"].as_str().unwrap().to_owned());
            let error = match stock.get(&place) {
                None => Some("INVALID_INVENTORY_ITEM"),
                Some(held) if Some(*held) != change["changeFromQuantity"].as_i64() => Some("CHANGE_FROM_QUANTITY_STALE"),
                Some(_) => None,
            };
            failed.extend(
                error.map(|code| json!({"code": code, "field": ["input", "quantities", at.to_string(), "quantity"], "message": code})),
            );
        }
        if failed.is_empty() {
            for change in quantities {
                let place = (change["inventoryItemId"].as_str().unwrap().to_owned(), change["locationId"].as_str().unwrap().to_owned());
                stock.insert(place, change["quantity"].as_i64().unwrap());
            }
        }
        let answer = json!({"inventorySetQuantities": {"inventoryAdjustmentGroup": null, "userErrors": failed}});
        self.keys.borrow_mut().insert(key.to_owned(), (input.clone(), answer.clone()));
        answer
    }

    /// Line 1 is worked on at place 1, line 2 at place 2.
    fn fulfillment_orders(&self, id: &str) -> Value {
        let part = |line: u64, left: u32| {
            json!({"id": format!("gid://shopify/FulfillmentOrder/{line}"), "status": if left == 0 { "CLOSED" } else { "OPEN" }, "assignedLocation": {"location": {"id": format!("gid://shopify/Location/{line}")}},
                "lineItems": page(&[json!({"id": format!("gid://shopify/FulfillmentOrderLineItem/{line}"), "remainingQuantity": left, "lineItem": {"id": format!("gid://shopify/LineItem/{line}")}})], 50, None)})
        };
        let parts: Vec<Value> = self.remaining.borrow().iter().map(|(line, left)| part(*line, *left)).collect();
        let count = self.fulfillments.borrow().len();
        json!({"order": {"id": id, "cancelledAt": null, "fulfillmentsCount": {"count": count}, "fulfillmentOrders": page(&parts, 50, None)}})
    }

    fn fulfil(&self, input: &Value) -> Value {
        let mut lines = Vec::new();
        for order in input["lineItemsByFulfillmentOrder"].as_array().unwrap() {
            for line in order["fulfillmentOrderLineItems"].as_array().unwrap() {
                let id: u64 = line["id"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
                let quantity = line["quantity"].as_u64().unwrap() as u32;
                *self.remaining.borrow_mut().get_mut(&id).unwrap() -= quantity;
                lines.push(json!({"quantity": quantity, "lineItem": {"id": format!("gid://shopify/LineItem/{id}")}}));
            }
        }
        let id = format!("gid://shopify/Fulfillment/{}", 1 + self.fulfillments.borrow().len());
        let numbers = input["trackingInfo"]["numbers"].as_array().cloned().unwrap_or_default();
        let tracking: Vec<Value> =
            numbers.iter().map(|number| json!({"number": number, "company": input["trackingInfo"]["company"], "url": null})).collect();
        self.fulfillments.borrow_mut().push(json!({"id": id, "createdAt": "2026-11-21T10:00:00Z", "status": "SUCCESS", "trackingInfo": tracking, "fulfillmentLineItems": page(&lines, 50, None)}));
        json!({"fulfillmentCreate": {"fulfillment": {"id": id, "status": "SUCCESS"}, "userErrors": []}})
    }
}
