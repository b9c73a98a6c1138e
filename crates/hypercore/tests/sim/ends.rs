//! The ends of a connection: for one feed, or for as many as are added.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use hypercore::{
    Connection, ConnectionHandle, Dialect, DialectChoice, Error, Hold, Hypercore, NoiseKeyPair,
    Result, Role, Security, Session,
};
use testkit::{Rng, Sim, Task};

use crate::{
    liars::{Lie, other_history},
    net::Socket,
    node::Node,
    plan::{Plan, What},
    runtime::Surroundings,
    shelf::Shelf,
};

/// One end of a connection.
pub(crate) struct End {
    pub(crate) peer: usize,
    /// What the other end knows it by.
    pub(crate) public_key: [u8; 32],
    pub(crate) task: Task<Result<Session>>,
    /// Of a connection for many feeds.
    pub(crate) handle: Option<ConnectionHandle>,
    hold: Option<Hold>,
}

impl End {
    /// Takes a step, if it is for any number of feeds.
    pub(crate) fn obey(&mut self, what: What, nodes: &[Node]) {
        if let Some(handle) = &self.handle {
            obey(what, handle, &mut self.hold, (nodes, self.peer));
        }
    }
}

/// What a connection needs of its world.
pub(crate) struct Scene<'a> {
    pub(crate) sim: &'a Sim,
    pub(crate) nodes: &'a [Node],
    /// Of each peer.
    pub(crate) shelves: &'a [Shelf],
    /// The author's copies, by feed.
    pub(crate) truths: &'a [Hypercore],
}

impl Scene<'_> {
    /// Where a liar has its answers from, which are for a peer.
    pub(crate) fn source(&self, rng: &mut Rng, lie: Lie, feed: usize, peer: usize) -> Hypercore {
        let truth = &self.truths[feed];
        let author = self.nodes.iter().filter(|node| node.copy_of == feed);
        let secret = author.filter_map(Node::secret_key).next();
        let known = self.copy(peer, feed).map_or(0, |copy| copy.feed.len());
        match secret {
            Some(secret) if lie == Lie::Fork && known > 0 => {
                other_history(self.sim, rng, truth, secret)
            }
            _ => truth.clone(),
        }
    }

    /// The copy of a feed at a peer.
    fn copy(&self, peer: usize, feed: usize) -> Option<&Node> {
        copy_at(self.nodes, peer, feed)
    }
}

/// The copy of a feed at a peer.
pub(crate) fn copy_at(nodes: &[Node], peer: usize, feed: usize) -> Option<&Node> {
    let mut nodes = nodes.iter();
    nodes.find(|node| node.peer == peer && node.copy_of == feed)
}

/// What both ends agree on.
pub(crate) struct Manner {
    pub(crate) spoken: Dialect,
    pub(crate) auto: bool,
    pub(crate) security: Security,
    pub(crate) live: [bool; 2],
    pub(crate) roles: [Role; 2],
}

impl Manner {
    fn dialect(&self, n: usize) -> DialectChoice {
        match self.roles[n] {
            Role::Initiator if self.auto => DialectChoice::Auto,
            _ => DialectChoice::Fixed(self.spoken),
        }
    }
}

impl Scene<'_> {
    /// An end that is for one feed.
    pub(crate) fn one(
        &self,
        rng: &mut Rng,
        manner: &Manner,
        (n, peer): (usize, usize),
        feed: usize,
        plan: &Plan,
        socket: Socket,
    ) -> End {
        let node = self.copy(peer, feed).unwrap();
        let options = plan.steps.iter().find_map(|step| match step.what {
            What::Add(_, options) if step.end == n => Some(options),
            _ => None,
        });
        let options = options.unwrap_or_default();
        let pair = NoiseKeyPair::from_seed(rng.array());
        let public_key = pair.public();
        let mut replicate = node
            .feed
            .replicate(manner.roles[n], socket)
            .live(manner.live[n])
            .dialect(manner.dialect(n))
            .security(manner.security)
            .key_pair(pair)
            .ack(options.ack)
            .upload(options.upload)
            .download(options.download);
        if let Some(most) = options.max_requests {
            replicate = replicate.max_requests(most);
        }
        let name = format!("a connection of {peer}");
        End {
            peer,
            public_key,
            task: self.sim.spawn(name, replicate.into_future()),
            handle: None,
            hold: None,
        }
    }

    /// An end that is for any number of feeds.
    pub(crate) fn many(
        &self,
        rng: &mut Rng,
        manner: &Manner,
        (n, peer): (usize, usize),
        plan: &Plan,
        socket: Socket,
    ) -> End {
        let pair = NoiseKeyPair::from_seed(rng.array());
        let public_key = pair.public();
        let surroundings = Surroundings::new(self.sim, Rng::new(rng.next_u64()));
        let mut connection = Connection::new(manner.roles[n])
            .live(manner.live[n])
            .dialect(manner.dialect(n))
            .security(manner.security)
            .key_pair(pair)
            .runtime(Arc::new(surroundings));
        if plan.on_demand[n] {
            let shelf = &self.shelves[peer];
            connection = connection.on_discovery_key(shelf.on_demand(self.sim, rng));
        }
        let mut hold = None;
        let handle = connection.handle();
        let now = plan.steps.iter().filter(|step| step.at.is_zero());
        for step in now.filter(|step| step.end == n) {
            obey(step.what, &handle, &mut hold, (self.nodes, peer));
        }
        let name = format!("a connection of {peer}");
        End {
            peer,
            public_key,
            task: self.sim.spawn(name, connection.run(socket)),
            handle: Some(handle),
            hold,
        }
    }
}

/// Takes a step at one end.
fn obey(
    what: What,
    handle: &ConnectionHandle,
    hold: &mut Option<Hold>,
    (nodes, peer): (&[Node], usize),
) {
    let copy = |feed| copy_at(nodes, peer, feed);
    // A connection that isn't live may have ended by now.
    let fine = |done: Result<()>| matches!(done, Ok(()) | Err(Error::Closed));
    let done = match what {
        What::Add(feed, options) => {
            copy(feed).map_or(Ok(()), |node| handle.add_with(&node.feed, options))
        }
        What::Remove(feed) => copy(feed).map_or(Ok(()), |node| handle.remove(&node.feed)),
        What::Close(feed) => {
            let mut nodes = nodes.iter();
            let any = nodes.find(|node| node.copy_of == feed);
            any.map_or(Ok(()), |node| handle.close(node.feed.discovery_key()))
        }
        What::Ping => handle.ping(),
        What::SetTimeout(seconds) => handle.set_timeout(Some(Duration::from_secs(seconds))),
        What::Finish => {
            handle.finish();
            Ok(())
        }
        What::Hold => {
            *hold = Some(handle.hold());
            Ok(())
        }
        What::LetGo => {
            *hold = None;
            Ok(())
        }
        What::HangUp => {
            handle.hang_up();
            Ok(())
        }
    };
    assert!(fine(done.clone()), "{what:?}: {done:?}");
}
