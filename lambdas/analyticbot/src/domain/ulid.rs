//! Identifiers that sort by time: 48 bits of milliseconds and 80 random bits, in 26 characters of Crockford's base 32 (specification of
//! ULID, "Canonical String Representation").

use jiff::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The characters of an identifier.
const LENGTH: usize = 26;

/// Returns an identifier of a time.
///
/// # Errors
/// When the operating system returns no random bytes.
pub fn generate(time: Timestamp) -> Result<String, getrandom::Error> {
    let mut random = [0; 10];
    getrandom::fill(&mut random)?;
    Ok(encode(time, random))
}

fn encode(time: Timestamp, random: [u8; 10]) -> String {
    let milliseconds = u128::from(time.as_millisecond().unsigned_abs() & 0xFFFF_FFFF_FFFF);
    let bits = random.iter().fold(milliseconds, |bits, byte| (bits << 8) | u128::from(*byte));
    let digit = |place: usize| char::from(ALPHABET[usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0)]);
    (0..LENGTH).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_specification_has_its_time() {
        let time = Timestamp::from_millisecond(1_469_918_176_385).expect("a time");
        assert_eq!(&encode(time, [0; 10])[..10], "01ARYZ6S41");
        assert_eq!(&encode(time, [0xFF; 10])[10..], "ZZZZZZZZZZZZZZZZ");
        let both = [generate(time), generate(time)].map(|id| id.expect("randomness"));
        assert!(both[0] != both[1] && both.iter().all(|id| id.len() == LENGTH));
    }

    proptest! {
        #[test]
        fn identifiers_sort_by_time(one in 0_i64..4_000_000_000_000, two in 0_i64..4_000_000_000_000, random: [u8; 10]) {
            let at = |time| encode(Timestamp::from_millisecond(time).expect("a time"), random);
            prop_assert_eq!(at(one).cmp(&at(two)), one.cmp(&two));
        }
    }
}
