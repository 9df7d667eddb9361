//! The parts that an SDK client adds to its calls: signatures, retries of AWS's error codes, and the headers of every request.

use std::borrow::Cow;

use aws_runtime::{
    auth::{SigV4OperationSigningConfig, sigv4},
    invocation_id::InvocationIdInterceptor,
    recursion_detection::RecursionDetectionInterceptor,
    request_info::RequestInfoInterceptor,
    retries::classifiers::AwsErrorCodeClassifier,
    service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor},
};
use aws_smithy_runtime::client::{
    auth::no_auth::{NO_AUTH_SCHEME_ID, NoAuthScheme},
    identity::no_auth::NoAuthIdentityResolver,
    retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
};
use aws_smithy_runtime_api::client::{
    auth::{
        AuthSchemeId, AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
        static_resolver::StaticAuthSchemeOptionResolver,
    },
    identity::SharedIdentityResolver,
    interceptors::SharedInterceptor,
    orchestrator::SensitiveOutput,
    runtime_components::RuntimeComponentsBuilder,
    runtime_plugin::RuntimePlugin,
};
use aws_smithy_types::config_bag::{FrozenLayer, Layer};
use aws_types::{
    SdkConfig, SigningName,
    region::{Region, SigningRegion},
};

use crate::{ApiError, Call};

/// The configuration of a call.
#[derive(Debug)]
pub(crate) struct Configured {
    config: FrozenLayer,
    components: RuntimeComponentsBuilder,
}

impl Configured {
    /// The clients and limits of `config`, for this call; a signed call has its identity as well.
    pub(crate) fn new(call: &Call, config: &SdkConfig) -> Self {
        let components = components(config);
        let components = if call.is_signed { signed(components, config) } else { unsigned(components) };
        Self { config: settings(call, config), components }
    }
}

impl RuntimePlugin for Configured {
    fn config(&self) -> Option<FrozenLayer> {
        Some(self.config.clone())
    }

    fn runtime_components(&self, _: &RuntimeComponentsBuilder) -> Cow<'_, RuntimeComponentsBuilder> {
        Cow::Borrowed(&self.components)
    }
}

fn settings(call: &Call, config: &SdkConfig) -> FrozenLayer {
    let service = call.service;
    let mut settings = Layer::new("aws-call");
    settings.store_put(AuthSchemeOptionResolverParams::new(()));
    settings.store_put(SigningName::from_static(service.signing_name));
    settings.store_put(SigningRegion::from(Region::new(service.signing_region(config))));
    settings.store_put(SigV4OperationSigningConfig::default());
    // Responses may contain secrets: the runtime's trace leaves them out.
    settings.store_put(SensitiveOutput);
    if let Some(protection) = config.stalled_stream_protection() {
        settings.store_put(protection);
    }
    if let Some(quota) = &call.quota {
        settings.store_put(quota.clone());
    }
    settings.freeze()
}

fn components(config: &SdkConfig) -> RuntimeComponentsBuilder {
    let mut components = RuntimeComponentsBuilder::new("aws-call");
    components.set_http_client(config.http_client());
    components.set_sleep_impl(config.sleep_impl());
    components.set_time_source(config.time_source());
    if let Some(cache) = config.identity_cache() {
        components.set_identity_cache(Some(cache));
    }
    components.push_retry_classifier(HttpStatusCodeClassifier::default());
    components.push_retry_classifier(TransientErrorClassifier::<ApiError>::new());
    components.push_retry_classifier(AwsErrorCodeClassifier::<ApiError>::new());
    components.push_retry_classifier(ServiceClockSkewClassifier::<ApiError>::new());
    components.push_interceptor(SharedInterceptor::permanent(ServiceClockSkewInterceptor::new()));
    components.push_interceptor(SharedInterceptor::permanent(RequestInfoInterceptor::new()));
    components.push_interceptor(SharedInterceptor::permanent(InvocationIdInterceptor::new()));
    components.push_interceptor(SharedInterceptor::permanent(RecursionDetectionInterceptor::new()));
    components
}

fn signed(mut components: RuntimeComponentsBuilder, config: &SdkConfig) -> RuntimeComponentsBuilder {
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(sigv4::SCHEME_ID, SharedIdentityResolver::new(credentials));
    }
    components
        .with_auth_scheme(SharedAuthScheme::new(sigv4::SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(only(sigv4::SCHEME_ID)))
}

fn unsigned(components: RuntimeComponentsBuilder) -> RuntimeComponentsBuilder {
    components
        .with_identity_resolver(NO_AUTH_SCHEME_ID, SharedIdentityResolver::new(NoAuthIdentityResolver::new()))
        .with_auth_scheme(SharedAuthScheme::new(NoAuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(only(NO_AUTH_SCHEME_ID)))
}

fn only(scheme: AuthSchemeId) -> SharedAuthSchemeOptionResolver {
    SharedAuthSchemeOptionResolver::new(StaticAuthSchemeOptionResolver::new(vec![scheme]))
}
