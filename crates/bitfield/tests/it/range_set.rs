//! Sets of ranges against sets of numbers.

use std::collections::BTreeSet;

use hypercore_bitfield::RangeSet;
use proptest::prelude::*;

proptest! {
    #[test]
    fn behaves_like_a_set_of_numbers(
        ops in prop::collection::vec((any::<bool>(), 0..60u64, 0..12u64), 1..40),
    ) {
        let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
        for (insert, start, len) in ops {
            let range = start..start + len;
            let before = model.len();
            if insert {
                model.extend(range.clone());
                prop_assert_eq!(set.insert(range), (model.len() - before) as u64);
            } else {
                model.retain(|number| !range.contains(number));
                prop_assert_eq!(set.remove(range), (before - model.len()) as u64);
            }
            let numbers: Vec<u64> = set.iter().flatten().collect();
            prop_assert!(numbers.iter().eq(&model));
            // Runs neither overlap nor touch.
            let runs: Vec<_> = set.iter().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(set.runs(), runs.len());
        }
        prop_assert_eq!(set.first(), model.first().copied());
        prop_assert_eq!(set.end(), model.last().map_or(0, |last| last + 1));
        prop_assert_eq!(set.is_empty(), model.is_empty());
        for from in 0..75 {
            prop_assert_eq!(set.contains(from), model.contains(&from));
            prop_assert_eq!(set.next_in(from), model.range(from..).next().copied());
            let out = (from..).find(|number| !model.contains(number)).unwrap();
            prop_assert_eq!(set.next_out(from), out);
            let range = from..from + 9;
            prop_assert_eq!(set.count(range.clone()), model.range(range.clone()).count() as u64);
            prop_assert_eq!(set.contains_all(range.clone()), range.clone().all(|n| model.contains(&n)));
            let part: Vec<u64> = set.intersection(range.clone()).flatten().collect();
            prop_assert!(part.iter().eq(model.range(range)));
        }
    }
}

#[test]
fn a_huge_range_costs_one_run() {
    let mut set = RangeSet::new();
    assert_eq!(set.insert(0..u64::MAX), u64::MAX);
    assert_eq!(set.remove(7..u64::MAX - 1), u64::MAX - 8);
    assert_eq!(set.runs(), 2);
}

#[test]
fn an_empty_range_is_in_every_set_and_changes_none() {
    let mut set = RangeSet::new();
    assert_eq!(set.insert(5..5), 0);
    assert!(set.contains_all(5..5) && set.is_empty());
}
