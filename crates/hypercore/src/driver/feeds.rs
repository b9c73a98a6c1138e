//! Feeds come onto a connection and leave it.
//!
//! ```text
//!   added here ─▶ may the remote have it? ─▶ room for it? ─▶ open ─▶ both have opened ─▶ closed
//!                                                             ▲
//!   opened by the remote ─▶ looked for here ──▶ added ────────┘
//!                                 └──▶ refused
//! ```

use std::time::Duration;

use crypto::DiscoveryKey;
use protocol::{Channel, Security};

use super::Driver;
use crate::{
    ConnectionEvent, FeedOptions, Result,
    admission::{Candidate, Stage},
    attached::{Attached, Terms},
    discovery::Expected,
    questions::About,
    shared::Standing,
};

/// How long a feed that the remote has opened may take to be added here, before the remote is told that it isn't shared.
/// JavaScript 8 gives up the whole connection after 4 s without a word.
const GRACE: Duration = Duration::from_secs(2);

/// How long a remote may leave it open whether it has a feed, before nobody hopes for it any longer.
const HOPE: Duration = Duration::from_secs(20);

impl Driver {
    /// A feed was added: it may have to wait for a decision.
    pub(super) fn add(&mut self, feed: Expected, options: FeedOptions) -> Result<()> {
        let asks =
            self.options.on_feed_authenticate.is_some() && self.options.security != Security::Plain;
        let name = feed.core().discovery_key();
        if !asks || self.feeds.contains(&name) || self.admission.stage(&name).is_some() {
            return self.admit(feed, options);
        }
        let ready = &self.shared.ready;
        match self.connection.remote_public_key() {
            None => {
                self.admission.wait(feed, options, Stage::Handshake, ready);
            }
            Some(remote) => {
                self.admission.wait(feed, options, Stage::Decision, ready);
                self.ask(name, remote);
            }
        }
        Ok(())
    }

    /// Asks whether the remote may have a feed.
    pub(super) fn ask(&mut self, name: DiscoveryKey, remote: [u8; 32]) {
        if let Some(decide) = &self.options.on_feed_authenticate {
            self.questions.ask(About::Feed(name), decide(name, remote));
        }
    }

    /// The program has decided whether the remote may have a feed.
    pub(super) fn decided(&mut self, name: DiscoveryKey, welcome: bool) -> Result<()> {
        match self.admission.take(&name) {
            Some(candidate) if welcome => self.admit(candidate.feed, candidate.options),
            Some(_) => {
                self.shared.stand(name, |_| {});
                self.refuse(name)
            }
            None => Ok(()),
        }
    }

    /// Puts a feed on the connection, as soon as there is room.
    fn admit(&mut self, feed: Expected, options: FeedOptions) -> Result<()> {
        let name = feed.core().discovery_key();
        if self.admission.stage(&name).is_some() {
            return Ok(());
        }
        let channel = match self.connection.open(&feed.core().key()) {
            Ok(channel) => channel,
            // The remote opened it without knowing its key, and was told.
            Err(protocol::Error::Capability) if self.options.only.is_none() => {
                self.questions.drop_one(About::Look(name));
                self.closed(name);
                return Ok(());
            }
            // Others may be closed but for the remote's answer.
            Err(protocol::Error::TooManyChannels { .. }) if self.is_crowded() => {
                let ready = &self.shared.ready;
                self.admission.wait(feed, options, Stage::Room, ready);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let terms = Terms {
            options,
            live: self.options.live,
            hope_until: self.runtime.now() + HOPE,
            remote_public_key: self.connection.remote_public_key(),
        };
        let handle = || self.shared.handle();
        let attach = || Attached::new(feed, channel, terms, handle());
        self.feeds.insert(channel, attach);
        self.shared.stand(name, |standing| standing.opened = true);
        self.idle = false;
        Ok(())
    }

    /// Puts feeds on the connection for which there is room now.
    pub(super) fn admit_crowded(&mut self) -> Result<()> {
        while let Some(candidate) = self.admission.next_crowded() {
            if self.is_crowded() {
                self.admission.put_back(candidate);
                break;
            }
            let Candidate { feed, options, .. } = candidate;
            self.admit(feed, options)?;
        }
        Ok(())
    }

    /// Whether as many feeds are open as may be, or closed but for the remote's answer.
    fn is_crowded(&self) -> bool {
        self.connection.open_count() >= self.options.limits.feeds
    }

    /// The remote has opened a feed that isn't on the connection.
    pub(super) fn remote_opens(&mut self, discovery_key: [u8; 32]) -> Result<()> {
        let name = DiscoveryKey::new(discovery_key);
        let shown = self.connection.shown_capability(&discovery_key);
        self.shared.stand(name, |standing| {
            *standing = Standing {
                opened: false,
                remote_opened: true,
                shown,
            }
        });
        let event = ConnectionEvent::RemoteOpen {
            discovery_key: name,
        };
        self.tell(event);
        if self.admission.stage(&name).is_some() {
            return Ok(());
        }
        self.tell(ConnectionEvent::DiscoveryKey {
            discovery_key: name,
        });
        if self.options.only.is_some() && self.options.on_discovery_key.is_none() {
            return self.refuse(name);
        }
        let looking = match &self.options.on_discovery_key {
            Some(call) => call(name, self.shared.handle()),
            // It may be about to be added here as well.
            None => self.runtime.sleep(GRACE),
        };
        let looked = Box::pin(async {
            looking.await;
            true
        });
        self.questions.ask(About::Look(name), looked);
        Ok(())
    }

    /// A feed that the remote has opened was looked for. What was found has been added.
    pub(super) fn looked(&mut self, name: DiscoveryKey) -> Result<()> {
        match self.admission.stage(&name) {
            None => self.refuse(name),
            Some(_) => Ok(()),
        }
    }

    /// Both sides have opened a feed.
    pub(super) fn opened(&mut self, channel: Channel) {
        let Some(feed) = self.feeds.on(channel) else {
            return;
        };
        feed.open(&self.connection);
        feed.ring();
        let discovery_key = feed.name();
        self.questions.drop_one(About::Look(discovery_key));
        let before = self.shared.stand(discovery_key, |standing| {
            standing.remote_opened = true;
            standing.shown = None;
        });
        if !before.remote_opened {
            self.tell(ConnectionEvent::RemoteOpen { discovery_key });
        }
        self.tell(ConnectionEvent::Opened { discovery_key });
    }

    /// The remote takes back that it has opened a feed which isn't on the connection.
    pub(super) fn remote_withdraws(&mut self, discovery_key: [u8; 32]) {
        let name = DiscoveryKey::new(discovery_key);
        self.questions.drop_one(About::Look(name));
        match self.admission.stage(&name) {
            // It waits for something else.
            Some(Stage::Handshake | Stage::Room) => {
                self.shared
                    .stand(name, |standing| standing.remote_opened = false);
            }
            // Whoever still decides needn't any longer.
            Some(Stage::Decision) | None => {
                self.admission.take(&name);
                self.questions.drop_one(About::Feed(name));
                self.closed(name);
            }
        }
    }

    /// The remote has closed a feed.
    pub(super) fn remote_closes(&mut self, channel: Channel) {
        if let Some(name) = self.feeds.on(channel).map(|feed| feed.name()) {
            self.feeds.remove(&name);
            self.closed(name);
        }
    }

    /// Takes a feed off the connection, or one that was about to be on it, or one of the remote's.
    pub(super) fn remove(&mut self, name: DiscoveryKey) -> Result<()> {
        if self.admission.take(&name).is_some() {
            self.questions.drop_one(About::Feed(name));
            // One that neither side has opened has left without a trace.
            self.shared.stand(name, |_| {});
        }
        match self.feeds.remove(&name) {
            Some(feed) => {
                self.connection.close(feed.channel());
                self.closed(name);
                Ok(())
            }
            None => self.refuse(name),
        }
    }

    /// Says that a feed isn't shared here, if the remote has opened it.
    fn refuse(&mut self, name: DiscoveryKey) -> Result<()> {
        self.questions.drop_one(About::Look(name));
        if self.feeds.contains(&name) {
            return Ok(());
        }
        self.connection.refuse(name.to_bytes())?;
        self.closed(name);
        Ok(())
    }

    /// A feed is on the connection no longer.
    fn closed(&mut self, name: DiscoveryKey) {
        if self.shared.left(&name) {
            self.tell(ConnectionEvent::ChannelClosed {
                discovery_key: name,
            });
        }
    }
}
