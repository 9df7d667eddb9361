//! What a call needs of IAM. The actions are those of the Service Authorization Reference:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
//! A call that is not known here is an error, so that nothing slips through.

use reqwest::{Method, Url};
use serde_json::Value;

use super::{ACCOUNT, REGION, policy::Need};
use crate::proxy::Seen;

/// A user pool's operations that are for everybody: the SDK does not sign them.
const PUBLIC: &[&str] = &["InitiateAuth", "RespondToAuthChallenge"];

/// What a call needs; nothing where it needs no rights.
pub(super) fn needs(seen: &Seen<'_>) -> Result<Vec<Need>, String> {
    let uri = Url::parse(&format!("http://aws{}", seen.uri)).map_err(|error| format!("{}: {error}", seen.uri))?;
    let header = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = header("x-amz-target").rsplit('.').next().unwrap_or_default();
    let unknown = || format!("the test does not know the call {} {} {operation}", seen.method, seen.uri.path());
    let signed = header("authorization").split_once("Credential=").map(|(_, scope)| scope.to_owned());
    let presigned = query(&uri, "X-Amz-Credential");
    // KEY/date/region/service/aws4_request
    let scope = signed.or(presigned);
    let Some(service) = scope.as_deref().and_then(|scope| scope.split('/').nth(3)) else {
        let keys = uri.path().contains("/.well-known/");
        let preflight = seen.method == Method::OPTIONS;
        return if keys || preflight || PUBLIC.contains(&operation) { Ok(Vec::new()) } else { Err(unknown()) };
    };
    let body = || serde_json::from_slice::<Value>(seen.body).map_err(|error| format!("{operation}: {error}"));
    match service {
        "dynamodb" => dynamodb(operation, &body()?),
        "s3" => s3(seen, &uri, header("x-amz-copy-source")),
        "sqs" => sqs(operation, &body()?),
        "sns" => sns(seen.body),
        "secretsmanager" => secret(operation, &body()?),
        "ssm" => parameter(operation, &body()?),
        "cognito-idp" => pool(operation, &body()?),
        "lambda" => invocation(seen, &uri),
        _ => None,
    }
    .ok_or_else(unknown)
}

pub(super) fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

pub(super) fn query(uri: &Url, name: &str) -> Option<String> {
    uri.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn dynamodb(operation: &str, body: &Value) -> Option<Vec<Need>> {
    let table = |name: &str| arn("dynamodb", &format!("table/{}", name.rsplit('/').next().unwrap_or(name)));
    let of = |request: &Value| request["TableName"].as_str().map(table);
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => {
            Some(vec![Need::new(format!("dynamodb:{operation}"), of(body)?)])
        }
        "Query" | "Scan" => {
            let resource = match body["IndexName"].as_str() {
                Some(index) => format!("{}/index/{index}", of(body)?),
                None => of(body)?,
            };
            Some(vec![Need::new(format!("dynamodb:{operation}"), resource)])
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object()?.keys();
            Some(tables.map(|name| Need::new(format!("dynamodb:{operation}"), table(name))).collect())
        }
        // A transaction needs what its parts need, and nothing for itself:
        // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
        "TransactWriteItems" | "TransactGetItems" => {
            let parts =
                body["TransactItems"].as_array()?.iter().flat_map(|part| part.as_object().into_iter().flatten());
            let need = |(kind, request): (&String, &Value)| {
                let action = match kind.as_str() {
                    "ConditionCheck" => "ConditionCheckItem",
                    "Delete" => "DeleteItem",
                    "Get" => "GetItem",
                    "Put" => "PutItem",
                    "Update" => "UpdateItem",
                    _ => return None,
                };
                Some(Need::new(format!("dynamodb:{action}"), of(request)?))
            };
            parts.map(need).collect()
        }
        _ => None,
    }
}

/// Path style, as an emulator wants it. The actions: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
fn s3(seen: &Seen<'_>, uri: &Url, source: &str) -> Option<Vec<Need>> {
    let path = decoded(uri.path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    let object = |action: &str| Need::new(format!("s3:{action}"), format!("{bucket_arn}/{key}"));
    let asks = |name: &str| query(uri, name).is_some();
    let method = seen.method.as_str();
    if key.is_empty() {
        return match method {
            "HEAD" => Some(vec![Need::new("s3:ListBucket", bucket_arn)]),
            "GET" if asks("uploads") => Some(vec![Need::new("s3:ListBucketMultipartUploads", bucket_arn)]),
            "GET" if asks("list-type") => {
                let list = Need::new("s3:ListBucket", bucket_arn);
                Some(vec![match query(uri, "prefix") {
                    Some(prefix) => list.with("s3:prefix", prefix),
                    None => list,
                }])
            }
            _ => None,
        };
    }
    if ["acl", "tagging", "versionId", "attributes"].into_iter().any(asks)
        || seen.headers.keys().any(|name| name == "x-amz-acl" || name == "x-amz-tagging")
    {
        return None;
    }
    let mut needs = match method {
        "GET" if asks("uploadId") => vec![object("ListMultipartUploadParts")],
        "GET" | "HEAD" => vec![object("GetObject")],
        "PUT" => vec![object("PutObject")],
        "POST" if asks("uploads") || asks("uploadId") => vec![object("PutObject")],
        "DELETE" if asks("uploadId") => vec![object("AbortMultipartUpload")],
        "DELETE" => vec![object("DeleteObject")],
        _ => return None,
    };
    if !source.is_empty() {
        needs.push(Need::new("s3:GetObject", format!("arn:aws:s3:::{}", decoded(source.trim_start_matches('/')))));
    }
    // Who may not list is told 403 and not 404. The key counts as the prefix that is listed, as Ceph found when it
    // followed AWS in this: https://github.com/ceph/ceph/pull/68577
    if matches!(method, "GET" | "HEAD") && !asks("uploadId") && seen.status == 404 {
        needs.push(Need::new("s3:ListBucket", bucket_arn.clone()).with("s3:prefix", key));
    }
    Some(needs)
}

fn sqs(operation: &str, body: &Value) -> Option<Vec<Need>> {
    let queue = body["QueueUrl"].as_str()?.rsplit('/').next()?;
    let action = match operation {
        "SendMessageBatch" => "SendMessage",
        "DeleteMessageBatch" => "DeleteMessage",
        "SendMessage" | "DeleteMessage" | "ReceiveMessage" | "GetQueueAttributes" | "ChangeMessageVisibility" => {
            operation
        }
        _ => return None,
    };
    Some(vec![Need::new(format!("sqs:{action}"), arn("sqs", queue))])
}

fn sns(body: &[u8]) -> Option<Vec<Need>> {
    let form = Url::parse(&format!("http://aws/?{}", std::str::from_utf8(body).ok()?)).ok()?;
    match query(&form, "Action")?.as_str() {
        action @ "Publish" => Some(vec![Need::new(format!("sns:{action}"), query(&form, "TopicArn")?)]),
        _ => None,
    }
}

fn secret(operation: &str, body: &Value) -> Option<Vec<Need>> {
    let id = body["SecretId"].as_str()?;
    let resource = if id.starts_with("arn:") { id.to_owned() } else { arn("secretsmanager", &format!("secret:{id}")) };
    (operation == "GetSecretValue").then(|| vec![Need::new("secretsmanager:GetSecretValue", resource)])
}

fn parameter(operation: &str, body: &Value) -> Option<Vec<Need>> {
    let name = body["Name"].as_str()?;
    let resource = arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
    (operation == "GetParameter").then(|| vec![Need::new("ssm:GetParameter", resource)])
}

fn pool(operation: &str, body: &Value) -> Option<Vec<Need>> {
    // What a person may do with their own token has no pool.
    let pool = body["UserPoolId"].as_str()?;
    Some(vec![Need::new(format!("cognito-idp:{operation}"), arn("cognito-idp", &format!("userpool/{pool}")))])
}

fn invocation(seen: &Seen<'_>, uri: &Url) -> Option<Vec<Need>> {
    let path = decoded(uri.path());
    let name = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    let function = if name.starts_with("arn:") { name.to_owned() } else { arn("lambda", &format!("function:{name}")) };
    let resource = match query(uri, "Qualifier") {
        Some(qualifier) => format!("{function}:{qualifier}"),
        None => function,
    };
    (seen.method == Method::POST).then(|| vec![Need::new("lambda:InvokeFunction", resource)])
}

/// A path without `%`.
pub(super) fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *byte == b'%').and_then(|digits| hex::decode(digits).ok());
        match escaped {
            Some(escaped) => {
                bytes.extend(escaped);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
    use serde_json::json;

    use super::*;

    fn seen(
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &str,
        status: u16,
    ) -> Result<Vec<Need>, String> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
            .collect();
        needs(&Seen {
            method: &method.parse().expect("a method"),
            uri: &path.parse::<Uri>().expect("a path"),
            headers: &headers,
            body: body.as_bytes(),
            status: StatusCode::from_u16(status).expect("a status"),
        })
    }

    fn called(service: &str, target: &str, body: &Value) -> Result<Vec<Need>, String> {
        let credential = format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, x");
        let headers = [("authorization", credential.as_str()), ("x-amz-target", target)];
        seen("POST", "/", &headers, &body.to_string(), 200)
    }

    fn stored(method: &str, path: &str, status: u16) -> Vec<(String, String)> {
        let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, x";
        let needs = seen(method, path, &[("authorization", credential)], "", status).expect("a call of S3");
        needs.into_iter().map(|need| (need.action, need.resource)).collect()
    }

    fn pair(action: &str, resource: &str) -> (String, String) {
        (action.to_owned(), resource.to_owned())
    }

    #[test]
    fn transactions_need_what_their_parts_need() {
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "a"}}, {"Update": {"TableName": "b"}}, {"Delete": {"TableName": "c"}},
            {"ConditionCheck": {"TableName": "d"}},
        ]});
        let needs = called("dynamodb", "DynamoDB_20120810.TransactWriteItems", &body).expect("a transaction");
        let table = |name: &str| format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}");
        assert_eq!(
            needs,
            [
                Need::new("dynamodb:PutItem", table("a")),
                Need::new("dynamodb:UpdateItem", table("b")),
                Need::new("dynamodb:DeleteItem", table("c")),
                Need::new("dynamodb:ConditionCheckItem", table("d")),
            ]
        );
        let index = called("dynamodb", "DynamoDB_20120810.Query", &json!({"TableName": "a", "IndexName": "by-user"}));
        assert_eq!(index, Ok(vec![Need::new("dynamodb:Query", format!("{}/index/by-user", table("a")))]));
    }

    #[test]
    fn objects_need_what_s3_asks_for() {
        let object = "arn:aws:s3:::b/videos/a b";
        assert_eq!(stored("GET", "/b/videos/a%20b", 200), [pair("s3:GetObject", object)]);
        assert_eq!(
            stored("HEAD", "/b/videos/a%20b", 404),
            [pair("s3:GetObject", object), pair("s3:ListBucket", "arn:aws:s3:::b")]
        );
        assert_eq!(stored("GET", "/b/videos/a%20b?uploadId=u", 404), [pair("s3:ListMultipartUploadParts", object)]);
        assert_eq!(stored("PUT", "/b/videos/a%20b?partNumber=1&uploadId=u", 200), [pair("s3:PutObject", object)]);
        assert_eq!(stored("POST", "/b/videos/a%20b?uploads", 200), [pair("s3:PutObject", object)]);
        assert_eq!(stored("DELETE", "/b/videos/a%20b?uploadId=u", 204), [pair("s3:AbortMultipartUpload", object)]);
        assert_eq!(stored("DELETE", "/b/videos/a%20b", 204), [pair("s3:DeleteObject", object)]);
    }

    #[test]
    fn links_and_lists_are_calls_of_the_role_too() {
        let link = "/b/k?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0";
        assert_eq!(seen("PUT", link, &[], "", 200), Ok(vec![Need::new("s3:PutObject", "arn:aws:s3:::b/k")]));
        let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, x";
        let list = seen("GET", "/b?list-type=2&prefix=chunks%2Fa%2F", &[("authorization", credential)], "", 200);
        assert_eq!(list, Ok(vec![Need::new("s3:ListBucket", "arn:aws:s3:::b").with("s3:prefix", "chunks/a/")]));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        called("dynamodb", "DynamoDB_20120810.ExecuteStatement", &json!({})).expect_err("PartiQL");
        called("kms", "TrentService.Decrypt", &json!({})).expect_err("another service");
        seen("POST", "/", &[], "", 200).expect_err("a call that nobody signed");
        let everybodys = [("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")];
        assert_eq!(seen("POST", "/", &everybodys, "{}", 200), Ok(Vec::new()));
        assert_eq!(seen("GET", "/pool/.well-known/jwks.json", &[], "", 200), Ok(Vec::new()));
    }
}
