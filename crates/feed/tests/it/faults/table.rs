//! The faults, each with what has to come of it.

use crypto::KeyPair;
use hypercore_feed::{Damage, Error};
use storage::File::{
    self, Bitfield as B, Data as D, Key as K, SecretKey as X, Signatures as S, Tree as T,
};

use super::{
    Outcome::{
        self, Audited, Disk, Earlier, Fine, Lost, Mended, ReadOnly, Refused, Repaired, Told,
    },
    block,
    damage::{Place, node, signature},
};
use crate::world::key_of;

/// One of them.
pub(super) struct Fault {
    /// As in the docs.
    pub(super) name: &'static str,
    pub(super) inflict: fn(&Place<'_>),
    pub(super) expected: Outcome,
}

const fn fault(name: &'static str, inflict: fn(&Place<'_>), expected: Outcome) -> Fault {
    Fault {
        name,
        inflict,
        expected,
    }
}

const fn corrupt(file: File, what: Damage) -> Error {
    Error::Corrupt { file, what }
}

/// Where a block begins.
fn start(number: u64) -> usize {
    (0..number).map(|number| block(number).len()).sum()
}

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("none", |_| {}, Fine),
    fault("data: missing", |p| p.remove(D), Lost(0..20)),
    fault("data: empty", |p| p.keep(D, 0), Lost(0..20)),
    fault("data: cut last byte", |p| p.cut(D, 1), Lost(19..20)),
    fault("data: cut last block", |p| p.cut(D, block(19).len()), Lost(19..20)),
    fault("data: cut to ten blocks", |p| p.keep(D, start(10)), Lost(10..20)),
    fault("data: zero all", |p| p.zero_from(D, 0), Lost(0..20)),
    fault("data: zero from block 10", |p| p.zero_from(D, start(10)), Lost(10..20)),
    fault("data: zero block 10", |p| p.zero(D, start(10)..start(11)), Lost(10..11)),
    fault("data: flip a bit in block 0", |p| p.flip(D, 0), Lost(0..1)),
    fault("data: flip a bit in block 5", |p| p.flip(D, start(5)), Lost(5..6)),
    fault("data: flip a bit in last block", |p| p.flip(D, start(19)), Lost(19..20)),
    fault("data: a byte more in front", |p| p.change(D, |bytes| bytes.insert(0, 7)), Lost(0..20)),
    fault("data: a byte less in front", |p| p.change(D, |bytes| { bytes.remove(0); }), Lost(0..20)),
    fault("data: 4 KiB zeros appended", |p| p.add(D, &[0; 4096]), Fine),
    fault("data: garbage appended", |p| p.add(D, &[7; 100]), Fine),
    fault("data: is a directory", |p| p.directory(D), Disk),
    fault("data: symlink loop", |p| p.endless_link(D), Disk),
    fault("tree: missing", |p| p.remove(T), Refused(corrupt(File::Tree, Damage::Short))),
    fault("tree: empty", |p| p.keep(T, 0), Refused(corrupt(File::Tree, Damage::Short))),
    fault("tree: header only", |p| p.keep(T, 32), Refused(corrupt(File::Tree, Damage::Short))),
    fault("tree: cut last byte", |p| p.cut(T, 1), Mended),
    fault("tree: cut last node", |p| p.cut(T, 40), Mended),
    fault("tree: cut last 5 nodes", |p| p.cut(T, 5 * 40), Refused(corrupt(File::Tree, Damage::Short))),
    fault("tree: zero last node (leaf 19)", |p| p.zero(T, node(38)..node(39)), Mended),
    fault("tree: zero last 5 nodes", |p| p.zero_from(T, node(34)), Refused(corrupt(File::Tree, Damage::MissingNode))),
    fault("tree: zero all", |p| p.zero_from(T, 32), Refused(corrupt(File::Tree, Damage::MissingNode))),
    fault("tree: zero leaf 0", |p| p.zero(T, node(0)..node(1)), Mended),
    fault("tree: zero parent 1", |p| p.zero(T, node(1)..node(2)), Mended),
    fault("tree: zero parent 7", |p| p.zero(T, node(7)..node(8)), Mended),
    fault("tree: zero root 15", |p| p.zero(T, node(15)..node(16)), Repaired),
    fault("tree: zero root 35", |p| p.zero(T, node(35)..node(36)), Repaired),
    fault("tree: flip size bit of leaf 5 (node 10)", |p| p.flip(T, node(10) + 39), Mended),
    fault("tree: flip hash bit of leaf 5 (node 10)", |p| p.flip(T, node(10)), Mended),
    fault("tree: make leaf 5 huge", |p| p.put(T, node(10) + 32, &[0, 1]), Mended),
    fault("tree: flip size bit of parent 9", |p| p.flip(T, node(9) + 39), Mended),
    fault("tree: flip hash bit of parent 9", |p| p.flip(T, node(9)), Audited),
    fault("tree: flip size bit of root 15", |p| p.flip(T, node(15) + 39), Repaired),
    fault("tree: flip hash bit of root 15", |p| p.flip(T, node(15)), Repaired),
    fault("tree: flip hash bit of root 35", |p| p.flip(T, node(35)), Repaired),
    fault("tree: bad magic", |p| p.put(T, 0, &[9; 3]), Fine),
    fault("tree: bad type", |p| p.put(T, 3, &[9]), Fine),
    fault("tree: bad entry size", |p| p.put(T, 5, &[9, 9]), Fine),
    fault("tree: another algorithm", |p| p.put(T, 8, b"SHA"), Fine),
    fault("tree: garbage appended", |p| p.add(T, &[7; 100]), Fine),
    fault("tree: is a directory", |p| p.directory(T), Disk),
    fault("tree: symlink loop", |p| p.endless_link(T), Disk),
    fault("signatures: missing", |p| p.remove(S), Repaired),
    fault("signatures: empty", |p| p.keep(S, 0), Repaired),
    fault("signatures: header only", |p| p.keep(S, 32), Repaired),
    fault("signatures: cut last byte", |p| p.cut(S, 1), Repaired),
    fault("signatures: cut last 3", |p| p.cut(S, 3 * 64), Repaired),
    fault("signatures: zero last", |p| p.zero_from(S, signature(20)), Repaired),
    fault("signatures: zero all", |p| p.zero_from(S, 32), Repaired),
    fault("signatures: flip a bit in the last", |p| p.flip(S, signature(20)), Repaired),
    fault("signatures: the last is that of length 19", |p| p.change(S, |bytes| bytes.copy_within(signature(19)..signature(20), signature(20))), Repaired),
    fault("signatures: bad magic", |p| p.put(S, 0, &[9; 3]), Fine),
    fault("signatures: another algorithm", |p| p.put(S, 8, b"RSA"), Fine),
    fault("signatures: garbage appended", |p| p.add(S, &[7; 100]), Repaired),
    fault("signatures: zeros appended", |p| p.add(S, &[0; 100]), Fine),
    fault("signatures: is a directory", |p| p.directory(S), Disk),
    fault("signatures: symlink loop", |p| p.endless_link(S), Disk),
    fault("bitfield: missing", |p| p.remove(B), Repaired),
    fault("bitfield: empty", |p| p.keep(B, 0), Repaired),
    fault("bitfield: header only", |p| p.keep(B, 32), Repaired),
    fault("bitfield: cut last byte", |p| p.cut(B, 1), Repaired),
    fault("bitfield: cut in the bits", |p| p.keep(B, 34), Repaired),
    fault("bitfield: zero whole page", |p| p.zero_from(B, 32), Repaired),
    fault("bitfield: zero tree bits only", |p| p.zero(B, 32 + 1024..32 + 3072), Repaired),
    fault("bitfield: zero data bits only", |p| p.zero(B, 32..32 + 1024), Repaired),
    fault("bitfield: zero index only", |p| p.zero(B, 32 + 3072..32 + 3584), Repaired),
    fault("bitfield: clear data bit of block 19", |p| p.zero(B, 34..35), Repaired),
    fault("bitfield: clear leaf bits of block 19", |p| p.change(B, |bytes| bytes[32 + 1024 + 4] &= !2), Repaired),
    fault("bitfield: set data+tree bits of blocks 20-23", |p| p.change(B, |bytes| { bytes[34] |= 0x0f; bytes[32 + 1024 + 4] |= 1; bytes[32 + 1024 + 5] |= 0xfe; }), Refused(corrupt(File::Tree, Damage::Short))),
    fault("bitfield: set all tree bits", |p| p.change(B, |bytes| bytes[32 + 1024..32 + 3072].fill(0xff)), Refused(corrupt(File::Tree, Damage::Short))),
    fault("bitfield: set all bits", |p| p.change(B, |bytes| bytes[32..].fill(0xff)), Refused(corrupt(File::Tree, Damage::Short))),
    fault("bitfield: page size 0 in header", |p| p.put(B, 5, &[0, 0]), Fine),
    fault("bitfield: page size 1 in header", |p| p.put(B, 5, &[0, 1]), Fine),
    fault("bitfield: page size 3328 in header", |p| p.put(B, 5, &[13, 0]), Audited),
    fault("bitfield: bad magic", |p| p.put(B, 0, &[9; 3]), Fine),
    fault("bitfield: garbage in the notes", |p| p.put(B, 8, &[9; 24]), Fine),
    fault("bitfield: second page of 0xff appended", |p| p.add(B, &[0xff; 3584]), Refused(corrupt(File::Tree, Damage::Short))),
    fault("bitfield: is a directory", |p| p.directory(B), Disk),
    fault("bitfield: symlink loop", |p| p.endless_link(B), Disk),
    fault("key: missing", |p| p.remove(K), Refused(Error::KeyFileMissing)),
    fault("key: empty", |p| p.keep(K, 0), Refused(Error::KeyFileMissing)),
    fault("key: cut to 31 bytes", |p| p.keep(K, 31), Refused(corrupt(File::Key, Damage::Short))),
    fault("key: zeros", |p| p.zero_from(K, 0), Refused(Error::KeyFileMissing)),
    fault("key: another key", |p| p.put(K, 0, key_of(61).as_bytes()), Refused(corrupt(File::SecretKey, Damage::WrongKey))),
    fault("key: flip a bit", |p| p.flip(K, 0), Refused(corrupt(File::SecretKey, Damage::WrongKey))),
    fault("key: 1 byte appended", |p| p.add(K, &[1]), Fine),
    fault("key: is a directory", |p| p.directory(K), Disk),
    fault("key: symlink loop", |p| p.endless_link(K), Disk),
    fault("secret_key: missing", |p| p.remove(X), ReadOnly),
    fault("secret_key: empty", |p| p.keep(X, 0), ReadOnly),
    fault("secret_key: cut to 32 bytes", |p| p.keep(X, 32), Refused(corrupt(File::SecretKey, Damage::Short))),
    fault("secret_key: zeros", |p| p.zero_from(X, 0), Refused(corrupt(File::SecretKey, Damage::WrongKey))),
    fault("secret_key: flip a bit in the seed half", |p| p.flip(X, 0), Refused(corrupt(File::SecretKey, Damage::WrongKey))),
    fault("secret_key: flip a bit in the public half", |p| p.flip(X, 40), Refused(corrupt(File::SecretKey, Damage::WrongKey))),
    fault("secret_key: another pair", |p| p.put(X, 0, &KeyPair::from_seed([61; 32]).secret().to_bytes()[..]), Refused(corrupt(File::SecretKey, Damage::WrongKey))),
    fault("secret_key: is a directory", |p| p.directory(X), Disk),
    fault("secret_key: symlink loop", |p| p.endless_link(X), Disk),
    fault("stale data (10 of 20)", |p| p.stale(&[D]), Lost(10..20)),
    fault("stale tree (10 of 20)", |p| p.stale(&[T]), Refused(corrupt(File::Tree, Damage::MissingNode))),
    fault("stale signatures (10 of 20)", |p| p.stale(&[S]), Repaired),
    fault("stale bitfield (10 of 20)", |p| p.stale(&[B]), Repaired),
    fault("stale data+tree (10 of 20)", |p| p.stale(&[D, T]), Refused(corrupt(File::Tree, Damage::MissingNode))),
    fault("stale data+bitfield (10 of 20)", |p| p.stale(&[D, B]), Told(10..20)),
    fault("stale tree+signatures (10 of 20)", |p| p.stale(&[T, S]), Refused(corrupt(File::Tree, Damage::MissingNode))),
    fault("stale data+signatures (10 of 20)", |p| p.stale(&[D, S]), Refused(corrupt(File::Signatures, Damage::MissingSignature))),
    fault("stale data+tree+bitfield (10 of 20)", |p| p.stale(&[D, T, B]), Earlier),
    fault("stale data+signatures+bitfield (10 of 20)", |p| p.stale(&[D, S, B]), Earlier),
    fault("stale tree+signatures+bitfield (10 of 20)", |p| p.stale(&[T, S, B]), Earlier),
    fault("stale tree+bitfield (10 of 20)", |p| p.stale(&[T, B]), Earlier),
    fault("stale data+tree+signatures+bitfield (10 of 20)", |p| p.stale(&[D, T, S, B]), Earlier),
    fault("tree: new size, new bytes zero (size reached disk, data did not)", |p| p.hollow(T), Refused(corrupt(File::Tree, Damage::MissingNode))),
    fault("signatures: new size, new bytes zero (size reached disk, data did not)", |p| p.hollow(S), Repaired),
    fault("data: new size, new bytes zero (size reached disk, data did not)", |p| p.hollow(D), Lost(10..20)),
];
