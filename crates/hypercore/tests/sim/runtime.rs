//! What a feed needs of its surroundings, given by a simulated world.

use std::{future, sync::Mutex, time::Duration};

use hypercore::{BoxFuture, Result, Runtime};
use testkit::{Rng, Sim, lock};

/// The runtime of one feed: the clock of the world, and randomness of its own.
#[derive(Debug)]
pub(crate) struct Surroundings {
    sim: Sim,
    rng: Mutex<Rng>,
}

impl Surroundings {
    pub(crate) fn new(sim: &Sim, rng: Rng) -> Self {
        Surroundings {
            sim: sim.clone(),
            rng: Mutex::new(rng),
        }
    }
}

impl Runtime for Surroundings {
    fn now(&self) -> Duration {
        self.sim.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(self.sim.sleep(duration))
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        call();
        Box::pin(future::ready(()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        drop(self.sim.spawn("in the background", task));
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        let random = lock(&self.rng).bytes(bytes.len());
        bytes.copy_from_slice(&random);
        Ok(())
    }
}
