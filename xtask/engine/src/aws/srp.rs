//! The client's side of Cognito's SRP (`USER_SRP_AUTH`), which proves a password without sending it.
//!
//! SRP-6a of RFC 5054 with its 3072-bit prime, generator 2 and SHA-256. Padding, key derivation and proof follow AWS's own client
//! (amazon-cognito-identity-js, `AuthenticationHelper`), because Cognito does not document them.

use hmac::{Hmac, KeyInit, Mac};
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

/// The 3072-bit prime (RFC 5054, appendix A).
const PRIME: &str = concat!(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD",
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F",
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510",
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C",
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
);

/// One sign-in.
#[derive(Clone)]
pub(super) struct Srp {
    prime: BigUint,
    secret: BigUint,
    public: BigUint,
}

/// Cognito's response to the public number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// `USER_ID_FOR_SRP`.
    pub(super) user: String,
    /// `SALT`, in hex.
    pub(super) salt: String,
    /// `SRP_B`, in hex.
    pub(super) public: String,
    /// `SECRET_BLOCK`, decoded.
    pub(super) secret_block: Vec<u8>,
}

impl std::fmt::Debug for Srp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Srp").finish_non_exhaustive()
    }
}

impl Srp {
    /// Starts with a secret number: 128 random bytes.
    pub(super) fn new(random: &[u8; 128]) -> Self {
        let prime = number(PRIME);
        let secret = BigUint::from_bytes_be(random) % &prime;
        let public = generator().modpow(&secret, &prime);
        Self { prime, secret, public }
    }

    /// `SRP_A`, in hex.
    pub(super) fn public(&self) -> String {
        self.public.to_str_radix(16)
    }

    /// Returns `PASSWORD_CLAIM_SIGNATURE` before its base64 encoding, or `None` for a malformed or malicious challenge.
    ///
    /// `pool` is the user pool's ID, and `time` has the format of `TIMESTAMP`.
    pub(super) fn proof(&self, challenge: &Challenge, pool: &str, password: &str, time: &str) -> Option<Vec<u8>> {
        let theirs = BigUint::parse_bytes(challenge.public.as_bytes(), 16)?;
        let salt = BigUint::parse_bytes(challenge.salt.as_bytes(), 16)?;
        let zero = BigUint::from(0_u32);
        if &theirs % &self.prime == zero {
            return None;
        }
        let scrambler = hashed(&[&padded(&self.public), &padded(&theirs)]);
        if scrambler == zero {
            return None;
        }
        let name = pool.split_once('_').map_or(pool, |(_, name)| name);
        let identity = Sha256::digest(format!("{name}{}:{password}", challenge.user));
        let private = hashed(&[&padded(&salt), &identity]);
        let multiplier = hashed(&[&padded(&self.prime), &padded(&generator())]);
        let verifier = multiplier * generator().modpow(&private, &self.prime) % &self.prime;
        let base = (&theirs % &self.prime + &self.prime - verifier) % &self.prime;
        let shared = base.modpow(&(&self.secret + &scrambler * private), &self.prime);
        let derived = mac(&padded(&scrambler), &[&padded(&shared)]);
        let key = mac(&derived, &[b"Caldera Derived Key\x01"]);
        let message = [name.as_bytes(), challenge.user.as_bytes(), &challenge.secret_block, time.as_bytes()];
        Some(mac(&key[..16], &message))
    }
}

fn generator() -> BigUint {
    BigUint::from(2_u32)
}

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap_or_default()
}

/// The number's bytes, after a zero byte where the first bit would read as a sign.
fn padded(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let sign = bytes.first().is_some_and(|byte| *byte >= 0x80);
    if sign { [&[0], bytes.as_slice()].concat() } else { bytes }
}

fn hashed(parts: &[&[u8]]) -> BigUint {
    BigUint::from_bytes_be(&Sha256::digest(parts.concat()))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC accepts a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    /// The server's side, by the other formula of RFC 5054: S = (A · v^u)^b.
    fn server_proof(srp: &Srp, challenge: &Challenge, secret: &BigUint, password: &str) -> Vec<u8> {
        let identity = Sha256::digest(format!("pool{}:{password}", challenge.user));
        let private = hashed(&[&padded(&number(&challenge.salt)), &identity]);
        let verifier = generator().modpow(&private, &srp.prime);
        let scrambler = hashed(&[&padded(&srp.public), &padded(&number(&challenge.public))]);
        let shared = (&srp.public * verifier.modpow(&scrambler, &srp.prime)).modpow(secret, &srp.prime);
        let key = mac(&mac(&padded(&scrambler), &[&padded(&shared)]), &[b"Caldera Derived Key\x01"]);
        mac(&key[..16], &[b"pool", challenge.user.as_bytes(), &challenge.secret_block, b"now"])
    }

    fn challenge(srp: &Srp, secret: &BigUint, password: &str) -> Challenge {
        let salt = "8f2a".to_owned();
        let identity = Sha256::digest(format!("poolann:{password}"));
        let private = hashed(&[&padded(&number(&salt)), &identity]);
        let verifier = generator().modpow(&private, &srp.prime);
        let multiplier = hashed(&[&padded(&srp.prime), &padded(&generator())]);
        let public = (multiplier * verifier + generator().modpow(secret, &srp.prime)) % &srp.prime;
        Challenge { user: "ann".to_owned(), salt, public: public.to_str_radix(16), secret_block: vec![1, 2, 3] }
    }

    /// From the tests of another implementation: `aws-cognito-srp` 0.2.6 (MIT), `src/client/user.rs`.
    const PUBLISHED_A: &str = concat!(
        "b1ce118779e27c1c015d7a226ecae2ea1fcd017049e4f5c6f9908c686d496dce12a1c017a7523d43e2f3a6bb7e75e266",
        "bab0471e0720030edb64d8b5aef428356bc72198d41d319cf36eb0c4b4063fb99f90bc3b25b0d1196f84836bc05be0df",
        "e1e6d1e21ba4c77098f6e6119127981395b0f4da67e26f63ecbfb2ded5d9c091c9850c08f0c372e5101df27967250254",
        "d6748a75c9be2f59324d31241f950d79224af0d5ff1c169af541b04a063bd0d4f79216a9da1e1874bc041b97ca2d4563",
        "10f0b29f3644eca4d0e0c21660cbc5774a7319746bf53024a3bbb9c1251002854d1e6fac951d3a160771cdaf681a95e8",
        "cd51eb0630c825cd6227f22edefd35b3789df41dfca6cbd4d90e90ec7e38d3cbdf2b5f3534b016267f6a42190690d422",
        "5131811c6ea3b8265cff2fc44497887995eb95357747c3db40dab7199af3b9cbaba28a75d800d809421c5da1b0a24ec3",
        "120b3738750dcd42a61d1e9d272118ec2e6db632c241ab33558502dc9bbac1f4a34b3243082b89dcc0620a626d83a483",
    );

    #[test]
    fn proofs_equal_those_that_another_implementation_publishes() {
        let srp = Srp::new(&[1; 128]);
        assert_eq!(srp.public(), PUBLISHED_A);
        let block = "9ae77ec7154c14dcc487b47707fee4b4920cb96d8a8c045e4c8df879a7b375524aa736acdec6c9ad4ea606774d00621b";
        for (number, signature) in [
            ("36ef01c6dde9fe503da333b1acc758ba", "apNSb5GZpJciVc6cVNkDf4elCMoWUZcH4aukLlMPiFA="),
            // An odd number of hex digits.
            ("36ef01c", "bVzjSe43mY37A6ZuzEVU5cr6QY1WeV3BPfdVJo0c2/8="),
        ] {
            let challenge = Challenge {
                user: "user_id".to_owned(),
                salt: number.to_owned(),
                public: number.to_owned(),
                secret_block: BASE64_STANDARD.decode(block).expect("base64"),
            };
            let proof = srp.proof(&challenge, "us-west-2_abc", "password", "Mon Feb 10 18:30:12 UTC 2025");
            assert_eq!(proof.map(|proof| BASE64_STANDARD.encode(proof)).as_deref(), Some(signature), "{number}");
        }
    }

    #[test]
    fn client_and_server_agree_only_on_the_right_password() {
        let srp = Srp::new(&[7; 128]);
        let secret = BigUint::from(987_654_321_u64);
        let challenge = challenge(&srp, &secret, "right");
        let expected = server_proof(&srp, &challenge, &secret, "right");
        assert_eq!(srp.proof(&challenge, "eu-central-1_pool", "right", "now"), Some(expected.clone()));
        assert_ne!(srp.proof(&challenge, "eu-central-1_pool", "wrong", "now"), Some(expected));
    }

    #[test]
    fn a_challenge_that_would_reveal_the_key_is_refused() {
        let srp = Srp::new(&[7; 128]);
        let dishonest = Challenge { public: PRIME.to_owned(), salt: "1".to_owned(), ..Challenge::default() };
        assert_eq!(srp.proof(&dishonest, "pool", "right", "now"), None);
    }
}
