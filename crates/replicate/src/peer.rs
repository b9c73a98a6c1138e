//! What is known about one peer and agreed with it.

use core::time::Duration;

use bitfield::RangeSet;

use crate::{
    Config, Limits, PeerConfig,
    answers::Answers,
    claims::Claims,
    config::{MAX_BLOCKS, MAX_REQUESTS},
    flight::Flight,
    lanes::Lanes,
    reach::{Early, Older},
    serving::Serving,
    wants::Wants,
    window::Window,
};

/// The state of one channel.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) live: bool,
    pub(crate) download_only: bool,
    pub(crate) upload_only: bool,
    /// We want to know what the peer stored.
    pub(crate) wants_acks: bool,

    /// Whether we still fetch from this peer, and whether we did when it came.
    pub(crate) downloading: bool,
    pub(crate) downloaded_at_first: bool,
    /// We have told the peer that we are done fetching.
    pub(crate) closing: bool,

    pub(crate) remote_uploading: bool,
    pub(crate) remote_downloading: bool,
    /// The peer wants to know what we stored.
    pub(crate) remote_wants_acks: bool,
    /// The peer has sent a Want, so it is told what is new.
    pub(crate) remote_listens: bool,
    /// A Have came: what the peer claims to have means something.
    pub(crate) heard: bool,

    pub(crate) claims: Claims,
    pub(crate) wants: Wants,
    pub(crate) flight: Flight,
    pub(crate) answers: Answers,
    pub(crate) serving: Serving,
    /// Blocks to announce.
    pub(crate) news: RangeSet,
    /// Blocks that were sent to the peer, which hasn't confirmed them yet.
    unconfirmed: RangeSet,
    /// Blocks that became stored and were not announced, because the peer had them.
    pub(crate) withheld: RangeSet,
    pub(crate) strays: u32,
    /// How often it took back what it was asked for, less what it delivered.
    pub(crate) retractions: u32,
    /// Where to go on in what is fetched in random order.
    pub(crate) lanes: Lanes,
    /// It was asked for something, by a proof that stands alone.
    pub(crate) introduced: bool,
    /// Answers that came before what shows that the feed has grown.
    pub(crate) early: Early,
    /// The length of our feed when an answer beyond it had to be left aside.
    pub(crate) unproven_at: Option<u64>,
    /// The peer's feed, if an answer about it had to be left aside because it is shorter than ours.
    pub(crate) older: Option<Older>,
    /// Nothing was found to ask for when the replicator's epoch was this.
    pub(crate) idle_at: Option<u64>,
}

/// What a replicator knows about a peer. See [`Replicator::peers`](crate::Replicator::peers).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// The length that the peer claims, in blocks. Nothing is proven by it.
    pub remote_length: u64,
    /// Whether the peer says that it answers requests.
    pub remote_uploading: bool,
    /// Whether the peer says that it sends requests.
    pub remote_downloading: bool,
    /// Whether the peer wants to know what is stored here.
    pub remote_acks: bool,
    /// Whether its requests are answered.
    pub uploading: bool,
    /// Whether it is asked for blocks, while it says that it answers.
    pub downloading: bool,
    /// Requests of ours that are unanswered or whose answer is being stored.
    pub requested: usize,
    /// How many requests may be unanswered now: it grows and shrinks with how quickly answers come.
    pub window: usize,
    /// Requests of the peer that are unanswered.
    pub serving: usize,
    /// How long the peer usually takes to answer, once it did.
    pub usual_delay: Option<Duration>,
}

impl Peer {
    pub(crate) fn new(now: Duration, config: &Config, peer: &PeerConfig) -> Self {
        let limits = &config.limits;
        let most = peer.max_requests.unwrap_or(config.max_requests);
        let window = Window::new(now, config.first_requests, most.min(MAX_REQUESTS));
        Peer {
            live: peer.live,
            download_only: peer.download_only,
            upload_only: peer.upload_only,
            wants_acks: peer.ack,
            downloading: config.downloading && !peer.upload_only,
            downloaded_at_first: config.downloading && !peer.upload_only,
            closing: false,
            remote_uploading: true,
            remote_downloading: true,
            remote_wants_acks: false,
            remote_listens: false,
            heard: false,
            claims: Claims::new(limits.runs, limits.max_length.min(MAX_BLOCKS)),
            wants: Wants::new(),
            flight: Flight::new(window),
            answers: Answers::new(now, limits.wants, limits.want_bytes),
            serving: Serving::default(),
            news: RangeSet::new(),
            unconfirmed: RangeSet::new(),
            withheld: RangeSet::new(),
            strays: 0,
            retractions: 0,
            lanes: Lanes::default(),
            introduced: false,
            early: Early::default(),
            unproven_at: None,
            older: None,
            idle_at: None,
        }
    }

    /// Whether its requests are answered.
    pub(crate) fn is_served(&self, config: &Config) -> bool {
        config.uploading && !self.download_only
    }

    /// Whether requests and Wants make sense.
    pub(crate) fn delivers(&self) -> bool {
        self.downloading && self.remote_uploading
    }

    /// Since when the peer has let us wait for an answer about what it has. Other answers may be on their way before that one.
    pub(crate) fn untold_since(&self) -> Option<Duration> {
        let since = self.wants.waiting_since().filter(|_| self.delivers())?;
        Some(since.max(self.flight.progress()))
    }

    /// A block was sent that the peer is to confirm. Of those that it leaves unconfirmed only so many are remembered.
    pub(crate) fn expect_ack(&mut self, block: u64, limits: &Limits) {
        if self.unconfirmed.runs() < limits.runs {
            self.unconfirmed.insert(block..block.saturating_add(1));
        }
    }

    /// The peer confirms a block. Says whether that was sent to it; hashes are confirmed as well, and mean nothing.
    pub(crate) fn confirm(&mut self, block: u64) -> bool {
        let blocks = block..block.saturating_add(1);
        let sent = self.unconfirmed.contains(block);
        self.unconfirmed.remove(blocks);
        sent
    }

    /// Drops what it has asked for, and what it would be told.
    pub(crate) fn stop_serving(&mut self) {
        self.serving.clear();
        self.news.clear();
        self.withheld.clear();
    }

    pub(crate) fn status(&self, config: &Config) -> PeerStatus {
        PeerStatus {
            remote_length: self.claims.length(),
            remote_uploading: self.remote_uploading,
            remote_downloading: self.remote_downloading,
            remote_acks: self.remote_wants_acks,
            uploading: self.is_served(config),
            downloading: self.downloading,
            requested: self.flight.len(),
            window: self.flight.window(),
            serving: self.serving.len(),
            usual_delay: self.flight.usual(),
        }
    }
}
