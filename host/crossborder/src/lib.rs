//! Which currency, which tax, what it costs landed, and which rule said so.
//!
//! Pure and deterministic: no clock, no network, no database, no floats. Every answer comes from a dated,
//! versioned [`rules::RuleSet`] and names its rules, sources, assumptions and missing facts. Nothing here is
//! legal advice, and every answer says so ([`rules::NOT_ADVICE`]).
//!
//! | need | use |
//! |---|---|
//! | amounts, currencies, exact rates | [`money::Money`], [`money::Currency`], [`money::Decimal`], [`money::Exact`] |
//! | exchange rates | [`fx::RateTable`]: `from_ecb_csv`, `from_ecb_xml`, `from_openexchangerates_json`, `insert`; then `rate_on`, `convert` |
//! | a rate locked on an order, settlement, refund in currency | [`fx::OrderLock`], [`fx::settle`], [`fx::refund`] |
//! | channel prices | [`pricing::pick`], [`pricing::price`], [`pricing::reprice`], [`pricing::lowest_of_30_days`] |
//! | rules | [`rules::RuleSet::builtin`], [`rules::RuleSet::load`] with a merchant's files, `as_known_on`, `version`, `last_checked` |
//! | who owes what on one sale | [`quote::quote`], [`quote::Quote::words`], [`quote::Quote::tax_line`] |
//! | refunds and comparison from what an order keeps | [`frozen::refund_line`], [`frozen::compare`] |
//! | running thresholds per legal entity | [`thresholds::oss`], [`thresholds::nexus`], [`thresholds::turnover`] |
//! | VAT / OSS return | [`report::vat_return`], [`report::Report::to_csv`] |
//! | gates before publishing | [`gates::publication_gates`], [`gates::dangerous_goods`] |
//! | customs papers | [`documents::customs_form`], [`documents::missing_fields`], [`documents::lint_description`] |
//! | numbers with check digits | [`ids::validate`] |
//! | sanction lists the merchant imports | [`screening::List::from_csv`], [`screening::screen`] |
//! | files of cases | [`check::run`] |
//!
//! # Freezing an answer
//!
//! A [`quote::Quote`] reads back from its own JSON. An order keeps it whole: the rates, the exchange rates and
//! the rule-set version are in it. Keep the merchant's files of a version too: loading them again gives the
//! same [`rules::RuleSet::version`], and with `as_known_on` the answer of an earlier day.
//!
//! # A merchant's files
//!
//! Any file of [`rules::RuleFile::names`] may be given. A row with a known key replaces the embedded one for
//! its own period; `recorded_on` keeps the row as it was for earlier questions. Rows of the merchant's own are
//! marked `merchant`. Loading refuses overlaps, gaps, unknown sources, columns, facts and programmes by name.

pub mod check;
pub mod documents;
pub mod frozen;
pub mod fx;
pub mod gates;
pub mod ids;
pub mod landed;
pub mod money;
pub mod pricing;
pub mod quote;
pub mod report;
pub mod rules;
pub mod screening;
pub mod tax;
pub mod thresholds;
