//! Aligns two sequences of line hashes: which lines are the same, and in which order they went on.

use std::collections::HashMap;
use std::ops::Range;

/// Lines that are the same in both sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) baseline: usize,
    pub(super) actual: usize,
    pub(super) length: usize,
}

/// Finds the common lines of two sequences, in order, by patience: trim equal ends, anchor on
/// lines that occur once on both sides, and do the same between anchors.
///
/// Source: Bram Cohen's patience diff. Linear but for the sort of anchors; lines that repeat and
/// lie between no anchors stay unmatched.
pub(super) fn align(baseline: &[u64], actual: &[u64]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut pending = vec![(0..baseline.len(), 0..actual.len())];
    while let Some((mut a, mut b)) = pending.pop() {
        trim(baseline, actual, (&mut a, &mut b), &mut runs);
        if a.is_empty() || b.is_empty() {
            continue;
        }
        let anchors = anchors(baseline, actual, &a, &b);
        if anchors.is_empty() {
            continue;
        }
        let mut from = (a.start, b.start);
        for (in_a, in_b) in anchors {
            pending.push((from.0..in_a, from.1..in_b));
            runs.push(Run { baseline: in_a, actual: in_b, length: 1 });
            from = (in_a + 1, in_b + 1);
        }
        pending.push((from.0..a.end, from.1..b.end));
    }
    joined(runs)
}

/// Moves common lines at both ends of the two ranges into `runs`.
fn trim(
    baseline: &[u64],
    actual: &[u64],
    (a, b): (&mut Range<usize>, &mut Range<usize>),
    runs: &mut Vec<Run>,
) {
    let (left, right) =
        (baseline.get(a.clone()).unwrap_or_default(), actual.get(b.clone()).unwrap_or_default());
    let head = left.iter().zip(right).take_while(|(x, y)| x == y).count();
    runs.push(Run { baseline: a.start, actual: b.start, length: head });
    let longest = left.len().min(right.len()) - head;
    let ends = left.iter().rev().zip(right.iter().rev());
    let tail = ends.take(longest).take_while(|(x, y)| x == y).count();
    (a.start, a.end) = (a.start + head, a.end - tail);
    (b.start, b.end) = (b.start + head, b.end - tail);
    runs.push(Run { baseline: a.end, actual: b.end, length: tail });
}

/// Lines that occur once on each side, as the longest chain that rises on both.
fn anchors(
    baseline: &[u64],
    actual: &[u64],
    a: &Range<usize>,
    b: &Range<usize>,
) -> Vec<(usize, usize)> {
    let once = |lines: &[u64], range: &Range<usize>| {
        let mut seen: HashMap<u64, Option<usize>> = HashMap::with_capacity(range.len());
        for (at, line) in range.clone().zip(lines.get(range.clone()).unwrap_or_default()) {
            seen.entry(*line).and_modify(|place| *place = None).or_insert(Some(at));
        }
        seen
    };
    let in_b = once(actual, b);
    let mut pairs: Vec<(usize, usize)> = once(baseline, a)
        .into_iter()
        .filter_map(|(line, place)| Some((place?, (*in_b.get(&line)?)?)))
        .collect();
    pairs.sort_unstable();
    longest_rising(&pairs)
}

/// The longest subsequence whose second parts rise.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // `tops` holds for each chain length the pair on which the lowest such chain ends.
    let mut tops: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |at: &usize| pairs.get(*at).map_or(0, |pair| pair.1);
    for (at, pair) in pairs.iter().enumerate() {
        let length = tops.partition_point(|top| second(top) < pair.1);
        before.push(length.checked_sub(1).and_then(|below| tops.get(below).copied()));
        match tops.get_mut(length) {
            Some(top) => *top = at,
            None => tops.push(at),
        }
    }
    let mut chain = Vec::with_capacity(tops.len());
    let mut next = tops.last().copied();
    while let Some(at) = next {
        chain.extend(pairs.get(at).copied());
        next = before.get(at).copied().flatten();
    }
    chain.reverse();
    chain
}

/// Sorts runs and joins those that continue each other.
fn joined(mut runs: Vec<Run>) -> Vec<Run> {
    runs.retain(|run| run.length > 0);
    runs.sort_unstable_by_key(|run| run.baseline);
    let mut out: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match out.last_mut() {
            Some(last)
                if last.baseline + last.length == run.baseline
                    && last.actual + last.length == run.actual =>
            {
                last.length += run.length;
            }
            _ => out.push(run),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(baseline: &str, actual: &str) -> Vec<(usize, usize, usize)> {
        let lines = |text: &str| text.bytes().map(u64::from).collect::<Vec<_>>();
        align(&lines(baseline), &lines(actual))
            .into_iter()
            .map(|run| (run.baseline, run.actual, run.length))
            .collect()
    }

    #[test]
    fn an_inserted_line_moves_the_rest() {
        assert_eq!(runs("abcdef", "abXcdef"), [(0, 0, 2), (2, 3, 4)]);
    }

    #[test]
    fn a_removed_and_a_changed_line_are_told_apart() {
        assert_eq!(runs("abcdefgh", "acdeXgh"), [(0, 0, 1), (2, 1, 3), (6, 5, 2)]);
    }

    #[test]
    fn repeated_lines_are_matched_around_anchors() {
        assert_eq!(runs("--a--b--", "-----a--b--"), [(0, 0, 2), (2, 5, 6)]);
    }

    #[test]
    fn nothing_in_common_gives_nothing() {
        assert_eq!(runs("abc", "xyz"), []);
        assert_eq!(runs("", "xyz"), []);
    }

    #[test]
    fn common_lines_stay_in_order() {
        assert_eq!(runs("abcXYZ", "XYZabc").len(), 1);
    }
}
