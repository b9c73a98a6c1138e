//! `hypercore audit DIR`

use std::path::PathBuf;

use clap::Args;
use hypercore::{AuditReport, Hypercore, Recovery};
use serde_json::json;

use super::close;
use crate::{
    failure::{Code, Failure},
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// Check the hashes against one another, the signatures, and the bitfield, too.
    #[arg(long)]
    pub(crate) deep: bool,

    /// Bring the feed back to the longest length that is proved, and forget blocks that are bad, so that they can be fetched
    /// again. With --deep the bitfield is made anew from all that is stored. What can't be proved is given up.
    #[arg(long)]
    pub(crate) repair: bool,
}

pub(super) async fn run(arguments: Audit, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let failed = |error| Failure::at(dir, error);
    let feed = Hypercore::builder(dir)
        .create_if_missing(false)
        .read_only(!arguments.repair)
        .accept_loss(arguments.repair)
        .rebuild(arguments.repair && arguments.deep)
        .open()
        .await
        .map_err(failed)?;
    let recovery = feed.recovery();
    // What opening has repaired is repaired in memory only, unless it was told to.
    let pending = recovery.is_some() && !arguments.repair;
    let mut forgotten = 0;
    if arguments.repair {
        forgotten = feed.audit().await.map_err(failed)?.invalid;
    }
    let mut report = feed.deep_audit().await.map_err(failed)?;
    if !arguments.deep {
        report.findings.clear();
        report.more = 0;
    }
    tell(&arguments, output, &feed, &report, recovery, forgotten)?;
    close(dir, &feed).await?;
    match report.is_clean() && !pending {
        true => Ok(()),
        false => Err(Failure::new(Code::Damaged, "the feed is damaged").of(dir.display()).hint("mend what can be with: hypercore audit DIR --deep --repair; what is lost then can be fetched again")),
    }
}

fn tell(
    arguments: &Audit,
    output: &Output,
    feed: &Hypercore,
    report: &AuditReport,
    recovery: Option<Recovery>,
    forgotten: u64,
) -> Result<(), Failure> {
    let findings = report.findings.len() as u64 + report.more;
    let lost = feed
        .missing(..)
        .iter()
        .map(|gap| gap.end - gap.start)
        .sum::<u64>();
    let fields = json!({
        "dir": arguments.dir.display().to_string(),
        "length": feed.len(),
        "valid": report.valid,
        "invalid": report.invalid,
        "findings": report.findings.iter().map(|finding| format!("{finding:?}")).collect::<Vec<_>>(),
        "more": report.more,
        "forgotten": forgotten,
        "missing": lost,
        "recovery": recovery.as_ref().map(|recovery| json!({
            "claimed": recovery.claimed,
            "length": recovery.length,
            "cut": recovery.cut,
            "pages": recovery.pages,
            "nodes": recovery.nodes,
            "signed": recovery.signed,
        })),
    });
    let mut human = format!(
        "\
length         {} blocks
valid          {}
invalid        {}
not here       {lost}",
        feed.len(),
        report.valid,
        report.invalid,
    );
    if arguments.deep {
        human += &format!("\nfindings       {findings}");
        for finding in &report.findings {
            human += &format!("\n  {finding:?}");
        }
    }
    if arguments.repair {
        human += &format!("\nforgotten      {forgotten}");
    }
    if let Some(recovery) = recovery {
        human += &format!(
            "\nrecovery       claimed {}, proved {}, {} signatures cut, {} pages, {} nodes",
            recovery.claimed, recovery.length, recovery.cut, recovery.pages, recovery.nodes
        );
    }
    output.result("audit", fields, human)
}
