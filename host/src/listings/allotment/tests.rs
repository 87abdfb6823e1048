#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::on_both;

fn allot(at_least: i64, at_most: Option<i64>, share_bps: i64) -> Allotment {
    Allotment { at_least, at_most, share_bps }
}

#[test]
fn a_share_is_raised_to_the_least_and_held_at_the_most() {
    assert_eq!(Allotment::default().pool(7), 7);
    assert_eq!(allot(0, None, 2_500).pool(7), 1, "parts round down");
    assert_eq!(allot(3, None, 2_500).pool(7), 3);
    assert_eq!(allot(9, None, 0).pool(7), 7, "never more than there is");
    assert_eq!(allot(0, Some(4), WHOLE_BPS).pool(7), 4);
    assert_eq!(allot(0, Some(4), WHOLE_BPS).pool(-2), 0);
}

proptest! {
    #[test]
    fn an_allotment_only_ever_lowers(least in 0i64..50, most in proptest::option::of(0i64..50), share in 0i64..=10_000, sellable in -20i64..10_000_000_000_000) {
        let pool = allot(least, most, share).pool(sellable);
        prop_assert!((0..=sellable.max(0)).contains(&pool));
        prop_assert!(most.is_none_or(|most| pool <= most));
    }
}

#[test]
fn impossible_allotments_are_refused_by_name() {
    for (wrong, word) in [
        (allot(-1, None, WHOLE_BPS), "least"),
        (allot(0, Some(-1), WHOLE_BPS), "most"),
        (allot(5, Some(4), WHOLE_BPS), "least"),
        (allot(0, None, 10_001), "share"),
    ] {
        assert!(wrong.check().unwrap_err().to_string().contains(word), "{wrong:?}");
    }
}

on_both! {
    async fn what_one_connection_keeps_is_kept_from_the_others_that_offer_it(db: TestDb) {
        let ctx = db.ctx();
        let (shop, market) = (ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids));
        let product = {
            let ctx = ctx.clone();
            db.store.write(move |tx| Box::pin(async move {
                let product = crate::catalog::create_product(tx, &ctx, "Kettle").await?;
                let facts = crate::catalog::Facts::of(crate::catalog::Sku::parse("K-1")?);
                crate::catalog::create_variant(tx, &ctx, &product.id, facts).await
            })).await.unwrap()
        };
        let (c, kettle, s, m) = (ctx.clone(), product.id.clone(), shop.clone(), market.clone());
        db.store.write(move |tx| Box::pin(async move {
            assert!(set_allotment(tx, &c, &m, None, Some(&allot(5, None, WHOLE_BPS))).await?);
            assert!(!set_allotment(tx, &c, &m, None, Some(&allot(5, None, WHOLE_BPS))).await?, "said again it is no change");
            assert!(set_allotment(tx, &c, &s, Some(&kettle), Some(&allot(0, Some(3), WHOLE_BPS))).await?);
            Ok::<_, Error>(())
        })).await.unwrap();
        let of = async |connection: &ConnectionId| {
            allotments(&mut db.store.read().await.unwrap(), &ctx.tenant, connection, std::slice::from_ref(&product.id)).await.unwrap()
        };
        assert_eq!(of(&shop).await.kept_for_others(&product.id), 0, "a market that does not offer it keeps nothing");
        assert_eq!(of(&shop).await.of(&product.id), allot(0, Some(3), WHOLE_BPS));

        let (c, kettle, m) = (ctx.clone(), product.id.clone(), market.clone());
        db.store.write(move |tx| Box::pin(async move {
            let seen = crate::listings::ChannelListing {
                external_id: "9".into(), parent: None, sku: None, gtin: None, title: "Kettle".into(), options: vec![],
                status: crate::listings::Status::Active, price: None, tracking: crate::listings::Tracking::Tracked, levels: vec![],
                weight_g: None, hs_code: None, origin: None, url: None, updated_at: None, handles: serde_json::json!({}), extras: serde_json::json!({}),
            };
            let listing = crate::listings::upsert_seen(tx, &c, &m, &[seen], 0).await?.ids["9"].clone();
            crate::listings::link(tx, &c, &listing, &kettle).await
        })).await.unwrap();
        assert_eq!(of(&shop).await.kept_for_others(&product.id), 5);
        assert_eq!(of(&market).await.kept_for_others(&product.id), 0, "not from itself");
        assert_eq!(of(&market).await.of(&product.id).at_least, 5, "the row for all is meant for it too");

        let (c, kettle, m) = (ctx.clone(), product.id.clone(), market.clone());
        db.store.write(move |tx| Box::pin(async move {
            set_allotment(tx, &c, &m, Some(&kettle), Some(&allot(0, None, 5_000))).await?;
            assert_eq!(list_allotments(tx, &c.tenant, Some(&m)).await?.len(), 2);
            Ok::<_, Error>(())
        })).await.unwrap();
        assert_eq!(of(&shop).await.kept_for_others(&product.id), 0, "its own row stands before the one for all");

        let (c, m) = (ctx.clone(), market.clone());
        db.store.write(move |tx| Box::pin(async move {
            crate::listings::forget_connection(tx, &c, &m).await?;
            assert!(list_allotments(tx, &c.tenant, Some(&m)).await?.is_empty());
            assert!(!set_allotment(tx, &c, &m, None, None).await?);
            Ok::<_, Error>(())
        })).await.unwrap();
    }
}
