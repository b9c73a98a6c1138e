//! Who is let in: how many connections a program has, and how many bytes they hold together.
//!
//! What one connection may cost is the business of [`ConnectionLimits`](crate::ConnectionLimits); this is about many. A program
//! that listens asks its gate about every socket, and gives the pass that it gets to the connection.

mod bars;

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{PeerError, Runtime, gate::bars::Bars, ready::Ready, runtime::default_runtime};

/// How much all connections of a program may be and hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateLimits {
    /// How many connections there may be. Those beyond are turned away. Default: 1024.
    pub connections: usize,
    /// How many of them from one address; of IPv6, from one network of 64 bits. Those beyond are turned away. Connections of this
    /// machine with itself don't count. Default: 32.
    pub per_address: usize,
    /// How many may be in the middle of their handshake. When there is one more, the oldest of them has to go: whoever is
    /// honest needs no more than a few round trips. Default: 256.
    pub strangers: usize,
    /// How many bytes may wait in all connections, to be looked at or to be sent. Beyond them connections have to go, those first
    /// that have held much for long, and none that holds less than 64 KiB. Default: 64 MiB.
    pub held: usize,
    /// For how long an address, or network as above, is turned away from which something came that doesn't verify
    /// ([`PeerError::Verification`]). This machine itself is not. Zero: not at all. Default: 10 minutes.
    pub bar: Duration,
}

impl Default for GateLimits {
    fn default() -> Self {
        GateLimits {
            connections: 1024,
            per_address: 32,
            strangers: 256,
            held: 64 * 1024 * 1024,
            bar: Duration::from_secs(600),
        }
    }
}

/// So many bytes a connection may hold without anybody minding.
const ALLOWANCE: usize = 64 * 1024;

/// The gate of a program that listens. Cheap to clone.
///
/// ```
/// use async_std::{net::{TcpListener, TcpStream}, task};
/// use hypercore::{Gate, GateLimits, Hypercore, Role, Storage};
///
/// # task::block_on(async {
/// let feed = Hypercore::open(Storage::memory()).await?;
/// let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
/// let gate = Gate::new(GateLimits::default());
/// # let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
///
/// let (socket, from) = listener.accept().await.unwrap();
/// // Whoever is turned away has his socket dropped.
/// if let Ok(pass) = gate.admit(from.ip()) {
///     let connection = feed.replicate(Role::Responder, socket).live(true).pass(pass);
///     task::spawn(connection.into_future());
/// }
/// assert_eq!(gate.occupancy().connections, 1);
/// # Ok::<_, hypercore::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Inside>>);

struct Inside {
    limits: GateLimits,
    guests: BTreeMap<u64, Guest>,
    addresses: BTreeMap<Network, usize>,
    bars: Bars,
    /// By which bars come down. Without it there are none.
    runtime: Option<Arc<dyn Runtime>>,
    strangers: usize,
    held: usize,
    next: u64,
}

/// A connection that was let in.
struct Guest {
    network: Option<Network>,
    /// Whether it is still in the middle of its handshake.
    stranger: bool,
    held: usize,
    /// Since when it has held more than its allowance.
    since: Duration,
    call: Arc<Call>,
}

/// By which a guest is told to go.
#[derive(Default)]
struct Call {
    expelled: AtomicBool,
    /// Where its connection waits, once it runs.
    ready: Mutex<Option<Arc<Ready>>>,
}

/// What counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Network(u128);

/// Why a connection isn't let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnedAway {
    /// There are too many.
    #[error("there are {max} connections already")]
    Full {
        /// How many there may be.
        max: usize,
    },
    /// There are too many from the same address.
    #[error("there are {max} connections from that address already")]
    Address {
        /// How many there may be.
        max: usize,
    },
    /// Something came from that address that doesn't verify, not long ago.
    #[error("what came from that address didn't verify")]
    Barred,
}

/// How many there are, and how much they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occupancy {
    /// Connections that were let in and haven't ended.
    pub connections: usize,
    /// Those of them that are in the middle of their handshake.
    pub strangers: usize,
    /// The bytes that wait in them.
    pub held: usize,
}

impl Gate {
    /// A gate through which nobody has come yet.
    pub fn new(limits: GateLimits) -> Self {
        Gate(Arc::new(Mutex::new(Inside {
            limits,
            guests: BTreeMap::new(),
            addresses: BTreeMap::new(),
            bars: Bars::default(),
            runtime: default_runtime(),
            strangers: 0,
            held: 0,
            next: 0,
        })))
    }

    /// The same with another clock than that of async-std.
    #[must_use]
    pub fn runtime(self, runtime: Arc<dyn Runtime>) -> Self {
        self.inside().runtime = Some(runtime);
        self
    }

    /// Lets a connection in that comes from an address, or doesn't. It counts until its pass is dropped.
    ///
    /// # Errors
    /// [`TurnedAway`].
    pub fn admit(&self, from: IpAddr) -> Result<Pass, TurnedAway> {
        let mut inside = self.inside();
        let limits = inside.limits;
        if inside.guests.len() >= limits.connections {
            let max = limits.connections;
            return Err(TurnedAway::Full { max });
        }
        let network = Network::of(from);
        if let Some(network) = network {
            if inside.is_barred(network) {
                return Err(TurnedAway::Barred);
            }
            let count = inside.addresses.entry(network).or_default();
            if *count >= limits.per_address {
                let max = limits.per_address;
                return Err(TurnedAway::Address { max });
            }
            *count += 1;
        }
        if inside.strangers >= limits.strangers {
            inside.expel_oldest_stranger();
        }
        let call = Arc::new(Call::default());
        let id = inside.next;
        inside.next += 1;
        inside.strangers += 1;
        let guest = Guest {
            network,
            stranger: true,
            held: 0,
            since: Duration::ZERO,
            call: Arc::clone(&call),
        };
        inside.guests.insert(id, guest);
        Ok(Pass {
            gate: self.clone(),
            id,
            held: 0,
            call,
        })
    }

    /// How many there are, and how much they hold.
    pub fn occupancy(&self) -> Occupancy {
        let inside = self.inside();
        Occupancy {
            connections: inside.guests.len(),
            strangers: inside.strangers,
            held: inside.held,
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn is_barred(&self, network: Network) -> bool {
        let now = self.runtime.as_ref().map(|runtime| runtime.now());
        now.is_some_and(|now| self.bars.keep_out(now, network))
    }

    fn expel_oldest_stranger(&mut self) {
        let strangers = self.guests.iter().filter(|(_, guest)| guest.stranger);
        if let Some(id) = strangers.map(|(id, _)| *id).next() {
            self.expel(id);
        }
    }

    /// While too much is held, those have to go that have held the most for the longest.
    fn make_room(&mut self, now: Duration) {
        while self.held > self.limits.held {
            let large = self.guests.iter().filter(|(_, it)| it.held > ALLOWANCE);
            let worst = large.max_by_key(|(_, it)| {
                let time = now.saturating_sub(it.since).as_millis() + 1;
                time * it.held as u128
            });
            let Some(id) = worst.map(|(id, _)| *id) else {
                return;
            };
            self.expel(id);
        }
    }

    /// From here on it counts as a connection only: what it holds is on its way out.
    fn expel(&mut self, id: u64) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.call.expel();
        self.held -= std::mem::take(&mut guest.held);
        self.strangers -= usize::from(std::mem::take(&mut guest.stranger));
    }
}

impl Call {
    fn expel(&self) {
        self.expelled.store(true, Ordering::Release);
        if let Some(ready) = &*self.ready() {
            ready.call();
        }
    }

    fn ready(&self) -> MutexGuard<'_, Option<Arc<Ready>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to be connected. Give it to the connection: it counts for as long as it lasts.
#[must_use = "dropping it makes room for somebody else"]
pub struct Pass {
    gate: Gate,
    id: u64,
    /// What was told last.
    held: usize,
    call: Arc<Call>,
}

impl Pass {
    /// The connection runs, and is called there.
    pub(crate) fn begin(&self, ready: &Arc<Ready>) {
        *self.call.ready() = Some(Arc::clone(ready));
    }

    /// The handshake is over.
    pub(crate) fn introduce(&self) {
        let mut inside = self.gate.inside();
        let stranger = inside.guests.get_mut(&self.id).map(|it| &mut it.stranger);
        let was = stranger.is_some_and(std::mem::take);
        inside.strangers -= usize::from(was);
    }

    /// The remote has sent what doesn't verify.
    pub(crate) fn bar(&self) {
        let mut inside = self.gate.inside();
        let now = inside.runtime.as_ref().map(|runtime| runtime.now());
        let network = inside.guests.get(&self.id).and_then(|guest| guest.network);
        if let Some((now, network)) = now.zip(network) {
            let until = now + inside.limits.bar;
            inside.bars.put_up(now, until, network);
        }
    }

    /// So many bytes wait now.
    ///
    /// # Errors
    /// [`PeerError::Expelled`] if the connection has to go.
    pub(crate) fn hold(&mut self, bytes: usize, now: Duration) -> Result<(), PeerError> {
        if bytes != self.held {
            self.held = bytes;
            let mut inside = self.gate.inside();
            if let Some(guest) = inside.guests.get_mut(&self.id) {
                if guest.held <= ALLOWANCE {
                    guest.since = now;
                }
                // One that was told to go is counted no more.
                if !self.call.expelled.load(Ordering::Acquire) {
                    let before = std::mem::replace(&mut guest.held, bytes);
                    inside.held = inside.held - before + bytes;
                    inside.make_room(now);
                }
            }
        }
        match self.call.expelled.load(Ordering::Acquire) {
            true => Err(PeerError::Expelled),
            false => Ok(()),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        let Some(guest) = inside.guests.remove(&self.id) else {
            return;
        };
        inside.held -= guest.held;
        inside.strangers -= usize::from(guest.stranger);
        if let Some(network) = guest.network
            && let Some(count) = inside.addresses.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                inside.addresses.remove(&network);
            }
        }
    }
}

impl Network {
    /// None for this machine itself.
    fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(address) => Some(Network(address.to_ipv6_mapped().to_bits())),
            // A network of that size is what a single customer has.
            IpAddr::V6(address) => Some(Network(address.to_bits() >> 64 << 64)),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.occupancy()).finish()
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pass").field(&self.id).finish()
    }
}

#[cfg(test)]
mod tests;
