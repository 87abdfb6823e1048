//! Orders of kits take and give back components.

use super::*;

on_both! {
    async fn an_order_of_a_kit_holds_its_components_at_any_depth_and_gives_them_back_exactly(db: TestDb) {
        let shop = Workshop::open(db).await;
        let (cup, plate) = (shop.good("CUP", 20).await, shop.good("PLATE", 20).await);
        let (pair, table) = (shop.good("PAIR", 0).await, shop.good("TABLE", 0).await);
        shop.kit(&pair, &[(&cup, 2), (&plate, 1)]).await.unwrap();
        shop.kit(&table, &[(&pair, 2), (&plate, 3)]).await.unwrap();
        let lines = [sold("TABLE", 2), sold("CUP", 1)];
        shop.placed("1", &lines).await;
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await), ((20, 9), (20, 10)));
        assert_eq!((shop.books(&pair).await, shop.books(&table).await), ((0, 0), (0, 0)), "a kit has no stock of its own");

        let part = [Said { fulfilled: 1, ..lines[0].clone() }, lines[1].clone()];
        shop.take(&picture("1", 1, &part)).await.unwrap();
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await), ((16, 5), (15, 5)));
        let cancelled = ChannelOrder { status: Status::Cancelled, ..picture("1", 2, &part) };
        shop.take(&cancelled).await.unwrap();
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await), ((16, 0), (15, 0)));
        let back = [Said { restocked: 1, ..part[0].clone() }, part[1].clone()];
        shop.take(&ChannelOrder { status: Status::Cancelled, ..picture("1", 3, &back) }).await.unwrap();
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await), ((20, 0), (20, 0)));
    }

    async fn kits_that_share_a_component_with_each_other_and_with_single_sales_never_sell_it_twice(db: TestDb) {
        let shop = Workshop::open(db).await;
        let (cup, plate) = (shop.good("CUP", 5).await, shop.good("PLATE", 50).await);
        let (red, blue) = (shop.good("RED-SET", 0).await, shop.good("BLUE-SET", 0).await);
        shop.kit(&red, &[(&cup, 2), (&plate, 1)]).await.unwrap();
        shop.kit(&blue, &[(&cup, 1), (&plate, 4)]).await.unwrap();
        let sellable = stock::sellable(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, &[red.clone(), blue.clone()]).await.unwrap();
        assert_eq!((sellable[&red].total(None, |_| 0), sellable[&blue].total(None, |_| 0)), (2, 5));
        // One cart: two red sets, one blue, one cup are six cups of five.
        let order = shop.placed("1", &[sold("RED-SET", 2), sold("BLUE-SET", 1), sold("CUP", 1)]).await;
        assert_eq!(shop.books(&cup).await, (5, 5));
        let view = shop.view(&order).await;
        assert_eq!((view.short, view.lines.iter().map(|line| line.short).collect::<Vec<_>>()), (1, vec![0, 0, 1]));
        let shortage = remedies(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, &order).await.unwrap();
        assert_eq!(shortage.iter().map(|s| (s.line.as_str(), s.sku.as_deref(), s.units)).collect::<Vec<_>>(), [("2", Some("CUP"), 1)]);
    }

    async fn a_kit_that_changes_after_the_sale_gives_back_what_was_taken(db: TestDb) {
        let shop = Workshop::open(db).await;
        let (cup, plate, bowl) = (shop.good("CUP", 10).await, shop.good("PLATE", 10).await, shop.good("BOWL", 10).await);
        let set = shop.good("SET", 0).await;
        shop.kit(&set, &[(&cup, 2), (&plate, 1)]).await.unwrap();
        let lines = [sold("SET", 3)];
        let before = shop.placed("1", &lines).await;
        shop.kit(&set, &[(&bowl, 1), (&plate, 2)]).await.unwrap();
        shop.take(&picture("1", 1, &[Said { fulfilled: 1, ..lines[0].clone() }])).await.unwrap();
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await, shop.books(&bowl).await), ((8, 4), (9, 2), (10, 0)));
        let after = shop.placed("2", &[sold("SET", 1)]).await;
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await, shop.books(&bowl).await), ((8, 4), (9, 4), (10, 1)));
        shop.kit(&set, &[]).await.unwrap();
        for (order, name, line) in [(before, "1", Said { fulfilled: 1, restocked: 1, ..sold("SET", 3) }), (after, "2", sold("SET", 1))] {
            shop.take(&ChannelOrder { status: Status::Cancelled, ..picture(name, 2, &[line]) }).await.unwrap();
            assert_eq!(shop.view(&order).await.status, Status::Cancelled);
        }
        assert_eq!((shop.books(&cup).await, shop.books(&plate).await, shop.books(&bowl).await), ((10, 0), (10, 0), (10, 0)));
    }

    async fn a_variant_with_stock_of_its_own_cannot_become_a_kit_and_a_kit_is_not_counted(db: TestDb) {
        let shop = Workshop::open(db).await;
        let (cup, set) = (shop.good("CUP", 3).await, shop.good("SET", 2).await);
        let refused = shop.kit(&set, &[(&cup, 1)]).await.unwrap_err().to_string();
        assert!(refused.contains("2 units on hand") && refused.contains("hint"), "{refused}");
        let (v, place) = (set.clone(), shop.place.clone());
        shop.write(move |tx, ctx| Box::pin(async move { Ok(stock::adjust(tx, &ctx, &v, &place, -2, "gone").await?) })).await.unwrap();
        assert!(shop.kit(&set, &[(&cup, 1)]).await.unwrap());
        let (v, place) = (set.clone(), shop.place.clone());
        let refused = shop.write(move |tx, ctx| Box::pin(async move { Ok(stock::receive(tx, &ctx, &v, &place, 1, "more").await?) })).await;
        assert!(matches!(refused, Err(Error::Stock(stock::Error::Kit { .. }))));
    }

    async fn goods_that_left_stay_what_they_were_when_their_listing_is_linked_to_something_else(db: TestDb) {
        let shop = Workshop::open(db).await;
        let (old, new) = (shop.good("OLD", 10).await, shop.good("NEW", 10).await);
        let lines = [Said { fulfilled: 1, ..sold("OLD", 3) }];
        let order = shop.placed("1", &lines).await;
        // The same line is found to be another variant from now on.
        let mut next = picture("1", 1, &[Said { fulfilled: 2, ..lines[0].clone() }]);
        next.channel_status = "relinked".into();
        let (vault, connection, wrong) = (shop.vault.clone(), shop.connection.clone(), new.clone());
        shop.write(move |tx, ctx| Box::pin(async move {
            let origin = Origin { connection, since_at: 0, authoritative: true };
            ingest(tx, &ctx, &vault, &origin, &next, &[("0".to_owned(), wrong)].into()).await
        })).await.unwrap();
        assert_eq!((shop.books(&old).await, shop.books(&new).await), ((8, 1), (10, 0)));
        assert_eq!(shop.view(&order).await.lines[0].variant.as_ref(), Some(&old));
    }
}
