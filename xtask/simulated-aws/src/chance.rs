//! The randomness of a simulation: one generator per purpose, all derived from one seed.
//!
//! Separate generators keep histories comparable: one more latency that is drawn does not change which call fails.

use std::{ops::Range, time::Duration};

use fastrand::Rng;

/// A deterministic generator.
#[derive(Debug, Clone)]
pub struct Chance(Rng);

impl Chance {
    /// The generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Derives the generator for a purpose. Equal seeds and purposes give equal generators.
    #[must_use]
    pub fn for_purpose(seed: u64, purpose: &str) -> Self {
        Self::new(hash(seed, purpose.as_bytes()))
    }

    /// Returns true with this probability, 0 to 1.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// Returns a number of a range.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() { range.start } else { self.0.u64(range) }
    }

    /// Returns a fraction, 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        self.0.f64()
    }

    /// Returns a duration of a range, in whole microseconds.
    pub fn duration(&mut self, range: Range<Duration>) -> Duration {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.number(micros(range.start)..micros(range.end)))
    }

    /// Returns one of the items; `None` if there is none.
    pub fn choice<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.0.usize(..items.len())) }
    }

    /// Returns lower-case hexadecimal digits, as in generated IDs.
    pub fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from_digit(self.0.u32(..16), 16).unwrap_or('0')).collect()
    }

    /// Returns upper-case letters and digits, as in physical IDs.
    pub fn capitals(&mut self, count: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        (0..count).map(|_| char::from(ALPHABET[self.0.usize(..ALPHABET.len())])).collect()
    }

    /// Returns a version-4 UUID.
    pub fn uuid(&mut self) -> String {
        let (a, b, c, d, e) = (self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12));
        format!("{a}-{b}-4{c}-a{d}-{e}")
    }
}

/// Hashes bytes with a seed (FNV-1a, 64 bits, then the finalizer of SplitMix64): equal on every machine and in every version.
#[must_use]
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_purpose_always_give_the_same_numbers() {
        let numbers = |seed, purpose| {
            let mut chance = Chance::for_purpose(seed, purpose);
            (0..4).map(|_| chance.number(0..1000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1, "latency"), numbers(1, "latency"));
        assert_ne!(numbers(1, "latency"), numbers(2, "latency"));
        assert_ne!(numbers(1, "latency"), numbers(1, "faults"));
    }

    #[test]
    fn ids_have_the_form_of_aws() {
        let mut chance = Chance::new(7);
        let uuid = chance.uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14], uuid.matches('-').count()), (36, b'4', 4), "{uuid}");
        assert!(chance.capitals(13).chars().all(|found| found.is_ascii_uppercase() || found.is_ascii_digit()));
    }
}
