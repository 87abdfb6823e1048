//! The map of the rooms. Change a table here in the same commit as the code, and say why in DECISIONS.md.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use entrepot_test_layering::{Named, Source, read, workspace};

// Groups of rooms, from the ground up. A room exists when it has its first tenant; the map may be ahead of the code.
const LEAVES: &[&str] = &["clock", "ctx", "hex", "id", "money", "page", "patch", "sheet"];
const PLUMBING: &[&str] = &["config", "telemetry", "store", "secrets", "egress"];
const GROUND: &[&str] = &["access", "audit", "connections", "crossborder", "identity", "lanes", "locations", "rates"];
const GOODS: &[&str] = &["catalog", "pricing", "stock"];
const OFFERS: &[&str] = &["listings"];
const SALES: &[&str] = &["fulfilment", "orders"];
const FLOWS: &[&str] = &["inbox", "insight", "sync"];
const SANDBOX: &[&str] = &["plugins"];
const TOP: &[&str] = &["app"];
const EDGES: &[&str] = &["admin", "api", "cli", "demo"];

/// Who may call whom. A room may always use itself.
const MAY_USE: &[(&[&str], &[&[&str]])] = &[
    (LEAVES, &[LEAVES]),
    // Upwards in this order only.
    (&["config", "telemetry", "store"], &[LEAVES, &["config"]]),
    (&["secrets"], &[LEAVES, &["config", "telemetry", "store"]]),
    (&["egress"], &[LEAVES, &["config", "telemetry", "store", "secrets"]]),
    (GROUND, &[LEAVES, PLUMBING]),
    (GOODS, &[LEAVES, PLUMBING, GROUND, GOODS]),
    (OFFERS, &[LEAVES, PLUMBING, GROUND, GOODS]),
    (SALES, &[LEAVES, PLUMBING, GROUND, GOODS, SALES]),
    (FLOWS, &[LEAVES, PLUMBING, GROUND, GOODS, OFFERS, SALES, FLOWS, SANDBOX]),
    (SANDBOX, &[LEAVES, PLUMBING, &["connections"]]),
    (EDGES, &[LEAVES, PLUMBING, GROUND, GOODS, OFFERS, SALES, FLOWS, SANDBOX, TOP, EDGES]),
    (TOP, &[LEAVES, PLUMBING, GROUND, GOODS, OFFERS, SALES, FLOWS, SANDBOX, EDGES]),
    (&["main"], &[TOP, EDGES, &["config", "telemetry"]]),
];

/// Rooms whose types, but not functions, the sandbox may name: records at its border are the concepts' own.
const MODELS: &[&[&str]] = &[GOODS, OFFERS, SALES];

/// Edges against the grain, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("id", "store", "an id says how it is bound to a statement and read from a row"),
    ("ctx", "store", "a tenant says how it is bound to a statement"),
    ("crossborder", "rates", "tax is worked out with the rates that the merchant chose for it"),
    ("rates", "crossborder", "stored rates become the table that the pure rule engine looks up in"),
];

/// What only some rooms may name: tokens, rooms, reason.
const ONLY_IN: &[(&[&str], &[&str], &str)] = &[
    (&["sqlx", "rusqlite"], &["store"], "only the store names a database driver"),
    (&["reqwest"], &["egress"], "only egress opens outbound connections"),
    (&["wasmtime"], &["plugins"], "only the plugin host knows the sandbox's engine"),
    (&["axum"], &["api", "admin", "app", "demo"], "only the edges speak HTTP to the outside"),
    (&["entrepot_simulators"], &["cli", "demo"], "only the demonstration knows simulated shops"),
    (&["SystemTime", "::", "now"], &["clock"], TIME),
    (&["Timestamp", "::", "now"], &["clock"], TIME),
    (&["Zoned", "::", "now"], &["clock"], TIME),
    (&["Instant", "::", "now"], &["clock", "egress", "plugins", "telemetry", "cli", "demo"], STOPWATCH),
    (&["env", "::", "var"], &["config", "main"], ENVIRONMENT),
    (&["env", "::", "var_os"], &["config", "main"], ENVIRONMENT),
    (&["env", "::", "vars"], &["config", "main"], ENVIRONMENT),
    (&["getrandom"], &["id", "secrets"], "randomness is injected: ask `ctx.ids` or `Entropy`"),
    (&["transparent"], &["store"], PASSED_ON),
];
const PASSED_ON: &str =
    "an error that passes another one on says `{0}` and keeps it as its source: callers look for the database's among them";
const TIME: &str = "time is injected: ask `ctx.now_ms()` or the `Clock`";
const STOPWATCH: &str = "a stopwatch may limit how long a call runs, never decide what is due; for that ask the `Clock`";
const ENVIRONMENT: &str = "the environment is read once, by the configuration";

/// Runtimes and drivers that a leaf must not know; the clock is where waiting is injected.
const NOT_IN_LEAVES: &[&str] = &["tokio", "futures", "sqlx", "axum", "reqwest", "wasmtime"];
const WAITS: &str = "clock";

/// The one file of the product that may say `unsafe`: it loads components this program compiled and authenticated itself. Of the
/// tests, the one that SQLite calls as its file system.
const UNSAFE_FILES: &[&str] = &["plugins/compile.rs", "powercut/vfs.rs"];

/// Rooms that may use floats: figures for people and estimates, never money or stock.
const FLOAT_ROOMS: &[&str] = &["admin", "cli", "demo", "insight", "telemetry"];

/// Which room's SQL may name a table.
const TABLES: &[(&str, &[&str])] = &[
    ("store", &["schema_migration"]),
    ("access", &["access_key", "session"]),
    ("config", &["setting"]),
    ("secrets", &["data_key", "secret", "setting"]),
    ("connections", &["connection"]),
    ("identity", &["identity"]),
    (
        "crossborder",
        &[
            "legal_entity",
            "tax_channel",
            "goods_facts",
            "rule_text",
            "rule_file",
            "rule_set",
            "screening_list",
            "tax_work",
            "tax_order",
            "tax_quote",
            "tax_credit",
            "tax_line",
            "tax_difference",
            "exchange_lock",
            "exchange_entry",
        ],
    ),
    ("catalog", &["product", "variant", "component"]),
    ("listings", &["listing", "listing_level", "allotment"]),
    ("locations", &["location", "location_map"]),
    ("stock", &["movement", "stock", "reservation", "shortage", "stock_rule"]),
    ("orders", &["person", "orders", "order_line", "order_event", "erasure"]),
    ("fulfilment", &["shipment"]),
    ("inbox", &["inbox", "inbox_key", "inbox_body"]),
    ("lanes", &["lane", "schedule", "schedule_fire", "tenant", "bucket"]),
    ("rates", &["rate", "rate_series", "rate_use"]),
    ("sync", &["desired", "effect", "stream_cursor", "plan", "refusal", "push_guard", "push_pause", "zeroed", "drift", "import"]),
    ("pricing", &["price_base", "price_line", "price_policy", "price_history"]),
    ("plugins", &["plugin", "plugin_chunk", "plugin_state"]),
];

/// Reads across that line, each with its reason. Nobody writes another room's table.
const READS: &[(&str, &[&str], &str)] = &[
    (
        "connections",
        &["orders", "reservation", "desired", "effect", "shipment", "inbox"],
        "counts what is open before a connection is removed",
    ),
    ("fulfilment", &["orders"], "a shipment is told to the channel by the order's id there"),
    ("listings", &["variant"], "a link to a variant that does not exist is refused in the same statement"),
    ("stock", &["location"], "an allocation asks our places in their order"),
];

fn host() -> Vec<Source> {
    read(&workspace().join("host/src"))
}

fn allowed(room: &str) -> Option<BTreeSet<&'static str>> {
    let row = MAY_USE.iter().find(|(rooms, _)| rooms.contains(&room))?;
    Some(row.1.iter().flat_map(|group| group.iter().copied()).collect())
}

fn known_rooms() -> BTreeSet<&'static str> {
    MAY_USE.iter().flat_map(|(rooms, _)| rooms.iter().copied()).collect()
}

/// Rooms that a file names, with the path as written.
fn uses(source: &Source) -> Vec<(String, Named)> {
    let rooms = known_rooms();
    let mut found: Vec<(String, Named)> = source
        .paths_within_crate()
        .into_iter()
        .filter_map(|named| Some((named.path.first().filter(|room| rooms.contains(room.as_str()))?.clone(), named)))
        .collect();
    // The cross-border crate is a room that was moved out so that it builds apart; its money is a leaf.
    for named in source.paths_of("entrepot_crossborder") {
        let room = if named.path.first().is_some_and(|first| first == "money") { "money" } else { "crossborder" };
        found.push((room.to_owned(), named));
    }
    found
}

fn is_type(named: &Named) -> bool {
    named.path.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn report(what: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{what}:\n  {}\n", broken.join("\n  "));
}

#[test]
fn every_room_is_on_the_map() {
    let mut broken = Vec::new();
    for source in host() {
        if source.module.is_empty() {
            continue;
        }
        if !known_rooms().contains(source.room()) {
            broken.push(format!("{}: the room `{}` is not in MAY_USE", source.file, source.room()));
        }
    }
    report("A new room needs a line in the tables of this test and in ARCHITECTURE.md", broken);
}

#[test]
fn rooms_call_only_whom_the_map_allows() {
    let mut broken = Vec::new();
    for source in host() {
        let room = if source.file == "main.rs" { "main" } else { source.room() };
        let Some(allowed) = allowed(room) else { continue };
        for (target, named) in uses(&source) {
            let exception = EXCEPTIONS.iter().any(|(from, to, _)| *from == room && *to == target);
            let model = SANDBOX.contains(&room) && MODELS.iter().any(|group| group.contains(&target.as_str())) && is_type(&named);
            if target != room && !allowed.contains(target.as_str()) && !exception && !model {
                broken.push(format!("{}:{}: `{room}` may not use `{}`", source.file, named.line, named.path.join("::")));
            }
        }
    }
    report("Edges that the map does not allow", broken);
}

#[test]
fn no_two_rooms_need_each_other() {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in host() {
        let room = source.room().to_owned();
        // The application builds everything and the edges are built by it: they are one knot on purpose.
        let knot = |name: &str| TOP.contains(&name) || EDGES.contains(&name);
        for (target, _) in uses(&source) {
            let exception = EXCEPTIONS.iter().any(|(from, to, _)| *from == room && *to == target);
            if target != room && !exception && !knot(&room) && !source.module.is_empty() {
                graph.entry(room.clone()).or_default().insert(target);
            }
        }
    }
    let mut broken = Vec::new();
    for start in graph.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = graph[start].iter().collect();
        while let Some(room) = next.pop() {
            if room == start {
                broken.push(format!("`{start}` reaches itself"));
                break;
            }
            if seen.insert(room) {
                next.extend(graph.get(room).into_iter().flatten());
            }
        }
    }
    report("Rooms that need each other cannot be understood one by one", broken);
}

#[test]
fn what_belongs_to_one_room_is_named_nowhere_else() {
    let mut broken = Vec::new();
    for source in host() {
        let room = if source.file == "main.rs" { "main" } else { source.room() };
        for (sequence, rooms, reason) in ONLY_IN {
            if !rooms.contains(&room) {
                let mut lines = source.lines_with(sequence);
                // Header maps and status codes are plain data.
                lines.retain(|line| *sequence != ["axum"] || !source.lines_with(&["axum", "::", "http"]).contains(line));
                broken.extend(lines.iter().map(|line| format!("{}:{line}: `{}`: {reason}", source.file, sequence.concat())));
            }
        }
        for name in NOT_IN_LEAVES.iter().filter(|_| LEAVES.contains(&room) && room != WAITS) {
            broken.extend(source.lines_with(&[name]).iter().map(|line| format!("{}:{line}: `{name}` in a leaf", source.file)));
        }
    }
    report("Things that only one room may name", broken);
}

#[test]
fn unsafe_code_lives_in_one_file() {
    let mut broken = Vec::new();
    let folders = ["host/src", "host/crossborder/src", "tests/simulators/src", "tests/src"];
    for source in folders.iter().flat_map(|folder| read(&workspace().join(folder))) {
        if !UNSAFE_FILES.contains(&source.file.as_str()) {
            broken.extend(source.lines_with(&["unsafe"]).iter().map(|line| format!("{}:{line}", source.file)));
        }
    }
    report(&format!("`unsafe` outside {UNSAFE_FILES:?}"), broken);
}

#[test]
fn no_float_comes_near_money_or_stock() {
    let mut broken = Vec::new();
    for folder in ["host/src", "host/crossborder/src"] {
        for source in read(&workspace().join(folder)) {
            if folder == "host/src" && FLOAT_ROOMS.contains(&source.room()) {
                continue;
            }
            let mut lines = source.float_literals();
            for name in ["f32", "f64", "as_f64", "to_f64", "from_f64", "is_f64"] {
                lines.extend(source.lines_with(&[name]));
            }
            broken.extend(lines.iter().map(|line| format!("{folder}/{}:{line}", source.file)));
        }
    }
    report("Floats; use minor units, an exact ratio, or basis points", broken);
}

#[test]
fn every_table_has_one_owner_and_its_sql_stays_there() {
    let owners =
        |table: &str| -> Vec<&str> { TABLES.iter().filter(|(_, tables)| tables.contains(&table)).map(|(room, _)| *room).collect() };
    let tables = tables_of_migrations();
    let mut broken: Vec<String> = tables
        .iter()
        .filter(|table| owners(table).is_empty())
        .map(|table| format!("migrations: the table `{table}` has no owner in TABLES"))
        .collect();
    for source in host() {
        let room = source.room();
        for (text, line) in source.strings().filter(|(text, _)| is_sql(text)) {
            for (verb, table) in statements(text).filter(|(_, table)| tables.contains(table)) {
                if !is_sql_file(&source) {
                    broken.push(format!("{}:{line}: SQL outside a `store` module", source.file));
                }
                let read = READS.iter().any(|(from, tables, _)| *from == room && tables.contains(&table.as_str()));
                let writes = ["INTO", "UPDATE", "DELETE"].contains(&verb);
                if !owners(&table).contains(&room) && (writes || !read) {
                    broken.push(format!("{}:{line}: `{room}` names the table `{table}` of `{}`", source.file, owners(&table).join("`, `")));
                }
            }
        }
    }
    report("SQL on another room's tables", broken);
}

fn tables_of_migrations() -> BTreeSet<String> {
    let folder = workspace().join("migrations/sqlite");
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let names = |text: String| -> Vec<String> {
        let rest = text.split("CREATE TABLE ").skip(1);
        rest.filter_map(|rest| rest.trim_start_matches("IF NOT EXISTS ").split([' ', '(']).next().map(str::to_owned)).collect()
    };
    texts.flat_map(names).collect()
}

/// Rooms with a second small store, under its own name.
const OTHER_STORES: &[&str] = &["secrets/vault.rs", "plugins/state.rs"];

/// A concept keeps its SQL in `store.rs` or below `store/`.
fn is_sql_file(source: &Source) -> bool {
    source.module.iter().any(|part| part == "store") || OTHER_STORES.contains(&source.file.as_str())
}

fn is_sql(text: &str) -> bool {
    ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "]
        .iter()
        .any(|verb| text.trim_start_matches(['"', 'r', '#', '\n', ' ', '(']).starts_with(verb))
}

/// Words behind FROM, JOIN, INTO, UPDATE; `DELETE FROM t` counts as DELETE.
fn statements(text: &str) -> impl Iterator<Item = (&'static str, String)> {
    let text = text.replace("\\n", " ").replace('\\', " ");
    let words: Vec<String> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut found = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let verb = match word.as_str() {
            "FROM" if i > 0 && words[i - 1] == "DELETE" => "DELETE",
            "FROM" => "FROM",
            "JOIN" => "JOIN",
            "INTO" => "INTO",
            // `DO UPDATE SET` and `FOR UPDATE` name no table.
            "UPDATE" if i == 0 || !["DO", "FOR"].contains(&words[i - 1].as_str()) => "UPDATE",
            _ => continue,
        };
        if let Some(table) = words.get(i + 1) {
            found.push((verb, table.clone()));
        }
    }
    found.into_iter()
}

#[test]
fn packages_depend_only_on_what_they_may_know() {
    // The hub's own package, as a dependency of a package that must not know it.
    let strangers = [
        "plugins/sdk",
        "plugins/documents",
        "plugins/woocommerce",
        "plugins/shopify",
        "plugins/vendure",
        "plugins/ecb",
        "plugins/openexchangerates",
        "tests/simulators",
        "host/crossborder",
    ];
    let mut broken = Vec::new();
    for folder in strangers {
        let text = std::fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap();
        if text.lines().any(|line| line.starts_with("entrepot.") || line.starts_with("entrepot =")) {
            broken.push(format!("{folder}/Cargo.toml depends on the hub"));
        }
    }
    report("Connectors, the kit, the simulators and the rule engine know nothing of the hub", broken);
}
