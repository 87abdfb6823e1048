//! The harness itself: what it promises to the tests that stand on it.

#![allow(clippy::unwrap_used)]

use entrepot_test_postgres::{Durability, fresh_database, private_cluster};
use sqlx::Connection as _;

async fn query(url: &str, sql: &'static str) -> Result<i64, sqlx::Error> {
    let mut connection = sqlx::PgConnection::connect(url).await?;
    sqlx::query_scalar(sql).fetch_one(&mut connection).await
}

#[tokio::test]
async fn every_test_has_an_empty_database_of_its_own() {
    let (Some(one), Some(two)) = (fresh_database().await, fresh_database().await) else { return };
    assert_ne!(one.url(), two.url());
    let mut first = sqlx::PgConnection::connect(one.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE mine (n BIGINT)").execute(&mut first).await.unwrap();
    assert!(query(two.url(), "SELECT count(*) FROM mine").await.is_err());
    assert_eq!(query(one.url(), "SELECT count(*) FROM mine").await.unwrap(), 0);
}

#[tokio::test]
async fn a_commit_survives_a_crash_of_the_server_and_the_address_stays() {
    let Some(cluster) = private_cluster(Durability::SurvivesProcessCrash).await else { return };
    let database = cluster.fresh_database().await;
    let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (n BIGINT); INSERT INTO kept VALUES (7)").execute(&mut connection).await.unwrap();
    cluster.stop_immediate();
    assert!(query(database.url(), "SELECT n FROM kept").await.is_err());
    cluster.start();
    assert_eq!(query(database.url(), "SELECT n FROM kept").await.unwrap(), 7);
}

#[tokio::test]
async fn the_server_is_gone_with_its_handle() {
    let Some(cluster) = private_cluster(Durability::SurvivesProcessCrash).await else { return };
    let url = cluster.url();
    assert_eq!(query(&url, "SELECT CAST(1 AS BIGINT)").await.unwrap(), 1);
    drop(cluster);
    assert!(query(&url, "SELECT CAST(1 AS BIGINT)").await.is_err());
}
