//! Unsigned LEB128: seven bits a byte, the low ones first, the high bit says that more follows.

use bytes::BufMut;

use crate::Error;

/// The longest varint: 64 bits.
pub const MAX_LEN: usize = 10;

/// Reads a varint from the front of `bytes`: its value and its length. None if it isn't all there yet.
///
/// # Errors
/// [`Error::VarintTooLong`]. Longer forms than needed are read, as JavaScript reads them.
pub fn read(bytes: &[u8]) -> Result<Option<(u64, usize)>, Error> {
    let mut value: u64 = 0;
    for (at, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if at == MAX_LEN - 1 && bits > 1 {
            return Err(Error::VarintTooLong);
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    match bytes.len() < MAX_LEN {
        true => Ok(None),
        false => Err(Error::VarintTooLong),
    }
}

/// How many bytes a number takes.
pub const fn len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Appends a number in its shortest form.
///
/// ```
/// use hypercore_wire::varint;
///
/// let mut out = Vec::new();
/// varint::write(300, &mut out);
/// assert_eq!(out, [0xac, 0x02]);
/// assert_eq!(varint::read(&out)?, Some((300, 2)));
/// assert_eq!(varint::read(&out[..1])?, None);
/// # Ok::<_, hypercore_wire::Error>(())
/// ```
pub fn write(mut value: u64, out: &mut impl BufMut) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}
