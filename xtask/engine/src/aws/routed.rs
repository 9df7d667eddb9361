//! Sends each call directly or through the environment's proxy.

use aws_smithy_http_client::{
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};

use crate::network::{self, NetworkError, Servers};

/// Returns the client of every call to AWS. An emulator is called directly.
///
/// # Errors
///
/// When the root certificates cannot be read.
pub(super) fn http_client(is_emulator: bool) -> Result<SharedHttpClient, NetworkError> {
    let tls = network::tls(Servers::Aws)?;
    if is_emulator {
        return Ok(client(ProxyConfig::disabled(), tls));
    }
    let (direct, proxied) = (client(ProxyConfig::disabled(), tls.clone()), client(ProxyConfig::from_env(), tls));
    Ok(SharedHttpClient::new(Routed(Routes { direct, proxied })))
}

fn client(proxy: ProxyConfig, tls: TlsContext) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = aws_smithy_http_client::Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
    })
}

/// A client without a proxy, and one with the environment's proxies.
#[derive(Debug)]
struct Routes<C> {
    direct: C,
    proxied: C,
}

#[derive(Debug)]
struct Routed(Routes<SharedHttpClient>);

impl HttpClient for Routed {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        let (direct, proxied) = (connector(&self.0.direct), connector(&self.0.proxied));
        SharedHttpConnector::new(Connector(Routes { direct, proxied }))
    }
}

#[derive(Debug)]
struct Connector(Routes<SharedHttpConnector>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Routes { direct, proxied } = &self.0;
        if network::is_near(request.uri()) { direct.call(request) } else { proxied.call(request) }
    }
}
