//! The batch that makes a feed. It exists when its key is there, so that comes last.

use bitfield::PageSize;
use bytes::Bytes;
use crypto::{KeyPair, PublicKey};
use storage::{Batch, File};

use crate::header::Header;

/// Makes a feed, with or without its secret key, and before that takes away what was there if that is to be overwritten. A
/// static feed that isn't finalized has no key.
pub(crate) fn creation(
    key: Option<&PublicKey>,
    secret: Option<&KeyPair>,
    overwrite: bool,
) -> Batch {
    let mut batch = Batch::new();
    if overwrite {
        // Without its bitfield the old feed is empty; only then may the rest go.
        for file in [File::Bitfield, File::Key, File::SecretKey] {
            batch.truncate(file, 0);
        }
        batch.barrier();
        for file in [File::Signatures, File::Tree, File::Data] {
            batch.truncate(file, 0);
        }
        batch.barrier();
    }
    if let Some(pair) = secret {
        write_secret(&mut batch, pair);
    }
    write_header(&mut batch, File::Tree, Header::Tree);
    write_header(&mut batch, File::Signatures, Header::Signatures);
    let bitfield = Header::Bitfield(PageSize::Current);
    write_header(&mut batch, File::Bitfield, bitfield);
    batch.barrier();
    if let Some(key) = key {
        batch.write(File::Key, 0, Bytes::copy_from_slice(key.as_bytes()));
        batch.barrier();
    }
    batch
}

pub(crate) fn write_header(batch: &mut Batch, file: File, header: Header) {
    batch.write(file, 0, Bytes::copy_from_slice(&header.to_bytes()));
}

pub(crate) fn write_secret(batch: &mut Batch, pair: &KeyPair) {
    let bytes = pair.secret().to_bytes();
    batch.write(File::SecretKey, 0, Bytes::copy_from_slice(&bytes[..]));
}
