//! Signatures hold for what was signed and nothing else; hashing many at once is hashing one by one.

use crypto::{
    Dialect, Hash, KeyPair, PublicKey, Signable, Signature, hash, leaf_hash, leaf_hashes,
    parent_hash, parent_hashes,
};

/// 32 bytes are a tree hash, the next a length, a dialect and a place to flip a bit at. Then 32 bytes of key and 64 of
/// signature that nobody made.
pub fn crypto_verify(data: &[u8]) {
    let Some((tree_hash, rest)) = data.split_first_chunk::<32>() else {
        return;
    };
    let &[length, dialect, byte, bit, ref rest @ ..] = rest else {
        return;
    };
    let pair = KeyPair::from_seed(hash(&[&[length]]).to_bytes());
    let dialect = match dialect & 1 {
        0 => Dialect::V8,
        _ => Dialect::V9,
    };
    let signable = Signable {
        tree_hash: Hash::new(*tree_hash),
        length: u64::from(length),
    };
    let signature = pair.sign(&signable, dialect);
    let verified = pair
        .public()
        .verify(&signable, &signature)
        .expect("what was just signed holds");
    assert_eq!(verified.dialect(), Some(dialect));
    assert_eq!(
        (verified.key(), verified.signable()),
        (&pair.public(), &signable)
    );

    let (byte, flip) = (usize::from(byte), 1 << (bit & 7));
    let mut flipped = signature.to_bytes();
    flipped[byte % 64] ^= flip;
    assert!(pair.public().verify(&signable, &flipped.into()).is_err());
    let mut other = *tree_hash;
    other[byte % 32] ^= flip;
    let other = Signable {
        tree_hash: other.into(),
        ..signable
    };
    assert!(pair.public().verify(&other, &signature).is_err());
    let longer = Signable {
        length: signable.length + 1,
        ..signable
    };
    // Dialect 8 signs the hash only, in which the length is implied.
    let holds = pair.public().verify(&longer, &signature).is_ok();
    assert_eq!(holds, dialect == Dialect::V8);

    if let Some((key, rest)) = rest.split_first_chunk::<32>()
        && let Some((signature, _)) = rest.split_first_chunk::<64>()
    {
        // Nobody can sign for a key that came out of nowhere, but any answer is better than a panic.
        let _ = PublicKey::new(*key).verify(&signable, &Signature::new(*signature));
        let _ = pair.public().verify(&signable, &Signature::new(*signature));
    }
}

/// The first byte is how many blocks there are; each begins with two bytes that say how long it is, counted in the rest,
/// which is read again from its start when it ends. The same bytes as text are a key in hex, or not.
pub fn crypto_hashes(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Ok(key) = text.parse::<PublicKey>()
    {
        assert_eq!(key.to_string(), text.to_lowercase());
    }
    let &[count, ref rest @ ..] = data else {
        return;
    };
    let blocks: Vec<&[u8]> = rest
        .windows(2)
        .take(usize::from(count))
        .map(|len| {
            let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
            &rest[..len.min(rest.len())]
        })
        .collect();
    let leaves = leaf_hashes(blocks.iter().copied());
    let one_by_one: Vec<Hash> = blocks.iter().map(|block| leaf_hash(block)).collect();
    assert_eq!(leaves, one_by_one);

    let pairs: Vec<(Hash, Hash, u64)> = leaves
        .windows(2)
        .zip(&blocks)
        .map(|(pair, block)| (pair[0], pair[1], block.len() as u64))
        .collect();
    let one_by_one: Vec<Hash> = pairs
        .iter()
        .map(|(left, right, size)| parent_hash(left, right, *size))
        .collect();
    assert_eq!(parent_hashes(&pairs), one_by_one);
}
