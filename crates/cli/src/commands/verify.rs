//! `hypercore verify DIR [--at BLOCK]`: the author's signature over the roots.

use std::path::PathBuf;

use clap::Args;
use hypercore::{Dialect, Hash, Hypercore, PublicKey, Signature};
use serde_json::{Value, json};

use super::{close, open};
use crate::{
    failure::{Code, Failure},
    output::Output,
};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The block whose signature to check: the first one that was made at it or behind it. Without it, the last one.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) at: Option<u64>,
}

pub(super) async fn run(arguments: Verify, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, Dialect::default()).await?;
    let Some(block) = arguments.at.or(feed.len().checked_sub(1)) else {
        let message = "an empty feed has no signature";
        return Err(Failure::new(Code::NotFound, message)
            .of(dir.display())
            .hint("append to it, or clone it, first"));
    };
    let witness = witness(&feed, block).map_err(|error| error.of(dir.display()))?;
    close(dir, &feed).await?;
    let human = match (&witness.signature, witness.form()) {
        (None, _) => "the tree hash is the key of this static feed".to_owned(),
        (Some(_), form) => format!(
            "signature ok at block {}, of {} blocks: form {}",
            witness.block,
            witness.block + 1,
            form.unwrap_or_default()
        ),
    };
    output.result("verified", witness.fields(&feed.key()), human)
}

/// The author's word for a feed as it was when a block was its last one.
pub(super) struct Witness {
    /// The block that was the last one.
    block: u64,
    tree_hash: Hash,
    /// None if the feed is static.
    signature: Option<Signature>,
    dialect: Option<Dialect>,
}

impl Witness {
    /// The JavaScript version whose form the signature has.
    pub(super) fn form(&self) -> Option<u8> {
        self.dialect.map(|dialect| match dialect {
            Dialect::V8 => 8,
            Dialect::V9 => 9,
        })
    }

    fn fields(&self, key: &PublicKey) -> Value {
        json!({
            "key": key.to_string(),
            "block": self.block,
            "length": self.block + 1,
            "tree_hash": self.tree_hash.to_string(),
            "signature": self.signature.map(|signature| signature.to_string()),
            "form": self.form(),
        })
    }
}

/// Finds the signature that covers a block, and checks it.
pub(super) fn witness(feed: &Hypercore, block: u64) -> Result<Witness, Failure> {
    if feed.is_static() {
        let tree_hash = feed.tree_hash();
        if tree_hash.as_bytes() != feed.key().as_bytes() {
            return Err(Failure::new(
                Code::Damaged,
                "the tree hash is not the key of this static feed",
            ));
        }
        return Ok(Witness {
            block: feed.len().saturating_sub(1),
            tree_hash,
            signature: None,
            dialect: None,
        });
    }
    let signed = feed.signature(block)?;
    let signable = feed.signable(signed.block)?;
    let verified = feed.key().verify(&signable, &signed.signature);
    let verified = verified.map_err(|error| {
        let message = format!("signature of block {}: {error}", signed.block);
        Failure::new(Code::Damaged, message)
            .hint("see what else is wrong with: hypercore audit DIR --deep")
    })?;
    Ok(Witness {
        block: signed.block,
        tree_hash: signable.tree_hash,
        signature: Some(signed.signature),
        dialect: verified.dialect(),
    })
}
