//! Bulk operations: a query that the shop carries out by itself, and the file of JSON lines that it makes of the answer.
//!
//! What is allowed, how many run at once, how children are told apart and how the file is given out follows the guide "Perform
//! bulk operations with the GraphQL Admin API" and the schema of 2026-10. The shop takes its picture when the operation is
//! started and shows it when the time it needs is over.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::{Field, Selection, SelectionSet};
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::clock::zulu;
use crate::server::lock;
use crate::shopify::api::schema;
use crate::shopify::facts::{gid, number};
use crate::shopify::graph::{Ctx, Node, Slot};
use crate::shopify::mutations::{UserError, text, user_errors};
use crate::shopify::thing::Thing;

/// Bulk queries of one app at a time, from version 2026-01 on.
const AT_ONCE: usize = 5;
const MOST_CONNECTIONS: usize = 5;
/// Connections within connections.
const MOST_NESTED: usize = 2;
const CREATED_FOR_MS: i64 = 1_000;
const CANCELING_FOR_MS: i64 = 1_000;
const FILE_KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Without grouping, so many objects come before the first one's children.
const UNGROUPED: usize = 50;

pub(crate) struct Export {
    pub(crate) id: i64,
    query: String,
    created_at: i64,
    ready_at: i64,
    canceled_at: Option<i64>,
    fails: Option<&'static str>,
    /// Unguessable name of the file.
    pub(crate) file: String,
    pub(crate) signature: String,
    pub(crate) lines: Bytes,
    /// The store does not have the file any more, whatever the shop says.
    pub(crate) lost: bool,
    pub(crate) expires_at: i64,
    objects: usize,
    roots: usize,
}

impl Export {
    pub(crate) fn status(&self, now: i64) -> &'static str {
        match self.canceled_at {
            Some(at) if now < at + CANCELING_FOR_MS => return "CANCELING",
            Some(_) => return "CANCELED",
            None => {}
        }
        match now {
            _ if now < self.created_at + CREATED_FOR_MS => "CREATED",
            _ if now < self.ready_at => "RUNNING",
            _ if self.fails.is_some() => "FAILED",
            _ if now >= self.expires_at => "EXPIRED",
            _ => "COMPLETED",
        }
    }

    fn is_active(&self, now: i64) -> bool {
        matches!(self.status(now), "CREATED" | "RUNNING" | "CANCELING")
    }

    pub(crate) fn facts(&self, origin: &str, now: i64) -> Value {
        let status = self.status(now);
        let counted = |all: usize| {
            let all = i64::try_from(all).unwrap_or(i64::MAX);
            let (gone, needed) = ((now - self.created_at).max(0), (self.ready_at - self.created_at).max(1));
            let seen = if status == "COMPLETED" { all } else { all.saturating_mul(gone.min(needed)) / needed };
            seen.to_string()
        };
        let done = status == "COMPLETED";
        let url = (done && !self.lines.is_empty()).then(|| self.url(origin));
        json!({
            "id": gid("BulkOperation", self.id), "status": status, "type": "QUERY", "query": self.query,
            "createdAt": zulu(self.created_at), "completedAt": if done { json!(zulu(self.ready_at)) } else { Value::Null },
            "errorCode": if status == "FAILED" { json!(self.fails) } else { Value::Null },
            "objectCount": counted(self.objects), "rootObjectCount": counted(self.roots), "partialDataUrl": null,
            "fileSize": url.as_ref().map(|_| self.lines.len().to_string()), "url": url,
        })
    }

    /// Signed, as the store behind the shop gives them out.
    fn url(&self, origin: &str) -> String {
        let name = format!("bulk-{}.jsonl", self.id);
        format!(
            "{origin}/admin/bulk-operation-outputs/{}-final?GoogleAccessId=assets%40simulated.example&Expires={}&Signature={}\
             &response-content-disposition=attachment%3B+filename%3D%22{name}%22&response-content-type=application%2Fjsonl",
            self.file,
            self.expires_at.div_euclid(1000),
            self.signature
        )
    }
}

pub(crate) fn run(ctx: &Ctx<'_>, args: &Value) -> Slot {
    let answer = |slot: Slot, errors: &[UserError]| {
        Slot::Payload("BulkOperationRunQueryPayload", vec![("bulkOperation", slot), ("userErrors", user_errors(errors))])
    };
    let active = ctx.read(|state| state.exports.values().filter(|export| export.is_active(ctx.now)).count());
    if active >= AT_ONCE {
        let error = UserError::coded("LIMIT_REACHED", &[], "Bulk operations limit reached. Please try again later.");
        return answer(Slot::null(), &[error]);
    }
    let query = text(args, "query").unwrap_or_default();
    let rendered = match render(ctx, query, args["groupObjects"].as_bool().unwrap_or_default()) {
        Ok(rendered) => rendered,
        Err(message) => return answer(Slot::null(), &[UserError::coded("INVALID", &["query"], message)]),
    };
    let (file, signature) = {
        let mut dice = lock(&ctx.inner.front.dice);
        (dice.hex(28), dice.hex(64))
    };
    let ready_at = ctx.now + ctx.inner.config.export_ms;
    let id = ctx.write(|state| {
        let id = state.next_id();
        let fails = state.export_failures.pop_front();
        let export = Export {
            id,
            query: query.to_owned(),
            created_at: ctx.now,
            ready_at,
            canceled_at: None,
            fails,
            file,
            signature,
            lines: rendered.lines,
            lost: false,
            expires_at: ready_at + FILE_KEPT_MS,
            objects: rendered.objects,
            roots: rendered.roots,
        };
        state.exports.insert(id, export);
        id
    });
    answer(Slot::One(Thing::Export(id)), &[])
}

pub(crate) fn cancel(ctx: &Ctx<'_>, args: &Value) -> Slot {
    let id = text(args, "id").and_then(|id| number(id, "BulkOperation"));
    let canceled = ctx.write(|state| {
        let export = id.and_then(|id| state.exports.get_mut(&id))?;
        if export.is_active(ctx.now) {
            export.canceled_at.get_or_insert(ctx.now);
        }
        Some(export.id)
    });
    let errors = match canceled {
        Some(_) => Vec::new(),
        None => vec![UserError::new(&["id"], "Bulk operation does not exist")],
    };
    // This one's errors have no code.
    let shown = errors.iter().map(|error| json!({ "field": error.field, "message": error.message })).collect();
    Slot::Payload(
        "BulkOperationCancelPayload",
        vec![("bulkOperation", Slot::maybe(canceled.map(Thing::Export))), ("userErrors", Slot::Value(shown))],
    )
}

struct Rendered {
    lines: Bytes,
    objects: usize,
    roots: usize,
}

fn render(ctx: &Ctx<'_>, query: &str, grouped: bool) -> Result<Rendered, String> {
    let schema = schema().ok_or("the simulator's schema does not parse")?;
    let document = ExecutableDocument::parse_and_validate(schema, query, "bulk").map_err(|wrong| {
        let found: Vec<String> = wrong.errors.iter().map(|diagnostic| diagnostic.to_json().message).collect();
        format!("Invalid bulk query: {}", found.join("; "))
    })?;
    let operation = document.operations.get(None).map_err(|_| "Invalid bulk query: one operation is expected".to_owned())?;
    if !operation.is_query() {
        return Err("Invalid bulk query: only queries can be run".to_owned());
    }
    check(&document, &operation.selection_set)?;
    let variables = apollo_compiler::request::coerce_variable_values(schema, operation, &JsonMap::new())
        .map_err(|_| "Invalid bulk query: variables cannot be given".to_owned())?;
    let (keys, begun) = (BTreeMap::new(), BTreeSet::new());
    let whole =
        Ctx { inner: ctx.inner, now: ctx.now, keys: &keys, begun: &begun, fault: None, warnings: RefCell::default(), whole_lists: true };
    let root = Node::root(&whole, Thing::Query);
    let executed = Execution::new(schema, &document)
        .operation(operation)
        .coerced_variable_values(&variables)
        .execute_sync(&root)
        .map_err(|_| "Invalid bulk query: it cannot be executed".to_owned())?;
    let Ok(Value::Object(mut data)) = serde_json::to_value(&executed.data) else { return Err("the query has no answer".to_owned()) };
    let roots = children(&document, &operation.selection_set, &mut data);
    let mut file = File::default();
    file.add(&roots, None, if grouped { 1 } else { UNGROUPED });
    Ok(Rendered { lines: Bytes::from(file.text), objects: file.objects, roots: roots.len() })
}

/// The fields of a selection, those of its fragments among them.
fn fields<'d>(document: &'d ExecutableDocument, set: &'d SelectionSet) -> Vec<&'d Field> {
    let below = |selection: &'d Selection| match selection {
        Selection::Field(field) => vec![field.as_ref()],
        Selection::InlineFragment(inline) => fields(document, &inline.selection_set),
        Selection::FragmentSpread(spread) => {
            document.fragments.get(&spread.fragment_name).map(|fragment| fields(document, &fragment.selection_set)).unwrap_or_default()
        }
    };
    set.selections.iter().flat_map(below).collect()
}

fn is_connection(field: &Field) -> bool {
    field.ty().inner_named_type().ends_with("Connection")
}

fn check(document: &ExecutableDocument, set: &SelectionSet) -> Result<(), String> {
    let roots = fields(document, set);
    if let Some(forbidden) = roots.iter().find(|field| matches!(field.name.as_str(), "node" | "nodes")) {
        return Err(format!("Bulk queries cannot use the top-level `{}` field.", forbidden.name));
    }
    if roots.len() != 1 {
        return Err("Bulk queries must have a single top-level field.".to_owned());
    }
    let mut connections = Vec::new();
    depths(document, set, 0, &mut connections);
    match (connections.len(), connections.iter().max()) {
        (0, _) => Err("Bulk queries must contain at least one connection.".to_owned()),
        (count, _) if count > MOST_CONNECTIONS => Err(format!("Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")),
        (_, Some(depth)) if *depth > MOST_NESTED => {
            Err(format!("Bulk queries cannot contain connections with a nesting depth greater than {MOST_NESTED}."))
        }
        _ => Ok(()),
    }
}

/// How deep each connection lies within others.
fn depths(document: &ExecutableDocument, set: &SelectionSet, depth: usize, found: &mut Vec<usize>) {
    for field in fields(document, set) {
        let inside = is_connection(field);
        if inside {
            found.push(depth);
        }
        depths(document, &field.selection_set, depth + usize::from(inside), found);
    }
}

/// A line, and the lines of the connections in it.
struct Line {
    object: Map<String, Value>,
    below: Vec<Line>,
}

/// Takes the connections out of an object; what was in them becomes lines.
fn children(document: &ExecutableDocument, set: &SelectionSet, object: &mut Map<String, Value>) -> Vec<Line> {
    let mut lines = Vec::new();
    for field in fields(document, set) {
        let key = field.response_key().as_str();
        if is_connection(field) {
            let found = object.remove(key).unwrap_or_default();
            for part in fields(document, &field.selection_set) {
                let listed = found.get(part.response_key().as_str()).and_then(Value::as_array).cloned().unwrap_or_default();
                match part.name.as_str() {
                    "nodes" => lines.extend(listed.into_iter().filter_map(|node| line(document, &part.selection_set, node))),
                    "edges" => {
                        for node in fields(document, &part.selection_set).into_iter().filter(|field| field.name == "node") {
                            let nodes = listed.iter().filter_map(|edge| edge.get(node.response_key().as_str())).cloned();
                            lines.extend(nodes.filter_map(|found| line(document, &node.selection_set, found)));
                        }
                    }
                    _ => {}
                }
            }
            continue;
        }
        match object.get_mut(key) {
            Some(Value::Object(inner)) => lines.extend(children(document, &field.selection_set, inner)),
            Some(Value::Array(items)) => {
                let inner = items.iter_mut().filter_map(Value::as_object_mut);
                lines.extend(inner.flat_map(|inner| children(document, &field.selection_set, inner)));
            }
            _ => {}
        }
    }
    lines
}

fn line(document: &ExecutableDocument, set: &SelectionSet, node: Value) -> Option<Line> {
    let Value::Object(mut object) = node else { return None };
    let below = children(document, set, &mut object);
    Some(Line { object, below })
}

#[derive(Default)]
struct File {
    text: String,
    objects: usize,
}

impl File {
    /// So many lines of one level, then what is below them, and so on. The order of each level is kept.
    fn add(&mut self, lines: &[Line], parent: Option<&Value>, at_once: usize) {
        for lines in lines.chunks(at_once) {
            for line in lines {
                let mut object = line.object.clone();
                object.extend(parent.map(|id| ("__parentId".to_owned(), id.clone())));
                // Slashes are escaped, as in everything that the shop writes.
                self.text.push_str(&Value::Object(object).to_string().replace('/', "\\/"));
                self.text.push('\n');
                self.objects += 1;
            }
            for line in lines {
                self.add(&line.below, line.object.get("id"), at_once);
            }
        }
    }
}
