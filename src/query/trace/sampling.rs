//! Sampling: how a rule's reservoir is shared by the clients that ask.

/// A client of a rule, and how busy it was.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingClient {
    /// Its id.
    pub id: String,
    /// Requests that it saw in its last interval.
    pub requests: u64,
}

/// Shares `reservoir` traces a second among `clients`, in proportion to their requests.
///
/// Shape: one quota a client, in the order given; they add up to the reservoir. What cannot be
/// divided goes to the largest remainders; among equals it moves on with each `turn`, so that no
/// client starves.
/// Differs: AWS does not publish how it divides.
pub fn reservoir_quotas(reservoir: u64, clients: &[SamplingClient], turn: u64) -> Vec<u64> {
    // A client that reports is busy, even when it says otherwise.
    let weights: Vec<u128> = clients.iter().map(|c| u128::from(c.requests.max(1))).collect();
    let all: u128 = weights.iter().sum::<u128>().max(1);
    let share = |weight: &u128| u128::from(reservoir) * weight;
    let mut quotas: Vec<u64> = weights.iter().map(|w| narrowed(share(w) / all)).collect();
    let left = reservoir.saturating_sub(quotas.iter().sum());
    let count = clients.len().max(1);
    let turned = usize::try_from(turn % (count as u64)).unwrap_or(0);
    let mut order: Vec<usize> = (0..clients.len()).collect();
    order.sort_by_key(|at| {
        let remainder = weights.get(*at).map_or(0, |weight| share(weight) % all);
        (std::cmp::Reverse(remainder), (at + count - turned) % count)
    });
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        if let Some(quota) = quotas.get_mut(at) {
            *quota += 1;
        }
    }
    quotas
}

fn narrowed(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(reservoir: u64, requests: &[u64], turn: u64) -> Vec<u64> {
        let client = |requests: &u64| SamplingClient { id: String::new(), requests: *requests };
        reservoir_quotas(reservoir, &requests.iter().map(client).collect::<Vec<_>>(), turn)
    }

    #[test]
    fn a_reservoir_is_shared_by_load_and_never_exceeded() {
        assert_eq!(shared(10, &[30, 10], 0), [8, 2]);
        assert_eq!(shared(10, &[100], 0), [10]);
        assert_eq!(shared(1, &[5, 900, 5], 0), [0, 1, 0]);
        assert_eq!(shared(0, &[5, 5], 0), [0, 0]);
        assert_eq!(shared(7, &[0, 0, 0], 3).iter().sum::<u64>(), 7);
        assert!(shared(5, &[], 0).is_empty());
    }

    #[test]
    fn what_cannot_be_divided_goes_round_among_equals() {
        let turns: Vec<Vec<u64>> = (0..3).map(|turn| shared(1, &[5, 5, 5], turn)).collect();
        assert_eq!(turns, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
    }
}
