//! Sets, maps and lists in order, without a sorting routine for each type of item: `collect` into a set or map brings one
//! along, as `sort_by` does, of about 8 kB, and the engine is loaded by every worker. Not for many items at a time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A set of these items.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    for item in items {
        set.insert(item);
    }
    set
}

/// A map of these pairs; of those with one key the last counts.
pub fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for (key, value) in pairs {
        map.insert(key, value);
    }
    map
}

/// The items in order; those that are equal stay as they came.
pub fn list<T>(items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut places: Vec<usize> = (0..items.len()).collect();
    places_by(&mut places, &|a, b| compare(&items[a], &items[b]));
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    places.into_iter().filter_map(|place| items[place].take()).collect()
}

/// The same by a key of each item.
pub fn list_by_key<T, K: Ord>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    list(items, |a, b| key(a).cmp(&key(b)))
}

/// Puts numbers that stand for items in order; those that are equal stay as they came.
pub fn places_by(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|a, b| compare(*a, *b));
}

/// The first `limit` of numbers that stand for items, in order.
pub fn first_by(places: &mut Vec<usize>, limit: usize, compare: &dyn Fn(usize, usize) -> Ordering) {
    if let (Some(last), true) = (limit.checked_sub(1), limit < places.len()) {
        places.select_nth_unstable_by(last, |a, b| compare(*a, *b));
    }
    places.truncate(limit);
    places_by(places, compare);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_stay_as_they_came() {
        let items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')];
        let expected = [(1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')];
        assert_eq!(list_by_key(items, |item| item.0), expected);
        assert!(list(Vec::<i32>::new(), Ord::cmp).is_empty());
    }

    #[test]
    fn the_first_are_found_whatever_their_number() {
        let values = [5, 3, 9, 1, 7];
        for limit in 0..=7 {
            let mut places = vec![0, 1, 2, 3, 4];
            first_by(&mut places, limit, &|a, b| values[a].cmp(&values[b]));
            assert_eq!(places, [3, 1, 0, 4, 2][..limit.min(5)], "{limit}");
        }
    }

    #[test]
    fn of_pairs_with_one_key_the_last_counts() {
        let pairs = [("b", 1), ("a", 2), ("b", 3)];
        assert_eq!(map(pairs).into_iter().collect::<Vec<_>>(), [("a", 2), ("b", 3)]);
        assert_eq!(set(["b", "a", "b"]).into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
