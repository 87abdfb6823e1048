//! Taking kits apart. Pure.

use std::collections::BTreeMap;

use crate::id::VariantId;

/// One line of what a kit is made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub component: VariantId,
    pub quantity: i64,
}

/// Units of each counted variant in one kit.
pub type Recipe = BTreeMap<VariantId, i64>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// From the kit back to itself.
    Circle(Vec<VariantId>),
    TooMany {
        component: VariantId,
    },
}

/// Most units of one component in a kit of kits.
const MOST: i64 = 1_000_000_000;

/// `edges`: what each kit is directly made of. A component that is reached on several ways counts on each of them.
pub(super) fn take_apart(edges: &BTreeMap<VariantId, Vec<Part>>, kit: &VariantId) -> Result<Recipe, Fault> {
    let mut known = BTreeMap::new();
    below(edges, kit, &mut Vec::new(), &mut known)?;
    Ok(known.remove(kit).unwrap_or_default())
}

/// Each kit is taken apart once, however often it is contained.
fn below(
    edges: &BTreeMap<VariantId, Vec<Part>>,
    kit: &VariantId,
    path: &mut Vec<VariantId>,
    known: &mut BTreeMap<VariantId, Recipe>,
) -> Result<(), Fault> {
    if known.contains_key(kit) {
        return Ok(());
    }
    if let Some(begin) = path.iter().position(|above| above == kit) {
        let circle = path[begin..].iter().chain([kit]).cloned().collect();
        return Err(Fault::Circle(circle));
    }
    path.push(kit.clone());
    let mut recipe = Recipe::new();
    for part in edges.get(kit).into_iter().flatten() {
        let inner = match edges.get(&part.component).is_some_and(|parts| !parts.is_empty()) {
            false => Recipe::from([(part.component.clone(), 1)]),
            true => {
                below(edges, &part.component, path, known)?;
                known[&part.component].clone()
            }
        };
        for (component, units) in inner {
            let sum = recipe.entry(component.clone()).or_insert(0i64);
            let more = units.checked_mul(part.quantity).and_then(|more| sum.checked_add(more)).filter(|sum| *sum <= MOST);
            *sum = more.ok_or(Fault::TooMany { component })?;
        }
    }
    path.pop();
    known.insert(kit.clone(), recipe);
    Ok(())
}
