//! What runs in a simulated node, and how it is made to wait: the product's runner, with hands that stop before every step
//! until the simulation says go.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use entrepot::args;
use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{ConnectionId, Entropy, Ids, VariantId};
use entrepot::inbox::{self, Ending};
use entrepot::lanes::wake::Wake;
use entrepot::lanes::{self, Claim, Handler, HandlerError, Handlers, LaneKey, LaneKind, Limits, Outcome, Runner};
use entrepot::orders::{self, ChannelOrder, Origin};
use entrepot::secrets::Vault;
use entrepot::store::{Sql as _, Store, WriteTx};
use entrepot_tests::chance::Dice;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

/// For one step of a node, in the machine's time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Polls of a task after which it has seen what it was woken for.
const GLANCES: usize = 4;

/// What the simulation sees of all nodes, and what lies outside of the database.
pub struct World {
    pub dice: Dice,
    pub vault: Vault,
    pub connections: Vec<ConnectionId>,
    pub variants: BTreeMap<String, VariantId>,
    /// False: hands commit without asking whether they still hold their lane.
    pub fenced: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    nodes: Vec<Rest>,
    parked: Vec<Parked>,
    /// The channels do as they are asked from now on.
    calm: bool,
    /// The last run of each lane, and how many there were.
    begun: HashMap<String, u64>,
    runs: u64,
    shown: BTreeMap<(ConnectionId, VariantId), (i64, i64)>,
    polls: u64,
    wrong: Vec<String>,
    trace: Vec<String>,
}

/// A node is at rest when its runner waits for something to do and each of its hands waits for its turn.
#[derive(Default)]
struct Rest {
    waits: bool,
    hands: usize,
    ending: usize,
}

struct Parked {
    node: usize,
    lane: String,
    go: oneshot::Sender<()>,
}

impl World {
    pub fn new(dice: Dice, vault: Vault, connections: Vec<ConnectionId>, variants: BTreeMap<String, VariantId>, fenced: bool) -> Self {
        Self { dice, vault, connections, variants, fenced, state: Mutex::default(), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_waiters();
        result
    }

    pub fn note(&self, what: impl Into<String>) {
        self.state().trace.push(what.into());
    }

    pub fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    pub fn calm_down(&self) {
        self.state().calm = true;
    }

    pub fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    pub fn polls(&self) -> u64 {
        self.state().polls
    }

    pub fn shown(&self, connection: &ConnectionId, variant: &VariantId) -> Option<i64> {
        self.state().shown.get(&(connection.clone(), variant.clone())).map(|(_, units)| *units)
    }

    /// Hands that wait for their turn, of these nodes.
    pub fn parked(&self, of: impl Fn(usize) -> bool) -> usize {
        self.state().parked.iter().filter(|parked| of(parked.node)).count()
    }

    /// Lets one hand of these nodes, any of them, go on; returns its node.
    pub fn release(&self, of: impl Fn(usize) -> bool) -> Option<usize> {
        let mut state = self.state();
        // Hands of one node may come to wait in any order, because their reads run beside each other.
        state.parked.sort_by(|one, other| (one.node, &one.lane).cmp(&(other.node, &other.lane)));
        let those: Vec<usize> = state.parked.iter().enumerate().filter(|(_, parked)| of(parked.node)).map(|(at, _)| at).collect();
        if those.is_empty() {
            return None;
        }
        let parked = state.parked.remove(those[self.dice.below(those.len() as u64) as usize]);
        state.nodes[parked.node].hands += 1;
        let _ = parked.go.send(());
        Some(parked.node)
    }

    fn is_at_rest(&self, node: usize) -> bool {
        let rest = &self.state().nodes[node];
        rest.waits && rest.hands == 0 && rest.ending == 0
    }

    async fn turn(&self, node: usize, claim: &Claim) {
        let (go, gone) = oneshot::channel();
        self.change(|state| {
            state.parked.push(Parked { node, lane: claim.key().id(), go });
            state.nodes[node].hands -= 1;
        });
        let _ = gone.await;
    }

    fn fault(&self, one_in: u64) -> bool {
        !self.state().calm && self.dice.below(one_in) == 0
    }

    /// Returns the number of this run. Epochs do not tell: a lane that was done and removed begins anew with the first.
    fn begins(&self, claim: &Claim) -> u64 {
        let lane = claim.key().id();
        let mut state = self.state();
        state.runs += 1;
        let run = state.runs;
        state.trace.push(format!("{lane} begins in epoch {}, run {run}", claim.epoch()));
        state.begun.insert(lane, run);
        run
    }

    /// A unit of work of this run is durable. No later run of its lane may have begun by then.
    fn committed(&self, claim: &Claim, run: u64) {
        let lane = claim.key().id();
        let mut state = self.state();
        let newest = state.begun.get(&lane).copied().unwrap_or_default();
        if run < newest {
            state.wrong.push(format!("{lane}: run {run} committed after {newest} had begun"));
        }
    }

    /// Channels take what is newer than what they have.
    fn tell(&self, connection: &ConnectionId, units: &[(VariantId, i64, i64)]) {
        let mut state = self.state();
        for (variant, version, units) in units {
            let shown = state.shown.entry((connection.clone(), variant.clone())).or_insert((0, 0));
            if *version >= shown.0 {
                *shown = (*version, *units);
            }
        }
    }
}

/// One node of the cluster.
pub struct Node {
    pub number: usize,
    pub frozen: bool,
    pub clock: Clock,
    world: Arc<World>,
    bell: watch::Sender<u64>,
    stop: oneshot::Sender<()>,
    main: JoinHandle<()>,
}

impl Node {
    pub fn start(world: &Arc<World>, store: Store, seed: u64, now_ms: i64) -> Self {
        let number = world.change(|state| {
            state.nodes.push(Rest::default());
            state.nodes.len() - 1
        });
        let clock = Clock::manual(now_ms);
        let ids = Ids::new(clock.clone(), Entropy::seeded(seed * 1_000 + number as u64));
        let ctx = Ctx { tenant: Tenant::main(), clock: clock.clone(), ids, actor: format!("node {number}") };
        let hand = Hand { world: world.clone(), node: number, store: store.clone() };
        let handlers = [LaneKind::Inbound, LaneKind::Push, LaneKind::Poll].into_iter();
        let handlers = handlers.fold(Handlers::new(), |handlers, kind| handlers.with(kind, hand.clone()));
        let (bell, heard) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let wake = Box::new(Nudge { world: world.clone(), node: number, bell: heard });
        let runner = Runner::new(store, ctx, handlers, Limits::default().at_most(6));
        let main = tokio::spawn(runner.run(wake, async move { drop(stopped.await) }));
        Self { number, frozen: false, clock, world: world.clone(), bell, stop, main }
    }

    pub fn nudge(&self) {
        self.world.change(|state| state.nodes[self.number].waits = false);
        self.bell.send_modify(|rings| *rings += 1);
    }

    pub async fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        for _ in 0..GLANCES {
            tokio::task::yield_now().await;
        }
        self.rest().await;
    }

    /// Returns when it can do nothing more by itself.
    pub async fn rest(&self) {
        let rested = async {
            loop {
                let mut changed = std::pin::pin!(self.world.changed.notified());
                changed.as_mut().enable();
                if self.world.is_at_rest(self.number) {
                    return;
                }
                changed.await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, rested).await.is_ok(), "node {} does not come to rest", self.number);
    }

    /// The process is gone: whatever it did is cut off where it stands.
    pub async fn die(self) {
        self.main.abort();
        let _ = self.main.await;
        self.world.change(|state| state.parked.retain(|parked| parked.node != self.number));
    }

    /// It is asked to stop, and does what it can in its time of grace.
    pub async fn leave(self) {
        let _ = self.stop.send(());
        for _ in 0..GLANCES {
            tokio::task::yield_now().await;
        }
        self.clock.advance(25_000);
        assert!(tokio::time::timeout(PATIENCE, self.main).await.is_ok(), "node {} does not stop", self.number);
        self.world.change(|state| state.parked.retain(|parked| parked.node != self.number));
    }
}

/// Wakes a runner when the simulation says so, and shows when it waits.
struct Nudge {
    world: Arc<World>,
    node: usize,
    bell: watch::Receiver<u64>,
}

struct Resting<'a>(&'a World, usize);

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.nodes[self.1].waits = false);
    }
}

impl Wake for Nudge {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // A runner that waits again has taken note of every hand that ended.
            self.world.change(|state| (state.nodes[self.node].waits, state.nodes[self.node].ending) = (true, 0));
            let _resting = Resting(&self.world, self.node);
            let _ = self.bell.changed().await;
        })
    }
}

/// Does the work of a lane, one step a turn.
#[derive(Clone)]
struct Hand {
    world: Arc<World>,
    node: usize,
    store: Store,
}

struct AtWork<'a>(&'a World, usize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.change(|state| {
            let rest = &mut state.nodes[self.1];
            // One that is cut off while it waits for its turn has not gone back to work.
            rest.hands = rest.hands.saturating_sub(1);
            rest.ending += 1;
        });
    }
}

impl Handler for Hand {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>> {
        Box::pin(async move {
            self.world.change(|state| state.nodes[self.node].hands += 1);
            let _at_work = AtWork(&self.world, self.node);
            let run = self.world.begins(claim);
            match claim.key().kind {
                LaneKind::Inbound => self.take_in(ctx, claim, run).await,
                LaneKind::Push => self.tell(ctx, claim, run).await,
                _ => self.poll(ctx, claim, run).await,
            }
        })
    }
}

fn failed(error: impl std::error::Error + 'static) -> HandlerError {
    if entrepot::store::is_contended(&error) { HandlerError::Contended } else { HandlerError::failed(entrepot::store::chain(&error)) }
}

async fn fence(tx: &mut WriteTx, world: &Arc<World>, claim: &Claim, run: u64) -> Result<(), HandlerError> {
    if world.fenced {
        lanes::fence(tx, claim).await?;
    }
    let (world, claim) = (world.clone(), claim.clone());
    tx.after_commit(move || world.committed(&claim, run));
    Ok(())
}

impl Hand {
    /// Stores the orders that wait on the lane; what follows from them is due.
    async fn take_in(&self, ctx: &Ctx, claim: &Claim, run: u64) -> Result<(), HandlerError> {
        let world = &self.world;
        let waiting = inbox::waiting(&mut self.store.read().await?, ctx, &world.vault, claim.key()).await.map_err(failed)?;
        world.turn(self.node, claim).await;
        let at_once = world.dice.below(2) == 0;
        let (w, c, owned) = (world.clone(), claim.clone(), ctx.clone());
        let stored = self.store.write(move |tx| {
            Box::pin(async move {
                fence(tx, &w, &c, run).await?;
                let connection = c.connection().unwrap().clone();
                for delivery in waiting {
                    let order: ChannelOrder = serde_json::from_slice(&delivery.body).unwrap();
                    let sold = order.lines.iter().map(|line| (line.external_id.clone(), w.variants[line.sku.as_ref().unwrap()].clone()));
                    let sold: orders::Resolution = sold.collect();
                    let names = std::collections::BTreeSet::from([order.external_id.as_str()]);
                    orders::claim(tx, &owned, &connection, &names, sold.values().cloned().collect()).await.map_err(failed)?;
                    let origin = Origin { connection: connection.clone(), since_at: 0, authoritative: false };
                    orders::ingest(tx, &owned, &w.vault, &origin, &order, &sold).await.map_err(failed)?;
                    inbox::end(tx, &owned, &delivery.id, &Ending::Done).await.map_err(failed)?;
                }
                let told: Vec<LaneKey> = w.connections.iter().map(push_lane).collect();
                lanes::make_due_many(tx, &owned, &told, owned.now_ms()).await?;
                if at_once {
                    lanes::finish(tx, &owned, &c, Outcome::Done).await?;
                }
                Ok::<_, HandlerError>(())
            })
        });
        stored.await?;
        world.turn(self.node, claim).await;
        if at_once { Ok(()) } else { self.finish(ctx, claim, run).await }
    }

    /// Tells a channel what there is to sell.
    async fn tell(&self, ctx: &Ctx, claim: &Claim, run: u64) -> Result<(), HandlerError> {
        let world = &self.world;
        let sql = "SELECT variant, version, on_hand - reserved FROM stock WHERE tenant = $1 ORDER BY variant";
        let rows = self.store.read().await?.fetch_all(sql, args![&ctx.tenant]).await?;
        let read = |row: &entrepot::store::Row| Ok::<_, entrepot::store::Error>((row.get(0)?, row.get(1)?, row.get(2)?));
        let units: Vec<(VariantId, i64, i64)> = rows.iter().map(read).collect::<Result<_, _>>()?;
        world.turn(self.node, claim).await;
        let (w, c) = (world.clone(), claim.clone());
        self.store.write(move |tx| Box::pin(async move { fence(tx, &w, &c, run).await })).await?;
        world.turn(self.node, claim).await;
        if world.fault(6) {
            return Err(HandlerError::Away { reason: "nobody answers".into(), retry_after_ms: None });
        }
        world.tell(claim.connection().unwrap(), &units);
        if world.fault(6) {
            return Err(HandlerError::failed("it was sent, and no answer came"));
        }
        world.turn(self.node, claim).await;
        self.finish(ctx, claim, run).await
    }

    /// What a schedule asks for.
    async fn poll(&self, ctx: &Ctx, claim: &Claim, run: u64) -> Result<(), HandlerError> {
        self.world.turn(self.node, claim).await;
        let (world, c, owned) = (self.world.clone(), claim.clone(), ctx.clone());
        let ended = self.store.write(move |tx| {
            Box::pin(async move {
                fence(tx, &world, &c, run).await?;
                lanes::finish(tx, &owned, &c, Outcome::Done).await?;
                tx.after_commit(move || world.state().polls += 1);
                Ok(())
            })
        });
        ended.await
    }

    async fn finish(&self, ctx: &Ctx, claim: &Claim, run: u64) -> Result<(), HandlerError> {
        let (world, c, owned) = (self.world.clone(), claim.clone(), ctx.clone());
        let ended = self.store.write(move |tx| {
            Box::pin(async move {
                fence(tx, &world, &c, run).await?;
                Ok::<_, HandlerError>(lanes::finish(tx, &owned, &c, Outcome::Done).await?)
            })
        });
        ended.await
    }
}

pub fn push_lane(connection: &ConnectionId) -> LaneKey {
    LaneKey::new(LaneKind::Push, connection, "stock")
}
