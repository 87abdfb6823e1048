//! Resolves the API's fields. A [`Thing`] is an object with identity, read from the books each time it is asked; everything
//! else is a value that was written down as JSON. Which field has which type comes from the schema alone.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::server::lock;
use crate::shopify::page::{Connection, Row, WHOLE};
use crate::shopify::shop::Inner;
use crate::shopify::state::State;
use crate::shopify::thing::{Thing, facts_of};
use crate::shopify::{links, lists, mutations};

/// One request being answered.
pub(crate) struct Ctx<'c> {
    pub(crate) inner: &'c Inner,
    pub(crate) now: i64,
    /// Idempotency keys by the name each mutation answers under.
    pub(crate) keys: &'c BTreeMap<String, String>,
    /// The keys among them that this request, and no other, works on.
    pub(crate) begun: &'c BTreeSet<String>,
    pub(crate) fault: Option<Fault>,
    /// Search fields that were ignored.
    pub(crate) warnings: RefCell<Vec<Value>>,
    /// Lists are answered whole, whatever size was asked for: it is a bulk operation.
    pub(crate) whole_lists: bool,
}

impl Ctx<'_> {
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.inner.state))
    }

    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut lock(&self.inner.state))
    }
}

/// What a field resolves to, before the schema says how to show it.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    Value(Value),
    One(Thing),
    Many(Vec<Slot>),
    Page(Connection),
    Payload(&'static str, Vec<(&'static str, Slot)>),
}

impl Slot {
    pub(crate) fn null() -> Self {
        Self::Value(Value::Null)
    }

    pub(crate) fn maybe(thing: Option<Thing>) -> Self {
        thing.map_or_else(Self::null, Self::One)
    }
}

pub(crate) fn error(message: impl Into<String>) -> FieldError {
    FieldError { message: message.into() }
}

enum Kind {
    Thing(Thing),
    Plain(String, Map<String, Value>),
    Connection(String, Connection),
    Edge(String, Row),
    Payload(&'static str, Vec<(&'static str, Slot)>),
}

pub(crate) struct Node<'c> {
    ctx: &'c Ctx<'c>,
    kind: Kind,
    /// Plain facts of a thing, written down once for all fields that are asked for.
    facts: OnceCell<Value>,
}

impl<'c> Node<'c> {
    pub(crate) fn root(ctx: &'c Ctx<'c>, thing: Thing) -> Self {
        Self::of(ctx, Kind::Thing(thing))
    }

    fn of(ctx: &'c Ctx<'c>, kind: Kind) -> Self {
        Self { ctx, kind, facts: OnceCell::new() }
    }

    fn show<'a>(&'a self, slot: Slot, info: &ResolveInfo<'_>) -> ResolvedValue<'a>
    where
        'c: 'a,
    {
        let named = info.field_definition().ty.inner_named_type();
        let composite =
            matches!(info.schema().types.get(named), Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_)));
        show(self.ctx, slot, named.as_str(), composite)
    }
}

fn show<'a>(ctx: &'a Ctx<'a>, slot: Slot, named: &str, composite: bool) -> ResolvedValue<'a> {
    let node = |kind: Kind| ResolvedValue::object(Node::of(ctx, kind));
    match slot {
        Slot::One(thing) => node(Kind::Thing(thing)),
        Slot::Page(connection) => node(Kind::Connection(named.to_owned(), connection)),
        Slot::Payload(name, fields) => node(Kind::Payload(name, fields)),
        Slot::Many(slots) => {
            let shown: Vec<_> = slots.into_iter().map(|slot| show(ctx, slot, named, composite)).collect();
            ResolvedValue::list(shown)
        }
        Slot::Value(Value::Array(values)) => {
            let shown: Vec<_> = values.into_iter().map(|value| show(ctx, Slot::Value(value), named, composite)).collect();
            ResolvedValue::list(shown)
        }
        Slot::Value(Value::Object(map)) if composite => {
            let name = map.get("__typename").and_then(Value::as_str).unwrap_or(named).to_owned();
            node(Kind::Plain(name, map))
        }
        Slot::Value(value) => ResolvedValue::leaf(value),
    }
}

impl ObjectValue for Node<'_> {
    fn type_name(&self) -> &str {
        match &self.kind {
            Kind::Thing(thing) => thing.type_name(),
            Kind::Plain(name, _) | Kind::Connection(name, _) | Kind::Edge(name, _) => name,
            Kind::Payload(name, _) => name,
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let name = info.field_name();
        let slot = match &self.kind {
            Kind::Thing(thing) => resolve(self.ctx, *thing, info, &self.facts)?,
            Kind::Plain(_, map) => Slot::Value(map.get(name).cloned().ok_or_else(|| self.unknown_field_error(info))?),
            Kind::Connection(_, connection) => match name {
                "nodes" => Slot::Many(connection.rows.iter().map(|row| row.slot.clone()).collect()),
                "pageInfo" => Slot::Value(connection.info()),
                _ => {
                    let edge = info.field_definition().ty.inner_named_type().to_string();
                    let node = |row: &Row| {
                        let kind = Kind::Edge(edge.clone(), row.clone());
                        ResolvedValue::object(Node::of(self.ctx, kind))
                    };
                    let edges: Vec<_> = connection.rows.iter().map(node).collect();
                    return Ok(ResolvedValue::list(edges));
                }
            },
            Kind::Edge(_, row) => match name {
                "cursor" => Slot::Value(json!(row.cursor())),
                _ => row.slot.clone(),
            },
            Kind::Payload(_, fields) => {
                let found = fields.iter().find(|(known, _)| *known == name).map(|(_, slot)| slot.clone());
                found.ok_or_else(|| self.unknown_field_error(info))?
            }
        };
        Ok(self.show(slot, info))
    }
}

/// Arguments as ordinary JSON.
pub(crate) fn arguments(info: &ResolveInfo<'_>) -> Value {
    serde_json::to_value(info.arguments()).unwrap_or(Value::Null)
}

fn resolve(ctx: &Ctx<'_>, thing: Thing, info: &ResolveInfo<'_>, facts: &OnceCell<Value>) -> Result<Slot, FieldError> {
    let mut args = arguments(info);
    if ctx.whole_lists
        && let Value::Object(args) = &mut args
    {
        args.insert(WHOLE.to_owned(), Value::Bool(true));
    }
    match thing {
        Thing::Query => return lists::query(ctx, info.field_name(), &args),
        Thing::Mutation => return mutations::run(ctx, info, &args),
        _ => {}
    }
    if let Some(slot) = ctx.read(|state| links::link(state, thing, info.field_name(), &args))? {
        return Ok(slot);
    }
    let facts = facts.get_or_init(|| ctx.read(|state| facts_of(ctx, state, thing)));
    let found = facts.get(info.field_name()).cloned();
    let missing = || error(format!("{} has no {}", thing.type_name(), info.field_name()));
    Ok(Slot::Value(found.ok_or_else(missing)?))
}
