//! Webhook bodies: the REST shape of each resource, whole, with the shop's own offset on every date.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::clock::with_offset;
use crate::shopify::facts::{float, gid, merged, money};
use crate::shopify::model::{Fulfillment, Line, Order, Product, Refund};
use crate::shopify::state::{Resource, State};

pub(crate) struct Rest<'a> {
    pub(crate) state: &'a State,
    pub(crate) zone_offset_minutes: i32,
    pub(crate) domain: &'a str,
}

/// Numbers stand where the channel has numbers, although they are ids.
const APP_ID: i64 = 580_111;
const SHOP_ID: i64 = 5_900_000_001;

impl Rest<'_> {
    pub(crate) fn body(&self, resource: Resource) -> Option<Value> {
        match resource {
            Resource::Order(id) => self.state.orders.get(&id).map(|order| self.order(order)),
            Resource::Refund(id) => {
                let refund = self.state.refunds.get(&id)?;
                self.state.orders.get(&refund.order).map(|order| self.refund(order, refund))
            }
            Resource::Fulfillment(id) => {
                let known = self.state.fulfillments.get(&id)?;
                self.state.orders.get(&known.order).map(|order| self.fulfillment(order, known))
            }
            Resource::Level(item, location) => {
                let level = self.state.items.get(&item)?.levels.get(&location)?;
                Some(json!({
                    "inventory_item_id": item, "location_id": location, "available": level.available,
                    "updated_at": self.date(level.updated_at),
                    "admin_graphql_api_id": crate::shopify::facts::level_gid(item, level),
                }))
            }
            Resource::Product(id) => self.state.products.get(&id).map(|product| self.product(product)),
            Resource::Shop => Some(json!({
                "id": SHOP_ID, "name": "Simulated shop", "email": "owner@example.com", "domain": self.domain,
                "myshopify_domain": self.domain, "currency": self.state.rules.currency, "country_code": "DE",
                "plan_name": "basic", "created_at": self.date(self.state.created_at),
            })),
        }
    }

    fn date(&self, at: i64) -> String {
        with_offset(at, self.zone_offset_minutes)
    }

    fn bag(&self, order: &Order, amount: Decimal) -> Value {
        let (currency, rate) = &order.presentment;
        json!({
            "shop_money": { "amount": money(amount), "currency_code": self.state.rules.currency },
            "presentment_money": { "amount": money(State::round(amount * rate)), "currency_code": currency },
        })
    }

    fn tax_lines(&self, order: &Order, amount: Decimal) -> Value {
        if order.tax_bps == 0 {
            return json!([]);
        }
        json!([{ "channel_liable": false, "price": money(amount), "price_set": self.bag(order, amount),
            "rate": float(Decimal::new(i64::from(order.tax_bps), 4)), "title": "Tax" }])
    }

    fn line(&self, order: &Order, line: &Line) -> Value {
        let status = match (line.fulfilled, line.unfulfilled()) {
            (0, _) => Value::Null,
            (_, 0) => json!("fulfilled"),
            _ => json!("partial"),
        };
        let id_or_null = |id: i64| if id == 0 { Value::Null } else { json!(id) };
        let allocations = if line.discount > Decimal::ZERO {
            json!([{ "amount": money(line.discount), "amount_set": self.bag(order, line.discount), "discount_application_index": 0 }])
        } else {
            json!([])
        };
        json!({
            "id": line.id, "admin_graphql_api_id": gid("LineItem", line.id), "attributed_staffs": [],
            "current_quantity": line.current, "fulfillable_quantity": line.unfulfilled(), "fulfillment_service": "manual",
            "fulfillment_status": status, "gift_card": line.gift_card, "grams": line.grams, "name": line.name(),
            "price": money(line.price), "price_set": self.bag(order, line.price), "product_exists": line.product != 0,
            "product_id": id_or_null(line.product), "properties": [], "quantity": line.quantity,
            "requires_shipping": line.requires_shipping, "sales_line_item_group_id": null,
            "sku": if line.variant == 0 { Value::Null } else { json!(line.sku) },
            "taxable": line.taxable, "title": line.title, "total_discount": money(Decimal::ZERO),
            "total_discount_set": self.bag(order, Decimal::ZERO), "variant_id": id_or_null(line.variant),
            "variant_inventory_management": if line.variant == 0 { Value::Null } else { json!("shopify") },
            "variant_title": line.variant_title, "vendor": if line.vendor.is_empty() { Value::Null } else { json!(line.vendor) },
            "tax_lines": if line.taxable { self.tax_lines(order, line.tax) } else { json!([]) }, "duties": [],
            "discount_allocations": allocations,
        })
    }

    fn address(&self, order: &Order) -> Value {
        let buyer = &order.buyer;
        let or_null = |text: &str| {
            if text.is_empty() { Value::Null } else { json!(text) }
        };
        json!({
            "first_name": buyer.first_name, "address1": buyer.address_1, "phone": buyer.phone, "city": buyer.city,
            "zip": buyer.postcode, "province": or_null(&buyer.region_name), "country": buyer.country_name,
            "last_name": buyer.last_name, "address2": or_null(&buyer.address_2), "company": or_null(&buyer.company),
            "latitude": null, "longitude": null, "name": format!("{} {}", buyer.first_name, buyer.last_name),
            "country_code": buyer.country, "province_code": or_null(&buyer.region),
        })
    }

    fn customer(&self, order: &Order) -> Value {
        let buyer = &order.buyer;
        let mut address = self.address(order);
        address["id"] = json!(order.id * 10 + 2);
        address["customer_id"] = json!(order.customer);
        address["country_name"] = json!(buyer.country_name);
        address["default"] = json!(true);
        json!({
            "id": order.customer, "admin_graphql_api_id": gid("Customer", order.customer),
            "created_at": self.date(order.created_at), "updated_at": self.date(order.created_at),
            "first_name": buyer.first_name, "last_name": buyer.last_name, "email": buyer.email, "phone": buyer.phone,
            "state": "disabled", "note": null, "verified_email": true, "multipass_identifier": null,
            "tax_exempt": false, "tax_exemptions": [], "currency": order.presentment.0, "tags": "",
            "email_marketing_consent": { "state": "not_subscribed", "opt_in_level": "single_opt_in", "consent_updated_at": null },
            "sms_marketing_consent": null, "default_address": address,
        })
    }

    fn order(&self, order: &Order) -> Value {
        let bag = |amount: Decimal| self.bag(order, amount);
        let zero = Decimal::ZERO;
        let lines: Vec<Value> = order.lines.iter().map(|line| self.line(order, line)).collect();
        let fulfillments = order.fulfillments.iter().filter_map(|id| self.state.fulfillments.get(id));
        let refunds = order.refunds.iter().filter_map(|id| self.state.refunds.get(id));
        let returns = order.returns.iter().filter_map(|id| self.state.returns.get(id));
        let status = match order.fulfillment_status() {
            "FULFILLED" => json!("fulfilled"),
            "PARTIALLY_FULFILLED" => json!("partial"),
            _ => Value::Null,
        };
        let codes: Vec<Value> = order
            .discount_code
            .iter()
            .map(|code| json!({ "code": code, "amount": money(order.discounts(false)), "type": "fixed_amount" }))
            .collect();
        let applications: Vec<Value> = order
            .discount_code
            .iter()
            .map(|code| {
                json!({ "target_type": "line_item", "type": "discount_code", "value": money(order.discounts(false)),
                    "value_type": "fixed_amount", "allocation_method": "across", "target_selection": "all", "code": code })
            })
            .collect();
        let outstanding = if order.paid || order.cancelled_at.is_some() { zero } else { order.total(true) };
        let weight: i64 = order.lines.iter().map(|line| line.grams * line.quantity).sum();
        let head = json!({
            "id": order.id, "admin_graphql_api_id": gid("Order", order.id), "app_id": APP_ID, "browser_ip": "203.0.113.7",
            "buyer_accepts_marketing": false, "cancel_reason": order.cancel_reason.as_ref().map(|reason| reason.to_lowercase()),
            "cancelled_at": order.cancelled_at.map(|at| self.date(at)), "cart_token": order.token, "checkout_id": order.id + 1,
            "checkout_token": order.token, "client_details": { "accept_language": "en", "browser_height": null,
                "browser_ip": "203.0.113.7", "browser_width": null, "session_hash": null, "user_agent": "Mozilla/5.0" },
            "closed_at": order.closed_at.map(|at| self.date(at)), "company": null,
            "confirmation_number": order.token.to_uppercase().chars().take(9).collect::<String>(), "confirmed": true,
            "contact_email": order.buyer.email, "created_at": self.date(order.created_at),
            "currency": self.state.rules.currency, "current_shipping_price_set": bag(order.shipping),
            "current_subtotal_price": money(order.subtotal(true)), "current_subtotal_price_set": bag(order.subtotal(true)),
            "current_total_additional_fees_set": null, "current_total_discounts": money(order.discounts(true)),
            "current_total_discounts_set": bag(order.discounts(true)), "current_total_duties_set": null,
            "current_total_price": money(order.total(true)), "current_total_price_set": bag(order.total(true)),
            "current_total_tax": money(order.tax(true)), "current_total_tax_set": bag(order.tax(true)),
            "customer_locale": "en", "device_id": null, "discount_codes": codes, "duties_included": false,
        });
        let facts = json!({
            "email": order.buyer.email, "estimated_taxes": false,
            "financial_status": order.financial_status().to_lowercase(), "fulfillment_status": status,
            "landing_site": "/", "landing_site_ref": null, "location_id": null, "merchant_business_entity_id": "MTQ4",
            "merchant_of_record_app_id": null, "name": order.name(), "note": order.note, "note_attributes": [],
            "number": order.number - 1000, "order_number": order.number,
            "order_status_url": format!("https://{}/orders/{}/authenticate?key={}", self.domain, order.token, order.id),
            "original_total_additional_fees_set": null, "original_total_duties_set": null,
            "payment_gateway_names": ["bogus"], "phone": order.buyer.phone, "po_number": null,
            "presentment_currency": order.presentment.0, "processed_at": self.date(order.created_at), "reference": null,
            "referring_site": "", "source_identifier": null, "source_name": "web", "source_url": null,
        });
        let totals = json!({
            "subtotal_price": money(order.subtotal(false)), "subtotal_price_set": bag(order.subtotal(false)),
            "tags": order.tags.join(", "), "tax_exempt": false, "tax_lines": self.tax_lines(order, order.tax(false)),
            "taxes_included": order.taxes_included, "test": order.test, "token": order.token,
            "total_cash_rounding_payment_adjustment_set": bag(zero),
            "total_cash_rounding_refund_adjustment_set": bag(zero),
            "total_discounts": money(order.discounts(false)), "total_discounts_set": bag(order.discounts(false)),
            "total_line_items_price": money(order.gross(false)), "total_line_items_price_set": bag(order.gross(false)),
            "total_outstanding": money(outstanding), "total_price": money(order.total(false)),
            "total_price_set": bag(order.total(false)), "total_shipping_price_set": bag(order.shipping),
            "total_tax": money(order.tax(false)), "total_tax_set": bag(order.tax(false)),
            "total_tip_received": money(zero), "total_weight": weight, "updated_at": self.date(order.updated_at),
        });
        let parts = json!({
            "user_id": null, "billing_address": self.address(order), "customer": self.customer(order),
            "discount_applications": applications,
            "fulfillments": fulfillments.map(|known| self.fulfillment(order, known)).collect::<Vec<_>>(),
            "line_items": lines, "payment_terms": null,
            "refunds": refunds.map(|refund| self.refund(order, refund)).collect::<Vec<_>>(),
            "returns": returns.map(|known| json!({ "id": known.id, "admin_graphql_api_id": gid("Return", known.id),
                "name": known.name, "status": known.status.to_lowercase() })).collect::<Vec<_>>(),
            "shipping_address": self.address(order),
            "shipping_lines": [{ "id": order.shipping_line, "carrier_identifier": null, "code": "Standard",
                "current_discounted_price_set": bag(order.shipping), "discounted_price": money(order.shipping),
                "discounted_price_set": bag(order.shipping), "is_removed": false, "phone": null,
                "price": money(order.shipping), "price_set": bag(order.shipping), "requested_fulfillment_service_id": null,
                "source": "shopify", "title": "Standard", "tax_lines": self.tax_lines(order, order.shipping_tax),
                "discount_allocations": [] }],
        });
        merged([head, facts, totals, parts])
    }

    fn fulfillment(&self, order: &Order, known: &Fulfillment) -> Value {
        let lines: Vec<Value> = known
            .lines
            .iter()
            .filter_map(|(_, line, units)| {
                let mut line = self.line(order, order.line(*line)?);
                line["quantity"] = json!(units);
                Some(line)
            })
            .collect();
        json!({
            "id": known.id, "admin_graphql_api_id": gid("Fulfillment", known.id), "created_at": self.date(known.created_at),
            "location_id": known.location, "name": known.name.replace("-F", "."), "order_id": known.order,
            "origin_address": {}, "receipt": { "testcase": order.test, "authorization": order.token }, "service": "manual", "shipment_status": null,
            "status": known.status.to_lowercase(), "tracking_company": known.parcel.company,
            "tracking_number": known.parcel.numbers.first(), "tracking_numbers": known.parcel.numbers,
            "tracking_url": known.parcel.urls.first(), "tracking_urls": known.parcel.urls,
            "updated_at": self.date(known.updated_at), "line_items": lines,
        })
    }

    fn refund(&self, order: &Order, refund: &Refund) -> Value {
        let lines: Vec<Value> = refund
            .lines
            .iter()
            .filter_map(|own| {
                let line = order.line(own.line)?;
                Some(json!({
                    "id": own.id, "line_item_id": own.line, "location_id": order.location, "quantity": own.quantity,
                    "restock_type": own.restock.name().to_lowercase(), "subtotal": float(own.subtotal),
                    "subtotal_set": self.bag(order, own.subtotal), "total_tax": float(own.tax),
                    "total_tax_set": self.bag(order, own.tax), "line_item": self.line(order, line),
                }))
            })
            .collect();
        let transactions: Vec<Value> = order
            .transactions
            .iter()
            .filter(|known| known.kind == "REFUND" && known.at == refund.created_at)
            .map(|known| {
                json!({
                    "id": known.id, "admin_graphql_api_id": gid("OrderTransaction", known.id),
                    "amount": money(known.amount), "authorization": null, "created_at": self.date(known.at),
                    "currency": self.state.rules.currency, "device_id": null, "error_code": null, "gateway": "bogus",
                    "kind": "refund", "location_id": null, "message": "Bogus Gateway: Forced success",
                    "order_id": order.id, "parent_id": null, "payment_id": order.token,
                    "processed_at": self.date(known.at), "receipt": {}, "source_name": "web", "status": "success",
                    "test": order.test, "user_id": null,
                })
            })
            .collect();
        json!({
            "id": refund.id, "admin_graphql_api_id": gid("Refund", refund.id), "created_at": self.date(refund.created_at),
            "note": refund.note, "order_id": refund.order, "processed_at": self.date(refund.created_at),
            "restock": refund.lines.iter().any(|line| line.restock.name() != "NO_RESTOCK"), "return": null,
            "total_additional_fees_set": self.bag(order, Decimal::ZERO), "total_duties_set": self.bag(order, Decimal::ZERO),
            "user_id": null, "duties": [], "order_adjustments": [], "refund_line_items": lines,
            "refund_shipping_lines": [], "transactions": transactions,
        })
    }

    fn product(&self, product: &Product) -> Value {
        let variants: Vec<Value> = product
            .variants
            .iter()
            .filter_map(|id| self.state.variants.get(id))
            .map(|variant| {
                let stock = self.state.available(variant).unwrap_or_default();
                let option = |index: usize| variant.options.get(index).map(|(_, value)| value.clone());
                json!({
                    "id": variant.id, "admin_graphql_api_id": gid("ProductVariant", variant.id), "barcode": variant.barcode,
                    "compare_at_price": variant.compare_at_price.map(money), "created_at": self.date(variant.created_at),
                    "inventory_policy": if variant.continue_selling { "continue" } else { "deny" },
                    "option1": option(0).unwrap_or_else(|| "Default Title".into()), "option2": option(1),
                    "option3": option(2), "position": variant.position, "price": money(variant.price),
                    "product_id": product.id, "sku": variant.sku, "taxable": variant.taxable, "title": variant.title(),
                    "updated_at": self.date(variant.updated_at), "inventory_quantity": stock,
                    "inventory_item_id": variant.item, "old_inventory_quantity": stock, "image_id": null,
                })
            })
            .collect();
        let named = product.variants.first().and_then(|id| self.state.variants.get(id));
        let options: Vec<Value> = named
            .map(|variant| {
                (1_i64..).zip(&variant.options).map(|(position, (name, _))| {
                    json!({ "id": product.id * 10 + position, "product_id": product.id, "name": name, "position": position })
                })
            })
            .into_iter()
            .flatten()
            .collect();
        json!({
            "id": product.id, "admin_graphql_api_id": gid("Product", product.id), "body_html": "",
            "created_at": self.date(product.created_at), "handle": product.handle, "product_type": "",
            "published_at": self.date(product.created_at), "template_suffix": null, "title": product.title,
            "updated_at": self.date(product.updated_at), "vendor": product.vendor,
            "status": product.status.to_lowercase(), "published_scope": "global", "tags": product.tags.join(", "),
            "variants": variants, "options": options, "images": [], "image": null, "media": [], "variant_gids":
                product.variants.iter().map(|id| json!({ "admin_graphql_api_id": gid("ProductVariant", *id),
                    "updated_at": self.date(product.updated_at) })).collect::<Vec<_>>(),
            "has_variants_that_requires_components": false, "category": null,
        })
    }
}
