//! The real connectors, built, packed and compiled once on this machine; every test hub installs them from here.
//!
//! They are built in a target directory of their own (`TARGET/plugins`), so that cargo never waits for itself. Machine code
//! is kept beside them under a fixed master key: later hubs and later runs load it instead of compiling.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use entrepot::id::Entropy;
use entrepot::plugins::Engine;
use entrepot::plugins::compile::Compiler;
use entrepot::plugins::package::Build;
use entrepot::secrets::MasterKey;

/// What a hub needs to install them.
pub struct Connectors {
    /// The packed files by the connectors' names.
    pub packed: Vec<(&'static str, Vec<u8>)>,
    /// The data folder that test hubs share; only the cache of machine code lies in it.
    pub data_folder: PathBuf,
}

pub const NAMES: [&str; 2] = ["woocommerce", "shopify"];

/// The same for every test hub, because the cache is authenticated with it.
pub fn master() -> MasterKey {
    MasterKey::random(&Entropy::seeded(MASTER_SEED))
}

/// What [`MasterKey::create`] needs to write the same key into a file.
pub const MASTER_SEED: u64 = 20_261_121;

/// The product's program: `hub`, which cargo builds beside every test of this package. The one that measures stands in for
/// it, so that it can be built and run alone.
pub fn program() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    if program.file_stem().is_some_and(|name| name == "measure") {
        return program;
    }
    let folder = program.parent().unwrap();
    let folder = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    folder.join(format!("hub{}", std::env::consts::EXE_SUFFIX))
}

/// Builds on first use.
pub fn ready() -> &'static Connectors {
    static READY: OnceLock<Connectors> = OnceLock::new();
    // A thread of its own: callers are inside their tests' runtimes.
    READY.get_or_init(|| std::thread::spawn(build).join().unwrap())
}

/// One that only some stories need; built on first use, packed.
pub fn extra(name: &'static str) -> Vec<u8> {
    static BUILT: Mutex<BTreeMap<&str, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap();
    built.entry(name).or_insert_with(|| pack(name).1).clone()
}

/// Where it was written, and its bytes.
fn pack(name: &str) -> (PathBuf, Vec<u8>) {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins");
    let package = Build { dir: &plugins.join(name), out: None, target_dir: None }.run().unwrap();
    let bytes = std::fs::read(&package.path).unwrap();
    (package.path, bytes)
}

fn build() -> Connectors {
    let mut folder = PathBuf::new();
    let mut packed = Vec::new();
    for name in NAMES {
        let (path, bytes) = pack(name);
        packed.push((name, bytes));
        folder = path.parent().unwrap().to_path_buf();
    }
    let data_folder = folder.join("stories");
    let engine = Engine::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let compiler = Compiler::new(&engine, &data_folder.join("compiled"), &master(), program(), Entropy::system()).unwrap();
        for (_, wasm) in &packed {
            compiler.component(wasm).await.unwrap();
        }
    });
    Connectors { packed, data_folder }
}
