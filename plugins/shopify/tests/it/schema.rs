//! Every GraphQL document, and the variables the connector sends with it, against the published schema.

use std::collections::BTreeSet;

use apollo_compiler::executable::{Selection, SelectionSet};
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use entrepot_shopify::contract::*;
use entrepot_shopify::graphql;
use entrepot_shopify::requests::{self, Query};

use super::specs;

fn schema() -> Option<Valid<Schema>> {
    // The published schema is not free of faults in its own right, so it is taken as it is.
    let text = specs::schema()?;
    let schema = Schema::parse(text, "admin.graphql").unwrap_or_else(|error| panic!("the schema cannot be read: {}", error.errors));
    Some(Valid::assume_valid(schema))
}

fn document(schema: &Valid<Schema>, name: &str, text: &str) -> Valid<ExecutableDocument> {
    ExecutableDocument::parse_and_validate(schema, text, name).unwrap_or_else(|error| panic!("{name}: {}", error.errors))
}

fn listing(id: &str) -> ListingRef {
    ListingRef { external_id: id.into(), parent: None, sku: None, handles: Vec::new() }
}

fn dispatch() -> Dispatch {
    Dispatch {
        key: "k".into(),
        order: "gid://shopify/Order/1".into(),
        reference: "shp_1".into(),
        lines: vec![ShipmentLine { line: "gid://shopify/LineItem/1".into(), quantity: 1 }],
        tracking: vec![Tracking { number: "1Z".into(), carrier: Some("UPS".into()), url: Some("https://ups.example/1Z".into()) }],
        shipped_at: "2026-11-21T10:00:00Z".into(),
        notify_buyer: true,
        completes_order: true,
    }
}

/// One of every query the connector makes, with the variables it really sends.
fn queries() -> Vec<Query> {
    let id = "gid://shopify/Order/1";
    let money = |amount: &str| Money { amount: amount.into(), currency: "EUR".into() };
    let price = |compare_at: Option<Money>| PriceChange {
        key: "k".into(),
        listing: listing("gid://shopify/ProductVariant/1"),
        price: money("9.99"),
        compare_at,
        price_list: None,
    };
    let write = requests::Write {
        item: "gid://shopify/InventoryItem/1".into(),
        location: "gid://shopify/Location/1".into(),
        quantity: 5,
        from: -1,
    };
    let cancellation =
        Cancellation { key: "k".into(), order: id.into(), reason: Some("out of stock".into()), restock: true, notify_buyer: true };
    let bare = Dispatch { tracking: Vec::new(), ..dispatch() };
    let parts = [("gid://shopify/FulfillmentOrder/1".to_owned(), vec![("gid://shopify/FulfillmentOrderLineItem/1".to_owned(), 1)])];
    vec![
        requests::orders_page(1_700_000_000, None, 20, 20),
        requests::orders_page(1_700_000_000, Some("cursor"), 1, 5),
        requests::orders_by_ids(&[id], 20),
        requests::order_lines(id, "cursor", 20),
        requests::order_fulfillments(id, 20, 20),
        requests::fulfillment_lines("gid://shopify/Fulfillment/1", "cursor", 20),
        requests::order_refunds(id, 20, 20),
        requests::refund_lines("gid://shopify/Refund/1", "cursor", 20),
        requests::order_state(&[id]),
        requests::cancel_order(&cancellation),
        requests::cancel_order(&Cancellation { reason: None, ..cancellation }),
        requests::shop(),
        requests::shop_address(),
        requests::currency(),
        requests::orders_count(1_700_000_000),
        requests::catalogue_size(),
        requests::run_export(),
        requests::export_state("gid://shopify/BulkOperation/1"),
        requests::locations(None),
        requests::locations(Some("cursor")),
        requests::variants_page(100, None, 5),
        requests::variants_by_ids(&["gid://shopify/ProductVariant/1"], 5),
        requests::item_levels("gid://shopify/InventoryItem/1", "cursor", 50),
        requests::stock_by_ids(&["gid://shopify/ProductVariant/1"], 5),
        requests::set_quantities(&[&write], "eff_1"),
        requests::prices_by_ids(&["gid://shopify/ProductVariant/1"]),
        requests::update_prices("gid://shopify/Product/1", &[&price(None), &price(Some(money("12.00")))]),
        requests::list_prices("gid://shopify/PriceList/1", &["gid://shopify/ProductVariant/1", "gid://shopify/ProductVariant/2"]),
        requests::set_list_prices("gid://shopify/PriceList/1", &[&price(None), &price(Some(money("12.00")))]),
        requests::fulfillment_orders(id, None, 10, 20),
        requests::fulfillment_order_lines("gid://shopify/FulfillmentOrder/1", "cursor", 50),
        requests::create_fulfillment(&dispatch(), &parts),
        requests::create_fulfillment(&bare, &parts),
        requests::webhooks(None),
        requests::create_webhook("orders/create", "https://hub.example/webhooks/x"),
        requests::delete_webhook("gid://shopify/WebhookSubscription/1"),
    ]
}

#[test]
fn every_document_is_valid_against_the_schema() {
    let Some(schema) = schema() else { return };
    for (name, text) in graphql::ALL {
        document(&schema, name, text);
    }
}

/// Field paths of a selection; what pages and lists are made of is left out.
fn paths(document: &ExecutableDocument, set: &SelectionSet, prefix: &str, found: &mut BTreeSet<String>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                let skipped = matches!(field.name.as_str(), "nodes" | "edges" | "node");
                let path = if skipped { prefix.to_owned() } else { format!("{prefix}.{}", field.name) };
                if field.name != "pageInfo" && field.selection_set.is_empty() {
                    found.insert(path.clone());
                }
                if field.name != "pageInfo" {
                    paths(document, &field.selection_set, &path, found);
                }
            }
            Selection::FragmentSpread(spread) => paths(document, &document.fragments[&spread.fragment_name].selection_set, prefix, found),
            Selection::InlineFragment(inline) => paths(document, &inline.selection_set, prefix, found),
        }
    }
}

#[test]
fn an_export_holds_what_a_page_holds_and_keeps_to_what_bulk_operations_allow() {
    let Some(schema) = schema() else { return };
    let of = |text: &str| {
        let document = document(&schema, "variants", text);
        let mut found = BTreeSet::new();
        paths(&document, &document.operations.get(None).unwrap().selection_set, "", &mut found);
        found
    };
    let (mut exported, mut paged) = (of(graphql::EXPORTED_VARIANTS), of(graphql::VARIANTS_PAGE));
    // An export was told it when it was ordered.
    assert!(paged.remove(".shop.currencyCode"));
    // A connection of an export must consist of nodes with an id.
    assert!(exported.remove(".productVariants.inventoryItem.inventoryLevels.id"));
    assert_eq!(exported, paged);
    let document = document(&schema, "export", graphql::EXPORTED_VARIANTS);
    let operation = document.operations.get(None).unwrap();
    assert!(operation.variables.is_empty() && operation.is_query() && document.fragments.is_empty());
    assert_eq!(operation.selection_set.selections.len(), 1);
}

#[test]
fn every_query_sends_variables_of_the_declared_types() {
    let Some(schema) = schema() else { return };
    let queries = queries();
    for (name, text) in graphql::ALL {
        assert!(queries.iter().any(|query| query.document == text), "{name} is sent by no query of this test");
    }
    for query in queries {
        let document = document(&schema, "query", query.document);
        let operation = document.operations.get(None).unwrap();
        let values: JsonMap = serde_json::from_str(&query.variables.to_string()).unwrap();
        for name in values.keys() {
            assert!(operation.variables.iter().any(|variable| variable.name == name.as_str()), "{name:?} is not declared");
        }
        if let Err(error) = apollo_compiler::request::coerce_variable_values(&schema, operation, &values) {
            panic!("{:?} with {}: {error:?}", operation.name, query.variables);
        }
        assert_eq!(operation.is_mutation(), query.mutating, "{:?}", operation.name);
    }
}

#[test]
fn a_mutation_that_must_carry_an_idempotency_key_carries_one() {
    let Some(schema) = schema() else { return };
    for (name, text) in graphql::ALL {
        let document = document(&schema, name, text);
        for selection in &document.operations.get(None).unwrap().selection_set.selections {
            let Some(field) = selection.as_field() else { continue };
            let description = field.definition.description.as_deref().unwrap_or_default();
            if description.contains("the idempotency key is required") {
                assert!(field.directives.get("idempotent").is_some(), "{name}: {} needs @idempotent", field.name);
            }
        }
    }
}

#[test]
fn no_document_uses_a_deprecated_field_without_a_known_reason() {
    // The only exact count of units that are still to be shipped which an order's line itself has.
    let known = ["fulfillableQuantity"];
    let Some(schema) = schema() else { return };
    for (name, text) in graphql::ALL {
        let document = document(&schema, name, text);
        let fragments = document.fragments.values().map(|fragment| &fragment.selection_set);
        let roots = document.operations.iter().map(|operation| &operation.selection_set);
        let mut open: Vec<_> = fragments.chain(roots).collect();
        while let Some(set) = open.pop() {
            for selection in &set.selections {
                if let Some(field) = selection.as_field() {
                    let deprecated = field.definition.directives.get("deprecated").is_some();
                    assert!(!deprecated || known.contains(&field.name.as_str()), "{name}: {} is deprecated", field.name);
                    open.push(&field.selection_set);
                } else if let Some(inline) = selection.as_inline_fragment() {
                    open.push(&inline.selection_set);
                }
            }
        }
    }
}
