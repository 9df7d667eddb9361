//! HTTP GET requests to addresses that users entered or other servers named, limited in time and size. A guarded client
//! never connects to this machine, its network or the metadata service.
//!
//! Read [`Outbound`], then [`Get`]. What the guard promises:
//!
//! - The resolver of each connection checks the addresses that are then connected to, so a name cannot change its
//!   address between check and call. IP addresses in a URL, which no resolver sees, are checked before the call.
//! - Only canonical IP addresses are accepted as such. `2130706433`, `0x7f.1` and `127.1` are refused.
//! - Redirects are followed here, and each hop is checked like the first address.
//! - [`Credentials`] reach only the origins that they were entered for.
//! - A response is decoded only if asked, and limits count the decoded bytes.

mod address;
mod body;
mod credentials;
mod resolver;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;

use self::{
    address::{Address, Host, is_public},
    resolver::{Resolver, SystemLookup},
};
pub use self::{
    address::{Origin, Ports},
    body::Body,
    credentials::Credentials,
    resolver::{Addresses, Lookup},
};

/// A client. Clones share its connector.
#[derive(Debug, Clone)]
pub struct Outbound(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    lookup: Arc<dyn Lookup>,
    connector: OnceLock<Connector>,
}

/// The rules of a client.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Calls public addresses only.
    pub guarded: bool,
    /// The ports that it may call.
    pub ports: Ports,
    /// The value of the header `user-agent`.
    pub user_agent: &'static str,
    /// The most time for name resolution, connection and TLS.
    pub connect_timeout: Duration,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Get<'a> {
    /// The address, with the scheme `http` or `https`.
    pub url: &'a str,
    /// The value of the header `accept`.
    pub accept: &'static str,
    /// Headers for some origins only.
    pub credentials: Option<&'a Credentials>,
    /// The most redirects to follow. With 0, a redirect is returned as the response.
    pub redirects: usize,
    /// The most time until the response starts, and between two chunks of it.
    pub idle_timeout: Duration,
    /// The most bytes of the body, after decoding.
    pub max_bytes: u64,
    /// Decodes a body with `content-encoding: gzip`, and refuses other encodings. Otherwise bodies stay as received.
    pub decode: bool,
}

/// A buffered response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The complete body.
    pub body: Vec<u8>,
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub struct Streamed {
    /// The status code.
    pub status: u16,
    /// The address of the last hop.
    pub url: String,
    /// The number of bytes that the server announced, before decoding.
    pub content_length: Option<u64>,
    headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// A failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address is invalid or not allowed.
    #[error("the address is not allowed")]
    Forbidden,
    /// The server did not connect, answer or send the next chunk in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// The connection failed.
    #[error("the connection failed")]
    Refused,
    /// The response is not valid HTTP, or has an unknown encoding.
    #[error("the response is not valid")]
    Unreadable,
    /// The body ended early.
    #[error("the response ended early")]
    Interrupted,
    /// The body is larger than the limit.
    #[error("the response is too large")]
    TooLarge,
    /// There were more redirects than allowed.
    #[error("the server redirects too often")]
    TooManyRedirects,
}

impl OutboundError {
    /// Whether a later call may succeed without a change of the address.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Timeout | Self::Refused | Self::Interrupted | Self::Unreadable)
    }
}

impl Settings {
    /// Public addresses on any port.
    #[must_use]
    pub const fn guarded(user_agent: &'static str) -> Self {
        Self { guarded: true, ..Self::open(user_agent) }
    }

    /// All addresses on any port.
    #[must_use]
    pub const fn open(user_agent: &'static str) -> Self {
        Self { guarded: false, ports: Ports::Any, user_agent, connect_timeout: Duration::from_secs(5) }
    }
}

impl Streamed {
    /// Returns a header's value if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Outbound {
    /// Creates a client with the system's resolver.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::with_lookup(settings, SystemLookup)
    }

    /// Creates a client with another resolver.
    #[must_use]
    pub fn with_lookup(settings: Settings, lookup: impl Lookup + 'static) -> Self {
        Self(Arc::new(Inner { settings, lookup: Arc::new(lookup), connector: OnceLock::new() }))
    }

    /// Checks an address without name resolution: its form, its port, and a literal host.
    ///
    /// # Errors
    /// When the address may never be called.
    pub fn check(&self, url: &str) -> Result<Origin, OutboundError> {
        self.parse(url).map(|address| address.origin)
    }

    /// Checks whether an address may be called. An unresolvable name may: it can be set up later.
    ///
    /// # Errors
    /// When it may not.
    pub async fn ensure_allowed(&self, url: &str) -> Result<(), OutboundError> {
        let address = self.parse(url)?;
        let Host::Name(name) = &address.host else { return Ok(()) };
        if !self.0.settings.guarded {
            return Ok(());
        }
        let addresses = self.0.lookup.lookup(name).await.unwrap_or_default();
        if addresses.into_iter().all(is_public) { Ok(()) } else { Err(OutboundError::Forbidden) }
    }

    /// Gets a document of at most `max_bytes` bytes within `time`, without following redirects.
    ///
    /// # Errors
    /// When there is no complete response.
    pub async fn get(&self, url: &str, time: Duration, max_bytes: usize) -> Result<Response, OutboundError> {
        let get = Get {
            url,
            accept: "application/json",
            credentials: None,
            redirects: 0,
            idle_timeout: time,
            max_bytes: max_bytes as u64,
            decode: false,
        };
        let whole = async {
            let response = self.get_stream(&get).await?;
            Ok(Response { status: response.status, body: response.body.collect().await? })
        };
        tokio::time::timeout(time, whole).await.unwrap_or(Err(OutboundError::Timeout))
    }

    /// Sends a request, follows its redirects, and returns the response before its body is read.
    ///
    /// # Errors
    /// When a hop is not allowed or does not answer.
    pub async fn get_stream(&self, get: &Get<'_>) -> Result<Streamed, OutboundError> {
        let mut address = self.parse(get.url)?;
        for _ in 0..=get.redirects {
            let response = self.call(get, &address).await?;
            let location = response.headers().get("location").filter(|_| is_redirect(response.status().as_u16()));
            match location {
                Some(location) if get.redirects > 0 => address = self.check_rules(address.join(location)?)?,
                _ => return Streamed::new(get, &address, response),
            }
        }
        Err(OutboundError::TooManyRedirects)
    }

    fn parse(&self, url: &str) -> Result<Address, OutboundError> {
        self.check_rules(Address::parse(url).ok_or(OutboundError::Forbidden)?)
    }

    /// Checks what no resolver sees: the port and a literal host.
    fn check_rules(&self, address: Address) -> Result<Address, OutboundError> {
        let settings = &self.0.settings;
        match address.host {
            Host::Literal(ip) if settings.guarded && !is_public(ip) => Err(OutboundError::Forbidden),
            _ if !settings.ports.allows(address.origin.port()) => Err(OutboundError::Forbidden),
            _ => Ok(address),
        }
    }

    async fn call(&self, get: &Get<'_>, address: &Address) -> Result<HttpResponse, OutboundError> {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(address.url.as_str()).map_err(|_| OutboundError::Forbidden)?;
        let headers = request.headers_mut();
        headers.insert("accept", get.accept);
        headers.insert("accept-encoding", "identity");
        headers.insert("user-agent", self.0.settings.user_agent);
        for (name, value) in
            get.credentials.into_iter().flat_map(|credentials| credentials.headers_for(&address.origin))
        {
            headers.try_insert(name.to_owned(), value.to_owned()).map_err(|_| OutboundError::Forbidden)?;
        }
        let response = tokio::time::timeout(get.idle_timeout, self.connector().call(request)).await;
        response.map_err(|_| OutboundError::Timeout)?.map_err(|error| classify(&error))
    }

    /// Created on first use: reading the system's certificates takes time.
    fn connector(&self) -> &Connector {
        self.0.connector.get_or_init(|| {
            let timeouts = HttpConnectorSettings::builder().connect_timeout(self.0.settings.connect_timeout).build();
            let builder = Connector::builder()
                .connector_settings(timeouts)
                // A kept connection would be dead after a pause between two invocations.
                .pool_max_idle_per_host(0)
                .tls_provider(Provider::Rustls(CryptoMode::Ring));
            builder.build_with_resolver(Resolver::new(self.0.lookup.clone(), self.0.settings.guarded))
        })
    }
}

impl Streamed {
    fn new(get: &Get<'_>, address: &Address, response: HttpResponse) -> Result<Self, OutboundError> {
        let headers: Vec<(String, String)> =
            response.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut streamed = Self {
            status: response.status().as_u16(),
            url: address.url.clone(),
            content_length: None,
            headers,
            body: Body::empty(),
        };
        streamed.content_length = streamed.header("content-length").and_then(|length| length.parse().ok());
        let encoding = streamed.header("content-encoding").map(str::to_ascii_lowercase);
        let is_encoded = match encoding.as_deref() {
            _ if !get.decode => false,
            None | Some("" | "identity") => false,
            Some("gzip" | "x-gzip") => true,
            Some(_) => return Err(OutboundError::Unreadable),
        };
        // Refused before the first byte is read.
        if !is_encoded && streamed.content_length.is_some_and(|length| length > get.max_bytes) {
            return Err(OutboundError::TooLarge);
        }
        streamed.body = Body::new(response.into_body(), get, is_encoded);
        Ok(streamed)
    }
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Finds the resolver's refusal in the chain of causes.
fn classify(error: &ConnectorError) -> OutboundError {
    let mut source = Some(error as &(dyn std::error::Error + 'static));
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<OutboundError>() {
            return *refusal;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        OutboundError::Timeout
    } else if error.is_io() {
        OutboundError::Refused
    } else {
        OutboundError::Unreadable
    }
}

#[cfg(test)]
mod tests;
