//! `product` and `listing`.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::shelves::{Kit, kit};
use super::{Page, Stop, pair, part, print, read};

#[derive(Subcommand)]
pub enum Product {
    /// Variants by SKU.
    List {
        /// Looked for in SKU, GTIN and titles.
        #[arg(long)]
        text: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// A variant with its stock, by id or SKU.
    Show { variant: String },
    /// A product with one variant.
    Create {
        title: String,
        #[arg(long)]
        sku: String,
        /// More facts: gtin, weight_g, hs_code, origin, safety …
        #[arg(long = "fact", value_name = "NAME=VALUE")]
        facts: Vec<String>,
    },
    /// Change facts of a variant; an empty value clears.
    Change {
        variant: String,
        #[arg(required = true, value_name = "NAME=VALUE")]
        facts: Vec<String>,
    },
    /// Read a CSV file; a refused row changes nothing and stops nothing.
    Import {
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Write the catalogue as CSV to standard output.
    Export,
    /// Variants that are made of others.
    #[command(subcommand)]
    Kit(Kit),
}

/// Numbers where the field is one: measures and safety stock.
fn facts(texts: &[String]) -> Result<Map<String, Value>, Stop> {
    let fact = |text: &String| {
        let (name, value) = pair(text)?;
        let number = matches!(name, "safety" | "weight_g" | "length_mm" | "width_mm" | "height_mm");
        let value = match value {
            "" => Value::Null,
            _ if number => value.parse::<i64>().map(Value::from).unwrap_or_else(|_| value.into()),
            _ => value.into(),
        };
        Ok((name.to_owned(), value))
    };
    texts.iter().map(fact).collect()
}

pub async fn product(hub: &Hub, command: Product, json: bool) -> Result<(), Stop> {
    match command {
        Product::List { text, page } => {
            let list = hub.get(&format!("/variants{}", page.with(&[("text", text)]))).await?;
            print::answer(
                json,
                &list,
                &[("SKU", "sku"), ("PRODUCT", "product_title"), ("VARIANT", "title"), ("GTIN", "gtin"), ("SAFETY", "safety"), ("ID", "id")],
            );
        }
        Product::Show { variant } => print::answer(json, &hub.get(&format!("/variants/{}", part(&variant))).await?, &[]),
        Product::Create { title, sku, facts: more } => {
            let mut facts = facts(&more)?;
            facts.insert("sku".into(), sku.into());
            let product = hub.ask("POST", "/products", &json!({ "title": title })).await?;
            let id = product["id"].as_str().unwrap_or_default();
            print::answer(json, &hub.ask("POST", &format!("/products/{id}/variants"), &Value::Object(facts)).await?, &[]);
        }
        Product::Change { variant, facts: changed } => {
            print::answer(json, &hub.ask("PATCH", &format!("/variants/{}", part(&variant)), &Value::Object(facts(&changed)?)).await?, &[]);
        }
        Product::Import { file, dry_run } => {
            let report = hub.send("POST", &format!("/catalogue/import?dry_run={dry_run}"), "text/csv", read(&file)?).await?;
            print::answer(json, &report, &[]);
            let refused = report["refused_lines"].as_u64().unwrap_or_default();
            if refused > 0 {
                return Err(Stop::failed(format!(
                    "{refused} lines were refused; the others were {}",
                    if dry_run { "only looked at" } else { "taken" }
                )));
            }
            hub.work().await?;
        }
        Product::Kit(command) => kit(hub, command, json).await?,
        Product::Export => {
            let bytes = hub.bytes("GET", "/catalogue/export", "text/csv", Vec::new()).await?;
            std::io::stdout().write_all(&bytes).map_err(|error| Stop::failed(error.to_string()))?;
        }
    }
    Ok(())
}

#[derive(Subcommand)]
pub enum Listing {
    List {
        #[arg(long)]
        connection: Option<String>,
        /// linked, unmatched, ambiguous or ignored.
        #[arg(long)]
        link: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    Show {
        listing: String,
    },
    /// Read a channel's listings now.
    Import {
        connection: String,
    },
    /// Match parked listings of a CONNECTION by GTIN and SKU: shown, and with --apply done. With a LISTING id and --to: by hand.
    Link {
        target: String,
        #[arg(long)]
        apply: bool,
        /// Variant, by id or SKU.
        #[arg(long, value_name = "VARIANT")]
        to: Option<String>,
    },
    Unlink {
        listing: String,
    },
    /// Park it for good.
    Ignore {
        listing: String,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Make products of parked listings that nothing matches: of all, or of those that are named.
    CreateMissing {
        connection: String,
        listings: Vec<String>,
    },
    /// How much of our stock it may show.
    Publication {
        listing: String,
        #[arg(long, default_value_t = 0)]
        buffer: i64,
        /// In 1/10000.
        #[arg(long, default_value_t = 10_000)]
        share_bps: i64,
        #[arg(long)]
        cap: Option<i64>,
    },
}

pub async fn listing(hub: &Hub, command: Listing, json: bool) -> Result<(), Stop> {
    let at = |id: &str, rest: &str| format!("/listings/{}{rest}", part(id));
    let done = match command {
        Listing::List { connection, link, page } => {
            let list = hub.get(&format!("/listings{}", page.with(&[("connection", connection), ("link", link)]))).await?;
            print::answer(
                json,
                &list,
                &[("ID", "id"), ("SKU", "sku"), ("TITLE", "title"), ("STATUS", "status"), ("LINK", "link"), ("WHY", "link_reason")],
            );
            return Ok(());
        }
        Listing::Show { listing } => hub.get(&at(&listing, "")).await?,
        Listing::Import { connection } => {
            let due = hub.ask("POST", "/sync/run", &json!({ "connection": connection, "run": "listings-in" })).await?;
            hub.work().await?;
            due
        }
        Listing::Link { target, to: Some(variant), .. } => hub.ask("POST", &at(&target, "/link"), &json!({ "variant": variant })).await?,
        Listing::Link { target, apply: true, to: None } => {
            let done = hub.ask("POST", &format!("/connections/{}/links", part(&target)), &json!({})).await?;
            hub.work().await?;
            done
        }
        Listing::Link { target, .. } => {
            let list = hub.get(&format!("/connections/{}/links?limit=500", part(&target))).await?;
            print::answer(
                json,
                &list,
                &[("SKU", "sku"), ("TITLE", "title"), ("VERDICT", "verdict"), ("WHY", "why"), ("LISTING", "listing")],
            );
            return Ok(());
        }
        Listing::Unlink { listing } => hub.ask("POST", &at(&listing, "/unlink"), &json!({})).await?,
        Listing::Ignore { listing, reason } => hub.ask("POST", &at(&listing, "/ignore"), &json!({ "reason": reason })).await?,
        Listing::CreateMissing { connection, listings } => {
            hub.ask(
                "POST",
                &format!("/connections/{}/missing", part(&connection)),
                &json!({ "listings": (!listings.is_empty()).then_some(listings) }),
            )
            .await?
        }
        Listing::Publication { listing, buffer, share_bps, cap } => {
            hub.ask("PUT", &at(&listing, "/publication"), &json!({ "buffer": buffer, "share_bps": share_bps, "cap": cap })).await?
        }
    };
    print::answer(json, &done, &[]);
    Ok(())
}
