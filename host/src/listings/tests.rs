#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::on_both;
use crate::store::tests::TestDb;

pub(super) fn seen(external_id: &str) -> ChannelListing {
    ChannelListing {
        external_id: external_id.into(),
        parent: Some("10".into()),
        sku: Some(format!("SKU-{external_id}")),
        gtin: None,
        title: "Kettle".into(),
        options: vec![("Colour".into(), "Red".into())],
        status: Status::Active,
        price: Some(("12.50".into(), "EUR".into())),
        tracking: Tracking::Tracked,
        levels: vec![(Some("loc-1".into()), 4), (Some("loc-2".into()), -1)],
        weight_g: Some(900),
        hs_code: Some("851610".into()),
        origin: Some("DE".into()),
        url: None,
        updated_at: Some(5),
        handles: json!({"inventory-item": "77"}),
        extras: json!({"vendor": "Acme"}),
    }
}

pub(super) async fn write<T: Send + 'static>(
    db: &TestDb,
    work: impl for<'t> FnOnce(&'t mut WriteTx) -> futures::future::BoxFuture<'t, Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    db.store.write(work).await
}

pub(super) async fn show(db: &TestDb, connection: &ConnectionId, listings: Vec<ChannelListing>) -> Seen {
    let (ctx, connection) = (db.ctx(), connection.clone());
    write(db, move |tx| Box::pin(async move { upsert_seen(tx, &ctx, &connection, &listings).await })).await.unwrap()
}

proptest! {
    #[test]
    fn a_published_quantity_is_never_negative_nor_above_what_is_sellable_or_the_cap(
        available in any::<i64>(), safety in 0i64.., share in 0i64..=10_000, buffer in 0i64.., cap in proptest::option::of(0i64..)
    ) {
        let shown = published(available, safety, share, buffer, cap);
        prop_assert!(shown >= 0);
        prop_assert!(shown <= available.saturating_sub(safety).max(0));
        if let Some(cap) = cap { prop_assert!(shown <= cap); }
    }

    #[test]
    fn more_stock_never_shows_less_and_more_held_back_never_shows_more(
        available in -1_000i64..1_000_000, more in 0i64..1_000, safety in 0i64..500, share in 0i64..=10_000, buffer in 0i64..500
    ) {
        let shown = published(available, safety, share, buffer, None);
        prop_assert!(published(available + more, safety, share, buffer, None) >= shown);
        prop_assert!(published(available, safety + more, share, buffer, None) <= shown);
        prop_assert!(published(available, safety, share, buffer + more, None) <= shown);
    }

    #[test]
    fn shares_that_add_up_to_the_whole_never_promise_a_unit_twice(available in 0i64..1_000_000, share in 0i64..=10_000) {
        let (a, b) = (published(available, 0, share, 0, None), published(available, 0, 10_000 - share, 0, None));
        prop_assert!(a + b <= available);
    }
}

#[test]
fn the_share_is_taken_after_safety_and_before_the_buffer_and_rounds_down() {
    assert_eq!(published(10, 3, 5_000, 1, None), 2); // floor(3.5) - 1
    assert_eq!(published(10, 3, 10_000, 1, Some(4)), 4);
    assert_eq!(published(2, 3, 10_000, 0, None), 0);
    assert_eq!(Publication { buffer: 1, share_bps: 10_000, cap: None }.quantity(10, 0, 2), 7);
}

on_both! {
    async fn what_the_channel_shows_is_kept_and_reading_it_again_keeps_our_decisions(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let first = show(&db, &connection, vec![seen("1"), seen("2")]).await;
        assert_eq!((first.created.len(), first.ids.len()), (2, 2));
        let id = first.ids["1"].clone();
        let (c, i) = (ctx.clone(), id.clone());
        let capped = Publication { buffer: 2, share_bps: 5_000, cap: Some(7) };
        assert!(write(&db, move |tx| Box::pin(async move {
            ignore(tx, &c, &i, "a sample").await?;
            set_publication(tx, &c, &i, &capped).await
        })).await.unwrap());

        db.clock.advance(1_000);
        let again = ChannelListing { title: "Kettle 2".into(), levels: vec![(None, 9)], price: None, ..seen("1") };
        let second = show(&db, &connection, vec![again]).await;
        assert_eq!((second.created.len(), &second.ids["1"]), (0, &id));

        let mut conn = db.store.read().await.unwrap();
        let now = get(&mut conn, &ctx.tenant, &id).await.unwrap();
        assert_eq!((now.title.as_str(), now.price.clone(), now.link), ("Kettle 2", None, Link::Ignored));
        assert_eq!((now.publication, now.seen_at - now.created_at), (capped, 1_000));
        assert_eq!((now.details.extras.clone(), now.handles.clone()), (json!({"vendor": "Acme"}), json!({"inventory-item": "77"})));
        let held = levels(&mut conn, &ctx.tenant, &[id.clone(), first.ids["2"].clone()]).await.unwrap();
        assert_eq!(held[&id].iter().map(|l| (l.location.clone(), l.quantity)).collect::<Vec<_>>(), [(None, 9)]);
        assert_eq!(held[&first.ids["2"]].iter().map(|l| l.quantity).collect::<Vec<_>>(), [4, -1]);
    }

    async fn two_shops_may_use_one_id_and_one_page_may_repeat_it(db: TestDb) {
        let ctx = db.ctx();
        let (a, b) = (ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids));
        let later = ChannelListing { title: "later".into(), ..seen("1") };
        let in_a = show(&db, &a, vec![seen("1"), later]).await;
        let in_b = show(&db, &b, vec![seen("1")]).await;
        assert_ne!(in_a.ids["1"], in_b.ids["1"]);
        let mut conn = db.store.read().await.unwrap();
        let found = find_external(&mut conn, &ctx.tenant, &a, &["1", "2"]).await.unwrap();
        assert_eq!((found.len(), found["1"].title.as_str()), (1, "later"));
    }

    async fn one_record_that_cannot_be_kept_does_not_stop_its_page(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let odd = ChannelListing { title: "a\0b".into(), sku: Some("  ".into()), ..seen("2") };
        let kept = show(&db, &connection, vec![seen(""), odd]).await;
        assert_eq!((kept.ids.len(), kept.refused.len()), (1, 1));
        let mut conn = db.store.read().await.unwrap();
        let listing = get(&mut conn, &ctx.tenant, &kept.ids["2"]).await.unwrap();
        assert_eq!((listing.title.as_str(), listing.sku), ("ab", None));
    }

    async fn lists_are_filtered_and_continue_behind_their_last_row(db: TestDb) {
        let ctx = db.ctx();
        let (a, b) = (ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids));
        let in_a = show(&db, &a, (0..5).map(|n| seen(&n.to_string())).collect()).await;
        show(&db, &b, vec![seen("0")]).await;
        let (c, id) = (ctx.clone(), in_a.ids["3"].clone());
        write(&db, move |tx| Box::pin(async move { ignore(tx, &c, &id, "not ours").await })).await.unwrap();
        let filter = Filter { connection: Some(a.clone()), link: Some(Link::Unmatched), variant: None };
        let mut conn = db.store.read().await.unwrap();
        let mut request = PageRequest::first(3);
        let mut all = Vec::new();
        loop {
            let page = list(&mut conn, &ctx.tenant, &filter, &request).await.unwrap();
            all.extend(page.items.into_iter().map(|l| l.external_id));
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
        all.sort();
        assert_eq!(all, ["0", "1", "2", "4"]);
        let counts = count_links(&mut conn, &ctx.tenant, &a).await.unwrap();
        assert_eq!(counts, BTreeMap::from([(Link::Unmatched, 4), (Link::Ignored, 1)]));
    }

    async fn a_share_beyond_the_whole_is_refused_with_its_value(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let id = show(&db, &connection, vec![seen("1")]).await.ids["1"].clone();
        let bad = Publication { share_bps: 10_001, ..Publication::default() };
        let refused = write(&db, move |tx| Box::pin(async move { set_publication(tx, &ctx, &id, &bad).await })).await.unwrap_err();
        assert!(refused.to_string().contains("10001"), "{refused}");
    }

    async fn a_removed_connection_leaves_no_listing(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let id = show(&db, &connection, vec![seen("1")]).await.ids["1"].clone();
        let c = ctx.clone();
        assert_eq!(write(&db, move |tx| Box::pin(async move { forget_connection(tx, &c, &connection).await })).await.unwrap(), 1);
        let mut conn = db.store.read().await.unwrap();
        assert!(find(&mut conn, &ctx.tenant, &id).await.unwrap().is_none());
        assert!(levels(&mut conn, &ctx.tenant, &[id]).await.unwrap().is_empty());
    }
}
