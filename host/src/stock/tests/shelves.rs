//! Several places, what is kept safe there, and what channels may be shown of it all.

use super::*;
use crate::locations;

impl Shop {
    async fn place(&self, name: &'static str) -> LocationId {
        let ctx = self.ctx.clone();
        self.db.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(locations::add(tx, &ctx, name).await?.id) })).await.unwrap()
    }

    async fn receive_at(&self, variant: &VariantId, place: &LocationId, units: i64) {
        let (ctx, v, p, reference) = (self.ctx.clone(), variant.clone(), place.clone(), self.ctx.ids.body());
        self.db.store.write(move |tx| Box::pin(async move { receive(tx, &ctx, &v, &p, units, &reference).await })).await.unwrap();
    }

    async fn rule(&self, serving: Serving) {
        let ctx = self.ctx.clone();
        let set =
            self.db.store.write(move |tx| Box::pin(async move { set_rule(tx, &ctx, None, &Rule { serving, unpaid_ms: None }).await }));
        set.await.unwrap();
    }

    async fn again(&self, order: &OrderId, revision: i64, first: Option<&LocationId>, targets: Vec<Target>) -> Settled {
        let (ctx, order, again) = (self.ctx.clone(), order.clone(), Again { first: first.cloned() });
        let settled = self.db.store.write(move |tx| {
            Box::pin(async move {
                let sale = Sale { order: &order, revision, connection: None, country: None, again: Some(&again), only: None };
                settle(tx, &ctx, sale, &targets).await
            })
        });
        settled.await.unwrap()
    }

    /// (on hand, reserved)
    async fn at(&self, variant: &VariantId, place: &LocationId) -> (i64, i64) {
        let levels = levels(&mut self.db.store.read().await.unwrap(), &self.ctx.tenant, variant).await.unwrap();
        levels.iter().find(|level| level.location == *place).map_or((0, 0), |level| (level.on_hand, level.reserved))
    }

    async fn move_over(&self, variant: &VariantId, to: &LocationId, units: i64, reference: &'static str) -> Result<bool, Error> {
        let (ctx, v, from, to) = (self.ctx.clone(), variant.clone(), self.place.clone(), to.clone());
        self.db.store.write(move |tx| Box::pin(async move { transfer(tx, &ctx, &v, (&from, &to), units, reference).await })).await
    }
}

on_both! {
    async fn goods_are_moved_once_and_never_those_that_are_promised(db: TestDb) {
        let shop = Shop::open(db).await;
        let attic = shop.place("Attic").await;
        let v = shop.with(5).await;
        shop.settle(&OrderId::new(&shop.ctx.ids), 1, vec![want("1", &v, 2, 0)]).await;
        assert!(shop.move_over(&v, &attic, 3, "trip-1").await.unwrap());
        assert!(!shop.move_over(&v, &attic, 3, "trip-1").await.unwrap(), "the same trip again");
        assert!(matches!(shop.move_over(&v, &attic, 1, "trip-2").await, Err(Error::BelowReserved { left: 1, reserved: 2, .. })));
        assert!(matches!(shop.move_over(&v, &attic, 0, "trip-3").await, Err(Error::NotPositive { .. })));
        assert!(matches!(shop.move_over(&v, &shop.place.clone(), 1, "trip-4").await, Err(Error::SamePlace { .. })));
        assert_eq!((shop.at(&v, &shop.place).await, shop.at(&v, &attic).await), ((2, 2), (3, 0)));
        assert_eq!(shop.stock(&v).await, (5, 2));
    }

    async fn the_merchants_rule_says_which_place_serves_and_a_remedy_may_go_beyond_it(db: TestDb) {
        let shop = Shop::open(db).await;
        let attic = shop.place("Attic").await;
        let v = shop.with(3).await;
        shop.receive_at(&v, &attic, 4).await;
        shop.rule(Serving { allocation: Allocation::Priority, split: Split::Never }).await;
        let order = OrderId::new(&shop.ctx.ids);
        let settled = shop.settle(&order, 1, vec![want("1", &v, 6, 0)]).await;
        assert_eq!(settled.short.values().copied().collect::<Vec<_>>(), [2], "it stays in one place, and lacks what that lacks");
        assert_eq!((shop.at(&v, &shop.place).await, shop.at(&v, &attic).await), ((3, 0), (4, 4)));
        let lacks = shortage(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, &order).await.unwrap();
        assert_eq!(lacks, [Lack { line: "1".into(), variant: v.clone(), units: 2 }]);

        let served = shop.again(&order, 2, Some(&shop.place), vec![want("1", &v, 6, 0)]).await;
        assert!(served.short.is_empty());
        assert_eq!((shop.at(&v, &shop.place).await, shop.at(&v, &attic).await), ((3, 3), (4, 3)));
        let mut conn = shop.db.store.read().await.unwrap();
        assert!(shortage(&mut conn, &shop.ctx.tenant, &order).await.unwrap().is_empty());
        assert!(short_orders(&mut conn, &shop.ctx.tenant, std::slice::from_ref(&v)).await.unwrap().is_empty());
        drop(conn);

        // What it gives back, it gives back where it lies.
        shop.settle(&order, 3, vec![want("1", &v, 0, 6)]).await;
        shop.settle(&order, 4, vec![Target { returned: 6, ..want("1", &v, 0, 6) }]).await;
        assert_eq!((shop.at(&v, &shop.place).await, shop.at(&v, &attic).await), ((3, 0), (4, 0)));
    }

    async fn a_connections_own_rule_stands_before_the_one_for_all(db: TestDb) {
        let shop = Shop::open(db).await;
        let connection = ConnectionId::new(&shop.ctx.ids);
        shop.rule(Serving { allocation: Allocation::Nearest, split: Split::Avoid }).await;
        let of = async |connection: Option<&ConnectionId>| rule(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, connection).await.unwrap();
        assert_eq!(of(Some(&connection)).await.serving.allocation, Allocation::Nearest);
        let (ctx, c) = (shop.ctx.clone(), connection.clone());
        shop.db.store.write(move |tx| Box::pin(async move {
            let own = Rule { serving: Serving { allocation: Allocation::MostStock, split: Split::Free }, unpaid_ms: Some(5) };
            set_rule(tx, &ctx, Some(&c), &own).await?;
            assert!(matches!(set_rule(tx, &ctx, Some(&c), &Rule { unpaid_ms: Some(0), ..own }).await, Err(Error::NoTime { .. })));
            assert_eq!(rules(tx, &ctx.tenant).await?.keys().cloned().collect::<Vec<_>>(), [None, Some(c.clone())]);
            Ok::<_, Error>(())
        })).await.unwrap();
        assert_eq!(of(Some(&connection)).await.unpaid_ms, Some(5));
        assert_eq!(of(None).await.serving.allocation, Allocation::Nearest);
        let (ctx, c) = (shop.ctx.clone(), connection.clone());
        assert!(shop.db.store.write(move |tx| Box::pin(async move { drop_rule(tx, &ctx, Some(&c)).await })).await.unwrap());
        assert_eq!(of(Some(&connection)).await.serving.allocation, Allocation::Nearest);
    }

    async fn what_is_kept_safe_at_a_place_is_not_shown_and_can_be_promised(db: TestDb) {
        let shop = Shop::open(db).await;
        let attic = shop.place("Attic").await;
        let v = shop.with(5).await;
        shop.receive_at(&v, &attic, 2).await;
        let (ctx, variant, place) = (shop.ctx.clone(), v.clone(), attic.clone());
        shop.db.store.write(move |tx| Box::pin(async move {
            assert!(matches!(set_safety(tx, &ctx, &variant, &place, -1).await, Err(Error::NegativeSafety { .. })));
            set_safety(tx, &ctx, &variant, &place, 9).await
        })).await.unwrap();
        let shown = sellable(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, std::slice::from_ref(&v)).await.unwrap();
        assert_eq!(shown[&v].total(None, |_| 0), 5, "more kept than there is takes nothing from other places");
        assert_eq!((shown[&v].at(&shop.place), shown[&v].at(&attic)), (5, 0));
        assert!(shop.settle(&OrderId::new(&shop.ctx.ids), 1, vec![want("1", &v, 7, 0)]).await.short.is_empty());
    }

    async fn a_hub_that_has_counted_nothing_still_books_what_leaves_when_it_leaves(db: TestDb) {
        let ctx = db.ctx();
        let shop = Shop { place: LocationId::new(&ctx.ids), ctx, db };
        let v = VariantId::new(&shop.ctx.ids);
        let order = OrderId::new(&shop.ctx.ids);
        shop.settle(&order, 1, vec![want("1", &v, 0, 2)]).await;
        let place = locations::list(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant).await.unwrap().remove(0).id;
        let (ctx, variant) = (shop.ctx.clone(), v.clone());
        shop.db.store.write(move |tx| Box::pin(async move { count(tx, &ctx, &variant, &place, 5, "opening").await })).await.unwrap();
        shop.settle(&order, 2, vec![Target { returned: 1, ..want("1", &v, 0, 2) }]).await;
        assert_eq!(shop.stock(&v).await, (6, 0), "the count knew the two that had left; one of them came back");
    }
}

fn level(place: &LocationId, on_hand: i64, reserved: i64, safety: i64) -> Level {
    Level { location: place.clone(), on_hand, reserved, backorder_limit: 99, safety }
}

proptest::proptest! {
    #[test]
    fn a_kit_is_worth_no_more_than_each_of_its_components_allows(
        stock in proptest::collection::vec((1i64..5, 0i64..4, proptest::collection::vec((-3i64..30, 0i64..9), 3)), 1..5),
        kept in 0i64..6,
    ) {
        let ids = crate::id::Ids::new(crate::clock::Clock::manual(0), crate::id::Entropy::seeded(5));
        let places: Vec<LocationId> = (0..3).map(|_| LocationId::new(&ids)).collect();
        let variants: Vec<VariantId> = stock.iter().map(|_| VariantId::new(&ids)).collect();
        let levels: Vec<Vec<Level>> =
            stock.iter().map(|(_, _, at)| at.iter().zip(&places).map(|((on_hand, safety), place)| level(place, *on_hand, 0, *safety)).collect()).collect();
        let kit = Sellable::kit(variants.iter().zip(&stock).zip(&levels).map(|((v, (per_unit, safety, _)), levels)| (v, *per_unit, *safety, levels.as_slice())));
        let total = kit.total(None, |_| kept);
        for (levels, (per_unit, safety, _)) in levels.iter().zip(&stock) {
            let shown: i64 = levels.iter().map(Level::showable).sum();
            proptest::prop_assert!(total * per_unit <= shown - safety - kept, "{total} kits of {per_unit} from {shown}");
        }
        // Nobody is left out: one more would be one too many.
        let one_more = |(levels, (per_unit, safety, _)): (&Vec<Level>, &(i64, i64, Vec<(i64, i64)>))| {
            (total + 1) * per_unit > levels.iter().map(Level::showable).sum::<i64>() - safety - kept
        };
        proptest::prop_assert!(levels.iter().zip(&stock).any(one_more));
        for place in &places {
            for (levels, (per_unit, _, _)) in levels.iter().zip(&stock) {
                let here = levels.iter().find(|level| level.location == *place).map_or(0, Level::showable);
                proptest::prop_assert!(kit.at(place) * per_unit <= here);
            }
        }
    }
}
