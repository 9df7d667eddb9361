//! How a run of the fault suite ends: what is live, what holds data, what is deployed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cloud::Cloud;

/// What must be the same in the end, whatever went wrong on the way: what is live, what holds data, what is deployed.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    live: BTreeMap<String, Value>,
    buckets: Vec<String>,
    photo: bool,
    stacks: BTreeMap<String, String>,
}

#[tokio::main(flavor = "current_thread")]
pub(super) async fn end(cloud: &Cloud) -> End {
    let (lambda, s3) = (cloud.lambda(), cloud.s3());
    let mut live = BTreeMap::new();
    for function in lambda.list_functions().send().await.expect("functions are listed").functions() {
        let name = function.function_name().expect("a name").to_owned();
        let request = lambda.get_function_configuration().function_name(&name).qualifier("live");
        let released = request.send().await.expect("what is live is there");
        let environment = released.environment().and_then(|environment| environment.variables()).cloned();
        let environment: BTreeMap<_, _> = environment.into_iter().flatten().collect();
        let shown = serde_json::json!({ "code": released.code_sha256(), "environment": environment });
        live.insert(name, shown);
    }
    let listed = s3.list_buckets().send().await.expect("buckets are listed");
    let buckets = listed.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect();
    let photo = s3.head_object().bucket(raw_bucket()).key("kept").send().await.is_ok();
    let cloudformation = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let described = cloudformation.describe_stacks().send().await.expect("stacks are described");
    let stacks = described.stacks().iter().map(|stack| {
        let outputs: BTreeMap<_, _> = stack.outputs().iter().map(|output| (output.output_key(), ())).collect();
        (stack.stack_name().unwrap_or_default().to_owned(), format!("{outputs:?}"))
    });
    End { live, buckets, photo, stacks: stacks.collect() }
}

pub(super) fn raw_bucket() -> &'static str {
    "local-media-raw-000000000000"
}
