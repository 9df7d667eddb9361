//! HTTP calls to addresses that admins entered or issuers published: limited in time and size, without redirects. A
//! guarded client never connects to this machine, its network or the metadata service.
//!
//! The guard checks the resolved address of each connection, so a name cannot change its address between check and
//! call.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    dns::{DnsFuture, ResolveDns, ResolveDnsError},
    http::HttpConnector,
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use axum::http::Uri;

/// The longest accepted address.
const MAX_URL_BYTES: usize = 2048;

#[derive(Debug, Clone)]
pub(crate) struct Outbound(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    guarded: bool,
    connector: OnceLock<Connector>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The address is invalid or not allowed.
    #[error("Server URL not allowed")]
    Forbidden,
    #[error("Connection timeout")]
    Timeout,
    /// The connection failed.
    #[error("Connection refused")]
    Refused,
    /// The response is not valid HTTP or too large.
    #[error("Invalid health response")]
    Unreadable,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl Outbound {
    /// Creates a client; a guarded one calls public addresses only.
    pub(crate) fn new(guarded: bool) -> Self {
        Self(Arc::new(Inner { guarded, connector: OnceLock::new() }))
    }

    /// Checks whether an address may be called. An unresolvable name may: it can be set up later.
    pub(crate) async fn ensure_allowed(&self, url: &str) -> Result<(), OutboundError> {
        let host = parse_host(url).ok_or(OutboundError::Forbidden)?;
        if !self.0.guarded {
            return Ok(());
        }
        let addresses = match host {
            Host::Address(address) => vec![address],
            Host::Name(name) => resolve(&name).await.unwrap_or_default(),
        };
        if addresses.into_iter().all(is_public) { Ok(()) } else { Err(OutboundError::Forbidden) }
    }

    /// Gets a document of at most `max_bytes` bytes within `time`.
    pub(crate) async fn get(&self, url: &str, time: Duration, max_bytes: usize) -> Result<Response, OutboundError> {
        match parse_host(url).ok_or(OutboundError::Forbidden)? {
            // The resolver never sees IP addresses.
            Host::Address(address) if self.0.guarded && !is_public(address) => Err(OutboundError::Forbidden),
            _ => tokio::time::timeout(time, self.call(url, max_bytes)).await.unwrap_or(Err(OutboundError::Timeout)),
        }
    }

    async fn call(&self, url: &str, max_bytes: usize) -> Result<Response, OutboundError> {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url).map_err(|_| OutboundError::Forbidden)?;
        request.headers_mut().insert("accept", "application/json");
        request.headers_mut().insert("user-agent", "thakii-backend");
        let response = self.connector().call(request).await.map_err(|error| {
            if error.is_timeout() {
                OutboundError::Timeout
            } else if error.is_io() {
                OutboundError::Refused
            } else {
                OutboundError::Unreadable
            }
        })?;
        let status = response.status().as_u16();
        let mut stream = ByteStream::new(response.into_body());
        let mut body = Vec::new();
        while let Some(bytes) = stream.next().await {
            body.extend_from_slice(&bytes.map_err(|_| OutboundError::Unreadable)?);
            if body.len() > max_bytes {
                return Err(OutboundError::Unreadable);
            }
        }
        Ok(Response { status, body })
    }

    /// Created on first use: reading the system's certificates takes time.
    fn connector(&self) -> &Connector {
        self.0.connector.get_or_init(|| {
            let builder = Connector::builder()
                // A kept connection would be dead after a pause between two invocations.
                .pool_max_idle_per_host(0)
                .tls_provider(Provider::Rustls(CryptoMode::Ring));
            builder.build_with_resolver(Resolver { guarded: self.0.guarded })
        })
    }
}

/// Parses the host of an HTTP address.
fn parse_host(url: &str) -> Option<Host> {
    let uri: Uri = Some(url).filter(|url| url.len() <= MAX_URL_BYTES)?.parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().filter(|authority| known && !authority.as_str().contains('@'))?;
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse() {
        Ok(address) => Some(Host::Address(address)),
        Err(_) => Some(bare.to_owned()).filter(|name| !name.is_empty()).map(Host::Name),
    }
}

async fn resolve(name: &str) -> std::io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address: SocketAddr| address.ip()).collect())
}

#[derive(Debug, Clone)]
struct Resolver {
    guarded: bool,
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = resolve(name).await.map_err(ResolveDnsError::new)?;
            if self.guarded && !addresses.iter().copied().all(is_public) {
                return Err(ResolveDnsError::new(OutboundError::Forbidden));
            }
            Ok(addresses)
        })
    }
}

/// Checks for an address of the public internet. Loopback is not: it serves Lambda's runtime interface. See
/// <https://www.iana.org/assignments/iana-ipv4-special-registry> and
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>.
fn is_public(address: IpAddr) -> bool {
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
        || (a == 198 && (b == 18 || b == 19));
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
        // Documentation, and Teredo, which is a tunnel.
        (0x2001, 0x0db8 | 0) => false,
        // All routed addresses are in 2000::/3.
        _ => (0x2000..0x4000).contains(&a),
    }
}

#[cfg(test)]
mod tests;
