//! Starts one shop of each kind on given ports, prints their keys, and sells in them if asked: for people who write
//! connectors and want something to talk to.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use entrepot_simulators::shopify::{Basket, NewVariant};
use entrepot_simulators::woo::{ManageStock, NewProduct, NewVariation, Purchase};
use entrepot_simulators::{Buyer, ShopifyConfig, ShopifyShop, WooConfig, WooShop};
use rust_decimal::Decimal;

/// Simulated WooCommerce and Shopify shops on 127.0.0.1, plain HTTP as if behind TLS.
#[derive(Parser)]
struct Options {
    /// Port of the WooCommerce shop; 0 takes any free one.
    #[arg(long, default_value_t = 8081)]
    woo_port: u16,
    /// Port of the Shopify shop; 0 takes any free one.
    #[arg(long, default_value_t = 8082)]
    shopify_port: u16,
    /// The same seed gives the same keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sell something in each shop every so many seconds; 0 sells nothing.
    #[arg(long, default_value_t = 0)]
    sell_every_s: u64,
    /// So many more articles in each shop, for imports of a size.
    #[arg(long, default_value_t = 0)]
    articles: u32,
}

fn stock_woo(shop: &WooShop) {
    let price = |cents| Decimal::new(cents, 2);
    shop.add_product(NewProduct::new("MUG-BLUE", "Blue mug", price(1250)).gtin("4006381333931").stock(50).weight("0.35"));
    shop.add_product(NewProduct::new("GIFT-CARD", "Gift card", price(2500)).manage_stock(ManageStock::No).digital());
    let size =
        |sku: &str, size: &str, stock| NewVariation::new(NewProduct::new(sku, "T-shirt", price(1990)).stock(stock), &[("Size", size)]);
    let sizes = vec![size("TEE-S", "S", 10), size("TEE-M", "M", 20), size("TEE-L", "L", 5)];
    shop.add_variable_product(NewProduct::new("TEE", "T-shirt", price(0)).manage_stock(ManageStock::No), sizes);
}

fn stock_shopify(shop: &ShopifyShop) {
    let price = |cents| Decimal::new(cents, 2);
    shop.add_product("Blue mug", vec![NewVariant::new("MUG-BLUE", price(1290)).barcode("4006381333931").stock(50).grams(350)]);
    let size = |sku: &str, size: &str, stock| NewVariant::new(sku, price(2090)).option("Size", size).stock(stock).grams(180);
    shop.add_product("T-shirt", vec![size("TEE-S", "S", 10), size("TEE-M", "M", 20), size("TEE-L", "L", 5)]);
}

/// In the Shopify shop four of them are the sizes of one product.
fn fill(woo: &WooShop, shopify: &ShopifyShop, articles: u32) {
    let price = Decimal::new(1990, 2);
    for n in 0..articles {
        woo.add_product(NewProduct::new(format!("ARTICLE-{n:06}"), format!("Article {n}"), price).stock(10));
    }
    for product in 0..articles.div_ceil(4) {
        let size =
            |(n, size): (u32, &str)| NewVariant::new(format!("ARTICLE-{:06}", product * 4 + n), price).option("Size", size).stock(10);
        shopify.add_product(&format!("Article {product}"), (0..4).zip(["S", "M", "L", "XL"]).map(size).collect());
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot listen: {error}\nhint: choose other ports with --woo-port and --shopify-port, or 0 for any");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> std::io::Result<()> {
    let woo = WooShop::start(WooConfig { port: options.woo_port, ..WooConfig::seeded(options.seed) }).await?;
    let shopify = ShopifyShop::start(ShopifyConfig { port: options.shopify_port, ..ShopifyConfig::seeded(options.seed) }).await?;
    stock_woo(&woo);
    stock_shopify(&shopify);
    fill(&woo, &shopify, options.articles);
    println!("WooCommerce      {}/wp-json/wc/v3", woo.origin());
    println!("  consumer key     {}", woo.consumer_key());
    println!("  consumer secret  {}", woo.consumer_secret());
    println!("Shopify          {}/admin/api/2026-10/graphql.json", shopify.origin());
    println!("  shop domain      {}", shopify.domain());
    println!("  client id        {}", shopify.client_id());
    println!("  client secret    {}", shopify.client_secret());
    println!("Ctrl-C ends both.");

    let mut sold = 0;
    loop {
        let pause = if options.sell_every_s == 0 { Duration::MAX } else { Duration::from_secs(options.sell_every_s) };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(pause) => {
                sold += 1;
                let sku = ["MUG-BLUE", "TEE-S", "TEE-M", "TEE-L"][sold as usize % 4];
                let in_woo = woo.place_order(Purchase::of(sku, 1).buyer(Buyer::number(sold)));
                let in_shopify = shopify.place_order(Basket::of(sku, 1).buyer(Buyer::number(sold)));
                println!("WooCommerce: {}  Shopify: {}", told(in_woo), told(in_shopify));
            }
        }
    }
}

fn told(result: Result<i64, impl std::fmt::Display>) -> String {
    match result {
        Ok(order) => format!("order {order}"),
        Err(refused) => format!("no order, {refused}"),
    }
}
