#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::on_both;
use crate::store::tests::TestDb;

const DAY_MS: i64 = 86_400_000;

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
    write(db, move |tx| Box::pin(async move { upsert_seen(tx, &ctx, &connection, &listings, DAY_MS).await })).await.unwrap()
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

    async fn what_is_shown_unchanged_is_known_and_stored_as_seldom_as_is_asked(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let first = show(&db, &connection, vec![seen("1"), seen("2")]).await;
        assert_eq!(first.stored.len(), 2);
        let id = first.ids["1"].clone();
        let stored = async |listings: Vec<ChannelListing>| {
            db.clock.advance(3_600_000);
            let again = show(&db, &connection, listings).await;
            assert_eq!(again.ids["1"], id, "known all the same");
            let now = get(&mut db.store.read().await.unwrap(), &ctx.tenant, &id).await.unwrap();
            (again.stored.contains(&id), now.seen_at == ctx.now_ms())
        };
        assert_eq!(stored(vec![seen("1"), seen("2")]).await, (false, false));
        // Every part of it counts.
        let held = ChannelListing { levels: vec![(Some("other".into()), 4)], ..seen("1") };
        let handled = ChannelListing { handles: json!({ "inventory-item": "78" }), ..held.clone() };
        for other in [held, handled.clone(), ChannelListing { title: "Kettle 2".into(), ..handled }, seen("1")] {
            assert_eq!(stored(vec![other.clone(), seen("2")]).await, (true, true));
            assert_eq!(stored(vec![other]).await, (false, false));
        }
        db.clock.advance(24 * 3_600_000);
        assert_eq!(stored(vec![seen("1")]).await, (true, true));
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

async fn variant(db: &TestDb, sku: &'static str, gtin: Option<&'static str>) -> VariantId {
    let ctx = db.ctx();
    write(db, move |tx| {
        Box::pin(async move {
            let product = catalog::create_product(tx, &ctx, "Kettle").await?;
            let gtin = gtin.map(|text| catalog::Gtin::parse(text).unwrap());
            let facts = catalog::Facts { gtin, ..catalog::Facts::of(catalog::Sku::parse(sku).unwrap()) };
            Ok(catalog::create_variant(tx, &ctx, &product.id, facts).await?.id)
        })
    })
    .await
    .unwrap()
}

fn offer(external_id: &str, sku: &str, gtin: &str) -> ChannelListing {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    ChannelListing { sku: some(sku), gtin: some(gtin), parent: None, ..seen(external_id) }
}

async fn proposals(db: &TestDb, connection: &ConnectionId) -> BTreeMap<String, LinkProposal> {
    let mut conn = db.store.read().await.unwrap();
    let page = propose_links(&mut conn, &db.ctx().tenant, connection, &PageRequest::first(100)).await.unwrap();
    page.items.into_iter().map(|proposal| (proposal.external_id.clone(), proposal)).collect()
}

const EAN_A: &str = "4006381333931";
const EAN_B: &str = "96385074";

on_both! {
    async fn a_listing_is_matched_by_gtin_then_sku_then_sku_without_case_and_blanks(db: TestDb) {
        let connection = ConnectionId::new(&db.ctx().ids);
        let (a, b, c) = (variant(&db, "A-1", Some(EAN_A)).await, variant(&db, "B 2", None).await, variant(&db, "C", Some(EAN_B)).await);
        show(&db, &connection, vec![
            offer("gtin", "", "04006381333931"),
            offer("both", "A-1", EAN_A),
            offer("sku", "B 2", ""),
            offer("loose", "b2", "4006381333932"),
            offer("none", "Z", ""),
            offer("bare", "", ""),
            offer("torn", "C", EAN_A),
            offer("other-gtin", "C", "036000291452"),
        ]).await;
        let found = proposals(&db, &connection).await;
        let verdict = |id: &str| found[id].verdict.clone();
        assert_eq!((verdict("gtin"), verdict("both")), (Verdict::Link(a.clone()), Verdict::Link(a.clone())));
        assert_eq!((verdict("sku"), verdict("loose")), (Verdict::Link(b.clone()), Verdict::Link(b)));
        assert_eq!((verdict("none"), verdict("bare")), (Verdict::NoMatch, Verdict::NoMatch));
        assert!(found["none"].why.contains("`Z`") && found["bare"].why.contains("neither"));
        // The number says one variant and the name another, or the bar codes differ: nobody but a person can tell.
        assert_eq!(verdict("torn"), Verdict::Ambiguous);
        assert_eq!(found["torn"].candidates.iter().map(|c| c.variant.clone()).collect::<Vec<_>>(), [a, c]);
        assert_eq!(verdict("other-gtin"), Verdict::Ambiguous);
        assert!(found["other-gtin"].why.contains(EAN_B), "{}", found["other-gtin"].why);
        // Two listings of one shop may be one variant, and it is said.
        assert_eq!((found["gtin"].shares_with.clone(), found["sku"].shares_with.clone()), (vec!["both".to_owned()], vec!["loose".to_owned()]));
    }

    async fn two_variants_that_match_are_ambiguous_unless_the_sku_decides(db: TestDb) {
        let connection = ConnectionId::new(&db.ctx().ids);
        let first = variant(&db, "A-1", Some(EAN_A)).await;
        variant(&db, "A-2", Some(EAN_A)).await;
        variant(&db, "x 1", None).await;
        variant(&db, "X1", None).await;
        show(&db, &connection, vec![offer("gtin", "", EAN_A), offer("decided", "A-1", EAN_A), offer("loose", "x1", ""), offer("exact", "X1", "")]).await;
        let found = proposals(&db, &connection).await;
        assert_eq!((found["gtin"].verdict.clone(), found["gtin"].candidates.len()), (Verdict::Ambiguous, 2));
        assert_eq!(found["decided"].verdict, Verdict::Link(first));
        assert_eq!((found["loose"].verdict.clone(), found["loose"].candidates.len()), (Verdict::Ambiguous, 2));
        assert!(matches!(found["exact"].verdict, Verdict::Link(_)));
    }

    async fn applying_links_and_parks_and_leaves_a_persons_decision_alone(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let (a, b) = (variant(&db, "A", None).await, variant(&db, "B", None).await);
        let ids = show(&db, &connection, vec![offer("1", "A", ""), offer("2", "A", ""), offer("3", "none", "")]).await.ids;
        let planned: Vec<LinkProposal> = proposals(&db, &connection).await.into_values().collect();
        let (c, second, other) = (ctx.clone(), ids["2"].clone(), b.clone());
        let applied = write(&db, move |tx| Box::pin(async move {
            link(tx, &c, &second, &other).await?;
            apply_links(tx, &c, &planned).await
        })).await.unwrap();
        assert_eq!((applied.linked, applied.parked, applied.skipped), (vec![(ids["1"].clone(), a.clone())], 1, 1));
        let mut conn = db.store.read().await.unwrap();
        let all = find_external(&mut conn, &ctx.tenant, &connection, &["1", "2", "3"]).await.unwrap();
        assert_eq!((all["1"].variant.clone(), all["2"].variant.clone(), all["3"].variant.clone()), (Some(a.clone()), Some(b.clone()), None));
        assert_eq!(all["1"].link_reason.as_deref(), Some("same SKU `A`"));
        assert_eq!((all["3"].link, all["3"].link_reason.as_deref()), (Link::Unmatched, Some("no variant has SKU `none`")));
        let at = listings_of_variants(&mut conn, &ctx.tenant, &[a, b.clone()]).await.unwrap();
        assert_eq!(at.iter().map(|l| l.external_id.as_str()).collect::<Vec<_>>().len(), 2);
        let whole = |l: &Listing| Brief { id: l.id.clone(), connection: l.connection.clone(), external_id: l.external_id.clone(), tracking: l.tracking, variant: l.variant.clone() };
        let brief = brief_external(&mut conn, &ctx.tenant, &connection, &["1", "2", "3"]).await.unwrap();
        assert_eq!(brief, all.iter().map(|(name, l)| (name.clone(), whole(l))).collect());
        let mut brief = brief_of_variants(&mut conn, &ctx.tenant, &at.iter().filter_map(|l| l.variant.clone()).collect::<Vec<_>>()).await.unwrap();
        brief.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(brief, at.iter().map(whole).collect::<Vec<_>>());
        drop(conn);
        let (c, ids) = (ctx.clone(), ids.clone());
        write(&db, move |tx| Box::pin(async move {
            link(tx, &c, &ids["1"], &b).await?;
            assert!(matches!(link(tx, &c, &ids["3"], &VariantId::new(&c.ids)).await, Err(Error::UnknownVariant { .. })));
            assert_eq!(shared_variants(tx, &c.tenant, &connection).await?, BTreeMap::from([(b, vec!["1".to_owned(), "2".into()])]));
            assert_eq!(unlink(tx, &c, &ids["1"]).await?.link, Link::Unmatched);
            Ok(())
        })).await.unwrap();
    }

    async fn missing_products_are_made_family_by_family(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        variant(&db, "KNOWN", None).await;
        let of = |external: &str, parent: Option<&str>, sku: &str, title: &str, colour: &str| ChannelListing {
            parent: parent.map(str::to_owned),
            title: title.into(),
            options: if colour.is_empty() { Vec::new() } else { vec![("Colour".into(), colour.into())] },
            ..offer(external, sku, "")
        };
        let ids = show(&db, &connection, vec![
            of("1", Some("10"), "S-R", "Shirt - Red", "Red"),
            of("2", Some("10"), "S-B", "Shirt - Blue", "Blue"),
            ChannelListing { gtin: Some("123".into()), hs_code: Some("x".into()), origin: Some("zz".into()), weight_g: Some(0), ..of("3", None, "MUG", "Mug", "") },
            of("4", None, "", "No number", ""),
            of("5", None, "known", "Known", ""),
            of("6", None, "MUG", "Mug, second offer", ""),
            of("7", None, "mug", "Mug, third offer", ""),
        ]).await.ids;
        let (c, shop, all) = (ctx.clone(), connection.clone(), ids.values().cloned().collect::<Vec<_>>());
        let made = write(&db, move |tx| Box::pin(async move { create_missing(tx, &c, &shop, &all).await })).await.unwrap();
        assert_eq!((made.created.len(), made.products.len(), made.refused.len()), (4, 2, 3), "{made:?}");
        let why = |id: &str| made.refused.iter().find(|(listing, _)| *listing == ids[id]).unwrap().1.clone();
        assert!(why("4").contains("no SKU") && why("5").contains("link it instead") && why("7").contains("case and blanks"), "{made:?}");
        let mut conn = db.store.read().await.unwrap();
        let variants = catalog::find_by_skus(&mut conn, &ctx.tenant, &["S-R", "S-B", "MUG"]).await.unwrap();
        assert_eq!((variants["S-R"].product_title.as_str(), variants["S-R"].facts.title.as_str()), ("Shirt", "Red"));
        assert_eq!(variants["S-R"].product, variants["S-B"].product);
        assert_eq!((variants["MUG"].facts.weight_g, variants["MUG"].facts.origin.clone(), variants["S-R"].facts.weight_g), (None, None, Some(900)));
        drop(conn);
        // A sibling that appears later joins the product.
        let later = show(&db, &connection, vec![of("8", Some("10"), "S-G", "Shirt - Green", "Green")]).await.ids["8"].clone();
        let (c, shop) = (ctx.clone(), connection.clone());
        let made = write(&db, move |tx| Box::pin(async move { create_missing(tx, &c, &shop, &[later]).await })).await.unwrap();
        assert_eq!((made.created.len(), made.products.len()), (1, 0));
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(catalog::of_product(&mut conn, &ctx.tenant, &variants["S-R"].product).await.unwrap().len(), 3);
    }

    async fn matching_goes_page_by_page_through_a_connection(db: TestDb) {
        let ctx = db.ctx();
        let connection = ConnectionId::new(&ctx.ids);
        let a = variant(&db, "A", None).await;
        show(&db, &connection, (0..7).map(|n| offer(&n.to_string(), if n % 2 == 0 { "A" } else { "none" }, "")).collect()).await;
        let mut request = PageRequest::first(2);
        let mut linked = 0;
        loop {
            let (c, shop, asked) = (ctx.clone(), connection.clone(), request.clone());
            let (applied, next) = write(&db, move |tx| Box::pin(async move { link_matching(tx, &c, &shop, &asked).await })).await.unwrap();
            assert!(applied.linked.iter().all(|(_, variant)| *variant == a));
            linked += applied.linked.len();
            let Some(cursor) = next else { break };
            request.cursor = Some(cursor);
        }
        assert_eq!(linked, 4);
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(count_links(&mut conn, &ctx.tenant, &connection).await.unwrap(), BTreeMap::from([(Link::Linked, 4), (Link::Unmatched, 3)]));
    }
}
