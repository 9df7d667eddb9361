//! The protocols of AWS's APIs: a request in, a response out.
//!
//! A [`Call`] has the parts of a request that services read. A handler returns a [`Reply`], or a [`Refusal`] that each protocol prints in
//! its own form.

pub mod form;
pub mod tree;
pub mod xml;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

pub use self::form::Form;
pub use self::tree::Node;
pub use self::xml::Element;

/// A request to AWS, or to an endpoint that AWS serves for an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The service in the signature's scope, for example `cloudformation`; empty without a signature.
    pub service: String,
    /// The region in the signature's scope.
    pub region: String,
    /// The operation if the protocol names it (JSON in a header, CBOR in the path, Query in the body), otherwise empty.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// The host.
    pub host: String,
    /// The path, still percent-encoded, without the query.
    pub path: String,
    /// The parameters of the query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// Returns a parameter of the URL's query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the parameters of a Query request.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::parse(&self.body)
    }

    /// Returns the body as JSON; an empty object if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| json!({}))
    }

    /// Returns the decoded steps of the path.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let steps = self.path.split('/').filter(|step| !step.is_empty());
        steps.map(form::decoded).collect()
    }

    /// Names the call for logs: `cloudformation:DescribeStacks`, `lambda:GET /2015-03-31/functions/f`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.operation.is_empty() {
            format!("{}:{} {}", self.service, self.method, self.path)
        } else {
            format!("{}:{}", self.service, self.operation)
        }
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// How long the service takes for it, besides the latency of the call.
    pub takes: Duration,
}

impl Reply {
    /// A response without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), body: Vec::new(), takes: Duration::ZERO }
    }

    /// A response in JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        let reply = Self { body: body.to_string().into_bytes(), ..Self::empty(status) };
        reply.header("content-type", "application/json")
    }

    /// A response in XML.
    #[must_use]
    pub fn xml(status: u16, body: &Element) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}").into_bytes();
        Self { body, ..Self::empty(status) }.header("content-type", "text/xml")
    }

    /// The response of the Query protocol: the result inside `<Operation>Response` and `<Operation>Result`.
    #[must_use]
    pub fn query(operation: &str, result: impl IntoIterator<Item = Element>) -> Self {
        let result = Element::new(format!("{operation}Result")).with_all(result);
        let metadata = Element::new("ResponseMetadata").with(Element::text("RequestId", "simulated"));
        Self::xml(200, &Element::new(format!("{operation}Response")).with(result).with(metadata))
    }

    /// Sets how long the service takes for the response.
    #[must_use]
    pub fn after(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code, for example `ValidationError`.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// A refusal with status 400.
    #[must_use]
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// The refusal of an operation that the model does not have.
    #[must_use]
    pub fn unknown(call: &Call) -> Self {
        Self::new(501, "NotModelled", format!("the simulated AWS has no {}", call.name()))
    }

    /// Prints the refusal in the protocol of the call's service.
    #[must_use]
    pub fn reply(&self, service: &str) -> Reply {
        match service {
            // REST with XML: the error is the root (S3 API reference, "Error responses").
            "s3" => {
                let error = Element::new("Error");
                let error = error.with(Element::text("Code", &self.code)).with(Element::text("Message", &self.message));
                Reply::xml(self.status, &error)
            }
            // The Query protocol and CloudFront wrap the error (for example CloudFormation API reference, "Common errors").
            "cloudformation" | "iam" | "sts" | "sns" | "ec2" | "cloudfront" => {
                let error = Element::new("Error")
                    .with(Element::text("Type", if self.status < 500 { "Sender" } else { "Receiver" }));
                let error = error.with(Element::text("Code", &self.code)).with(Element::text("Message", &self.message));
                let response = Element::new("ErrorResponse").with(error).with(Element::text("RequestId", "simulated"));
                Reply::xml(self.status, &response)
            }
            // JSON: the code is in a header for REST, and in the body for the others.
            _ => Reply::json(
                self.status,
                &json!({ "__type": self.code, "message": self.message, "Message": self.message }),
            )
            .header("x-amzn-errortype", self.code.clone()),
        }
    }
}

/// The result of a handler.
pub type Handled = Result<Reply, Refusal>;
