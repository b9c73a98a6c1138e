//! Ranges and times as people write them.
//!
//! | text | means, of `n` blocks or bytes |
//! | --- | --- |
//! | `3..7`, `3..=6` | 3, 4, 5, 6 |
//! | `3..`, `..7`, `..` | from 3 on; up to 7; all |
//! | `-5..` | the last five |
//! | `1M..2M` | the second mebibyte: units are powers of 1024 |
//! | `7` | 7 alone |

use std::{fmt, ops::Range, str::FromStr, time::Duration};

/// A range whose bounds may count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: Bound,
    end: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// So far from the beginning.
    Start(u64),
    /// So far before the end.
    End(u64),
}

impl Span {
    /// The whole.
    pub(crate) const ALL: Span = Span {
        start: Bound::Start(0),
        end: Bound::End(0),
    };

    /// The range, of a whole of this length. It ends where the whole does.
    pub(crate) fn within(&self, length: u64) -> Range<u64> {
        let at = |bound| match bound {
            Bound::Start(from) => length.min(from),
            Bound::End(before) => length.saturating_sub(before),
        };
        let (start, end) = (at(self.start), at(self.end));
        start..end.max(start)
    }

    /// The end, if it was given and counts from the beginning.
    pub(crate) fn end(&self) -> Option<u64> {
        match self.end {
            Bound::Start(end) => Some(end),
            Bound::End(_) => None,
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = match text.split_once("..") {
            None => match bound(text)? {
                Bound::Start(at) => Span {
                    start: Bound::Start(at),
                    end: Bound::Start(at.checked_add(1).ok_or_else(help)?),
                },
                Bound::End(_) => return Err(help()),
            },
            Some((start, end)) => Span {
                start: match start {
                    "" => Bound::Start(0),
                    start => bound(start)?,
                },
                end: match (end, end.strip_prefix('=')) {
                    ("", _) => Bound::End(0),
                    (_, Some(last)) => match bound(last)? {
                        Bound::Start(last) => Bound::Start(last.checked_add(1).ok_or_else(help)?),
                        Bound::End(last) => Bound::End(last.saturating_sub(1)),
                    },
                    (end, None) => bound(end)?,
                },
            },
        };
        match (span.start, span.end) {
            (Bound::Start(start), Bound::Start(end)) if start > end => {
                Err(format!("the range {text} ends before it begins"))
            }
            _ => Ok(span),
        }
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    match text.strip_prefix('-') {
        Some(before) => Ok(Bound::End(number(before)?)),
        None => Ok(Bound::Start(number(text)?)),
    }
}

/// A number, perhaps with a unit.
fn number(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "k" | "K" | "kB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        "G" | "GB" | "GiB" => 1 << 30,
        "T" | "TB" | "TiB" => 1 << 40,
        other => return Err(format!("unknown unit {other:?}: use k, M, G or T")),
    };
    let number: u64 = digits.parse().map_err(|_| help())?;
    number.checked_mul(unit).ok_or_else(help)
}

fn help() -> String {
    "a range is written 3..7, 3..=6, 3.., ..7 or -5.. (the last five)".to_owned()
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start {
            Bound::Start(0) => {}
            Bound::Start(at) => write!(f, "{at}")?,
            Bound::End(before) => write!(f, "-{before}")?,
        }
        write!(f, "..")?;
        match self.end {
            Bound::End(0) => Ok(()),
            Bound::Start(at) => write!(f, "{at}"),
            Bound::End(before) => write!(f, "-{before}"),
        }
    }
}

/// Parses a time: `30s`, `250ms`, `5m`, `1h`; a number alone counts seconds.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let millis: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        other => return Err(format!("unknown unit {other:?}: use ms, s, m or h")),
    };
    let help = || "a time is a number and a unit, such as 30s".to_owned();
    let number: u64 = digits.parse().map_err(|_| help())?;
    let millis = number.checked_mul(millis).filter(|millis| *millis > 0);
    millis.map(Duration::from_millis).ok_or_else(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn within(text: &str, length: u64) -> Range<u64> {
        text.parse::<Span>().unwrap().within(length)
    }

    #[test]
    fn ranges_are_written_in_many_ways() {
        assert_eq!(within("3..7", 10), 3..7);
        assert_eq!(within("3..=6", 10), 3..7);
        assert_eq!(within("3..", 10), 3..10);
        assert_eq!(within("..7", 10), 0..7);
        assert_eq!(within("..", 10), 0..10);
        assert_eq!(within("-5..", 10), 5..10);
        assert_eq!(within("-5..-2", 10), 5..8);
        assert_eq!(within("-5..=-2", 10), 5..9);
        assert_eq!(within("7", 10), 7..8);
        assert_eq!(within("1k..2k", 4096), 1024..2048);
        assert_eq!(Span::ALL.within(10), 0..10);
    }

    #[test]
    fn a_range_ends_where_the_whole_does() {
        assert_eq!(within("3..70", 10), 3..10);
        assert_eq!(within("30..70", 10), 10..10);
        assert_eq!(within("-50..", 10), 0..10);
        assert_eq!(within("-2..-5", 10), 8..8);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "-3",
            "a..b",
            "7..3",
            "1x..",
            "1.5..2",
            "..=18446744073709551615",
            "99999999999999999999..",
            "16777216T..",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_printed_as_they_are_read() {
        for text in ["3..7", "3..", "..7", "..", "-5..", "-5..-2"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(parse_time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_time("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "-1s", "0s", "1d", "1.5s", "99999999999999999999h"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
