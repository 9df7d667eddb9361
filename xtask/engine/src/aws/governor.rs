//! Holds all calls to AWS below the rates of [`limits`](super::limits), so that many stacks at once cause no throttling.
//!
//! It sits between the SDK and the network, where no call can bypass it and retries count as well.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    connector_metadata::ConnectorMetadata,
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use tokio::time::Instant;

use super::{
    clock::AwsClock,
    limits::{self, Limit},
};

/// The state of each limit, by region.
type Slots = Arc<Mutex<BTreeMap<(String, String), Slot>>>;

/// An HTTP client whose requests wait for their turn.
#[derive(Debug)]
pub(super) struct Governed {
    inner: SharedHttpClient,
    slots: Slots,
    clock: AwsClock,
}

impl Governed {
    /// The dates of responses are noted in `clock`.
    pub(super) fn new(inner: SharedHttpClient, clock: AwsClock) -> Self {
        Self { inner, slots: Slots::default(), clock }
    }
}

impl HttpClient for Governed {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, slots: Arc::clone(&self.slots), clock: self.clock.clone() })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    slots: Slots,
    clock: AwsClock,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::of(&request);
        let limit = limits::limit(&call.service, &call.operation);
        let wait = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let name = if limit.shared { limit.name.to_owned() } else { format!("{}:{}", limit.name, call.operation) };
            slots.entry((call.region, name)).or_default().reserve(limit, Instant::now())
        };
        let (inner, clock) = (self.inner.clone(), self.clock.clone());
        HttpConnectorFuture::new(async move {
            if !wait.is_zero() {
                tracing::debug!(limit = limit.name, operation = call.operation, ?wait, "waiting for its turn");
                tokio::time::sleep(wait).await;
            }
            let response = inner.call(request).await?;
            response.headers().get("date").into_iter().for_each(|date| clock.note(date));
            Ok(response)
        })
    }
}

/// One limit's state: the time at which the limit is fully recovered (the generic cell rate algorithm).
#[derive(Debug, Default)]
struct Slot {
    idle_at: Option<Instant>,
}

impl Slot {
    /// Reserves the next turn; returns the time until then.
    fn reserve(&mut self, limit: Limit, now: Instant) -> Duration {
        let idle_at = self.idle_at.map_or(now, |idle_at| idle_at.max(now));
        self.idle_at = Some(idle_at + limit.interval());
        let ahead = limit.interval() * (limit.burst - 1);
        (idle_at - now).saturating_sub(ahead)
    }
}

/// The parts of a request that its limit depends on.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    service: String,
    region: String,
    operation: String,
}

impl Call {
    fn of(request: &HttpRequest) -> Self {
        let header = |name| request.headers().get(name).unwrap_or_default();
        // AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …
        let mut scope = header("authorization").split('/').skip(2);
        let (region, service) = (scope.next().unwrap_or_default(), scope.next().unwrap_or_default());
        Self { service: service.to_owned(), region: region.to_owned(), operation: operation(request) }
    }
}

/// The operation, if the protocol names it (JSON in a header, CBOR in the path, Query in the body), otherwise method and path.
fn operation(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let path = request.uri().split('?').next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest.find('/').map_or("/", |start| &rest[start..]));
    let cbor = path.split_once("/operation/").map(|(_, operation)| operation);
    let form = request.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
    let query = form.split('&').find_map(|pair| pair.strip_prefix("Action="));
    match target.or(cbor).or(query) {
        Some(operation) => operation.to_owned(),
        None => format!("{} {path}", request.method()),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    const LIMIT: Limit = Limit { name: "test", per_second: 4.0, burst: 2, shared: true };

    #[test]
    fn a_burst_is_sent_at_once_and_later_calls_keep_their_distance() {
        let (mut slot, now) = (Slot::default(), Instant::now());
        let waits: Vec<_> = (0..5).map(|_| slot.reserve(LIMIT, now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 250, 500, 750]);
        // After a pause a burst is allowed again, and no more than that.
        let later = now + Duration::from_secs(60);
        let waits: Vec<_> = (0..3).map(|_| slot.reserve(LIMIT, later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 250]);
    }

    fn request(uri: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").expect("a method");
        request.set_uri(uri).expect("a URI");
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    #[test]
    fn the_operation_is_found_in_each_protocol() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20261120/eu-west-1/cloudformation/aws4_request, Signature=x";
        let call = Call::of(&request(
            "https://cloudformation.eu-west-1.amazonaws.com/",
            &[("authorization", signed)],
            "Action=DescribeStacks&Version=2010-05-15",
        ));
        let expected = Call {
            service: "cloudformation".to_owned(),
            region: "eu-west-1".to_owned(),
            operation: "DescribeStacks".to_owned(),
        };
        assert_eq!(call, expected);
        let json = request("https://logs.x/", &[("x-amz-target", "Logs_20140328.DescribeLogGroups")], "{}");
        assert_eq!(operation(&json), "DescribeLogGroups");
        let cbor =
            request("https://monitoring.x/service/GraniteServiceVersion20100801/operation/GetMetricData", &[], "");
        assert_eq!(operation(&cbor), "GetMetricData");
        let rest = request("https://lambda.x/2015-03-31/functions/upload/invocations?Qualifier=7", &[], "{}");
        assert_eq!(operation(&rest), "POST /2015-03-31/functions/upload/invocations");
    }
}
