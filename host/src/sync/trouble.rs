//! What stands still and why, grouped by cause, with the money of the orders it concerns: what to look at first.
//!
//! Only orders that the hub has stored have a value here; those it could not take in yet are counted beside it, and nothing is
//! summed over currencies. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, store};
use crate::ctx::Ctx;
use crate::fulfilment::untold;
use crate::id::ConnectionId;
use crate::inbox;
use crate::lanes::{self, Filter, LaneKind};
use crate::money::Money;
use crate::orders::worth::{self, Need, Worth};
use crate::store::Sql;

/// Rows of one kind that are looked at; a hub with more has one cause many times.
const LOOKED_AT: u32 = 5_000;
const PAGE: u32 = 500;

/// What a group consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Lanes that failed or stand still.
    Lanes,
    /// Deliveries that cannot be translated.
    Deliveries,
    /// Records that a channel sent and that cannot be taken.
    Records,
    /// Orders with a line of no variant we know.
    Parked,
    /// Orders that lack units.
    Oversold,
    /// Shipments that their channel was not told of.
    Shipments,
}

/// Everything that one cause keeps from going on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Trouble {
    pub what: What,
    /// Of lanes: their kind, by which they are released together.
    pub kind: Option<&'static str>,
    pub connection: Option<ConnectionId>,
    pub cause: String,
    pub count: i64,
    /// Of `count`: what is not tried again until somebody says so.
    pub stands_still: i64,
    /// Orders it concerns that the hub knows.
    pub orders: i64,
    /// Their totals, per currency.
    pub at_risk: Vec<Money>,
    /// Orders it concerns that were never taken in, so that their value is not known.
    pub unvalued: i64,
    pub remedy: &'static str,
}

impl Trouble {
    fn worth(mut self, worth: Worth, concerned: usize) -> Self {
        self.unvalued = (i64::try_from(concerned).unwrap_or(i64::MAX) - worth.orders).max(0);
        (self.orders, self.at_risk) = (worth.orders, worth.money);
        self
    }
}

/// The causes, those with the most orders first.
pub async fn causes(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Trouble>, Error> {
    let mut found = of_lanes(conn, ctx).await?;
    found.extend(of_deliveries(conn, ctx).await?);
    found.extend(of_records(conn, ctx).await?);
    found.extend(of_orders(conn, ctx).await?);
    found.extend(of_shipments(conn, ctx).await?);
    found.sort_by(|a, b| (b.orders + b.unvalued, b.count, a.what, &a.cause).cmp(&(a.orders + a.unvalued, a.count, b.what, &b.cause)));
    Ok(found)
}

fn trouble(what: What, connection: Option<ConnectionId>, cause: String, remedy: &'static str) -> Trouble {
    let (kind, at_risk) = (None, Vec::new());
    Trouble { what, kind, connection, cause, count: 0, stands_still: 0, orders: 0, at_risk, unvalued: 0, remedy }
}

async fn of_lanes(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Trouble>, Error> {
    type Group = (LaneKind, Option<ConnectionId>, String);
    let mut groups: BTreeMap<Group, (i64, i64, BTreeSet<String>)> = BTreeMap::new();
    let (mut after, mut seen) = (None::<String>, 0);
    loop {
        let page = lanes::list(conn, ctx, Filter::Failing, after.as_deref(), PAGE).await?;
        seen += page.len();
        let more = page.len() >= PAGE as usize && seen < LOOKED_AT as usize;
        after = page.last().map(|lane| lane.key.id());
        for lane in page {
            let order = inbox::order_of(&lane.key).map(str::to_owned);
            let group = groups.entry((lane.key.kind, lane.key.connection, lane.reason.unwrap_or_default())).or_default();
            group.0 += 1;
            group.1 += i64::from(lane.quarantined_at.is_some());
            group.2.extend(order);
        }
        if !more {
            break;
        }
    }
    let mut found = Vec::with_capacity(groups.len());
    for ((kind, connection, cause), (count, stands_still, external_ids)) in groups {
        let worth = match (&connection, kind) {
            (Some(connection), LaneKind::Fulfilment) => untold::pending(conn, &ctx.tenant, connection).await?,
            (Some(connection), _) if !external_ids.is_empty() => worth::of(conn, &ctx.tenant, connection, &external_ids).await?,
            _ => Worth::default(),
        };
        let lanes = trouble(
            What::Lanes,
            connection,
            cause,
            "`entrepot sync dead` lists those that stand still, `sync retry` lets them run by kind, connection or cause, `sync skip LANE` drops one",
        );
        let concerned = external_ids.len();
        found.push(Trouble { kind: Some(kind.as_str()), count, stands_still, ..lanes.worth(worth, concerned) });
    }
    Ok(found)
}

async fn of_deliveries(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Trouble>, Error> {
    let mut found = Vec::new();
    for cause in inbox::causes(conn, &ctx.tenant, LOOKED_AT).await? {
        let worth = worth::of(conn, &ctx.tenant, &cause.connection, &cause.orders).await?;
        let remedy = "`entrepot sync replay --state refused` translates them again, `sync skip DELIVERY` ends one";
        let deliveries = trouble(What::Deliveries, Some(cause.connection), cause.reason, remedy).worth(worth, cause.orders.len());
        found.push(Trouble { count: cause.deliveries, stands_still: cause.deliveries, ..deliveries });
    }
    Ok(found)
}

async fn of_records(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Trouble>, Error> {
    let mut groups: BTreeMap<(ConnectionId, String), (i64, BTreeSet<String>)> = BTreeMap::new();
    for refused in store::refusals(conn, &ctx.tenant, LOOKED_AT).await? {
        let group = groups.entry((refused.connection, refused.reason)).or_default();
        group.0 += 1;
        group.1.extend(Some(refused.external_id).filter(|_| refused.kind == "order"));
    }
    let mut found = Vec::new();
    for ((connection, cause), (count, external_ids)) in groups {
        let worth = worth::of(conn, &ctx.tenant, &connection, &external_ids).await?;
        let remedy = "correct it at the channel; it is read again when it changes there";
        let records = trouble(What::Records, Some(connection), cause, remedy).worth(worth, external_ids.len());
        found.push(Trouble { count, stands_still: count, ..records });
    }
    Ok(found)
}

async fn of_orders(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Trouble>, Error> {
    let needy = worth::in_need(conn, &ctx.tenant).await?;
    let told = |((connection, need), worth): ((ConnectionId, Need), Worth)| {
        let (what, cause, remedy) = match need {
            Need::Mapping => (What::Parked, "lines of no known variant", "`entrepot listing list` shows what is not linked"),
            Need::Stock => (What::Oversold, "units lack", "`entrepot order show` names what would help"),
        };
        let count = worth.orders;
        Trouble { count, stands_still: count, ..trouble(what, Some(connection), cause.into(), remedy).worth(worth, 0) }
    };
    Ok(needy.into_iter().map(told).collect())
}

async fn of_shipments(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Trouble>, Error> {
    let untold = untold::by_problem(conn, &ctx.tenant).await?;
    let told = |group: untold::Untold| {
        let remedy = if group.refused { "tell the channel by hand, or correct the shipment" } else { "it is tried again by itself" };
        let stands_still = if group.refused { group.worth.orders } else { 0 };
        let count = group.worth.orders;
        Trouble { count, stands_still, ..trouble(What::Shipments, Some(group.connection), group.problem, remedy).worth(group.worth, 0) }
    };
    Ok(untold.into_iter().map(told).collect())
}
