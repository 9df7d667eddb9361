//! Fetches the user pool's public keys with the HTTP client of the AWS SDK.

use std::{error::Error, time::Duration};

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::{
    http::SharedHttpClient,
    orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
};
use common::token::Fetch;

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("the response's status is {0}")]
struct StatusError(u16);

/// An HTTP client.
#[derive(Debug)]
pub(super) struct Http(pub(super) SharedHttpClient);

impl Fetch for Http {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        // The operation joins the two again, as clients of a service join an endpoint and a resource.
        let (server, path) = server_and_path(url);
        let path = path.to_owned();
        let operation = Operation::builder()
            .service_name("user-pool")
            .operation_name("GetKeys")
            .http_client(self.0.clone())
            .endpoint_url(server)
            .no_auth()
            .no_retry()
            .serializer(move |()| {
                let mut request = HttpRequest::empty();
                request.set_uri(path.as_str())?;
                Ok(request)
            })
            .deserializer(body)
            .build();
        Ok(tokio::time::timeout(TIMEOUT, operation.invoke(())).await??)
    }
}

/// Splits an address into `https://server` and `/path`.
fn server_and_path(url: &str) -> (&str, &str) {
    let after_scheme = url.find("://").map_or(0, |colon| colon + 3);
    let path = url[after_scheme..].find('/').map_or(url.len(), |slash| after_scheme + slash);
    url.split_at(path)
}

fn body(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<StatusError>> {
    let status = response.status().as_u16();
    if status != 200 {
        return Err(OrchestratorError::operation(StatusError(status)));
    }
    Ok(response.body().bytes().unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::server_and_path;

    #[test]
    fn an_address_is_split_into_server_and_path() {
        for (url, expected) in [
            ("https://a.test/b/c.json", ("https://a.test", "/b/c.json")),
            (
                "http://127.0.0.1:4566/pool/.well-known/jwks.json",
                ("http://127.0.0.1:4566", "/pool/.well-known/jwks.json"),
            ),
            ("https://a.test", ("https://a.test", "")),
        ] {
            assert_eq!(server_and_path(url), expected);
        }
    }
}
