//! Which bytes are asked for: the `Range` header with one range of bytes. Others are passed over, as the standard allows.

use std::ops::Range;

use hyper::header::{HeaderMap, IF_RANGE, RANGE};

/// What of a whole is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requested {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// A part of which nothing is there.
    Outside,
}

/// Reads the headers of a request for something that has a length and a tag.
pub(crate) fn requested(headers: &HeaderMap, length: u64, tag: &str) -> Requested {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // Whoever has a part of another version wants all of this one.
    let same = headers.get(IF_RANGE).is_none() || text(IF_RANGE) == Some(tag);
    match text(RANGE).filter(|_| same) {
        Some(range) => parse(range, length),
        None => Requested::Whole,
    }
}

fn parse(range: &str, length: u64) -> Requested {
    let bounds = range
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'));
    let Some((first, last)) = bounds else {
        return Requested::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than any feed has.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let part = match (first, number(first), last, number(last)) {
        (_, Some(first), "", None) => first..length,
        (_, Some(first), _, Some(last)) if first <= last => {
            first..length.min(last.saturating_add(1))
        }
        // The last so many.
        ("", None, _, Some(count)) => length.saturating_sub(count)..length,
        _ => return Requested::Whole,
    };
    match part.start < part.end {
        true => Requested::Part(part),
        false => Requested::Outside,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn ask(range: &str) -> Requested {
        parse(range, 100)
    }

    #[test]
    fn one_range_of_bytes_is_understood() {
        assert_eq!(ask("bytes=0-9"), Requested::Part(0..10));
        assert_eq!(ask("bytes=90-"), Requested::Part(90..100));
        assert_eq!(ask("bytes=90-1000"), Requested::Part(90..100));
        assert_eq!(ask("bytes=-10"), Requested::Part(90..100));
        assert_eq!(ask("bytes=-1000"), Requested::Part(0..100));
        assert_eq!(
            ask("bytes=5-99999999999999999999999"),
            Requested::Part(5..100)
        );
    }

    #[test]
    fn what_begins_behind_the_end_is_outside() {
        for range in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(ask(range), Requested::Outside, "{range}");
        }
        assert_eq!(parse("bytes=0-", 0), Requested::Outside);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=9-5",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=+1-2",
        ] {
            assert_eq!(ask(range), Requested::Whole, "{range}");
        }
    }

    #[test]
    fn a_part_of_another_version_is_not_given() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=1-2"));
        assert_eq!(requested(&headers, 10, "\"a\""), Requested::Part(1..3));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"a\""));
        assert_eq!(requested(&headers, 10, "\"a\""), Requested::Part(1..3));
        assert_eq!(requested(&headers, 10, "\"b\""), Requested::Whole);
    }
}
