//! Sizes as people write them.

/// Parses a size of 1 byte to 8 MiB - 16 KiB (what a block may have): `100`, `64k`, `64KiB`, `1M`. Units are powers
/// of 1024.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    match parse_bytes(text)?.try_into() {
        Ok(size @ 1..=MAX_BLOCK) => Ok(size),
        _ => Err(format!("a block has 1 to {MAX_BLOCK} bytes")),
    }
}

/// Parses a number of bytes: `4711`, `64k`, `1MiB`, `2G`. Units are powers of 1024.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "k" | "K" | "kB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        "G" | "GB" | "GiB" => 1 << 30,
        "T" | "TB" | "TiB" => 1 << 40,
        other => return Err(format!("unknown unit {other:?}: use k, M, G or T")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a size is a number and a unit, such as 64k".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "that is more than a number of 64 bits holds".to_owned())
}

/// The largest block that fits in a message with its proof.
pub(crate) const MAX_BLOCK: usize = 8 * 1024 * 1024 - 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("100"), Ok(100));
        assert_eq!(parse_size("64k"), Ok(65_536));
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("1M"), Ok(1_048_576));
    }

    #[test]
    fn places_in_a_feed_may_lie_beyond_a_block() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("3G"), Ok(3 << 30));
        assert_eq!(parse_bytes("2TiB"), Ok(2 << 40));
        assert!(parse_bytes("99999999T").is_err());
    }

    #[test]
    fn what_is_no_size_of_a_block_is_refused() {
        for text in [
            "",
            "k",
            "0",
            "8M",
            "1G",
            "-1",
            "99999999999999999999",
            "1.5k",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
