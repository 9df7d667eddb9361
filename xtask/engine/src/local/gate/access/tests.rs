//! Every way in, and every way that must stay closed.

use hyper::Request;

use super::*;

const OWN: &str = "http://127.0.0.1:4566";
const ALLOWED: &str = "http://localhost:3000";
const FOREIGN: &str = "http://127.0.0.1:8000";
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/lambda/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";
const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=000000000000%2F20260101%2Fus-east-1%2Fs3%2Faws4_request\
                         &X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
const INITIATE_AUTH: (&str, &str) = ("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth");

/// Decides about `METHOD /path`; a `host` among the headers replaces the usual one.
fn decide(line: &str, headers: &[(&str, &str)]) -> Result<Access, Refusal> {
    let (method, target) = line.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:4566");
    }
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (head, ()) = request.body(()).expect("a request").into_parts();
    judge(&head, |origin| origin == OWN || origin == ALLOWED)
}

fn is_signed(access: &Result<Access, Refusal>) -> bool {
    matches!(access, Ok(Access::Signed(_)))
}

#[test]
fn only_names_of_this_machine_and_of_the_emulator_are_hosts() {
    let api = "GET /_aws/execute-api/0a1b2c3d/local/x";
    for own in ["127.0.0.1:4566", "127.0.0.1", "localhost:4566", "[::1]:4566", "[::1]"] {
        assert_eq!(decide(api, &[("host", own)]), Ok(Access::Open), "{own}");
    }
    for other in
        ["bucket.s3.localhost:4566", "0a1b2c3d.execute-api.localhost:4566", "d111.cloudfront.net", "x.alb.localhost"]
    {
        assert_eq!(decide(api, &[("host", other)]), Err(Refusal::Unsigned), "{other}");
    }
    for foreign in [
        "evil.example",
        "evil.example:4566",
        "localhost.evil.example",
        "127.0.0.1.evil.example:4566",
        "localhost.",
        "LocalHost:4566",
        "0a1b2c3d.EXECUTE-API.localhost:4566",
        "10.0.0.1:4566",
        "0.0.0.0:4566",
        "[::2]:4566",
        "evil.cloudfront.net.example",
        "a.b.cloudfront.net",
        "a b.localhost",
        "localhost:4566:1",
        "localhost:http",
        "",
    ] {
        assert_eq!(decide(api, &[("host", foreign)]), Err(Refusal::Host), "{foreign}");
    }
    assert_eq!(decide(api, &[("host", "localhost"), ("host", "localhost")]), Err(Refusal::Malformed));
    assert_eq!(decide("GET http://localhost/x", &[]), Err(Refusal::Malformed));
}

#[test]
fn a_web_socket_leads_to_a_deployed_api_only_and_from_an_allowed_origin() {
    let api = "GET /_aws/execute-api/0a1b2c3d/local?token=t";
    let socket = ("upgrade", "WebSocket");
    for headers in [vec![socket], vec![socket, ("origin", ALLOWED)], vec![socket, ("origin", OWN)]] {
        assert_eq!(decide(api, &headers), Ok(Access::Open), "{headers:?}");
    }
    assert_eq!(decide(api, &[socket, ("origin", FOREIGN)]), Err(Refusal::Origin));
    let host = ("host", "0a1b2c3d.execute-api.localhost:4566");
    assert_eq!(decide("GET /local", &[socket, host]), Ok(Access::Open));
    assert_eq!(decide("GET /local", &[socket, host, ("origin", "null")]), Err(Refusal::Origin));
    for (line, headers) in [
        ("GET /_ministack/health", vec![socket]),
        ("GET /site-bucket/index.html", vec![socket]),
        ("GET /local", vec![socket, ("host", "0a1b2c3d.appsync-realtime-api.localhost:4566")]),
        ("GET /mqtt", vec![socket, ("host", "iot.us-east-1.localhost:4566")]),
        ("GET /x", vec![socket, ("host", "d111.cloudfront.net")]),
        ("GET /2015-03-31/functions", vec![socket, ("authorization", SIGNATURE), ("x-amz-date", "20260101T000000Z")]),
        ("GET /_aws/execute-api/0a1b2c3d/local/@connections/a", vec![socket]),
    ] {
        assert_eq!(decide(line, &headers), Err(Refusal::WebSocket), "{line} {headers:?}");
    }
}

#[test]
fn a_deployed_api_decides_itself_about_callers_and_origins() {
    let foreign: [&[(&str, &str)]; 3] = [&[], &[("origin", FOREIGN)], &[("sec-fetch-site", "cross-site")]];
    for headers in foreign {
        for line in [
            "POST /_aws/execute-api/0a1b2c3d/local/media?x=1",
            "OPTIONS /_aws/execute-api/0a1b2c3d/local/media",
            "GET /restapis/0a1b2c3d/local/_user_request_/media",
            // HTTP APIs, whose stage a client may escape or omit.
            "DELETE /_aws/execute-api/0a1b2c3d/$default/media/1?x=$y",
            "OPTIONS /_aws/execute-api/0a1b2c3d/%24default/login",
            "GET /_aws/execute-api/0a1b2c3d/health",
        ] {
            assert_eq!(decide(line, headers), Ok(Access::Open), "{line} {headers:?}");
        }
        let mut named = headers.to_vec();
        named.push(("host", "0a1b2c3d.execute-api.localhost:4566"));
        assert_eq!(decide("POST /local/media", &named), Ok(Access::Open));
    }
}

/// MiniStack serves a name without a distribution, and a distribution of another account, as if the request had no name.
#[test]
fn a_distribution_must_exist_in_the_account() {
    for host in ["d111.cloudfront.net", "d111.cloudfront.localhost:4566"] {
        let expected = Ok(Access::OfDistribution("d111".to_owned()));
        assert_eq!(decide("POST /2015-03-31/functions", &[("host", host), ("origin", FOREIGN)]), expected);
        assert_eq!(decide("GET /x", &[("host", host), ("authorization", "Bearer token")]), expected);
        for line in ["GET /x?X-Amz-Credential=111122223333%2Fx", "GET /x?AWSAccessKeyId=111122223333"] {
            assert_eq!(decide(line, &[("host", host)]), Err(Refusal::Malformed), "{line}");
        }
        assert_eq!(
            decide("GET /x", &[("host", host), ("authorization", "AWS 111122223333:x")]),
            Err(Refusal::Malformed)
        );
        assert_eq!(decide("POST /_ministack/reset", &[("host", host)]), Err(Refusal::Unsigned));
    }
}

/// MiniStack reads the operation from a form in the body, for any method and path.
#[test]
fn a_form_in_the_body_leads_nowhere() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    for body in [("content-length", "30"), ("transfer-encoding", "chunked")] {
        for line in
            ["GET /site-bucket/index.html", "GET /us-east-1_abC1/.well-known/jwks.json", "GET /_ministack/health"]
        {
            assert_eq!(decide(line, &[form, body]), Err(Refusal::Unsigned), "{line}");
        }
        let preflight = [("origin", ALLOWED), ("access-control-request-method", "PUT"), form, body];
        assert_eq!(decide("OPTIONS /bucket/key", &preflight), Err(Refusal::Unsigned));
    }
    assert_eq!(decide(&format!("PUT /bucket/key?{PRESIGNED}"), &[form]), Err(Refusal::Signature));
    assert!(decide("GET /site-bucket/index.html", &[("content-length", "0")]).is_ok());
    // MiniStack leaves these preflights to what the name or the path leads to.
    let preflight = [("origin", ALLOWED), ("access-control-request-method", "PUT")];
    assert!(decide("OPTIONS /bucket/key", &preflight).is_ok());
    assert_eq!(decide("OPTIONS /_alb/x", &preflight), Err(Refusal::Unsigned));
    let named = [("origin", ALLOWED), ("access-control-request-method", "PUT"), ("host", "x.alb.localhost")];
    assert_eq!(decide("OPTIONS /?Action=CreateTopic", &named), Err(Refusal::Unsigned));
}

#[test]
fn what_only_looks_like_an_api_needs_a_signature() {
    let by_name = [("host", "0a1b2c3d.execute-api.localhost:4566")];
    for line in
        ["POST /_ministack/reset", "POST /%5Fministack/reset", "GET /_ministack/sqs/messages", "PUT /v20180820/x"]
    {
        assert_eq!(decide(line, &by_name), Err(Refusal::Unsigned), "{line}");
    }
    for line in [
        "POST /restapis/0a1b2c3d/deployments",
        "POST /x/_aws/execute-api/0a1b2c3d/local/y",
        "POST /_aws/execute-api/0a1b2c3d",
        "POST /_aws/execute-api/0a1b2c3d/local/@connections/1",
        "POST /_aws/execute-api/0a1b2c3d/$default/@connections/1",
        "POST /v2/apis/0a1b2c3d/routes",
        "POST /_aws/execute-api/$default/x",
        "POST /_aws/execute-api/0a1b2c3d/local/%40connections/1",
        "POST /_aws/lambda-url/x/",
    ] {
        assert_eq!(decide(line, &[]), Err(Refusal::Unsigned), "{line}");
        let signed = [("authorization", SIGNATURE), ("x-amz-date", "20260101T000000Z")];
        assert!(is_signed(&decide(line, &signed)), "{line}");
    }
}

#[test]
fn calls_without_a_signature_are_refused() {
    for line in [
        "POST /2015-03-31/functions",
        "POST /2015-03-31/functions/f/invocations",
        "POST /",
        "POST /?Action=CreateTopic&Name=t",
        "GET /?Action=CreateTopic&Name=t",
        "GET /",
        "GET /bucket",
        "GET /bucket/",
        "PUT /bucket",
        "PUT /bucket/key",
        "POST /bucket/key",
        "DELETE /bucket/key",
        "GET /bucket/key?acl",
        "GET /bucket/key?Action=CreateTopic",
        "GET /bucket/key?versionId=1",
        "GET /_ministack/sqs/messages",
        "POST /_ministack/reset",
        "POST /_ministack/config",
        "POST /_ministack/health",
        "OPTIONS /bucket/key",
    ] {
        assert_eq!(decide(line, &[]), Err(Refusal::Unsigned), "{line}");
    }
}

#[test]
fn sites_keys_of_user_pools_and_health_are_read_without_a_signature() {
    assert_eq!(decide("GET /site-bucket/index.html", &[]), Ok(Access::OfSite("site-bucket".to_owned())));
    assert_eq!(decide("HEAD /site-bucket/a/b.js?v=1", &[]), Ok(Access::OfSite("site-bucket".to_owned())));
    assert_eq!(decide("GET /us-east-1_abC1/.well-known/jwks.json", &[]), Ok(Access::Open));
    assert_eq!(decide("GET /us-east-1_abC1/.well-known/openid-configuration", &[]), Ok(Access::Open));
    assert_eq!(decide("GET /_ministack/health", &[]), Ok(Access::Open));
    assert_eq!(decide("GET /_ministack/health", &[("origin", ALLOWED)]), Err(Refusal::Unsigned));
    // A header that leads to another service, or the name of a bucket as host.
    for header in [("x-amz-target", "DynamoDB_20120810.ListTables"), ("host", "other.localhost:4566")] {
        assert_eq!(decide("GET /site-bucket/index.html", &[header]), Err(Refusal::Unsigned), "{header:?}");
    }
    assert!(is_signed(&decide(
        "GET /site-bucket/index.html",
        &[("authorization", SIGNATURE), ("x-amz-date", "20260101T000000Z")]
    )));
}

#[test]
fn custom_resources_respond_with_their_token() {
    for path in ["cfn-response", "cfn-signal"] {
        let line = format!("PUT /_ministack/{path}/0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f");
        assert_eq!(decide(&line, &[]), Ok(Access::Open));
        assert_eq!(decide(&line, &[("origin", ALLOWED)]), Err(Refusal::Unsigned));
        assert_eq!(decide(&line.replace("PUT", "POST"), &[]), Err(Refusal::Unsigned));
        assert_eq!(decide(&line.replace("-0a1b2c3d4e5f", ""), &[]), Err(Refusal::Unsigned));
    }
}

#[test]
fn only_the_unsigned_operations_of_cognito_are_open() {
    assert_eq!(decide("POST /", &[INITIATE_AUTH]), Ok(Access::Open));
    let identity = |operation: &str| {
        let target = format!("AWSCognitoIdentityService.{operation}");
        decide("POST /", &[("x-amz-target", &target)])
    };
    assert_eq!(identity("GetId"), Ok(Access::Open));
    assert_eq!(identity("GetCredentialsForIdentity"), Ok(Access::Credentials));
    assert_eq!(identity("DeleteIdentityPool"), Err(Refusal::Unsigned));
    for target in [
        "AWSCognitoIdentityProviderService.AdminCreateUser",
        "AWSCognitoIdentityProviderService.DeleteUserPool",
        "DynamoDB_20120810.InitiateAuth",
        "InitiateAuth",
    ] {
        assert_eq!(decide("POST /", &[("x-amz-target", target)]), Err(Refusal::Unsigned), "{target}");
    }
    for line in ["POST /2015-03-31/functions", "POST /?Action=CreateTopic", "PUT /", "GET /"] {
        assert_eq!(decide(line, &[INITIATE_AUTH]), Err(Refusal::Unsigned), "{line}");
    }
    assert_eq!(decide("POST /", &[INITIATE_AUTH, INITIATE_AUTH]), Err(Refusal::Malformed));
    assert_eq!(decide("POST /", &[INITIATE_AUTH, ("host", "lambda.localhost")]), Err(Refusal::Unsigned));
}

#[test]
fn browsers_of_foreign_origins_reach_nothing_but_deployed_apis() {
    let presigned = format!("GET /bucket/key?{PRESIGNED}");
    for origin in
        [FOREIGN, "null", "http://127.0.0.1:45660", "https://localhost:3000", "http://localhost:3000.evil.example"]
    {
        for line in [
            "POST /2015-03-31/functions",
            "GET /site-bucket/index.html",
            "POST /",
            "OPTIONS /bucket/key",
            presigned.as_str(),
        ] {
            let (page, preflight) = (("origin", origin), ("access-control-request-method", "PUT"));
            let headers: &[(&str, &str)] = &[page, if line == "POST /" { INITIATE_AUTH } else { preflight }];
            assert_eq!(decide(line, headers), Err(Refusal::Origin), "{line} {origin}");
        }
    }
    // An image, a script or a frame of another site has no `Origin`.
    for mode in ["no-cors", "cors"] {
        let page = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode)];
        assert_eq!(decide("GET /site-bucket/logo.png", &page), Err(Refusal::Browser));
        assert_eq!(decide("GET /?Action=CreateTopic", &page), Err(Refusal::Unsigned));
    }
}

#[test]
fn browsers_of_allowed_origins_use_sites_cognito_and_presigned_urls_only() {
    let presigned = format!("PUT /bucket/key?{PRESIGNED}");
    for origin in [OWN, ALLOWED] {
        let page = ("origin", origin);
        assert_eq!(decide("POST /", &[page, INITIATE_AUTH]), Ok(Access::Open));
        assert_eq!(decide("OPTIONS /", &[page, ("access-control-request-method", "POST")]), Ok(Access::Open));
        assert_eq!(decide("GET /site-bucket/a.js", &[page]), Ok(Access::OfSite("site-bucket".to_owned())));
        assert!(is_signed(&decide(&presigned, &[page])));
        let signed = [page, ("authorization", SIGNATURE), ("x-amz-date", "20260101T000000Z")];
        assert_eq!(decide("POST /2015-03-31/functions", &signed), Err(Refusal::Browser));
        assert_eq!(decide("POST /2015-03-31/functions", &[page]), Err(Refusal::Unsigned));
    }
    // Pages of the gate's own origin, and links that a user follows.
    for site in ["same-origin", "none"] {
        assert!(decide("GET /site-bucket/config.json", &[("sec-fetch-site", site)]).is_ok());
    }
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    assert!(decide("GET /site-bucket/index.html", &link).is_ok());
    assert!(is_signed(&decide(&presigned.replace("PUT", "GET"), &[("sec-fetch-site", "cross-site")])));
    let of_sts = presigned.replace("%2Fs3%2F", "%2Fsts%2F");
    assert_eq!(decide(&of_sts, &[("sec-fetch-site", "cross-site")]), Err(Refusal::Browser));
}

#[test]
fn a_signature_covers_the_header_that_names_the_operation() {
    let date = ("x-amz-date", "20260101T000000Z");
    let target = ("x-amz-target", "AWSLambda.CreateFunction");
    assert_eq!(decide("POST /", &[("authorization", SIGNATURE), date, target]), Err(Refusal::Signature));
    let covering = SIGNATURE.replace("host;x-amz-date", "host;x-amz-date;x-amz-target");
    assert!(is_signed(&decide("POST /", &[("authorization", &covering), date, target])));
    assert_eq!(decide(&format!("GET /bucket/key?{PRESIGNED}"), &[target]), Err(Refusal::Signature));
}

#[test]
fn a_presigned_url_takes_no_other_headers_of_s3_than_the_signed_ones() {
    let (line, copy) = (format!("PUT /bucket/key?{PRESIGNED}"), ("x-amz-copy-source", "/private/key"));
    assert_eq!(decide(&line, &[copy]), Err(Refusal::Signature));
    assert!(is_signed(&decide(&line, &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("content-type", "image/png")])));
    let covering = line.replace("SignedHeaders=host", "SignedHeaders=host%3Bx-amz-copy-source");
    assert!(is_signed(&decide(&covering, &[copy])));
}
