//! XSalsa20, eight blocks at a time.
//!
//! A block of the key stream depends on its number and on no other block, so eight of them are computed side by side, each in a
//! lane of its own:
//!
//! ```text
//!            lane 0      lane 1     ...  lane 7
//! word 0   [ block n     block n+1  ...  block n+7 ]   one instruction adds, xors or rotates word 0 of all eight
//! word 1   [ ...                                   ]
//! ...
//! word 15  [ ...                                   ]
//! ```
//!
//! That is one loop over the lanes, which the compiler turns into vector instructions: those of AVX-512 or AVX2 where the processor
//! has them. The tests hold it against the crate `salsa20`, which also derives the key of the stream.

use core::array;

use salsa20::{cipher::consts::U10, hsalsa};
use zeroize::Zeroize;

/// How many blocks are computed at a time.
const LANES: usize = 8;

/// What they have in bytes.
const PIECE: usize = 64 * LANES;

/// "expand 32-byte k"
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The words of the counter, the lower half first.
const COUNTER: [usize; 2] = [8, 9];

type Lanes = [u32; LANES];

/// A key stream and the place in it.
pub(crate) struct XSalsa {
    /// The input of the next block.
    input: [u32; 16],
    /// Bytes of the stream that are computed already, of which those before `used` are.
    ahead: [u8; PIECE],
    used: usize,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    avx2: avx2::InitToken,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    avx512: avx512::InitToken,
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
cpufeatures::new!(avx2, "avx2");
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
cpufeatures::new!(avx512, "avx512f", "avx512vl");

impl XSalsa {
    pub(crate) fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        let (first, last) = nonce.split_at(16);
        let mut subkey = hsalsa::<U10>(key.into(), first.try_into().expect("it has 16 bytes"));
        let key: [u32; 8] = words(&subkey);
        let last: [u32; 2] = words(last);
        subkey.zeroize();
        let [c0, c1, c2, c3] = CONSTANTS;
        let [k0, k1, k2, k3, k4, k5, k6, k7] = key;
        let [n0, n1] = last;
        XSalsa {
            input: [c0, k0, k1, k2, k3, c1, n0, n1, 0, 0, c2, k4, k5, k6, k7, c3],
            ahead: [0; PIECE],
            used: PIECE,
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            avx2: avx2::init(),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            avx512: avx512::init(),
        }
    }

    /// Adds the next bytes of the stream to these.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
        let at_hand = bytes.len().min(PIECE - self.used);
        let (head, bytes) = bytes.split_at_mut(at_hand);
        self.take(head);
        let (pieces, tail) = bytes.as_chunks_mut::<PIECE>();
        for piece in pieces {
            self.add(piece);
        }
        if !tail.is_empty() {
            let mut ahead = [0; PIECE];
            self.add(&mut ahead);
            self.ahead = ahead;
            self.used = 0;
            self.take(tail);
        }
    }

    /// Adds bytes that are computed already, of which there are enough.
    fn take(&mut self, bytes: &mut [u8]) {
        let ahead = self.ahead.iter().skip(self.used);
        bytes
            .iter_mut()
            .zip(ahead)
            .for_each(|(byte, key)| *byte ^= key);
        self.used += bytes.len();
    }

    /// Adds eight blocks.
    #[allow(
        unsafe_code,
        reason = "calls a function whose instructions not every processor has"
    )]
    fn add(&mut self, piece: &mut [u8; PIECE]) {
        let [low, high] = COUNTER.map(|word| self.input[word]);
        let next = u64::from(high) << 32 | u64::from(low);
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        match (self.avx512.get(), self.avx2.get()) {
            // SAFETY: this processor has said that it has them.
            (true, _) => unsafe { add_blocks_avx512(&self.input, next, piece) },
            // SAFETY: the same.
            (false, true) => unsafe { add_blocks_avx2(&self.input, next, piece) },
            (false, false) => add_blocks(&self.input, next, piece),
        }
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        add_blocks(&self.input, next, piece);
        let next = next.wrapping_add(LANES as u64);
        self.input[COUNTER[0]] = next as u32;
        self.input[COUNTER[1]] = (next >> 32) as u32;
    }
}

impl Drop for XSalsa {
    fn drop(&mut self) {
        self.input.zeroize();
        self.ahead.zeroize();
    }
}

/// The same as [`add_blocks`], in instructions of AVX2.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
fn add_blocks_avx2(input: &[u32; 16], counter: u64, piece: &mut [u8; PIECE]) {
    add_blocks(input, counter, piece);
}

/// The same in instructions of AVX-512, one of which rotates where AVX2 needs three.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[target_feature(enable = "avx512f,avx512vl")]
fn add_blocks_avx512(input: &[u32; 16], counter: u64, piece: &mut [u8; PIECE]) {
    add_blocks(input, counter, piece);
}

/// Adds the blocks of the stream from a number on.
#[inline(always)]
fn add_blocks(input: &[u32; 16], counter: u64, piece: &mut [u8; PIECE]) {
    let numbers: [u64; LANES] = array::from_fn(|lane| counter.wrapping_add(lane as u64));
    let low = numbers.map(|number| number as u32);
    let high = numbers.map(|number| (number >> 32) as u32);
    let mut stream: [Lanes; 16] = [[0; LANES]; 16];
    // One lane after the other, as it is written here; all at the same time, as it is compiled.
    for lane in 0..LANES {
        let mut start = *input;
        start[COUNTER[0]] = low[lane];
        start[COUNTER[1]] = high[lane];
        let block = block(&start);
        for word in 0..16 {
            stream[word][lane] = block[word];
        }
    }
    let (blocks, _) = piece.as_chunks_mut::<64>();
    for (lane, block) in blocks.iter_mut().enumerate() {
        let (bytes, _) = block.as_chunks_mut::<4>();
        for (bytes, words) in bytes.iter_mut().zip(&stream) {
            let sum = u32::from_le_bytes(*bytes) ^ words[lane];
            *bytes = sum.to_le_bytes();
        }
    }
}

/// One block: twenty rounds, written out, since a loop in a lane would keep the lanes apart.
#[inline(always)]
fn block(start: &[u32; 16]) -> [u32; 16] {
    let mut words = *start;
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    two_rounds(&mut words);
    array::from_fn(|n| words[n].wrapping_add(start[n]))
}

/// The columns, then the rows.
#[inline(always)]
fn two_rounds(words: &mut [u32; 16]) {
    quarter::<0, 4, 8, 12>(words);
    quarter::<5, 9, 13, 1>(words);
    quarter::<10, 14, 2, 6>(words);
    quarter::<15, 3, 7, 11>(words);
    quarter::<0, 1, 2, 3>(words);
    quarter::<5, 6, 7, 4>(words);
    quarter::<10, 11, 8, 9>(words);
    quarter::<15, 12, 13, 14>(words);
}

#[inline(always)]
fn quarter<const A: usize, const B: usize, const C: usize, const D: usize>(words: &mut [u32; 16]) {
    words[B] ^= words[A].wrapping_add(words[D]).rotate_left(7);
    words[C] ^= words[B].wrapping_add(words[A]).rotate_left(9);
    words[D] ^= words[C].wrapping_add(words[B]).rotate_left(13);
    words[A] ^= words[D].wrapping_add(words[C]).rotate_left(18);
}

/// Bytes as words, little-endian.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (bytes, _) = bytes.as_chunks::<4>();
    array::from_fn(|n| bytes.get(n).map_or(0, |word| u32::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use salsa20::{
        XSalsa20,
        cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
    };
    use testkit::Rng;

    use super::*;

    #[test]
    fn pieces_of_any_size_are_those_of_the_crate() {
        let mut rng = Rng::new(1);
        for _ in 0..50 {
            let (key, nonce) = (rng.array(), rng.array());
            let mut ours = XSalsa::new(&key, &nonce);
            let mut theirs = XSalsa20::new(&key.into(), &nonce.into());
            for _ in 0..50 {
                let most = [10, 100, 2000][rng.below(3) as usize];
                let len = rng.below(most);
                let mut one = rng.bytes(len as usize);
                let mut other = one.clone();
                ours.apply(&mut one);
                theirs.apply_keystream(&mut other);
                assert!(one == other, "{len} bytes");
            }
        }
    }

    #[test]
    fn numbers_of_blocks_go_on_beyond_32_bits() {
        let (key, nonce) = ([1; 32], [2; 24]);
        for before in 0..10 {
            let number = (1_u64 << 32) - before;
            let mut ours = XSalsa::new(&key, &nonce);
            ours.input[COUNTER[0]] = number as u32;
            ours.input[COUNTER[1]] = (number >> 32) as u32;
            let mut theirs = XSalsa20::new(&key.into(), &nonce.into());
            theirs.seek(number * 64);
            let [mut one, mut other] = [0; 2].map(|byte| vec![byte; 3 * PIECE]);
            ours.apply(&mut one);
            theirs.apply_keystream(&mut other);
            assert!(one == other, "{before} blocks before");
        }
    }

    /// The instructions that every processor has, and each set of those that this one has beyond them.
    #[test]
    fn all_instructions_make_the_same_stream() {
        let mut cipher = XSalsa::new(&[1; 32], &[2; 24]);
        for counter in [0, 7, u64::MAX - 3] {
            let [mut one, mut other] = [[3; PIECE]; 2];
            add_blocks(&cipher.input, counter, &mut one);
            cipher.input[COUNTER[0]] = counter as u32;
            cipher.input[COUNTER[1]] = (counter >> 32) as u32;
            cipher.add(&mut other);
            assert!(one == other, "{counter}");
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            if cipher.avx2.get() {
                let mut other = [3; PIECE];
                add_blocks_with_avx2(&cipher.input, counter, &mut other);
                assert!(one == other, "{counter}");
            }
        }
    }

    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[allow(unsafe_code, reason = "as in the code that is tested")]
    fn add_blocks_with_avx2(input: &[u32; 16], counter: u64, piece: &mut [u8; PIECE]) {
        assert!(avx2::get());
        // SAFETY: this processor has said that it has them.
        unsafe { add_blocks_avx2(input, counter, piece) }
    }
}
