//! The key that digests are signed with: RSA of 2048 bits, made when it is first needed.
//!
//! Source: CloudTrail User Guide, "CloudTrail digest file structure", digestSignatureAlgorithm.

use std::fmt;

use md5::{Digest as _, Md5};
use num_bigint::BigUint;
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Timestamp;

const PRIME_BYTES: usize = 128;
const EXPONENT: u32 = 65_537;
/// Source: FIPS 186-5, table B.1: rounds of Miller-Rabin for random 1024-bit candidates.
const ROUNDS: usize = 5;
/// Candidates with a factor below this are not tried further.
const SMALL_PRIMES_BELOW: u32 = 20_000;

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailKey {
    /// The two primes, in hexadecimal.
    primes: [String; 2],
    /// When it was made.
    pub created: Timestamp,
}

impl fmt::Debug for TrailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrailKey").field("created", &self.created).finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// What is kept is no key.
    #[error("the key that signs digests is damaged")]
    Damaged,
}

/// A key that can sign.
#[derive(Debug)]
pub(super) struct Signer(RsaKeyPair);

impl TrailKey {
    /// Makes a key; takes some seconds of a processor.
    pub(super) fn make(created: Timestamp) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let small = small_primes();
        let first = prime(&random, &small)?;
        loop {
            let second = prime(&random, &small)?;
            if second != first {
                // ring wants the greater one first.
                let (p, q) = if first > second { (first, second) } else { (second, first) };
                return Ok(Self { primes: [p.to_str_radix(16), q.to_str_radix(16)], created });
            }
        }
    }

    /// The key, ready to sign.
    pub(super) fn signer(&self) -> Result<Signer, KeyError> {
        let [p, q] = &self.primes;
        let read = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).ok_or(KeyError::Damaged);
        let (p, q) = (read(p)?, read(q)?);
        let one = BigUint::from(1_u8);
        let e = BigUint::from(EXPONENT);
        let (p1, q1) = (&p - &one, &q - &one);
        let d = e.modinv(&(&p1 * &q1)).ok_or(KeyError::Damaged)?;
        let q_inverse = q.modinv(&p).ok_or(KeyError::Damaged)?;
        let n = (&p * &q).to_bytes_be();
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: n.as_slice(), e: &e.to_bytes_be() },
            d: &d.to_bytes_be(),
            p: &p.to_bytes_be(),
            q: &q.to_bytes_be(),
            dP: &(&d % &p1).to_bytes_be(),
            dQ: &(&d % &q1).to_bytes_be(),
            qInv: &q_inverse.to_bytes_be(),
        };
        let pair = RsaKeyPair::from_components(&components).map_err(|_why| KeyError::Damaged)?;
        Ok(Signer(pair))
    }

    /// The public half, as PKCS #1 has it, and its fingerprint.
    ///
    /// Errors: `Damaged`.
    pub fn public(&self) -> Result<(Vec<u8>, String), KeyError> {
        let signer = self.signer()?;
        Ok((signer.0.public().as_ref().to_vec(), signer.fingerprint()))
    }
}

impl Signer {
    /// Which key it is.
    pub(super) fn fingerprint(&self) -> String {
        hex::encode(Md5::digest(self.0.public().as_ref()))
    }

    /// Signs a text, in hexadecimal.
    pub(super) fn sign(&self, text: &str) -> Result<String, KeyError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let random = SystemRandom::new();
        self.0
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .map_err(|_why| KeyError::Random)?;
        Ok(hex::encode(signature))
    }
}

fn small_primes() -> Vec<u32> {
    let is_prime = |n: &u32| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (3..SMALL_PRIMES_BELOW).step_by(2).filter(is_prime).collect()
}

/// A random prime whose two highest bits are set, so that a product of two has all its bits.
fn prime(random: &SystemRandom, small: &[u32]) -> Result<BigUint, KeyError> {
    let e = BigUint::from(EXPONENT);
    let one = BigUint::from(1_u8);
    loop {
        let mut bytes = [0_u8; PRIME_BYTES];
        random.fill(&mut bytes).map_err(|_why| KeyError::Random)?;
        bytes[0] |= 0xc0;
        bytes[PRIME_BYTES - 1] |= 1;
        let candidate = BigUint::from_bytes_be(&bytes);
        let has_factor = small.iter().any(|p| &candidate % *p == BigUint::ZERO);
        if !has_factor
            && &(&candidate - &one) % &e != BigUint::ZERO
            && is_probably_prime(&candidate, random)?
        {
            return Ok(candidate);
        }
    }
}

/// Source: FIPS 186-5, appendix B.3.1, Miller-Rabin.
fn is_probably_prime(candidate: &BigUint, random: &SystemRandom) -> Result<bool, KeyError> {
    let one = BigUint::from(1_u8);
    let before = candidate - &one;
    let Some(twos) = before.trailing_zeros() else { return Ok(false) };
    let odd = &before >> twos;
    'rounds: for _ in 0..ROUNDS {
        let mut bytes = [0_u8; PRIME_BYTES];
        random.fill(&mut bytes).map_err(|_why| KeyError::Random)?;
        let base = BigUint::from_bytes_be(&bytes) % (&before - &one) + BigUint::from(2_u8);
        let mut power = base.modpow(&odd, candidate);
        if power == one || power == before {
            continue;
        }
        for _ in 1..twos {
            power = &power * &power % candidate;
            if power == before {
                continue 'rounds;
            }
        }
        return Ok(false);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_a_key_signs_its_public_half_confirms_and_nothing_else() {
        let key = TrailKey::make(Timestamp::EPOCH).unwrap();
        let signature = hex::decode(key.signer().unwrap().sign("digest").unwrap()).unwrap();
        let (public, fingerprint) = key.public().unwrap();
        assert_eq!(fingerprint.len(), 32);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        assert!(public.verify(b"digest", &signature).is_ok());
        assert!(public.verify(b"other", &signature).is_err());
        assert_eq!(format!("{key:?}"), "TrailKey { created: Timestamp(0), .. }");
    }

    #[test]
    fn composites_are_found_out() {
        let random = SystemRandom::new();
        // A Carmichael number, which Fermat's test takes for a prime.
        assert!(!is_probably_prime(&BigUint::from(561_u32), &random).unwrap());
        assert!(is_probably_prime(&BigUint::from(1_000_003_u32), &random).unwrap());
    }
}
