//! Addresses of HTTP servers: their form, their hosts, and which of these are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{Uri, uri::Scheme};

use super::OutboundError;

/// The longest accepted address.
const MAX_URL_BYTES: usize = 2048;

/// Which ports may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// All but 0.
    Any,
    /// Those of web servers: 80, 443, 8080 and 8443. A backup must not speak to mail servers or databases.
    Web,
}

/// Scheme, host and port: who receives a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    is_encrypted: bool,
    host: String,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Literal(IpAddr),
    Name(String),
}

/// A checked form of an address; whether it may be called is a client's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without a fragment.
    pub(super) url: String,
    pub(super) origin: Origin,
    pub(super) host: Host,
}

impl Ports {
    pub(super) const fn allows(self, port: u16) -> bool {
        match self {
            Self::Any => port != 0,
            Self::Web => matches!(port, 80 | 443 | 8080 | 8443),
        }
    }
}

impl Origin {
    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl Address {
    /// Parses `http` and `https` addresses without user information. Hosts must be names or canonical IP addresses.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let url = url.split('#').next().filter(|url| url.len() <= MAX_URL_BYTES)?;
        let uri: Uri = url.parse().ok()?;
        let is_encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = parse_host(authority.host())?;
        // A port that is no number must not count as the default.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" => {
                if is_encrypted {
                    443
                } else {
                    80
                }
            }
            _ => authority.port_u16()?,
        };
        let origin = Origin { is_encrypted, host: authority.host().to_ascii_lowercase(), port };
        Some(Self { url: url.to_owned(), origin, host })
    }

    /// Resolves a redirect: <https://www.rfc-editor.org/rfc/rfc3986#section-5.2>.
    pub(super) fn join(&self, location: &str) -> Result<Self, OutboundError> {
        let location = location.split('#').next().unwrap_or_default();
        let scheme = if self.origin.is_encrypted { "https" } else { "http" };
        let after_scheme = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = after_scheme.split(['/', '?']).next().unwrap_or_default();
        let base = &after_scheme[authority.len()..];
        let path = base.split('?').next().unwrap_or_default();
        let joined = match location.as_bytes() {
            _ if has_scheme(location) => location.to_owned(),
            [b'/', b'/', ..] => format!("{scheme}:{location}"),
            [b'/', ..] => format!("{scheme}://{authority}{location}"),
            [b'?', ..] => format!("{scheme}://{authority}{path}{location}"),
            [] => format!("{scheme}://{authority}{base}"),
            _ => {
                let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
                format!("{scheme}://{authority}{folder}{location}")
            }
        };
        Self::parse(&joined).ok_or(OutboundError::Forbidden)
    }
}

/// Whether a reference starts with a scheme. A colon may also be part of a path.
fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']);
    end.is_some_and(|end| reference[end..].starts_with(':'))
}

/// Parses a name or a canonical IP address. Other spellings, such as `2130706433`, `0x7f000001`, `127.1` or
/// `0177.0.0.1`, are addresses to some resolvers, so they are refused: <https://url.spec.whatwg.org/#ends-in-a-number-checker>.
fn parse_host(host: &str) -> Option<Host> {
    if let Some(literal) = host.strip_prefix('[') {
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return Some(Host::Literal(IpAddr::V6(address)));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(Host::Literal(IpAddr::V4(address)));
    }
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_number = |label: &str| {
        let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
        match hexadecimal {
            Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            None => label.bytes().all(|byte| byte.is_ascii_digit()),
        }
    };
    let is_name = host.len() <= 253 && labels.iter().all(is_label) && !labels.last().copied().is_some_and(is_number);
    is_name.then(|| Host::Name(host.to_owned()))
}

/// Checks for an address of the public internet. Loopback is not: it serves Lambda's runtime interface. See
/// <https://www.iana.org/assignments/iana-ipv4-special-registry> and
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        // The former relays of 6to4.
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        // Azure's metadata and health service has a public address.
        || address == Ipv4Addr::new(168, 63, 129, 16);
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b) {
        // ::1, ::, and embedded IPv4 addresses.
        (0, 0) => (c, d, e) == (0, 0, 0) && f == 0xffff && embedded(g, h),
        (0x64, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && embedded(g, h),
        (0x2002, _) => embedded(b, c),
        // Documentation; protocol assignments, among them Teredo, which is a tunnel.
        (0x2001, 0x0db8 | ..0x200) | (0x3fff, ..0x1000) => false,
        // All routed addresses are in 2000::/3.
        _ => (0x2000..0x4000).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for text in
            ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
        {
            assert!(is_public(text.parse().expect("an address")), "{text}");
        }
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.5.4",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.100.1",
            "100.64.0.1",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "203.0.113.9",
            "168.63.129.16",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "2001:db8::1",
            "2001::1",
            "2001:10::1",
            "3fff::1",
        ] {
            assert!(!is_public(text.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn only_names_and_canonical_addresses_are_hosts() {
        for url in [
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://127.0.0.0x1/",
            "http://1.2.3.4.5/",
            "http://[::1/",
            "http://[fe80::1%25eth0]/",
            "http://[127.0.0.1]/",
            "http://%31%32%37.0.0.1/",
            "http://a..b/",
            "http://.a/",
            "http://example.com:/",
            "http://example.com:x/",
            "http://example.com:65536/",
            "http://user@example.com/",
            "http://user:password@example.com/",
            "http://example.com\\@127.0.0.1/",
            "http://exa mple.com/",
            "http:///path",
            "//example.com/",
            "/path",
            "ftp://example.com/",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(Address::parse(url), None, "{url}");
        }
        let port = |url: &str| Address::parse(url).expect("an address").origin.port;
        assert_eq!(["http://a.example", "https://a.example/x?y", "http://[::1]:81/"].map(port), [80, 443, 81]);
        let origin = |url: &str| Address::parse(url).expect("an address").origin;
        assert_eq!(origin("http://EXAMPLE.com/a"), origin("http://example.com:80/b#c"));
        assert_ne!(origin("http://example.com"), origin("https://example.com:80"));
    }

    #[test]
    fn redirects_are_resolved_against_the_address() {
        let base = Address::parse("https://example.com:444/a/b?c=d").expect("an address");
        for (location, expected) in [
            ("http://other.example/x", "http://other.example/x"),
            ("HTTP://other.example/x", "HTTP://other.example/x"),
            ("//other.example/x", "https://other.example/x"),
            ("/x?y#z", "https://example.com:444/x?y"),
            ("x:y", ""),
            ("./x:y", "https://example.com:444/a/./x:y"),
            ("x/y", "https://example.com:444/a/x/y"),
            ("?q", "https://example.com:444/a/b?q"),
            ("#z", "https://example.com:444/a/b?c=d"),
            ("file:///etc/passwd", ""),
            ("http://user@other.example/", ""),
        ] {
            let joined = base.join(location).map(|address| address.url).unwrap_or_default();
            assert_eq!(joined, expected, "{location}");
        }
        let bare = Address::parse("http://example.com").expect("an address");
        assert_eq!(bare.join("x").expect("an address").url, "http://example.com/x");
        assert_eq!(bare.join("?x").expect("an address").url, "http://example.com?x");
    }
}
