use std::time::Duration;

/// When a failed delivery is tried again, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Wait after the first failure; doubled after each further one.
    pub first: Duration,
    /// Longest wait.
    pub cap: Duration,
    /// Age at which a notification becomes a dead letter.
    pub give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(300),
            give_up_after: Duration::from_secs(24 * 3_600),
        }
    }
}

/// What follows a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextTry {
    /// Try again after this long.
    After(Duration),
    /// It is too old: a dead letter.
    GiveUp,
}

impl RetryPolicy {
    /// What follows the failure number `attempt` (from 1) of a notification of that `age`.
    ///
    /// `asked` is what the receiver asked for; it can lengthen a wait, not shorten it. `random`
    /// (0 to 1) spreads the wait over its upper half, so that many retries do not meet.
    pub fn next(
        &self,
        attempt: u32,
        age: Duration,
        asked: Option<Duration>,
        random: f64,
    ) -> NextTry {
        if age >= self.give_up_after {
            return NextTry::GiveUp;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let spread = full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        // BOUND: a receiver cannot silence a channel for longer than the cap.
        let asked = asked.unwrap_or_default().min(self.cap);
        NextTry::After(spread.max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wait(attempt: u32, asked: Option<u64>, random: f64) -> f64 {
        let asked = asked.map(Duration::from_secs);
        match RetryPolicy::default().next(attempt, SECOND, asked, random) {
            NextTry::After(wait) => wait.as_secs_f64(),
            NextTry::GiveUp => f64::INFINITY,
        }
    }

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread_over_their_upper_half() {
        for (attempt, shortest, longest) in
            [(1, 0.5, 1.0), (2, 1.0, 2.0), (5, 8.0, 16.0), (10, 150.0, 300.0), (90, 150.0, 300.0)]
        {
            assert_eq!(wait(attempt, None, 0.0), shortest, "attempt {attempt}");
            assert_eq!(wait(attempt, None, 1.0), longest, "attempt {attempt}");
        }
    }

    #[test]
    fn a_receiver_can_lengthen_a_wait_up_to_the_cap_only() {
        assert_eq!(wait(1, Some(30), 0.0), 30.0);
        assert_eq!(wait(1, Some(86_400), 0.0), 300.0);
        assert_eq!(wait(10, Some(1), 0.0), 150.0);
    }

    #[test]
    fn an_old_notification_is_given_up() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.next(1, policy.give_up_after, None, 0.0), NextTry::GiveUp);
        let young = policy.give_up_after - SECOND;
        assert_ne!(policy.next(400, young, None, 0.0), NextTry::GiveUp);
    }
}
