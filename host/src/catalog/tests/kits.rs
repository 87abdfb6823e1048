//! What kits are made of.

use super::*;

async fn variants(db: &TestDb, skus: &[&str]) -> Vec<VariantId> {
    let (ctx, skus): (Ctx, Vec<String>) = (db.ctx(), skus.iter().map(|sku| (*sku).to_owned()).collect());
    let made = write(db, move |tx| {
        Box::pin(async move {
            let product = create_product(tx, &ctx, "Set").await?;
            let mut made = Vec::new();
            for sku in &skus {
                made.push(create_variant(tx, &ctx, &product.id, Facts::of(Sku::parse(sku)?)).await?.id);
            }
            Ok(made)
        })
    });
    made.await.unwrap()
}

async fn set(db: &TestDb, kit: &VariantId, parts: &[(&VariantId, i64)]) -> Result<bool, Error> {
    let (ctx, kit) = (db.ctx(), kit.clone());
    let parts: Vec<Part> =
        parts.iter().map(|(component, quantity)| Part { component: (*component).clone(), quantity: *quantity }).collect();
    write(db, move |tx| Box::pin(async move { set_components(tx, &ctx, &kit, &parts).await })).await
}

async fn recipe(db: &TestDb, kit: &VariantId) -> Option<Recipe> {
    recipes(&mut db.store.read().await.unwrap(), &db.ctx().tenant, std::slice::from_ref(kit)).await.unwrap().remove(kit)
}

on_both! {
    async fn kits_are_taken_apart_to_any_depth_and_found_from_below(db: TestDb) {
        let v = variants(&db, &["CUP", "PLATE", "PAIR", "TABLE", "PARTY"]).await;
        let [cup, plate, pair, table, party] = v.as_slice() else { panic!() };
        assert!(set(&db, pair, &[(cup, 2), (plate, 1)]).await.unwrap());
        assert!(!set(&db, pair, &[(plate, 1), (cup, 2)]).await.unwrap(), "the same in another order");
        set(&db, table, &[(pair, 4), (plate, 3)]).await.unwrap();
        set(&db, party, &[(table, 10), (pair, 1), (cup, 5)]).await.unwrap();
        assert_eq!(recipe(&db, party).await, Some([(cup.clone(), 87), (plate.clone(), 71)].into()));
        assert_eq!(recipe(&db, cup).await, None);
        let ctx = db.ctx();
        let mut conn = db.store.read().await.unwrap();
        let mut above = vec![pair.clone(), table.clone(), party.clone()];
        above.sort();
        assert_eq!(kits_with(&mut conn, &ctx.tenant, std::slice::from_ref(cup)).await.unwrap(), above);
        assert_eq!(components(&mut conn, &ctx.tenant, table).await.unwrap().len(), 2, "directly, the parts as they were given");
        let first = list_kits(&mut conn, &ctx.tenant, None, 2).await.unwrap();
        let rest = list_kits(&mut conn, &ctx.tenant, Some(&first[1].0), 2).await.unwrap();
        assert_eq!((first.len(), rest.len()), (2, 1));
        drop(conn);
        assert!(set(&db, pair, &[]).await.unwrap());
        assert_eq!(recipe(&db, table).await, Some([(pair.clone(), 4), (plate.clone(), 3)].into()), "what is no kit any more is counted itself");
    }

    async fn a_kit_that_would_contain_itself_is_refused_by_name(db: TestDb) {
        let v = variants(&db, &["A", "B", "C", "D"]).await;
        let [a, b, c, d] = v.as_slice() else { panic!() };
        set(&db, a, &[(b, 1), (d, 1)]).await.unwrap();
        set(&db, b, &[(c, 1), (d, 1)]).await.unwrap();
        let refused = set(&db, c, &[(a, 1)]).await.unwrap_err().to_string();
        assert!(refused.contains("C -> A -> B -> C"), "{refused}");
        assert!(set(&db, a, &[(a, 1)]).await.unwrap_err().to_string().contains("A -> A"));
        assert_eq!(recipe(&db, c).await, None, "and nothing was changed");
        assert_eq!(recipe(&db, a).await, Some([(c.clone(), 1), (d.clone(), 2)].into()));
    }

    async fn what_cannot_be_a_part_is_refused_by_name(db: TestDb) {
        let v = variants(&db, &["A", "B", "C"]).await;
        let [a, b, c] = v.as_slice() else { panic!() };
        let ids = crate::id::Ids::new(db.clock.clone(), crate::id::Entropy::seeded(99));
        let stranger = VariantId::new(&ids);
        assert!(matches!(set(&db, a, &[(&stranger, 1)]).await, Err(Error::UnknownVariant { .. })));
        assert!(matches!(set(&db, &stranger, &[(a, 1)]).await, Err(Error::UnknownVariant { .. })));
        for wrong in [0, -1, 100_001] {
            assert!(set(&db, a, &[(b, wrong)]).await.unwrap_err().to_string().contains(&wrong.to_string()));
        }
        assert!(set(&db, a, &[(b, 1), (b, 2)]).await.unwrap_err().to_string().contains("once"));
        set(&db, b, &[(c, 100_000)]).await.unwrap();
        assert!(set(&db, a, &[(b, 100_000)]).await.unwrap_err().to_string().contains("multiply"));
        assert_eq!(recipe(&db, a).await, None);
    }

    async fn two_people_cannot_close_a_circle_from_two_sides(db: TestDb) {
        for round in 0..8 {
            let v = variants(&db, &[&format!("A{round}"), &format!("B{round}")]).await;
            let (a, b) = (&v[0], &v[1]);
            let (of_a, of_b) = ([(b, 1)], [(a, 1)]);
            let (one, other) = tokio::join!(set(&db, a, &of_a), set(&db, b, &of_b));
            assert!(one.is_ok() != other.is_ok(), "one of the two: {one:?}, {other:?}");
        }
    }
}
