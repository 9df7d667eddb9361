//! Name resolution. The guard is here, because these are the addresses that a connection then uses.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

use super::{OutboundError, address::is_public};

/// The addresses of a name, or why there are none.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks names up. It needs no guard: the client checks each answer.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// Returns all addresses of a name.
    fn lookup<'a>(&'a self, name: &'a str) -> Addresses<'a>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((name, 0)).await?.map(|address: SocketAddr| address.ip()).collect())
        })
    }
}

/// A connector's resolver: one private address among several refuses the name.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    lookup: Arc<dyn Lookup>,
    guarded: bool,
}

impl Resolver {
    pub(super) fn new(lookup: Arc<dyn Lookup>, guarded: bool) -> Self {
        Self { lookup, guarded }
    }
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = self.lookup.lookup(name).await.map_err(ResolveDnsError::new)?;
            if self.guarded && !addresses.iter().copied().all(is_public) {
                return Err(ResolveDnsError::new(OutboundError::Forbidden));
            }
            Ok(addresses)
        })
    }
}
