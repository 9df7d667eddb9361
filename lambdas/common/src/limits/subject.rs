//! Pseudonyms of addresses and accounts: the table stores neither.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;

use super::Subject;

/// The purpose of the derived key, so that the same secret can serve others.
const PURPOSE: &[u8] = b"pseudonyms of counters";

/// Derives pseudonyms with a secret key. Without the key, an address cannot be found by trying all addresses.
#[derive(Clone)]
pub struct Subjects(hmac::Key);

impl Subjects {
    /// Derives a key of its own from a system's secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The client at an address as the gateway reports it. Clients have whole /64 networks in IPv6, so these are one client.
    #[must_use]
    pub fn address(&self, address: &str) -> Subject {
        self.named("ADDRESS", &[&network(address)])
    }

    /// An account.
    #[must_use]
    pub fn account(&self, account: &str) -> Subject {
        self.named("ACCOUNT", &[&normalized(account)])
    }

    /// An account as one address uses it. Failures must not count for the account alone: then anyone could lock its owner out.
    #[must_use]
    pub fn account_at(&self, account: &str, address: &str) -> Subject {
        self.named("ACCOUNT-AT", &[&normalized(account), &network(address)])
    }

    fn named(&self, kind: &str, parts: &[&str]) -> Subject {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(&kind).chain(parts) {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        Subject(format!("LIMIT#{kind}#{}", BASE64_URL_SAFE_NO_PAD.encode(&context.sign().as_ref()[..16])))
    }
}

impl fmt::Debug for Subjects {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Subjects")
    }
}

fn normalized(account: &str) -> String {
    account.trim().to_lowercase()
}

/// The part of an address that identifies a client. Unknown addresses are one client.
fn network(address: &str) -> String {
    match address.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("", "unknown"),
            ("203.0.113.9, 192.0.2.1", "unknown"),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }

    #[test]
    fn pseudonyms_differ_by_kind_part_and_key() {
        let subjects = Subjects::new(b"salt");
        assert_eq!(subjects.account(" Ana@Example.com"), subjects.account("ana@example.com"));
        let Subject(name) = subjects.address("192.0.2.1");
        assert!(name.starts_with("LIMIT#ADDRESS#") && !name.contains("192"), "{name}");
        let others = [
            subjects.address("192.0.2.1"),
            subjects.address("192.0.2.2"),
            subjects.account("192.0.2.1"),
            subjects.account_at("a", "192.0.2.1"),
            subjects.account_at("b", "192.0.2.1"),
            subjects.account_at("a", "192.0.2.2"),
            Subjects::new(b"other").address("192.0.2.1"),
        ];
        for (at, one) in others.iter().enumerate() {
            assert!(others[at + 1..].iter().all(|other| one != other), "{one:?}");
        }
        assert_eq!(format!("{subjects:?}"), "Subjects");
    }
}
