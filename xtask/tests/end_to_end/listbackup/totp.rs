//! Codes of an authenticator, computed as RFC 6238 defines them.

use std::time::SystemTime;

use ring::hmac;

/// The seconds for which a code is current.
const STEP: u64 = 30;

/// Returns the code of a secret in Base32, `later` steps from now.
pub(super) fn code(secret: &str, later: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs();
    at(secret, now / STEP + later)
}

fn at(secret: &str, step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &base32(secret));
    let mac = hmac::sign(&key, &step.to_be_bytes());
    let bytes = mac.as_ref();
    let offset = usize::from(bytes[19] & 0x0f);
    let word = u32::from_be_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

/// Decodes Base32 (RFC 4648, section 6) without padding.
fn base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            letter @ b'2'..=b'7' => letter - b'2' + 26,
            other => panic!("{other} is not Base32"),
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn codes_are_those_of_rfc_6238() {
    // The secret `12345678901234567890` of appendix B, whose codes have eight digits.
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for (seconds, expected) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
        assert_eq!(at(secret, seconds / STEP), expected, "{seconds}");
    }
}
