/// The candidate that `word` was most likely meant to be, if one is near enough.
///
/// Near means an edit distance (with swaps of neighbours) of at most a third of the word's length,
/// or a difference in case, `-` and `_` only.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // BOUND: nobody mistypes a name this long; comparing it would be quadratic work on input.
    const WORD_MAX: usize = 64;
    if word.chars().count() > WORD_MAX {
        return None;
    }
    let wanted = folded(word);
    let limit = wanted.len().div_ceil(3).clamp(1, 3);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = edit_distance(&wanted, &folded(candidate));
            (distance <= limit).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn folded(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let substitution = last.get(j).copied().unwrap_or(0) + usize::from(left != right);
            let insertion = row.get(j).copied().unwrap_or(0) + 1;
            let deletion = last.get(j + 1).copied().unwrap_or(0) + 1;
            let mut best = substitution.min(insertion).min(deletion);
            let swapped =
                i > 0 && j > 0 && a.get(i - 1) == Some(right) && b.get(j - 1) == Some(left);
            if swapped {
                best = best.min(before_last.get(j - 1).copied().unwrap_or(0) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_guessed_and_strangers_are_not() {
        let keys = ["timeout", "schedule", "steps", "max_diff"];
        for (word, guess) in [
            ("timeuot", Some("timeout")),
            ("shedule", Some("schedule")),
            ("step", Some("steps")),
            ("maxDiff", Some("max_diff")),
            ("colour", None),
        ] {
            assert_eq!(did_you_mean(word, keys), guess, "{word}");
        }
    }

    #[test]
    fn a_hostile_word_is_not_compared() {
        assert_eq!(did_you_mean(&"x".repeat(1_000_000), ["x"]), None);
    }
}
