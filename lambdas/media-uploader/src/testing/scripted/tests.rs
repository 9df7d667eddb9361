//! The scripted AWS itself: what its rules match, and what fails a test.

use aws_sdk_s3::error::ProvideErrorMetadata;

use super::*;

#[tokio::test(flavor = "current_thread")]
async fn the_first_matching_rule_answers_and_records() {
    let (one, all) = (
        Rule::get_object("/bucket/a b+ü/%.png", Reply::object(b"one")),
        Rule::get_object("/bucket/*.png", Reply::object(b"all")),
    );
    let s3 = ScriptedAws::new([one.clone(), all.clone()]).s3();
    for (key, expected) in [("a b+ü/%.png", b"one"), ("b.png", b"all"), ("c.png", b"all")] {
        let object = s3.get_object().bucket("bucket").key(key).send().await.expect("an object");
        assert_eq!(object.body.collect().await.expect("a body").to_vec(), expected, "{key}");
    }
    assert_eq!((one.calls(), all.calls()), (1, 2));
    assert_eq!(all.requests()[1].path, "/bucket/c.png");
}

#[tokio::test(flavor = "current_thread")]
#[should_panic(expected = "no rule expects PUT /bucket/key with query {\"x-id\": \"PutObject\"}")]
async fn a_request_without_a_rule_fails_the_test() {
    let rules = [
        Rule::put_object("/bucket/other"),
        Rule::put_object("/other/key"),
        Rule::put_object("/bucket/key").header("content-type", "image/png"),
        Rule::get_object("/bucket/key", Reply::object(b"")),
        Rule::delete_object("/bucket/key"),
    ];
    let put = ScriptedAws::new(rules).s3().put_object().bucket("bucket").key("key").content_type("image/gif");
    let _ = put.send().await;
}

#[tokio::test(flavor = "current_thread")]
#[should_panic(expected = "no rule expects DELETE /bucket/key")]
async fn operations_with_one_method_are_distinguished() {
    let s3 = ScriptedAws::new([Rule::delete_object("/bucket/key")]).s3();
    s3.delete_object().bucket("bucket").key("key").send().await.expect("the rule matches");
    let _ = s3.abort_multipart_upload().bucket("bucket").key("key").upload_id("id").send().await;
}

#[tokio::test(flavor = "current_thread")]
#[should_panic(expected = "no rule expects POST /2015-03-31/functions/image/invocations")]
async fn a_synchronous_invocation_is_not_an_asynchronous_one() {
    let lambda = ScriptedAws::new([Rule::invoke_async("image", Reply::accepted())]).lambda();
    let _ = lambda.invoke().function_name("image").send().await;
}

#[tokio::test(flavor = "current_thread")]
#[should_panic(expected = "no rule expects HEAD /bucket/key")]
async fn a_rule_may_be_for_one_request() {
    let s3 = ScriptedAws::new([Rule::head_object("/bucket/key", Reply::object(b"x")).once()]).s3();
    s3.head_object().bucket("bucket").key("key").send().await.expect("the first request matches");
    let _ = s3.head_object().bucket("bucket").key("key").send().await;
}

#[tokio::test(flavor = "current_thread")]
async fn errors_have_a_code_and_are_not_retried() {
    let get = Rule::get_object("/bucket/key", Reply::s3_error(503, "SlowDown", "Reduce your request rate."));
    let invoke = Rule::invoke_async("image", Reply::lambda_error(429, "TooManyRequestsException", "too many"));
    let aws = ScriptedAws::new([get.clone(), invoke.clone()]);
    let error = aws.s3().get_object().bucket("bucket").key("key").send().await.expect_err("too fast");
    assert_eq!((error.code(), error.message()), (Some("SlowDown"), Some("Reduce your request rate.")));
    let event = aws_sdk_lambda::types::InvocationType::Event;
    let error = aws.lambda().invoke().function_name("image").invocation_type(event).send().await;
    let error = error.expect_err("too many");
    assert!(error.as_service_error().is_some_and(|error| error.is_too_many_requests_exception()), "{error:?}");
    assert_eq!((get.calls(), invoke.calls()), (1, 1));
}
