//! Catalogue files in: parsed row by row, applied batch by batch.
//!
//! Memory is bounded by one batch, one number per SKU of the file (to refuse a SKU that comes twice) and the first
//! [`MAX_PROBLEMS`] problems. Each row stands for itself: a refused one changes nothing and stops nothing.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::error::Error;
use super::file::{Batch, Importer, Parsed, Refusal};
use super::model::{Facts, Problem, Product, Variant};
use super::store;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ProductId, VariantId};
use crate::store::{Sql, Store, WriteTx};

const MAX_PROBLEMS: usize = 1_000;
/// Another import may have made the same SKU or product meanwhile; reading anew settles it.
const ATTEMPTS: usize = 3;

/// One cell that cannot be kept, with the line of the file.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct LineProblem {
    pub line: u64,
    pub field: String,
    pub value: String,
    pub remedy: String,
}

impl std::fmt::Display for LineProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: `{}` cannot be `{}`; hint: {}", self.line, self.field, self.value, self.remedy)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Report {
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub refused_lines: u64,
    /// In the order of the file; a line may have several, and after a thousand no more are kept.
    pub refused: Vec<LineProblem>,
}

/// Told which known variants can be published differently now, in the transaction that changed them.
pub type Hook =
    Arc<dyn for<'t> Fn(&'t mut WriteTx, &'t Ctx, &'t [VariantId]) -> BoxFuture<'t, Result<(), crate::store::Error>> + Send + Sync>;

pub type Progress = Box<dyn FnMut(&Report) + Send>;

#[derive(Default)]
pub struct Options {
    /// Changes nothing and reports what would be changed.
    pub dry_run: bool,
    pub republish: Option<Hook>,
    /// Called after every batch.
    pub progress: Option<Progress>,
}

/// Reads and applies a whole file. The one operation here that opens transactions itself: one per batch.
pub async fn import<R: Read + Send + 'static>(store: &Store, ctx: &Ctx, source: R, mut options: Options) -> Result<Report, Error> {
    let stopped = || crate::sheet::Error::Read(std::io::Error::other("the reader stopped"));
    let mut importer = tokio::task::spawn_blocking(move || Importer::open(source)).await.map_err(|_| stopped())??;
    let mut report = Report::default();
    loop {
        let (back, batch) = tokio::task::spawn_blocking(move || {
            let batch = importer.next_batch();
            (importer, batch)
        })
        .await
        .map_err(|_| stopped())?;
        importer = back;
        let Some(batch) = batch? else { return Ok(report) };
        let part = if options.dry_run {
            plan(&mut store.read().await?, ctx, &batch, "").await?.report
        } else {
            apply(store, ctx, Arc::new(batch), options.republish.clone()).await?
        };
        report.absorb(part);
        if let Some(progress) = &mut options.progress {
            progress(&report);
        }
    }
}

async fn apply(store: &Store, ctx: &Ctx, batch: Arc<Batch>, republish: Option<Hook>) -> Result<Report, Error> {
    let mut attempt = 1;
    loop {
        let (ctx, batch, republish) = (ctx.clone(), batch.clone(), republish.clone());
        let outcome = store.write(move |tx| Box::pin(async move { apply_in(tx, &ctx, &batch, republish).await })).await;
        match outcome {
            Err(Error::Store(crate::store::Error::Duplicate(_) | crate::store::Error::Contended(_))) if attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

async fn apply_in(tx: &mut WriteTx, ctx: &Ctx, batch: &Batch, republish: Option<Hook>) -> Result<Report, Error> {
    let lock = tx.dialect().for_update();
    let plan = plan(tx, ctx, batch, lock).await?;
    store::insert_products(tx, ctx, &plan.products).await?;
    store::put_variants(tx, ctx, &plan.variants).await?;
    if let Some(hook) = republish.filter(|_| !plan.republish.is_empty()) {
        hook(tx, ctx, &plan.republish).await?;
    }
    Ok(plan.report)
}

impl Report {
    fn absorb(&mut self, part: Self) {
        self.created += part.created;
        self.changed += part.changed;
        self.unchanged += part.unchanged;
        self.refused_lines += part.refused_lines;
        let room = MAX_PROBLEMS.saturating_sub(self.refused.len());
        self.refused.extend(part.refused.into_iter().take(room));
    }

    fn refuse(&mut self, line: u64, problems: Vec<Problem>) {
        self.refused_lines += 1;
        self.refused.extend(problems.into_iter().map(|p| LineProblem {
            line,
            field: p.field.to_owned(),
            value: p.value,
            remedy: p.remedy,
        }));
    }
}

/// What applying a batch would do.
struct Plan {
    report: Report,
    products: Vec<Product>,
    variants: Vec<Variant>,
    republish: Vec<VariantId>,
}

async fn plan(conn: &mut impl Sql, ctx: &Ctx, batch: &Batch, lock: &'static str) -> Result<Plan, Error> {
    let mut skus: Vec<&str> = batch.rows.iter().map(|row| row.sku.as_str()).collect();
    skus.sort_unstable();
    let known = store::variants_by_sku(conn, &ctx.tenant, &skus, lock).await?;
    let mut known: BTreeMap<String, Variant> = known.into_iter().map(|variant| (variant.facts.sku.to_string(), variant)).collect();
    let mut shelf = Shelf::read(conn, &ctx.tenant, &batch.rows, &known).await?;
    let mut plan = Plan { report: Report::default(), products: Vec::new(), variants: Vec::new(), republish: Vec::new() };
    for Refusal { line, problems } in &batch.refused {
        plan.report.refuse(*line, problems.clone());
    }
    for row in &batch.rows {
        let before = known.remove(row.sku.as_str());
        match after(row, before.as_ref(), &mut shelf, ctx) {
            Err(problem) => plan.report.refuse(row.line, vec![problem]),
            Ok(variant) => match before {
                None => {
                    plan.report.created += 1;
                    plan.variants.push(variant);
                }
                Some(before) if before == variant => plan.report.unchanged += 1,
                Some(before) => {
                    plan.report.changed += 1;
                    if before.facts.safety != variant.facts.safety {
                        plan.republish.push(variant.id.clone());
                    }
                    plan.variants.push(Variant { updated_at: ctx.now_ms(), ..variant });
                }
            },
        }
    }
    plan.products = shelf.made;
    plan.report.refused.sort_by_key(|problem| problem.line);
    Ok(plan)
}

fn after(row: &Parsed, before: Option<&Variant>, shelf: &mut Shelf, ctx: &Ctx) -> Result<Variant, Problem> {
    let base = before.map_or_else(|| Facts::of(row.sku.clone()), |variant| variant.facts.clone());
    let facts = row.patch.clone().onto(base).checked()?;
    let stays = |variant: &Variant| row.product.as_ref().is_none_or(|title| *title == variant.product_title);
    let product = match (before, &row.product_id) {
        (Some(variant), None) if stays(variant) => None,
        (Some(variant), Some(id)) if *id == variant.product && stays(variant) => None,
        _ => Some(shelf.product_of(row, ctx)?),
    };
    Ok(match (before, product) {
        (Some(variant), None) => Variant { facts, ..variant.clone() },
        (Some(variant), Some(product)) => Variant { facts, product: product.id, product_title: product.title, ..variant.clone() },
        (None, Some(product)) => Variant::new(ctx, &product, facts),
        (None, None) => return Err(Problem::new("product", "", NEEDS_PRODUCT)),
    })
}

const NEEDS_PRODUCT: &str = "a new SKU needs the title of its product here";

/// The products that the rows of a batch name.
struct Shelf {
    by_id: BTreeMap<ProductId, Product>,
    by_title: BTreeMap<String, Vec<Product>>,
    made: Vec<Product>,
}

impl Shelf {
    async fn read(conn: &mut impl Sql, tenant: &Tenant, rows: &[Parsed], known: &BTreeMap<String, Variant>) -> Result<Self, Error> {
        let mut ids: Vec<ProductId> = rows.iter().filter_map(|row| row.product_id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let moves = |row: &&Parsed| known.get(row.sku.as_str()).map(|variant| &variant.product_title) != row.product.as_ref();
        let mut titles: Vec<&str> = rows.iter().filter(moves).filter_map(|row| row.product.as_deref()).collect();
        titles.sort_unstable();
        titles.dedup();
        let mut by_title: BTreeMap<String, Vec<Product>> = BTreeMap::new();
        for product in store::products_by_title(conn, tenant, &titles).await? {
            by_title.entry(product.title.clone()).or_default().push(product);
        }
        let by_id = store::products_by_id(conn, tenant, &ids).await?;
        Ok(Self { by_id: by_id.into_iter().map(|product| (product.id.clone(), product)).collect(), by_title, made: Vec::new() })
    }

    fn product_of(&mut self, row: &Parsed, ctx: &Ctx) -> Result<Product, Problem> {
        match (&row.product_id, &row.product) {
            (Some(id), title) => {
                let missing = || Problem::new("product_id", id.as_str(), "there is no such product: leave it empty to go by the title");
                let product = self.by_id.get(id).ok_or_else(missing)?;
                match title {
                    Some(title) if *title != product.title => {
                        let remedy = format!(
                            "this product is called `{}`: rename the product itself, or leave one of the two cells empty",
                            product.title
                        );
                        Err(Problem::new("product", title, remedy))
                    }
                    _ => Ok(product.clone()),
                }
            }
            (None, None) => Err(Problem::new("product", "", NEEDS_PRODUCT)),
            (None, Some(title)) => match self.by_title.get(title).map_or(&[][..], Vec::as_slice) {
                [one] => Ok(one.clone()),
                [] => {
                    let product =
                        Product { id: ProductId::new(&ctx.ids), title: title.clone(), created_at: ctx.now_ms(), updated_at: ctx.now_ms() };
                    self.by_title.insert(title.clone(), vec![product.clone()]);
                    self.made.push(product.clone());
                    Ok(product)
                }
                several => {
                    Err(Problem::new("product", title, format!("{} products have this title: give the product_id too", several.len())))
                }
            },
        }
    }
}
