//! The SDK's HTTP client of the simulation: each request takes its time, suffers its fault, and is answered by the account.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};

use crate::{
    aws::Aws,
    faults::Fault,
    wire::{Call, Reply},
};

/// The client of one process.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    aws: Aws,
    process: String,
}

impl Client {
    pub(crate) fn new(aws: Aws, process: String) -> Self {
        Self { aws, process }
    }

    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let call = call(request).await?;
        let Self { aws, process } = self;
        let fate = aws.send(&process, &call);
        tokio::time::sleep(fate.there).await;
        match fate.fault {
            Some(Fault::Reset) => return Err(reset()),
            Some(Fault::Timeout { is_carried_out: false }) => return std::future::pending().await,
            Some(Fault::Killed { is_carried_out: false }) => {
                aws.kill_switch(&process).send_replace(true);
                return std::future::pending().await;
            }
            _ => {}
        }
        let reply = aws.receive(&process, &call, fate);
        if !reply.takes.is_zero() {
            tokio::time::sleep(reply.takes).await;
        }
        match fate.fault {
            Some(Fault::Killed { .. }) => {
                aws.kill_switch(&process).send_replace(true);
                return std::future::pending().await;
            }
            Some(Fault::Timeout { .. }) => return std::future::pending().await,
            Some(Fault::Slow(more)) => tokio::time::sleep(more).await,
            _ => {}
        }
        tokio::time::sleep(fate.back).await;
        if fate.fault == Some(Fault::LostResponse) { Err(reset()) } else { response(reply) }
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().answer(request))
    }
}

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn reset() -> ConnectorError {
    let error = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset by peer");
    ConnectorError::io(error.into())
}

fn response(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let other = |message: String| ConnectorError::other(message.into(), None);
    let status = StatusCode::try_from(reply.status).map_err(|error| other(error.to_string()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    for (name, value) in reply.headers {
        response.headers_mut().try_insert(name, value).map_err(|error| other(error.to_string()))?;
    }
    Ok(response)
}

/// Reads a request.
async fn call(request: HttpRequest) -> Result<Call, ConnectorError> {
    let header = |name| request.headers().get(name).unwrap_or_default();
    // AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …
    let mut scope = header("authorization").split('/').skip(2);
    let (region, service) = (scope.next().unwrap_or_default().to_owned(), scope.next().unwrap_or_default().to_owned());
    let (head, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
    let address = head.split_once("://").map_or(head, |(_, rest)| rest);
    let (host, path) = address.find('/').map_or((address, "/"), |at| address.split_at(at));
    let query =
        form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    let headers: BTreeMap<_, _> =
        request.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let target = headers.get("x-amz-target").and_then(|target| target.rsplit('.').next()).map(str::to_owned);
    let cbor = path.split_once("/operation/").map(|(_, operation)| operation.to_owned());
    let (host, path, method) = (host.to_owned(), path.to_owned(), request.method().to_owned());
    let body = ByteStream::new(request.into_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::other(error.into(), None))?.to_vec();
    let form = || form_urlencoded::parse(&body).find(|(key, _)| key == "Action").map(|(_, value)| value.into_owned());
    let operation = target.or(cbor).or_else(form).unwrap_or_default();
    Ok(Call { service, region, operation, method, host, path, query, headers, body })
}
