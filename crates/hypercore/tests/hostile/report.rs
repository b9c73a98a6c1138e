//! What came of an attack.

use std::{collections::BTreeMap, fmt, time::Duration};

use hypercore::Dialect;

use crate::{
    attack::{Attack, KIB, Must},
    honest::LONGEST_WAIT,
};

/// The figures of an attack. As text it is a line of the table in `docs/security.md`.
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) dialect: Dialect,
    pub(crate) connections: usize,
    /// Bytes and frames sent by hostile peers.
    pub(crate) sent: usize,
    pub(crate) frames: usize,
    /// How often their connections were given time.
    pub(crate) polls: usize,
    /// By how many bytes memory grew at most, and how many of them are kept.
    pub(crate) growth: usize,
    pub(crate) kept: usize,
    pub(crate) may_keep: usize,
    /// Blocks that honest peers got, and the longest wait.
    pub(crate) served: usize,
    pub(crate) longest_wait: Duration,
    /// How long the author took to give the victim everything, if it fetches.
    pub(crate) complete: Option<Duration>,
    /// How long the attack went on, in the time of the arena.
    pub(crate) lasted: Duration,
    /// How long it took to play, the attackers' own work with it: a figure to look at, since it is another one on each machine.
    pub(crate) took: Duration,
    /// How the connections ended, each with how many did.
    pub(crate) ends: BTreeMap<String, usize>,
}

impl Report {
    /// # Panics
    /// If anything isn't as it has to be.
    pub(crate) fn check(&self, attack: &Attack) {
        eprintln!("{self}");
        assert!(self.served > 0, "{self}: nobody was served");
        assert!(
            self.longest_wait <= LONGEST_WAIT,
            "{self}: an honest peer waited too long"
        );
        assert!(
            self.growth <= attack.memory,
            "{self}: {} bytes of memory are more than {}",
            self.growth,
            attack.memory
        );
        assert!(
            self.kept <= self.may_keep,
            "{self}: {} bytes are kept",
            self.kept
        );
        let by_error = |end: &&String| end.as_str() != "Ok" && !end.starts_with("Connection(");
        let errors: Vec<&String> = self.ends.keys().filter(by_error).collect();
        match attack.must {
            Must::Either => {}
            Must::Bear => assert!(errors.is_empty(), "{self}: {errors:?}"),
            Must::End(known) => {
                let all = self.ends.keys();
                let strange: Vec<&String> = all
                    .filter(|end| !known.iter().any(|known| end.contains(known)))
                    .collect();
                assert!(strange.is_empty(), "{self}: ended by {strange:?}");
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for (end, count) in &self.ends {
            *ends.entry(short(end)).or_default() += count;
        }
        let ends: Vec<String> = ends
            .into_iter()
            .map(|(end, count)| format!("{count} x {end}"))
            .collect();
        write!(
            f,
            "{:20} {:?} {:5} connections {:7} KiB {:7} frames {:6} polls {:6} KiB memory ({} kept) {:4} served, {:4} ms {:4} s {:5} ms real  {}",
            self.name,
            self.dialect,
            self.connections,
            self.sent / KIB,
            self.frames,
            self.polls,
            self.growth.div_ceil(KIB),
            self.kept.div_ceil(KIB),
            self.served,
            self.longest_wait.as_millis(),
            self.lasted.as_secs(),
            self.took.as_millis(),
            ends.join(", "),
        )?;
        match self.complete {
            Some(at) => write!(f, "; complete after {} ms", at.as_millis()),
            None => Ok(()),
        }
    }
}

/// An error without its wrapping and its figures.
fn short(end: &str) -> &str {
    let inner = ["Peer(", "Protocol(", "Replication("]
        .iter()
        .fold(end, |end, wrapping| {
            end.strip_prefix(wrapping).unwrap_or(end)
        });
    let inner = inner.split(" {").next().unwrap_or(inner);
    inner.trim_end_matches(')')
}
