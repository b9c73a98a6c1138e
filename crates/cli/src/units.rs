//! Sizes as people write them.

/// Parses a size of 1 byte to 8 MiB - 16 KiB (what a block may have): `100`, `64k`, `64KiB`, `1M`. Units are powers
/// of 1024.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "k" | "K" | "kB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        other => return Err(format!("unknown unit {other:?}: use k or M")),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "a size is a number and a unit, such as 64k".to_owned())?;
    match number.checked_mul(unit) {
        Some(size @ 1..=MAX_BLOCK) => Ok(size),
        _ => Err(format!("a block has 1 to {MAX_BLOCK} bytes")),
    }
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
