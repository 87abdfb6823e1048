//! The shop's books as the REST API writes them down: every documented property, money as decimal text, dates twice.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::clock::wall;
use crate::woo::model::{Item, Kind, Line, ManageStock, Meta, Note, Order, Refund, Tracking, Webhook};
use crate::woo::orders::line_item;
use crate::woo::state::State;

/// What every answer needs to know about the shop.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) origin: String,
    pub(crate) zone_offset_minutes: i32,
    pub(crate) decimals: u32,
    /// Some shops (and their plugins) write the quantity as text.
    pub(crate) stock_as_text: bool,
}

impl Face {
    fn money(&self, amount: Decimal) -> String {
        format!("{amount:.*}", self.decimals as usize)
    }

    fn link(&self, path: &str) -> Value {
        json!([{ "href": format!("{}/wp-json/wc/v3/{path}", self.origin) }])
    }

    fn date(&self, object: &mut Map<String, Value>, name: &str, at: Option<i64>) {
        let local = at.map(|at| wall(at, self.zone_offset_minutes));
        object.insert(name.to_owned(), json!(local));
        object.insert(format!("{name}_gmt"), json!(at.map(|at| wall(at, 0))));
    }

    fn stock(&self, state: &State, item: &Item) -> (Value, Value, &'static str) {
        let manage = match item.manage_stock {
            ManageStock::Own => json!(true),
            ManageStock::Parent if state.stock_owner(item.id).is_some() => json!("parent"),
            ManageStock::Parent | ManageStock::No => json!(false),
        };
        let quantity = state.stock_of(item.id);
        let status = match quantity {
            Some(quantity) if quantity > 0 => "instock",
            Some(_) if item.backorders_allowed() => "onbackorder",
            Some(_) => "outofstock",
            None if item.in_stock => "instock",
            None => "outofstock",
        };
        let quantity = match quantity {
            Some(quantity) if self.stock_as_text => json!(quantity.to_string()),
            other => json!(other),
        };
        (manage, quantity, status)
    }

    /// The properties a product and a variation share.
    fn sellable(&self, state: &State, item: &Item) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("id".into(), json!(item.id));
        self.date(&mut object, "date_created", Some(item.created_at));
        self.date(&mut object, "date_modified", Some(item.modified_at));
        self.date(&mut object, "date_on_sale_from", None);
        self.date(&mut object, "date_on_sale_to", None);
        let price = |price: Option<Decimal>| price.map(|price| self.money(price)).unwrap_or_default();
        let (manage, quantity, status) = self.stock(state, item);
        let on_backorder = item.backorders_allowed() && state.stock_of(item.id).is_some_and(|stock| stock < 0);
        let rest = json!({
            "description": item.description,
            "permalink": format!("{}/product/{}/", self.origin, slug(item)),
            "sku": item.sku,
            "global_unique_id": item.gtin,
            "price": price(item.price()),
            "regular_price": price(item.regular_price),
            "sale_price": price(item.sale_price),
            "on_sale": item.sale_price.is_some(),
            "status": item.status,
            "purchasable": item.status == "publish",
            "virtual": item.is_virtual,
            "downloadable": false,
            "downloads": [],
            "download_limit": -1,
            "download_expiry": -1,
            "tax_status": "taxable",
            "tax_class": "",
            "manage_stock": manage,
            "stock_quantity": quantity,
            "stock_status": status,
            "backorders": item.backorders,
            "backorders_allowed": item.backorders_allowed(),
            "backordered": on_backorder,
            "low_stock_amount": null,
            "weight": item.weight,
            "dimensions": { "length": "", "width": "", "height": "" },
            "shipping_class": "",
            "shipping_class_id": 0,
            "menu_order": 0,
            "meta_data": metas(&item.meta),
        });
        extend(&mut object, rest);
        object
    }

    pub(crate) fn product(&self, state: &State, item: &Item) -> Value {
        let mut object = self.sellable(state, item);
        let prices = item.variations.iter().filter_map(|id| state.items.get(id)).filter_map(Item::price);
        if let Some(least) = prices.min() {
            object.insert("price".into(), json!(self.money(least)));
        }
        let attributes: Vec<Value> = item
            .attributes
            .iter()
            .enumerate()
            .map(|(position, (name, options))| {
                json!({ "id": 0, "name": name, "slug": name, "position": position, "visible": true,
                        "variation": item.kind == Kind::Variable, "options": options })
            })
            .collect();
        let rest = json!({
            "name": item.name,
            "slug": slug(item),
            "type": if item.kind == Kind::Variable { "variable" } else { "simple" },
            "featured": false,
            "catalog_visibility": "visible",
            "short_description": "",
            "price_html": format!("<span class=\"woocommerce-Price-amount amount\">{}</span>",
                object.get("price").and_then(Value::as_str).unwrap_or_default()),
            "total_sales": item.total_sales,
            "external_url": "",
            "button_text": "",
            "sold_individually": false,
            "shipping_required": !item.is_virtual,
            "shipping_taxable": !item.is_virtual,
            "reviews_allowed": true,
            "average_rating": "0.00",
            "rating_count": 0,
            "related_ids": [],
            "upsell_ids": [],
            "cross_sell_ids": [],
            "parent_id": 0,
            "purchase_note": "",
            "categories": [{ "id": 15, "name": "Uncategorized", "slug": "uncategorized" }],
            "tags": [],
            "images": [],
            "attributes": attributes,
            "default_attributes": [],
            "variations": item.variations,
            "grouped_products": [],
            "has_options": item.kind == Kind::Variable,
            "_links": { "self": self.link(&format!("products/{}", item.id)), "collection": self.link("products") },
        });
        extend(&mut object, rest);
        Value::Object(object)
    }

    pub(crate) fn variation(&self, state: &State, item: &Item) -> Value {
        let mut object = self.sellable(state, item);
        let attributes: Vec<Value> =
            item.attributes.iter().map(|(name, options)| json!({ "id": 0, "name": name, "option": options.first() })).collect();
        let up = format!("products/{}", item.parent);
        let mut image = Map::new();
        image.insert("id".into(), json!(0));
        self.date(&mut image, "date_created", Some(item.created_at));
        self.date(&mut image, "date_modified", Some(item.created_at));
        let placeholder = format!("{}/wp-content/uploads/woocommerce-placeholder.png", self.origin);
        extend(&mut image, json!({ "src": placeholder, "name": "Placeholder", "alt": "Placeholder" }));
        let rest = json!({
            "name": item.attributes.iter().flat_map(|(_, options)| options.clone()).collect::<Vec<_>>().join(", "),
            "type": "variation",
            "parent_id": item.parent,
            "attributes": attributes,
            "image": image,
            "_links": {
                "self": self.link(&format!("{up}/variations/{}", item.id)),
                "collection": self.link(&format!("{up}/variations")),
                "up": self.link(&up),
            },
        });
        extend(&mut object, rest);
        Value::Object(object)
    }

    /// The shape the REST route and the webhook of this item share.
    pub(crate) fn item(&self, state: &State, item: &Item) -> Value {
        if item.kind == Kind::Variation { self.variation(state, item) } else { self.product(state, item) }
    }

    fn line(&self, order: &Order, state: &State, line: &Line) -> Value {
        let rate = Decimal::new(i64::from(order.tax_bps), 4);
        let exact = |net: Decimal| (net * rate).normalize().to_string();
        let taxes =
            if order.tax_bps == 0 { json!([]) } else { json!([{ "id": 1, "total": exact(line.total), "subtotal": exact(line.subtotal) }]) };
        let mut meta = metas(&line.meta);
        if line.reduced > 0 {
            meta.push(json!({ "id": line.id * 10, "key": "_reduced_stock", "value": line.reduced.to_string(),
                "display_key": "_reduced_stock", "display_value": line.reduced.to_string() }));
        }
        let gtin = state.items.get(&line_item(line)).map(|item| item.gtin.clone()).unwrap_or_default();
        json!({
            "id": line.id, "name": line.name, "product_id": line.product, "variation_id": line.variation,
            "quantity": line.quantity, "tax_class": "",
            "subtotal": self.money(line.subtotal), "subtotal_tax": self.money(line.subtotal_tax),
            "total": self.money(line.total), "total_tax": self.money(line.total_tax),
            "taxes": taxes, "meta_data": meta, "sku": line.sku, "global_unique_id": gtin,
            "price": number(line.total.checked_div(Decimal::from(line.quantity)).unwrap_or_default()),
            "image": { "id": "", "src": "" }, "parent_name": null,
        })
    }

    pub(crate) fn order(&self, state: &State, order: &Order) -> Value {
        let mut object = Map::new();
        self.date(&mut object, "date_created", Some(order.created_at));
        self.date(&mut object, "date_modified", Some(order.modified_at));
        self.date(&mut object, "date_paid", order.paid_at);
        self.date(&mut object, "date_completed", order.completed_at);
        let tax_rate = |amount: Decimal| {
            if order.tax_bps == 0 { json!([]) } else { json!([{ "id": 1, "total": self.money(amount), "subtotal": "" }]) }
        };
        let tax_lines = if order.tax_bps == 0 {
            json!([])
        } else {
            json!([{ "id": order.tax_line, "rate_code": "TAX-1", "rate_id": 1, "label": "Tax", "compound": false,
                "tax_total": self.money(order.cart_tax()), "shipping_tax_total": self.money(order.shipping_tax()),
                "rate_percent": number(Decimal::new(i64::from(order.tax_bps), 2)), "meta_data": [] }])
        };
        let shipping_lines: Vec<Value> = order
            .shipping
            .iter()
            .map(|line| {
                json!({ "id": line.id, "method_title": line.label, "method_id": "flat_rate", "instance_id": "1",
                    "total": self.money(line.amount), "total_tax": self.money(line.tax),
                    "taxes": tax_rate(line.tax), "tax_status": "taxable", "meta_data": [] })
            })
            .collect();
        let fee_lines: Vec<Value> = order
            .fee
            .iter()
            .map(|line| {
                json!({ "id": line.id, "name": line.label, "tax_class": "", "tax_status": "taxable",
                    "amount": self.money(line.amount), "total": self.money(line.amount),
                    "total_tax": self.money(line.tax), "taxes": tax_rate(line.tax), "meta_data": [] })
            })
            .collect();
        let coupon_lines: Vec<Value> = order
            .coupon
            .iter()
            .map(|line| {
                json!({ "id": line.id, "code": line.label, "discount": self.money(line.amount),
                    "discount_tax": self.money(line.tax), "meta_data": [], "discount_type": "fixed_cart",
                    "nominal_amount": number(line.amount), "free_shipping": false })
            })
            .collect();
        let refunds: Vec<Value> = order
            .refunds
            .iter()
            .map(|refund| json!({ "id": refund.id, "reason": refund.reason, "total": format!("-{}", self.money(refund.amount)) }))
            .collect();
        let buyer = &order.buyer;
        let address = json!({
            "first_name": buyer.first_name, "last_name": buyer.last_name, "company": buyer.company,
            "address_1": buyer.address_1, "address_2": buyer.address_2, "city": buyer.city, "state": buyer.region,
            "postcode": buyer.postcode, "country": buyer.country, "phone": buyer.phone,
        });
        let mut billing = address.clone();
        billing["email"] = json!(buyer.email);
        let rest = json!({
            "id": order.id, "parent_id": 0, "number": order.id.to_string(), "order_key": order.key,
            "created_via": order.created_via, "version": "11.0.1", "status": order.status, "currency": order.currency,
            "discount_total": self.money(order.coupon.iter().map(|line| line.amount).sum()),
            "discount_tax": self.money(order.coupon.iter().map(|line| line.tax).sum()),
            "shipping_total": self.money(order.shipping.iter().map(|line| line.amount).sum()),
            "shipping_tax": self.money(order.shipping_tax()),
            "cart_tax": self.money(order.cart_tax()),
            "total": self.money(order.total()),
            "total_tax": self.money(order.cart_tax() + order.shipping_tax()),
            "prices_include_tax": state.rules.prices_include_tax,
            "customer_id": 0, "customer_ip_address": "203.0.113.7", "customer_user_agent": "Mozilla/5.0",
            "customer_note": order.note, "billing": billing, "shipping": address,
            "payment_method": "bacs", "payment_method_title": "Direct bank transfer",
            "transaction_id": order.transaction_id, "cart_hash": "", "meta_data": metas(&order.meta),
            "line_items": order.lines.iter().map(|line| self.line(order, state, line)).collect::<Vec<_>>(),
            "tax_lines": tax_lines, "shipping_lines": shipping_lines, "fee_lines": fee_lines,
            "coupon_lines": coupon_lines, "refunds": refunds,
            "payment_url": format!("{}/checkout/order-pay/{}/?pay_for_order=true&key={}", self.origin, order.id, order.key),
            "is_editable": matches!(order.status.as_str(), "pending" | "on-hold" | "auto-draft"),
            "needs_payment": matches!(order.status.as_str(), "pending" | "failed"),
            "needs_processing": true,
            "currency_symbol": symbol(&order.currency),
            "_links": { "self": self.link(&format!("orders/{}", order.id)), "collection": self.link("orders") },
        });
        extend(&mut object, rest);
        Value::Object(object)
    }

    pub(crate) fn refund(&self, order: &Order, refund: &Refund) -> Value {
        let lines: Vec<Value> = refund
            .lines
            .iter()
            .filter_map(|(line_id, units, amount)| {
                let line = order.lines.iter().find(|line| line.id == *line_id)?;
                Some(json!({
                    "id": refund.id * 100 + line.id, "name": line.name, "product_id": line.product,
                    "variation_id": line.variation, "quantity": -units, "tax_class": "",
                    "subtotal": format!("-{}", self.money(*amount)), "subtotal_tax": self.money(Decimal::ZERO),
                    "total": format!("-{}", self.money(*amount)), "total_tax": self.money(Decimal::ZERO), "taxes": [],
                    "meta_data": [{ "id": refund.id * 100, "key": "_refunded_item_id", "value": line.id.to_string() }],
                    "sku": line.sku,
                    "price": number(line.total.checked_div(Decimal::from(line.quantity)).unwrap_or_default()),
                }))
            })
            .collect();
        let up = format!("orders/{}", order.id);
        let mut object = Map::new();
        self.date(&mut object, "date_created", Some(refund.at));
        extend(
            &mut object,
            json!({
                "id": refund.id, "parent_id": order.id, "amount": self.money(refund.amount), "reason": refund.reason,
                "refunded_by": 1, "refunded_payment": refund.paid_back, "meta_data": [], "line_items": lines,
                "shipping_lines": [], "tax_lines": [], "fee_lines": [],
                "_links": {
                    "self": self.link(&format!("{up}/refunds/{}", refund.id)),
                    "collection": self.link(&format!("{up}/refunds")),
                    "up": self.link(&up),
                },
            }),
        );
        Value::Object(object)
    }

    pub(crate) fn note(&self, order: i64, note: &Note) -> Value {
        let up = format!("orders/{order}");
        let mut object = Map::new();
        self.date(&mut object, "date_created", Some(note.at));
        extend(
            &mut object,
            json!({
                "id": note.id, "author": note.author, "note": note.text, "customer_note": note.to_customer,
                "_links": {
                    "self": self.link(&format!("{up}/notes/{}", note.id)),
                    "collection": self.link(&format!("{up}/notes")),
                    "up": self.link(&up),
                },
            }),
        );
        Value::Object(object)
    }

    pub(crate) fn webhook(&self, webhook: &Webhook) -> Value {
        let (resource, event) = webhook.topic.split_once('.').unwrap_or((&webhook.topic, ""));
        let mut object = Map::new();
        self.date(&mut object, "date_created", Some(webhook.created_at));
        self.date(&mut object, "date_modified", Some(webhook.modified_at));
        extend(
            &mut object,
            json!({
                "id": webhook.id, "name": webhook.name, "status": webhook.status, "topic": webhook.topic,
                "resource": resource, "event": event, "hooks": hooks(&webhook.topic),
                "delivery_url": webhook.delivery_url,
                "_links": {
                    "self": self.link(&format!("webhooks/{}", webhook.id)),
                    "collection": self.link("webhooks"),
                },
            }),
        );
        Value::Object(object)
    }

    pub(crate) fn tracking(&self, tracking: &Tracking, at: i64) -> Value {
        json!({
            "tracking_id": tracking.id, "tracking_provider": tracking.provider, "tracking_link": tracking.link,
            "tracking_number": tracking.number,
            "date_shipped": wall(at, self.zone_offset_minutes).split('T').next(),
        })
    }
}

pub(crate) fn metas(meta: &[Meta]) -> Vec<Value> {
    meta.iter().map(|meta| json!({ "id": meta.id, "key": meta.key, "value": meta.value })).collect()
}

fn slug(item: &Item) -> String {
    let dashed: String = item.name.to_lowercase().chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    format!("{dashed}-{}", item.id)
}

/// A JSON number with the decimal's own digits.
fn number(amount: Decimal) -> Value {
    serde_json::from_str(&amount.round_dp(6).normalize().to_string()).unwrap_or(Value::Null)
}

fn symbol(currency: &str) -> &str {
    match currency {
        "EUR" => "€",
        "USD" => "$",
        "GBP" => "£",
        "JPY" | "CNY" => "¥",
        other => other,
    }
}

fn hooks(topic: &str) -> Vec<&'static str> {
    match topic {
        "order.created" => vec!["woocommerce_new_order"],
        "order.updated" => vec!["woocommerce_update_order", "woocommerce_order_refunded"],
        "order.deleted" => vec!["wp_trash_post", "woocommerce_trash_order"],
        "order.restored" => vec!["untrashed_post", "woocommerce_untrash_order"],
        "product.created" => vec!["woocommerce_new_product"],
        "product.updated" => vec!["woocommerce_update_product", "woocommerce_update_product_variation"],
        "product.deleted" => vec!["wp_trash_post"],
        "product.restored" => vec!["untrashed_post"],
        _ => vec![],
    }
}

fn extend(object: &mut Map<String, Value>, rest: Value) {
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
}
