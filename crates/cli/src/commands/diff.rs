//! `hypercore diff A B`: two copies of one feed, and whether they tell one history.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use hypercore::{Error, FeedError, Fork, Hypercore, Node, PeerError, Storage};
use serde_json::{Value, json};

use crate::{
    failure::{Code, Failure},
    output::Output,
    source::{Origin, ReadFrom, Source},
    span::parse_time,
};

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// One copy: a directory, or a link.
    pub(crate) a: Origin,

    /// The other one.
    pub(crate) b: Origin,

    /// A peer to ask for hashes that are not here, HOST:PORT.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) peer: Vec<String>,

    /// How long to wait for what is not here: 30s, 5m, ...
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30s")]
    pub(crate) timeout: Duration,

    /// If the copies tell two histories, write the proof of that to this file. `proof check` checks it.
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,
}

pub(super) async fn run(arguments: Diff, output: &Output) -> Result<(), Failure> {
    let from = |origin: &Origin| ReadFrom {
        origin: origin.clone(),
        peer: arguments.peer.clone(),
        timeout: arguments.timeout,
    };
    let mut a = Source::open(&from(&arguments.a), false, output).await?;
    let mut b = Source::open(&from(&arguments.b), false, output).await?;
    if a.feed.key() != b.feed.key() {
        let message = format!("these are two feeds, {} and {}", a.feed.key(), b.feed.key());
        return Err(
            Failure::new(Code::Other, message).hint("only copies of one feed can be compared")
        );
    }
    let common = Common::find(&mut a, &mut b).await?;
    let fork = match common.relation {
        Relation::Fork => prove(&mut a, &mut b, common.length).await,
        _ => None,
    };
    let ends = (a.feed.len(), b.feed.len());
    a.close().await?;
    b.close().await?;
    tell(&arguments, ends, &common, output)?;
    match common.relation {
        Relation::Fork => {
            let told = evidence(&arguments, fork.as_ref(), output);
            told.and(Err(Failure::new(
                Code::Damaged,
                "the author has signed two histories of this feed",
            )
            .hint(
                "find out who else has the secret key; trust the copy that most readers have",
            )))
        }
        Relation::Unknown => {
            let message = format!(
                "{} blocks are the same, and more can't be told from what is here",
                common.length
            );
            Err(Failure::new(Code::Incomplete, message)
                .hint("name a peer that has the rest: --peer HOST:PORT"))
        }
        _ => Ok(()),
    }
}

/// How two copies relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    /// The other one is the beginning of this one.
    ALonger,
    BLonger,
    Fork,
    /// Not enough is stored to tell.
    Unknown,
}

impl Relation {
    fn name(self) -> &'static str {
        match self {
            Relation::Same => "same",
            Relation::ALonger => "a_longer",
            Relation::BLonger => "b_longer",
            Relation::Fork => "fork",
            Relation::Unknown => "unknown",
        }
    }
}

/// What two copies have in common.
#[derive(Debug)]
struct Common {
    relation: Relation,
    /// So many blocks are certain to be the same.
    length: u64,
    /// Whether the next one is certain to differ.
    exact: bool,
}

impl Common {
    /// Looks for the longest beginning that both have. Roots tell whether a beginning is the same, so a few of them will do.
    async fn find(a: &mut Source, b: &mut Source) -> Result<Self, Failure> {
        let (len_a, len_b) = (a.feed.len(), b.feed.len());
        let shorter = len_a.min(len_b);
        let relation = match len_a.cmp(&len_b) {
            std::cmp::Ordering::Less => Relation::BLonger,
            std::cmp::Ordering::Equal => Relation::Same,
            std::cmp::Ordering::Greater => Relation::ALonger,
        };
        // The beginning of `same` blocks is the same, that of `differs` isn't, if there is one.
        let (mut same, mut differs) = (0, None);
        let mut next = shorter;
        while next > same {
            match agree(a, b, next).await? {
                Some(true) => same = next,
                Some(false) => differs = Some(next),
                None => break,
            }
            next = differs.map_or(shorter, |differs| same + (differs - same) / 2);
        }
        Ok(Common {
            relation: match differs {
                None if same == shorter => relation,
                None => Relation::Unknown,
                Some(_) => Relation::Fork,
            },
            length: same,
            exact: differs.is_some_and(|differs| differs == same + 1),
        })
    }
}

/// Whether the first `length` blocks are the same in both. None if that can't be told.
async fn agree(a: &mut Source, b: &mut Source, length: u64) -> Result<Option<bool>, Failure> {
    let (ours, theirs) = (roots(a, length).await?, roots(b, length).await?);
    Ok(ours.zip(theirs).map(|(ours, theirs)| ours == theirs))
}

/// The roots over the first blocks. What is missing of them comes with the last of these blocks, if somebody has it.
async fn roots(source: &mut Source, length: u64) -> Result<Option<Vec<Node>>, Failure> {
    let last = length.saturating_sub(1);
    for fetch in [true, false] {
        match source.feed.root_hashes(last) {
            Ok(roots) => return Ok(Some(roots)),
            Err(Error::Feed(FeedError::MissingRoots { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        if !fetch || source.block(last).await.is_err() {
            break;
        }
    }
    Ok(None)
}

/// Both signed states, shown to a reader that has neither. With the block its hash is certain, too.
async fn prove(a: &mut Source, b: &mut Source, index: u64) -> Option<Fork> {
    let reader = Hypercore::builder(Storage::memory()).key(a.feed.key());
    let reader = reader.open().await.ok()?;
    let block = a.block(index).await.ok()?;
    let ours = a.feed.proof(index).await.ok()?;
    reader.put(ours, Some(block)).await.ok()?;
    let block = b.block(index).await.ok()?;
    let theirs = b.feed.proof(index).await.ok()?;
    match reader.put(theirs, Some(block)).await {
        Err(Error::Peer(PeerError::Fork { fork, .. })) => Some((*fork).clone()),
        _ => None,
    }
}

fn tell(
    arguments: &Diff,
    (len_a, len_b): (u64, u64),
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let (a, b, same) = (&arguments.a, &arguments.b, common.length);
    let human = match common.relation {
        Relation::Same => format!("the same {same} blocks"),
        Relation::ALonger => format!(
            "{a} goes on where {b} ends: {same} blocks are the same, {} follow",
            len_a - same
        ),
        Relation::BLonger => format!(
            "{b} goes on where {a} ends: {same} blocks are the same, {} follow",
            len_b - same
        ),
        Relation::Fork if common.exact => {
            format!("two histories: {same} blocks are the same, block {same} differs")
        }
        Relation::Fork => format!("two histories: {same} blocks at least are the same"),
        Relation::Unknown => format!("{same} blocks at least are the same"),
    };
    let first_difference = match common.exact {
        true => Value::from(same),
        false => Value::Null,
    };
    let fields = json!({
        "relation": common.relation.name(),
        "common": same,
        "first_difference": first_difference,
        "a": { "feed": a.to_string(), "length": len_a },
        "b": { "feed": b.to_string(), "length": len_b },
    });
    output.result("diff", fields, human)
}

/// Writes the proof that there are two histories, if it is wanted.
fn evidence(arguments: &Diff, fork: Option<&Fork>, output: &Output) -> Result<(), Failure> {
    let Some(file) = &arguments.evidence else {
        return Ok(());
    };
    let Some(fork) = fork else {
        return Err(
            Failure::new(Code::Incomplete, "the blocks that prove it are not here")
                .hint("name a peer that has them: --peer HOST:PORT"),
        );
    };
    let name = file.display().to_string();
    fs::write(file, fork.to_bytes())
        .map_err(|error| Failure::system(format_args!("cannot write {name}"), error))?;
    output.news(
        "written",
        json!({ "file": name }),
        format_args!("written  {name}"),
    )
}
