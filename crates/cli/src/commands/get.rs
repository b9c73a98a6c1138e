//! `hypercore get FEED INDEX...`

use clap::Args;

use crate::{
    failure::Failure,
    output::Output,
    source::{ReadFrom, Source},
};

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    from: ReadFrom,

    /// The numbers of the blocks, counted from 0. Those that are not here are fetched.
    #[arg(required = true)]
    blocks: Vec<u64>,
}

pub(super) async fn run(arguments: Get, output: &Output) -> Result<(), Failure> {
    let mut source = Source::open(&arguments.from, false, output).await?;
    for &index in &arguments.blocks {
        let block = source.block(index).await?;
        output.block(index, &block)?;
    }
    source.close().await
}
