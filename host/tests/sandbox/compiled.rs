//! Machine code is loaded only when it is our own.

use std::os::unix::fs::PermissionsExt;

use entrepot::id::Entropy;
use entrepot::plugins::compile::{Compiler, Error};
use entrepot::plugins::{Engine, Limits, artifact};
use entrepot::secrets::MasterKey;

use crate::rig::{bytes, context, engine, hello, hostile, program};

fn compiler(engine: &Engine, folder: &std::path::Path, key: u64) -> Compiler {
    let master = MasterKey::random(&Entropy::seeded(key));
    Compiler::new(engine, folder, &master, program(), Entropy::seeded(2)).unwrap()
}

#[tokio::test]
async fn a_changed_file_is_compiled_again_and_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, wasm) = (engine(), bytes(hello()));
    let compiler = compiler(&engine, folder.path(), 1);
    compiler.component(&wasm).await.unwrap();
    let path = compiler.path(&artifact::digest(&wasm)).unwrap();
    let ours = std::fs::read(&path).unwrap();
    // The tag, the first byte of code, the middle, the last byte, and a file cut short.
    for at in [0, 32, ours.len() / 2, ours.len() - 1] {
        let mut changed = ours.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        compiler.component(&wasm).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), ours, "byte {at} was not put right");
    }
    std::fs::write(&path, &ours[..20]).unwrap();
    compiler.component(&wasm).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), ours);
}

#[tokio::test]
async fn code_of_another_connector_or_another_hub_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let compiler = compiler(&engine, folder.path(), 1);
    let (one, two) = (bytes(hello()), bytes(hostile()));
    compiler.component(&one).await.unwrap();
    let (path_one, path_two) = (compiler.path(&artifact::digest(&one)).unwrap(), compiler.path(&artifact::digest(&two)).unwrap());
    // An authentic file under another connector's name.
    std::fs::copy(&path_one, &path_two).unwrap();
    let component = compiler.component(&two).await.unwrap();
    let loaded = engine.load(&component, Limits::default()).unwrap();
    let caller = entrepot::plugins::Caller {
        loaded,
        services: entrepot::plugins::services::Nothing::services(entrepot::clock::Clock::manual(0)),
        tenant: entrepot::ctx::Tenant::main(),
        connection: None,
        plugin: "hostile".into(),
        dry_run: false,
    };
    assert_eq!(caller.check(context()).await.unwrap().name, "hostile");
    // A file made under another master key.
    let before = std::fs::read(&path_one).unwrap();
    let other = self::compiler(&engine, folder.path(), 2);
    other.component(&one).await.unwrap();
    assert_ne!(std::fs::read(&path_one).unwrap(), before, "the other hub made its own");
}

#[tokio::test]
async fn the_cache_is_used_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("compiled");
    let (engine, wasm) = (engine(), bytes(hello()));
    compiler(&engine, &place, 1).component(&wasm).await.unwrap();
    assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    // Without a program that could compile, only the cache can answer.
    let master = MasterKey::random(&Entropy::seeded(1));
    let cached = Compiler::new(&engine, &place, &master, "/nonexistent".into(), Entropy::seeded(3)).unwrap();
    cached.component(&wasm).await.unwrap();
    assert!(matches!(cached.component(&bytes(hostile())).await, Err(Error::Start(_))));
}

#[tokio::test]
async fn what_the_compiler_refuses_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let compiler = compiler(&engine, folder.path(), 1);
    for garbage in [Vec::new(), b"\0asm\x0d\0\x01\0garbage".to_vec(), bytes(hello())[..5000].to_vec()] {
        let error = compiler.component(&garbage).await.map(|_| ()).unwrap_err();
        assert!(matches!(&error, Error::Refused(words) if !words.is_empty()), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
