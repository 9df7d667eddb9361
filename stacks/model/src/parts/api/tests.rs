//! A changed API gets a new deployment; a changed API stage does not.

use super::*;
use crate::{
    example::{HistoryRoute, NotesApi, NotesRoute},
    parts::function::Function,
};

fn deployment_of(change: impl FnOnce(RestApi, &FunctionHandle) -> RestApi) -> String {
    let stage = Stage::example("dev");
    let mut stack = Stack::new("api", "An API.");
    let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
    let function = stack.add(Function::new(&stage, environment));
    let api = RestApi::new("Api", "api".to_owned(), &stage).routes::<NotesRoute>(&function);
    stack.add(change(api, &function));
    let mut ids = stack.resources.into_keys().filter(|id| id.starts_with("ApiDeployment"));
    ids.next().expect("a deployment")
}

#[test]
fn a_changed_api_is_deployed_again_and_a_changed_stage_is_not() {
    let plain = deployment_of(|api, _| api);
    assert_eq!(plain, deployment_of(|api, _| api));
    assert_eq!(plain, deployment_of(|api, _| api.throttle(1, 1)));
    for changed in [
        deployment_of(|api, function| api.routes::<HistoryRoute>(function)),
        deployment_of(|api, _| api.authorizer("Authorizer", "arn:pool".into())),
        deployment_of(|api, _| api.origins(&["https://example.com".to_owned()])),
    ] {
        assert_ne!(plain, changed);
    }
}
