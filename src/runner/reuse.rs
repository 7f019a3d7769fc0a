//! Captures that other runs take over: one login for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;

use super::attempt::Attempt;
use super::fault;
use super::step::StepRecord;
use crate::canary::action::Action;
use crate::canary::definition::Step;
use crate::canary::report::{Failure, Verdict};
use crate::canary::secret::SecretText;
use crate::canary::template::{Rendered, TemplateContext as _};
use crate::time::{Deadline, Monotonic};

/// BOUND: of requests whose captures are kept; further ones are made each time.
const SLOTS_MAX: usize = 1_000;

/// What the steps of all runs of a runner left to each other. Kept in memory only.
#[derive(Debug, Default)]
pub(super) struct ReuseCache {
    slots: Mutex<BTreeMap<[u8; 32], ReuseSlot>>,
}

/// What one request captured. Whoever makes the request holds it, so that runs which start together
/// make one.
#[derive(Clone, Debug, Default)]
pub(super) struct ReuseSlot {
    kept: Arc<AsyncMutex<Option<Kept>>>,
}

struct Kept {
    captured: Vec<Captured>,
    until: Monotonic,
}

struct Captured {
    name: Arc<str>,
    value: Value,
    is_secret: bool,
}

/// Without values: they are secrets as often as not.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("until", &self.until).finish_non_exhaustive()
    }
}

impl ReuseCache {
    fn slot(&self, key: [u8; 32]) -> Option<ReuseSlot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SLOTS_MAX && !slots.contains_key(&key) {
            // Whoever is at work on one holds it besides.
            slots.retain(|_, slot| Arc::strong_count(&slot.kept) > 1);
            if slots.len() >= SLOTS_MAX {
                return None;
            }
        }
        Some(slots.entry(key).or_default().clone())
    }
}

impl ReuseSlot {
    /// Lets the next run make the request anew.
    pub(super) fn forget(&self) {
        if let Ok(mut kept) = self.kept.try_lock() {
            *kept = None;
        }
    }
}

impl Attempt {
    /// Acts, unless another run did so not longer than `lifetime` ago: then its captures are taken
    /// over.
    pub(super) async fn act_once(
        &mut self,
        step: &Step,
        lifetime: Duration,
        (record, deadline): (&mut StepRecord, Deadline),
    ) -> Result<(), Box<Failure>> {
        let key = match &step.action {
            Action::Http(action) => self.fingerprint(step, action).await?,
            _ => None,
        };
        let Some(slot) = key.and_then(|key| self.run.parts.reused.slot(key)) else {
            return self.act(step, record, deadline).await;
        };
        let Ok(mut kept) = deadline.bound(slot.kept.lock()).await else {
            let message = "another run did not end this step, which both share, in time";
            return Err(Box::new(fault::failure(Verdict::NoAnswer, message)));
        };
        let clock = Arc::clone(self.run.clock());
        if let Some(kept) = kept.as_ref().filter(|kept| kept.until > clock.monotonic()) {
            self.take_over(kept);
            self.reused.push(slot.clone());
            return Ok(());
        }
        *kept = None;
        self.act(step, record, deadline).await?;
        let captured = step.capture.iter().filter_map(|capture| {
            let value = self.scope.variable(&capture.name)?.value.clone();
            Some(Captured { name: Arc::clone(&capture.name), value, is_secret: capture.secret })
        });
        let until = clock.monotonic().plus(lifetime);
        *kept = Some(Kept { captured: captured.collect(), until });
        Ok(())
    }

    fn take_over(&mut self, kept: &Kept) {
        for Captured { name, value, is_secret } in &kept.captured {
            if *is_secret {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.run.redaction.learn([SecretText::new(text)]);
                self.scope.hold_secret(Arc::clone(name), value.clone());
            } else {
                self.scope.hold(Arc::clone(name), Rendered::clean(value.clone()));
            }
        }
    }
}
