//! The machine: what arrives and what is wished goes in, actions come out.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{ops::Range, time::Duration};

use bitfield::RangeSet;
use wire::{Message, Options, Request, Unhave};

use crate::{
    Action, Config, Error, Limits, Local, PeerConfig, PeerId, PeerStatus, Wish, WishId,
    choose::{Chooser, Everything, Traffic},
    flight::{Asked, Kind},
    peer::Peer,
    reach::Reach,
    rng::Rng,
    wishes::Wishes,
};

/// One feed among its peers: who asks whom for what.
///
/// After every call the owner drains [`poll_action`](Self::poll_action) and looks at [`poll_timeout`](Self::poll_timeout).
/// `now` counts from a start that the owner chose and never goes back. `local` is the feed as it is stored at that moment.
///
/// ```
/// use core::{ops::Range, time::Duration};
/// use hypercore_replicate::{Action, Config, Local, PeerConfig, PeerId, Replicator};
/// use wire::{Have, Message};
///
/// /// A feed of which nothing is known yet.
/// struct Nothing;
///
/// impl Local for Nothing {
///     fn length(&self) -> u64 { 0 }
///     fn has(&self, _: u64) -> bool { false }
///     fn has_all(&self, blocks: Range<u64>) -> bool { blocks.is_empty() }
///     fn next_missing(&self, from: u64) -> u64 { from }
///     fn has_node_of(&self, _: u64) -> bool { false }
///     fn digest(&self, _: u64) -> u64 { 0 }
///     fn have_bits(&self, _: u64, out: &mut [u8]) { out.fill(0) }
/// }
///
/// let mut replicator = Replicator::new(Config::default());
/// let (now, peer) = (Duration::ZERO, PeerId(1));
/// replicator.add_peer(now, peer, PeerConfig::default(), &Nothing);
/// let Some(Action::Send { message: Message::Want(_), .. }) = replicator.poll_action() else {
///     panic!("the peer is asked what it has");
/// };
///
/// let have = Have { start: 0, length: None, bitfield: None, ack: None };
/// replicator.handle_message(now, peer, Message::Have(have), &Nothing);
/// let request = core::iter::from_fn(|| replicator.poll_action()).find_map(|action| match action {
///     Action::Send { message: Message::Request(request), .. } => Some(request),
///     _ => None,
/// });
/// assert_eq!(request.expect("what it has is fetched").index, 0);
/// ```
#[derive(Debug)]
pub struct Replicator {
    pub(crate) config: Config,
    pub(crate) peers: BTreeMap<PeerId, Peer>,
    pub(crate) wishes: Wishes,
    pub(crate) traffic: Traffic,
    /// Unless the feed is sparse.
    pub(crate) everything: Option<Everything>,
    pub(crate) actions: VecDeque<Action>,
    /// Peers with something to announce.
    pub(crate) newsy: BTreeSet<PeerId>,
    rng: Rng,
    /// The length of the feed when it was last looked at.
    length: u64,
    /// Counts what can make a block worth asking for that wasn't before.
    pub(crate) epoch: u64,
}

impl Replicator {
    /// A feed without peers and wishes.
    pub fn new(config: Config) -> Self {
        Replicator {
            peers: BTreeMap::new(),
            wishes: Wishes::default(),
            traffic: Traffic::default(),
            everything: (!config.sparse).then(Everything::new),
            actions: VecDeque::new(),
            newsy: BTreeSet::new(),
            rng: Rng::new(config.seed),
            length: 0,
            epoch: 0,
            config,
        }
    }

    /// Both sides have opened the feed on a channel: greets the peer and asks what it has.
    pub fn add_peer(&mut self, now: Duration, id: PeerId, config: PeerConfig, local: &dyn Local) {
        self.remove_peer(now, id, local);
        let peer = Peer::new(now, &self.config, &config);
        let both = peer.is_served(&self.config) && peer.downloading;
        self.peers.insert(id, peer);
        if config.ack || !config.extensions.is_empty() {
            let options = Options {
                extensions: config.extensions,
                ack: Some(config.ack),
            };
            self.send(id, Message::Options(options));
        }
        if !both {
            self.send_status(id);
        }
        self.update_peer(now, id, local);
    }

    /// The channel is closed or the connection gone. What the peer was asked for is asked elsewhere.
    pub fn remove_peer(&mut self, now: Duration, id: PeerId, local: &dyn Local) {
        if self.forget(id) {
            self.update(now, local);
        }
    }

    /// Whether a request that was handed out by [`Action::Serve`] is still waited for: to be asked right before it is answered, since
    /// the peer may have taken it back meanwhile. If it has, the request is over, and nothing is to be reported.
    pub fn begin_serving(&mut self, id: PeerId, request: &Request) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        let begins = peer.serving.begin(request);
        if !begins {
            self.serve(id);
        }
        begins
    }

    /// A request that was handed out by [`Action::Serve`] has its answer. `found` is the block in which its byte was found, and
    /// which was sent, so that other requests for the same byte need no answer.
    pub fn handle_served(&mut self, id: PeerId, request: &Request, found: Option<u64>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            if peer.wants_acks && !request.hash() {
                peer.expect_ack(found.unwrap_or(request.index), &self.config.limits);
            }
            peer.serving.served(request, found.is_some());
            self.serve(id);
        }
    }

    /// A request that was handed out by [`Action::Serve`] can't be answered. The peer is told.
    pub fn handle_unserved(&mut self, id: PeerId, request: &Request) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.serving.unserved(request);
            self.send(id, Message::Unhave(lacking(request.index)));
            self.serve(id);
        }
    }

    /// Wishes for something. If it is here already, the wish resolves at once.
    pub fn want(&mut self, now: Duration, wish: impl Into<Wish>, local: &dyn Local) -> WishId {
        let id = self.wishes.add(wish.into(), local, &mut self.actions);
        self.epoch += 1;
        self.update(now, local);
        id
    }

    /// Withdraws a wish; it won't resolve. Requests that serve nobody else are taken back.
    pub fn cancel(&mut self, now: Duration, id: WishId, local: &dyn Local) {
        self.wishes.remove(id);
        self.take_back(now, local);
    }

    /// Ends all wishes whose blocks lie in a range, those of seeks included, with [`Outcome::Cancelled`](crate::Outcome::Cancelled).
    /// Wishes that reach beyond it and those for a length stay. Requests that serve nobody else are taken back.
    pub fn cancel_range(&mut self, now: Duration, blocks: Range<u64>, local: &dyn Local) {
        self.wishes.cancel(&blocks, &mut self.actions);
        self.take_back(now, local);
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.actions.is_empty() {
            self.announce();
        }
        self.actions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let config = &self.config;
        let deadlines = self.peers.values().flat_map(|peer| {
            let flight = peer
                .flight
                .deadline(config.retry_after, config.request_timeout);
            let untold = peer.untold_since().zip(config.request_timeout);
            let untold = untold.map(|(since, timeout)| since + timeout);
            [flight, untold, peer.answers.deadline(), peer.older_again()]
        });
        deadlines.flatten().min()
    }

    /// What a peer can make us spend.
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Whether more messages of a peer should be read. False while many of its requests wait for answers.
    pub fn wants_input(&self, id: PeerId) -> bool {
        self.peers
            .get(&id)
            .is_none_or(|peer| peer.serving.len() < self.config.limits.requests)
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, PeerStatus)> {
        self.peers
            .iter()
            .map(|(id, peer)| (*id, peer.status(&self.config)))
    }

    /// One peer.
    pub fn peer(&self, id: PeerId) -> Option<PeerStatus> {
        self.peers.get(&id).map(|peer| peer.status(&self.config))
    }

    /// What a peer claims to have. Blocks that were stored here when it said so are left out, and what goes beyond the limits.
    pub fn claimed_by(&self, id: PeerId) -> Option<&RangeSet> {
        self.peers.get(&id).map(|peer| peer.claims.blocks())
    }

    /// The blocks that a peer was asked for and hasn't answered, oldest request first.
    pub fn requested_from(&self, id: PeerId) -> Vec<u64> {
        let peer = self.peers.get(&id).into_iter();
        peer.flat_map(|peer| peer.flight.iter().map(|asked| asked.block))
            .collect()
    }

    /// The highest length that any peer claims, in blocks. Nothing is proven by it.
    pub fn remote_length(&self) -> u64 {
        let lengths = self.peers.values().map(|peer| peer.claims.length());
        lengths.max().unwrap_or(0)
    }

    /// Whether some peer still owes us an answer about what it has.
    pub fn is_asking(&self) -> bool {
        self.peers.values().any(|peer| peer.wants.are_outstanding())
    }

    /// Takes back the requests that serve nobody any longer.
    fn take_back(&mut self, now: Duration, local: &dyn Local) {
        let Replicator {
            peers,
            wishes,
            traffic,
            everything,
            actions,
            ..
        } = self;
        let unwanted = |asked: &Asked| {
            let fetched = |all: &Everything| !all.cleared.contains(asked.block);
            let wanted = match asked.kind {
                // The next one may need it.
                Kind::Proving => true,
                Kind::Value => {
                    wishes.include(asked.block) || everything.as_ref().is_some_and(fetched)
                }
                Kind::Hash | Kind::Seek { .. } => false,
            };
            !wanted && !asked.wish.is_some_and(|wish| wishes.is_looking(wish))
        };
        for (&peer_id, peer) in peers {
            peer.flight.forget(unwanted, |asked| {
                if asked.reserves() {
                    traffic.release(asked.block);
                }
                actions.push_back(Action::Send {
                    peer: peer_id,
                    message: Message::Cancel(withdrawal(&asked)),
                });
            });
        }
        self.epoch += 1;
        self.update(now, local);
    }

    /// Fills the windows of all peers, then ends with those that have nothing left.
    pub(crate) fn update(&mut self, now: Duration, local: &dyn Local) {
        self.wishes.look_again(&mut self.actions);
        self.hand_out_ripe(local);
        if self.length != local.length() {
            // More of what peers have can be understood.
            self.length = local.length();
            self.epoch += 1;
        }
        // Not always the same peer first, else it would get all the single blocks.
        let start = self.rng.below(self.peers.len() as u64) as usize;
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        let (head, tail) = ids.split_at(start.min(ids.len()));
        for id in tail.iter().chain(head) {
            self.fill(now, *id, local);
        }
        self.finish_complete(local);
    }

    /// The same if only this peer can have something new for us.
    pub(crate) fn update_peer(&mut self, now: Duration, id: PeerId, local: &dyn Local) {
        self.fill(now, id, local);
        self.finish_complete(local);
    }

    fn fill(&mut self, now: Duration, id: PeerId, local: &dyn Local) {
        let epoch = self.epoch;
        let Some((mut chooser, peer)) = self.chooser(now, id, local) else {
            return;
        };
        if !peer.delivers() {
            return;
        }
        let idle = peer.idle_at != Some(epoch) && chooser.fill(id, peer);
        if idle {
            peer.idle_at = Some(epoch);
        }
        chooser.want(id, peer);
        if idle {
            self.prove_for_others(now, id, local);
        }
    }

    pub(crate) fn chooser<'a>(
        &'a mut self,
        now: Duration,
        id: PeerId,
        local: &'a dyn Local,
    ) -> Option<(Chooser<'a>, &'a mut Peer)> {
        let peer = self.peers.get_mut(&id)?;
        let chooser = Chooser {
            now,
            local,
            reach: Reach::of(peer, local),
            wishes: &mut self.wishes,
            traffic: &mut self.traffic,
            everything: self.everything.as_ref(),
            rng: &mut self.rng,
            actions: &mut self.actions,
        };
        Some((chooser, peer))
    }

    /// Forgets a peer and lifts its reservations. Says whether it was there.
    pub(crate) fn forget(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peers.remove(&id) else {
            return false;
        };
        for asked in peer.flight.iter() {
            if asked.reserves() {
                self.traffic.release(asked.block);
            }
            if let Some(wish) = asked.wish {
                self.wishes.unask(wish);
            }
        }
        for (block, asked) in peer.flight.storing() {
            self.traffic.stored(block, asked.wants_value());
            if let Some(wish) = asked.wish {
                self.wishes.unask(wish);
            }
        }
        self.epoch += 1;
        true
    }

    pub(crate) fn disconnect(
        &mut self,
        now: Duration,
        id: PeerId,
        error: Error,
        local: &dyn Local,
    ) {
        self.forget(id);
        self.actions
            .push_back(Action::Disconnect { peer: id, error });
        self.update(now, local);
    }

    /// Hands out as many requests of a peer as the owner should work on.
    pub(crate) fn serve(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        while let Some(request) = peer.serving.next(&self.config.limits) {
            self.actions.push_back(Action::Serve { peer: id, request });
        }
    }

    /// Answers Wants of a peer as far as its budget goes.
    pub(crate) fn answer_wants(&mut self, now: Duration, id: PeerId, local: &dyn Local) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        while let Some(have) = peer.answers.next(now, local) {
            self.actions.push_back(Action::Send {
                peer: id,
                message: Message::Have(have),
            });
        }
    }

    pub(crate) fn send(&mut self, peer: PeerId, message: Message) {
        self.actions.push_back(Action::Send { peer, message });
    }
}

/// "I don't have this block", as JavaScript writes it.
pub(crate) fn lacking(block: u64) -> Unhave {
    Unhave {
        start: block,
        length: None,
    }
}

/// The withdrawal of a request.
pub(crate) fn withdrawal(asked: &Asked) -> wire::Cancel {
    let bytes = match asked.kind {
        Kind::Seek { bytes } => bytes,
        Kind::Value | Kind::Hash | Kind::Proving => 0,
    };
    wire::Cancel {
        index: asked.block,
        bytes: Some(bytes),
        hash: Some(asked.kind != Kind::Value),
    }
}
