//! What the programs of a comparison are given to do.

/// A feed that is made once for each program, and read by several workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// 100,000 blocks of 100 bytes.
    Small,
    /// 16,384 blocks of 64 KiB: 1 GiB.
    Large,
    /// 1,000,000 blocks of 100 bytes.
    Long,
}

/// What a workload starts from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// Nothing at all: the whole process is measured.
    Process,
    /// An empty folder.
    Empty,
    /// A feed on this disk.
    Local(Feed),
    /// An empty folder, and a second process that serves a feed.
    Served(Feed),
}

pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) start: Start,
    /// The name that the contract has for it.
    pub(super) command: &'static str,
    /// How many blocks or questions, if it is told.
    count: Option<u64>,
    rest: &'static [&'static str],
}

impl Feed {
    pub(super) fn name(self) -> &'static str {
        match self {
            Feed::Small => "small",
            Feed::Large => "large",
            Feed::Long => "long",
        }
    }

    /// The settings of the append that makes it.
    pub(super) fn settings(self, scale: f64) -> Vec<String> {
        let (count, size, batch) = match self {
            Feed::Small => (100_000, "100", "1000"),
            Feed::Large => (16_384, "65536", "16"),
            Feed::Long => (1_000_000, "100", "1000"),
        };
        let count = scaled(count, scale);
        ["--count", &count, "--size", size, "--batch", batch]
            .map(str::to_owned)
            .to_vec()
    }
}

impl Workload {
    pub(super) fn settings(&self, scale: f64) -> Vec<String> {
        let count = self
            .count
            .map(|count| ["--count".into(), scaled(count, scale)]);
        let rest = self.rest.iter().map(|&word| word.to_owned());
        count.into_iter().flatten().chain(rest).collect()
    }
}

fn scaled(count: u64, scale: f64) -> String {
    ((count as f64 * scale) as u64).max(1).to_string()
}

const fn workload(
    name: &'static str,
    start: Start,
    command: &'static str,
    count: Option<u64>,
    rest: &'static [&'static str],
) -> Workload {
    Workload {
        name,
        start,
        command,
        count,
        rest,
    }
}

const BLOCKS: Option<u64> = Some(100_000);
const LARGE: Option<u64> = Some(16_384);
const QUESTIONS: Option<u64> = Some(1000);

/// In the order in which they are run.
pub(super) const WORKLOADS: [Workload; 22] = {
    use Feed::{Large, Long, Small};
    use Start::{Empty, Local, Process, Served};
    [
        workload("start", Process, "noop", None, &[]),
        workload("create", Empty, "create", None, &[]),
        workload(
            "append-1",
            Empty,
            "append",
            BLOCKS,
            &["--size", "100", "--batch", "1"],
        ),
        workload(
            "append-1-pipeline",
            Empty,
            "append",
            BLOCKS,
            &["--size", "100", "--pipeline"],
        ),
        workload(
            "append-100",
            Empty,
            "append",
            BLOCKS,
            &["--size", "100", "--batch", "100"],
        ),
        workload(
            "append-1000",
            Empty,
            "append",
            BLOCKS,
            &["--size", "100", "--batch", "1000"],
        ),
        workload(
            "append-64k-1",
            Empty,
            "append",
            LARGE,
            &["--size", "65536", "--batch", "1"],
        ),
        workload(
            "append-64k-16",
            Empty,
            "append",
            LARGE,
            &["--size", "65536", "--batch", "16"],
        ),
        workload("open-1m", Local(Long), "open", None, &[]),
        workload("get", Local(Small), "get", BLOCKS, &["--seed", "7"]),
        workload(
            "get-x64",
            Local(Small),
            "get",
            BLOCKS,
            &["--seed", "7", "--inflight", "64"],
        ),
        workload("get-1m", Local(Long), "get", BLOCKS, &["--seed", "7"]),
        workload("stream-1", Local(Small), "stream", None, &["--batch", "1"]),
        workload(
            "stream-100",
            Local(Small),
            "stream",
            None,
            &["--batch", "100"],
        ),
        workload(
            "stream-64k",
            Local(Large),
            "stream",
            None,
            &["--batch", "1"],
        ),
        workload("audit", Local(Small), "audit", None, &[]),
        workload("audit-64k", Local(Large), "audit", None, &[]),
        workload("replicate", Served(Small), "clone", None, &[]),
        workload("replicate-64k", Served(Large), "clone", None, &[]),
        workload(
            "sparse",
            Served(Long),
            "sparse",
            QUESTIONS,
            &["--seed", "11"],
        ),
        workload(
            "sparse-x64",
            Served(Long),
            "sparse",
            QUESTIONS,
            &["--seed", "11", "--inflight", "64"],
        ),
        workload("seek", Served(Long), "seek", QUESTIONS, &["--seed", "13"]),
    ]
};
