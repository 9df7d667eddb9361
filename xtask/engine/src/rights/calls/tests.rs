//! The requests of calls as clients send them.

use serde_json::json;

use super::*;

fn place() -> Place {
    Place { account: "000000000000".to_owned(), region: "eu-west-1".to_owned() }
}

fn scope(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host")
}

fn call(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Call {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Call { method: method.to_owned(), target: target.to_owned(), headers, body: body.into(), status: 200 }
}

/// Actions and resources.
fn pairs(call: &Call) -> Vec<(String, String)> {
    let requests = requests(call, &place()).expect("a known call");
    requests.iter().map(|request| (request.action().to_owned(), request.resource().to_owned())).collect()
}

fn json_call(service: &str, target: &str, body: &Value) -> Call {
    call("POST", "/", &[("authorization", &scope(service)), ("x-amz-target", target)], &body.to_string())
}

fn stored(method: &str, target: &str, status: u16) -> Vec<(String, String)> {
    pairs(&Call { status, ..call(method, target, &[("authorization", &scope("s3"))], "") })
}

fn pair(action: &str, resource: &str) -> (String, String) {
    (action.to_owned(), resource.to_owned())
}

#[test]
fn a_message_to_a_client_is_a_call_of_its_connection() {
    let path = "/_aws/execute-api/a1b2c3d4/local/@connections/L0SM9c%3D";
    let sent = call("POST", path, &[("authorization", &scope("execute-api"))], "{}");
    let arn = "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4/local/POST/@connections/L0SM9c=";
    assert_eq!(pairs(&sent), [pair("execute-api:ManageConnections", arn)]);
    let other = call("POST", "/_aws/execute-api/a1b2c3d4/local/x", &[("authorization", &scope("execute-api"))], "");
    assert!(requests(&other, &place()).is_err(), "a call of a route is not known");
}

#[test]
fn a_transaction_needs_what_its_parts_need() {
    let body = json!({"TransactItems": [
        {"Put": {"TableName": "a"}}, {"Update": {"TableName": "b"}}, {"Delete": {"TableName": "c"}},
        {"ConditionCheck": {"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/d"}},
    ]});
    let table = |name: &str| format!("arn:aws:dynamodb:us-east-1:000000000000:table/{name}");
    assert_eq!(
        pairs(&json_call("dynamodb", "DynamoDB_20120810.TransactWriteItems", &body)),
        [
            pair("dynamodb:PutItem", &table("a")),
            pair("dynamodb:UpdateItem", &table("b")),
            pair("dynamodb:DeleteItem", &table("c")),
            pair("dynamodb:ConditionCheckItem", &table("d")),
        ]
    );
    let query = json!({"TableName": "a", "IndexName": "by-user"});
    let index = pairs(&json_call("dynamodb", "DynamoDB_20120810.Query", &query));
    assert_eq!(index, [pair("dynamodb:Query", &format!("{}/index/by-user", table("a")))]);
}

#[test]
fn an_object_needs_the_permission_of_its_method() {
    let object = "arn:aws:s3:::b/videos/a b";
    for (method, query, status, action) in [
        ("GET", "", 200, "s3:GetObject"),
        ("HEAD", "", 200, "s3:GetObject"),
        ("GET", "?versionId=v", 200, "s3:GetObjectVersion"),
        ("GET", "?uploadId=u", 404, "s3:ListMultipartUploadParts"),
        ("GET", "?tagging", 200, "s3:GetObjectTagging"),
        ("PUT", "?partNumber=1&uploadId=u", 200, "s3:PutObject"),
        ("POST", "?uploads", 200, "s3:PutObject"),
        ("DELETE", "?uploadId=u", 204, "s3:AbortMultipartUpload"),
        ("DELETE", "", 204, "s3:DeleteObject"),
    ] {
        let target = format!("/b/videos/a%20b{query}");
        assert_eq!(stored(method, &target, status), [pair(action, object)], "{method} {target}");
    }
    let missing = [pair("s3:GetObject", object), pair("s3:ListBucket", "arn:aws:s3:::b")];
    assert_eq!(stored("HEAD", "/b/videos/a%20b", 404), missing);
    let headers = [("authorization", scope("s3")), ("x-amz-copy-source", "/b/old%20name".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let copied = [pair("s3:PutObject", "arn:aws:s3:::b/k"), pair("s3:GetObject", "arn:aws:s3:::b/old name")];
    assert_eq!(pairs(&call("PUT", "/b/k", &headers, "")), copied);
}

#[test]
fn a_bucket_needs_the_permission_of_its_query() {
    let bucket = "arn:aws:s3:::b";
    for (method, target, action) in [
        ("HEAD", "/b", "s3:ListBucket"),
        ("GET", "/b/?list-type=2&prefix=", "s3:ListBucket"),
        ("GET", "/b?uploads", "s3:ListBucketMultipartUploads"),
        ("GET", "/b?location", "s3:GetBucketLocation"),
    ] {
        assert_eq!(stored(method, target, 200), [pair(action, bucket)], "{method} {target}");
    }
    let list = call("GET", "/b?list-type=2&prefix=chunks%2Fa%2F", &[("authorization", &scope("s3"))], "");
    let list = requests(&list, &place()).expect("a known call");
    assert_eq!(list[0].context()["s3:prefix"], ["chunks/a/"]);
    assert!(list[0].context()["s3:delimiter"].is_empty(), "known to be absent");
    let body = "<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>b/c</Key></Object></Delete>";
    let deleted = pairs(&call("POST", "/b?delete", &[("authorization", &scope("s3"))], body));
    assert_eq!(deleted, [pair("s3:DeleteObject", "arn:aws:s3:::b/a&b"), pair("s3:DeleteObject", "arn:aws:s3:::b/b/c")]);
    let policy = call("GET", "/b?policy", &[("authorization", &scope("s3"))], "");
    assert_eq!(requests(&policy, &place()), Err("s3 GET /b".to_owned()));
}

#[test]
fn a_signed_link_is_a_call_of_its_signer() {
    let link = "/b/k?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0";
    assert_eq!(pairs(&call("PUT", link, &[], "")), [pair("s3:PutObject", "arn:aws:s3:::b/k")]);
}

#[test]
fn an_invocation_names_the_function_in_several_ways() {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let other = "arn:aws:lambda:us-east-1:111111111111:function:f";
    for (name, resource) in [
        ("f", function.to_owned()),
        (function, function.to_owned()),
        ("111111111111:function:f", other.to_owned()),
        ("f:live", format!("{function}:live")),
    ] {
        let target = format!("/2015-03-31/functions/{}/invocations", name.replace(':', "%3A"));
        let call = call("POST", &target, &[("authorization", &scope("lambda"))], "{}");
        assert_eq!(pairs(&call), [pair("lambda:InvokeFunction", &resource)], "{name}");
    }
    let qualified = "/2015-03-31/functions/f/invocations?Qualifier=live";
    let call = call("POST", qualified, &[("authorization", &scope("lambda"))], "{}");
    assert_eq!(pairs(&call), [pair("lambda:InvokeFunction", &format!("{function}:live"))]);
}

#[test]
fn the_other_services_name_operation_and_resource() {
    let arn = |rest: &str| format!("arn:aws:{rest}");
    let here = |service: &str, resource: &str| arn(&format!("{service}:us-east-1:000000000000:{resource}"));
    for (service, operation, body, action, resource) in [
        ("sqs", "SendMessageBatch", json!({"QueueUrl": "http://h/0/q"}), "sqs:SendMessage", here("sqs", "q")),
        (
            "secretsmanager",
            "GetSecretValue",
            json!({"SecretId": "s"}),
            "secretsmanager:GetSecretValue",
            here("secretsmanager", "secret:s"),
        ),
        (
            "secretsmanager",
            "ListSecretVersionIds",
            json!({"SecretId": "s"}),
            "secretsmanager:ListSecretVersionIds",
            here("secretsmanager", "secret:s"),
        ),
        ("ssm", "GetParameter", json!({"Name": "/a/b"}), "ssm:GetParameter", here("ssm", "parameter/a/b")),
        (
            "cognito-idp",
            "ListUsers",
            json!({"UserPoolId": "p"}),
            "cognito-idp:ListUsers",
            here("cognito-idp", "userpool/p"),
        ),
        ("kms", "GenerateDataKey", json!({"KeyId": "k"}), "kms:GenerateDataKey", here("kms", "key/k")),
        ("events", "PutEvents", json!({"Entries": [{}]}), "events:PutEvents", here("events", "event-bus/default")),
        ("monitoring", "PutMetricData", json!({}), "cloudwatch:PutMetricData", "*".to_owned()),
    ] {
        assert_eq!(pairs(&json_call(service, operation, &body)), [pair(action, &resource)], "{service} {operation}");
    }
    let form = "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A0%3At&Message=hello";
    let publish = call("POST", "/", &[("authorization", &scope("sns"))], form);
    assert_eq!(pairs(&publish), [pair("sns:Publish", "arn:aws:sns:us-east-1:0:t")]);
}

#[test]
fn a_key_is_used_in_the_context_of_the_request() {
    let body = json!({ "KeyId": "k", "EncryptionContext": { "stage": "local", "user_id": "7" } });
    let expected = Request::new("kms:Decrypt", place().arn("kms", "key/k"))
        .with("kms:EncryptionContextKeys", "stage")
        .with("kms:EncryptionContextKeys", "user_id")
        .with("kms:EncryptionContext:stage", "local")
        .with("kms:EncryptionContext:user_id", "7");
    let found = requests(&json_call("kms", "TrentService.Decrypt", &body), &place()).expect("known");
    let context = |request: &Request| {
        let mut context = request.context().clone();
        context.retain(|key, _| key.starts_with("kms:"));
        context
    };
    assert_eq!(found.iter().map(context).collect::<Vec<_>>(), [context(&expected)]);
    // A request without a context has no key of it, which conditions with `Null` notice.
    let without =
        requests(&json_call("kms", "TrentService.Decrypt", &json!({ "KeyId": "k" })), &place()).expect("known");
    assert_eq!(without[0].context().get("kms:EncryptionContextKeys"), Some(&Vec::new()));
}

#[test]
fn a_scan_has_the_attributes_that_it_reads() {
    let scan = |body: Value| {
        let found = requests(&json_call("dynamodb", "DynamoDB_20120810.Scan", &body), &place()).expect("known");
        let of = |key: &str| found[0].context().get(key).cloned().unwrap_or_default();
        (of("dynamodb:Attributes"), of("dynamodb:Select"))
    };
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let some = json!({
        "TableName": "t", "ProjectionExpression": "#pk, leases.dead",
        "FilterExpression": "begins_with(#pk, :p) AND (NOT expires > :now)", "ExpressionAttributeNames": { "#pk": "pk" },
    });
    assert_eq!(scan(some), (texts(&["expires", "leases", "pk"]), texts(&["SPECIFIC_ATTRIBUTES"])));
    assert_eq!(scan(json!({ "TableName": "t" })), (Vec::new(), texts(&["ALL_ATTRIBUTES"])));
    assert_eq!(scan(json!({ "TableName": "t", "Select": "COUNT" })), (Vec::new(), texts(&["COUNT"])));
}

#[test]
fn a_call_of_an_api_of_the_stage_needs_no_permission() {
    let sent = |path: &str| requests(&call("POST", path, &[], "{}"), &place());
    assert_eq!(sent("/_aws/execute-api/0a1b2c3d/$default/items"), Ok(Vec::new()));
    assert!(sent("/_aws/execute-api/0a1b2c3d/$default/@connections/1").is_err());
}

#[test]
fn a_call_that_is_not_known_is_an_error() {
    let named = |service: &str, target: &str| requests(&json_call(service, target, &json!({})), &place());
    assert_eq!(named("dynamodb", "DynamoDB_20120810.ExecuteStatement"), Err("dynamodb ExecuteStatement".to_owned()));
    assert_eq!(named("kms", "TrentService.Decrypt"), Err("kms Decrypt".to_owned()));
    let unsigned = |method: &str, headers: &[(&str, &str)]| requests(&call(method, "/x", headers, "{}"), &place());
    assert_eq!(unsigned("POST", &[]), Err("unsigned POST /x".to_owned()));
    assert_eq!(unsigned("GET", &[]), Ok(Vec::new()));
    for operation in ["InitiateAuth", "VerifySoftwareToken"] {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        assert_eq!(unsigned("POST", &[("x-amz-target", target.as_str())]), Ok(Vec::new()), "{operation}");
    }
}

#[test]
fn a_new_secret_a_mail_and_a_role_are_the_resources_of_their_calls() {
    let created = json_call("secretsmanager", "secretsmanager.CreateSecret", &json!({ "Name": "notes/dev/keys/1" }));
    let secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:notes/dev/keys/1";
    assert_eq!(pairs(&created), [pair("secretsmanager:CreateSecret", secret)]);
    let form = "Action=SendEmail&Version=2010-12-01&Source=noreply%40example.com";
    let mail = call("POST", "/", &[("authorization", &scope("ses"))], form);
    let identity = "arn:aws:ses:us-east-1:000000000000:identity/noreply@example.com";
    assert_eq!(pairs(&mail), [pair("ses:SendEmail", identity)]);
    let role = "arn:aws:iam::111111111111:role/notes-source-1";
    let form = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fnotes-source-1";
    let assumed = call("POST", "/", &[("authorization", &scope("sts"))], form);
    assert_eq!(pairs(&assumed), [pair("sts:AssumeRole", role)]);
}
