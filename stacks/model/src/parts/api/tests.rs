//! A changed API gets a new deployment; a changed API stage does not.

use contract::{Function as Contract, FunctionName, Method};

use super::*;
use crate::parts::function::Function;

struct Notes;

impl Contract for Notes {
    const NAME: FunctionName =
        FunctionName { system: "notes", function: "api", binary: "notes-api", logical_id: "ApiFunction" };
    type Environment<V> = BTreeMap<String, V>;
}

#[derive(Clone, Copy)]
struct ListNotes;

impl Routes for ListNotes {
    const ALL: &'static [Self] = &[Self];

    fn route(self) -> Route {
        Route { method: Method::Get, path: "/notes" }
    }
}

#[derive(Clone, Copy)]
struct AddNote;

impl Routes for AddNote {
    const ALL: &'static [Self] = &[Self];

    fn route(self) -> Route {
        Route { method: Method::Post, path: "/notes" }
    }
}

fn deployment_of(change: impl FnOnce(RestApi, &FunctionHandle) -> RestApi) -> String {
    let stage = Stage::example("dev");
    let mut stack = Stack::new("api", "An API.");
    let environment = BTreeMap::from([("TABLE".to_owned(), Text::from("notes"))]);
    let function = stack.add(Function::new(&stage, Notes, environment));
    let api = RestApi::new("Api", "api".to_owned(), &stage).routes::<ListNotes>(&function);
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
        deployment_of(|api, function| api.routes::<AddNote>(function)),
        deployment_of(|api, _| api.authorizer("Authorizer", "arn:pool".into())),
        deployment_of(|api, _| api.origins(&["https://example.com".to_owned()])),
    ] {
        assert_ne!(plain, changed);
    }
}
