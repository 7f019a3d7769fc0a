use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::{Fault, FaultSet};
use super::goods::{Price, Product, product};
use super::server::{DemoSettings, PASSWORD, USER};

/// What the shop remembers: who is logged in, what is in the carts, what is broken.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) settings: DemoSettings,
    faults: Mutex<FaultSet>,
    sessions: Mutex<Sessions>,
    requests: AtomicU64,
}

#[derive(Debug, Default)]
struct Sessions {
    carts: BTreeMap<Token, Cart>,
    oldest_first: VecDeque<Token>,
}

/// What a visitor shows to be recognised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token(Arc<str>);

/// Quantities by product, in shelf order.
#[derive(Clone, Debug, Default)]
pub(super) struct Cart {
    quantities: BTreeMap<&'static str, u32>,
}

/// One line of a cart.
pub(super) struct CartLine {
    pub(super) product: &'static Product,
    pub(super) quantity: u32,
}

/// A paid cart.
pub(super) struct Order {
    pub(super) number: String,
    pub(super) total: Price,
}

/// Why a cart could not be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Stranger,
    EmptyCart,
}

impl Token {
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Cart {
    pub(super) fn lines(&self) -> impl Iterator<Item = CartLine> {
        let known = |(id, quantity): (&&'static str, &u32)| {
            product(id).map(|product| CartLine { product, quantity: *quantity })
        };
        self.quantities.iter().filter_map(known)
    }

    pub(super) fn total(&self) -> Price {
        let prices = self.lines().map(|line| line.product.price.times(line.quantity));
        prices.fold(Price::default(), Price::plus)
    }

    pub(super) fn count(&self) -> u32 {
        self.quantities.values().fold(0, |sum, quantity| sum.saturating_add(*quantity))
    }
}

impl Shop {
    pub(super) fn new(settings: DemoSettings) -> Self {
        let faults = settings.faults.iter().copied().collect();
        Self {
            settings,
            faults: Mutex::new(faults),
            sessions: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    pub(super) fn faults(&self) -> FaultSet {
        locked(&self.faults).clone()
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        locked(&self.faults).contains(&fault)
    }

    pub(super) fn set_faults(&self, faults: FaultSet) {
        let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
        tracing::info!(faults = names.join(","), "demo faults set");
        *locked(&self.faults) = faults;
    }

    /// A text that no two requests share.
    pub(super) fn clock_face(&self) -> String {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{} · request {request}", self.settings.clock.now().to_rfc3339())
    }

    /// Opens a session, if the password is right.
    pub(super) fn log_in(&self, user: &str, password: &str) -> Option<Token> {
        // BOUND: the oldest visitor is forgotten when more come than the shop remembers.
        const SESSIONS_MAX: usize = 10_000;
        if (user, password) != (USER, PASSWORD) {
            return None;
        }
        let token = Token(format!("{:032x}", fastrand::u128(..)).into());
        let mut sessions = locked(&self.sessions);
        if sessions.oldest_first.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions.oldest_first.pop_front()
        {
            sessions.carts.remove(&oldest);
        }
        sessions.carts.insert(token.clone(), Cart::default());
        sessions.oldest_first.push_back(token.clone());
        Some(token)
    }

    /// The cart of a visitor who is logged in.
    pub(super) fn cart(&self, token: &Token) -> Option<Cart> {
        if self.has(Fault::ExpiredSession) {
            return None;
        }
        locked(&self.sessions).carts.get(token).cloned()
    }

    /// Puts goods into a cart; gives the cart, or nothing to a stranger.
    pub(super) fn put(&self, token: &Token, product: &Product, quantity: u32) -> Option<Cart> {
        if self.has(Fault::ExpiredSession) {
            return None;
        }
        let mut sessions = locked(&self.sessions);
        let cart = sessions.carts.get_mut(token)?;
        let held = cart.quantities.entry(product.id).or_default();
        *held = held.saturating_add(quantity);
        Some(cart.clone())
    }

    /// Empties the cart against an order.
    pub(super) fn check_out(&self, token: &Token) -> Result<Order, Refusal> {
        if self.has(Fault::ExpiredSession) {
            return Err(Refusal::Stranger);
        }
        let mut sessions = locked(&self.sessions);
        let cart = sessions.carts.get_mut(token).ok_or(Refusal::Stranger)?;
        if cart.count() == 0 {
            return Err(Refusal::EmptyCart);
        }
        let total = std::mem::take(cart).total();
        Ok(Order { number: format!("{:08}", fastrand::u32(..100_000_000)), total })
    }
}

/// The guarded value, also after a panic elsewhere: every change here is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
