//! An HTTP API with routes of two stacks; routes that API Gateway would refuse are refused with both places.

use contract::{Method, Route};
use serde_json::{Value, json};

use super::*;
use crate::{
    example::{FeedsFetch, HistoryRoute, NotesApi, NotesRoute},
    parts::{
        api::{RefusedRoute, RouteProblem},
        api_domain::ApiDomain,
        function::Function,
    },
    rendered::{LiveCheck, RenderedSystem, SmokeCheck},
    template::{RenderError, System},
};

fn stage() -> Stage {
    Stage::example("dev")
}

fn notes(stack: &mut Stack) -> FunctionHandle {
    let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
    stack.add(Function::new(&stage(), environment))
}

fn open<R>(_: R) -> HttpRouteSettings {
    HttpRouteSettings { open: true, ..HttpRouteSettings::default() }
}

fn api() -> HttpApi {
    HttpApi::new("Api", "api".to_owned(), &stage())
}

fn with_jwt() -> HttpApi {
    api().jwt_authorizer("Users", "https://issuer".into(), vec!["web".into()])
}

/// A stack with a function and an API.
fn stack_of(add: impl FnOnce(&FunctionHandle) -> HttpApi) -> (Stack, HttpApiHandle) {
    let mut stack = Stack::new("api", "An API.");
    let function = notes(&mut stack);
    let handle = stack.add(add(&function));
    (stack, handle)
}

/// A second stack, which adds routes of its function.
fn more(add: impl FnOnce(&FunctionHandle) -> HttpRoutes) -> Stack {
    let mut stack = Stack::new("more", "More routes.");
    let function = stack.add(Function::new(&stage(), FeedsFetch { stage: Text::from("dev") }));
    stack.add(add(&function));
    stack
}

fn render(stacks: impl IntoIterator<Item = Stack>) -> Result<RenderedSystem, RenderError> {
    System::new("test", stacks).render(&stage())
}

fn resources(system: &RenderedSystem, stack: &str) -> Value {
    let stack = system.stacks.iter().find(|own| own.stack == stack).expect("the stack");
    stack.template["Resources"].clone()
}

fn properties(stack: Stack) -> Value {
    resources(&render([stack]).expect("rendered"), "api")
}

#[test]
fn a_route_that_is_not_open_requires_the_authorizer() {
    let settings = |route: NotesRoute| HttpRouteSettings { open: route == NotesRoute::Get, ..Default::default() };
    let all = properties(stack_of(|function| with_jwt().routes_with(function, settings)).0);
    let (get, put) = (&all["ApiNotesIdGet"]["Properties"], &all["ApiNotesIdPut"]["Properties"]);
    assert_eq!((&get["AuthorizationType"], &get["AuthorizerId"]), (&json!("NONE"), &Value::Null));
    assert_eq!((&put["AuthorizationType"], &put["AuthorizerId"]), (&json!("JWT"), &json!({ "Ref": "Users" })));
    assert_eq!(put["RouteKey"], "PUT /notes/{id}");
    assert_eq!(put["Target"], json!({ "Fn::Sub": "integrations/${ApiApiFunctionIntegration}" }));
    let users = &all["Users"]["Properties"];
    assert_eq!(users["JwtConfiguration"], json!({ "Audience": ["web"], "Issuer": "https://issuer" }));
    assert_eq!(users["IdentitySource"], json!(["$request.header.Authorization"]));
    let integration = &all["ApiApiFunctionIntegration"]["Properties"];
    assert_eq!(integration["IntegrationUri"], json!({ "Ref": "ApiFunctionAlias" }));
    assert_eq!(integration["PayloadFormatVersion"], "2.0");
}

#[test]
fn a_function_authorizer_is_asked_each_time_and_may_be_invoked_by_its_api_only() {
    let add = |function: &FunctionHandle| {
        let api = api().function_authorizer("Decider", function, 0).identity_sources(vec!["$request.header.X-Api-Key"]);
        api.routes::<NotesRoute>(function)
    };
    let all = properties(stack_of(add).0);
    let decider = &all["Decider"]["Properties"];
    assert_eq!((&decider["AuthorizerType"], &decider["EnableSimpleResponses"]), (&json!("REQUEST"), &json!(true)));
    assert_eq!(decider["AuthorizerPayloadFormatVersion"], "2.0");
    assert_eq!(decider["AuthorizerResultTtlInSeconds"], 0);
    assert_eq!(decider["IdentitySource"], json!(["$request.header.X-Api-Key"]));
    let uri = decider["AuthorizerUri"]["Fn::Sub"].as_str().expect("a text");
    assert!(uri.ends_with(":lambda:path/2015-03-31/functions/${ApiFunctionAlias}/invocations"), "{uri}");
    assert_eq!(all["ApiNotesIdGet"]["Properties"]["AuthorizationType"], "CUSTOM");
    let source = |id: &str| all[id]["Properties"]["SourceArn"]["Fn::Sub"].as_str().expect("a text").to_owned();
    assert!(source("ApiApiFunctionAuthorizerPermission").ends_with(":${Api}/authorizers/${Decider}"));
    assert!(source("ApiApiFunctionPermission").ends_with(":${Api}/*/*"));
}

#[test]
fn the_stage_has_log_and_throttles_and_waits_for_routes_with_their_own() {
    let settings = |route: NotesRoute| HttpRouteSettings {
        throttle: (route == NotesRoute::Put).then_some(Throttle { rate: 1, burst: 2 }),
        ..open(route)
    };
    let all = properties(stack_of(|function| api().throttle(10, 20).routes_with(function, settings)).0);
    let stage = &all["ApiStage"];
    let of_stage = &stage["Properties"];
    assert_eq!((&of_stage["StageName"], &of_stage["AutoDeploy"]), (&json!("$default"), &json!(true)));
    assert_eq!(of_stage["DefaultRouteSettings"]["ThrottlingRateLimit"], 10.0);
    let own = &of_stage["RouteSettings"]["PUT /notes/{id}"];
    assert_eq!((own["ThrottlingRateLimit"].as_f64(), own["ThrottlingBurstLimit"].as_i64()), (Some(1.0), Some(2)));
    assert_eq!(stage["DependsOn"], json!(["ApiNotesIdPut"]));
    let format = of_stage["AccessLogSettings"]["Format"].as_str().expect("a format");
    assert!(format.contains("$context.routeKey") && !format.contains("authorization"), "{format}");
    assert_eq!(all["ApiAccessLogs"]["Properties"]["RetentionInDays"], 30);
}

fn cors() -> Cors {
    Cors {
        origins: vec!["https://example.com".into()],
        methods: vec![Method::Get, Method::Put],
        headers: vec!["authorization".to_owned()],
        credentials: true,
        max_age: 600,
    }
}

#[test]
fn the_gateway_answers_preflights_in_the_spelling_that_the_stage_reads() {
    let (stack, _) = stack_of(|function| api().cors(cors()).routes_with(function, open::<NotesRoute>));
    let check = |method| LiveCheck::preflight("Api", method, "/notes/1", "https://example.com");
    let system = System::new("test", [stack.clone()]).live(check(Method::Put)).render(&stage()).expect("rendered");
    let of_api = &resources(&system, "api")["Api"]["Properties"]["CorsConfiguration"];
    assert_eq!(of_api["AllowMethods"], json!(["GET", "PUT"]));
    assert_eq!((&of_api["AllowCredentials"], &of_api["MaxAge"]), (&json!(true), &json!(600)));
    assert_eq!(of_api["AllowOrigins"], json!(["https://example.com"]));
    // The method that a preflight asks for must be a route all the same.
    let error = System::new("test", [stack]).live(check(Method::Delete)).render(&stage()).expect_err("no such route");
    assert!(error.to_string().contains("`DELETE /notes/1`"), "{error}");

    let local = Stage::example("local");
    let mut stack = Stack::new("api", "An API.");
    stack.add(HttpApi::new("Api", "api".to_owned(), &local).cors(cors()));
    let system = System::new("test", [stack]).render(&local).expect("rendered");
    let of_api = &resources(&system, "api")["Api"];
    assert_eq!(of_api["Properties"]["CorsConfiguration"]["allowOrigins"], json!(["https://example.com"]));
    assert_eq!(of_api["Metadata"]["Exceptions"][0]["Rule"], "F3002");
    assert!(resources(&system, "api")["ApiAccessLogs"].is_null());
}

#[test]
fn routes_of_another_stack_belong_to_the_api_and_to_their_stack() {
    let (first, handle) = stack_of(|function| with_jwt().routes::<NotesRoute>(function));
    let second = more(|function| HttpRoutes::new(&handle).routes::<HistoryRoute>(function));
    let smoke = SmokeCheck { api: "Api".to_owned(), path: "/notes/1/history".to_owned(), status: 401, json: None };
    let system = System::new("test", [second, first]).smoke(smoke).render(&stage()).expect("rendered");
    let names: Vec<_> = system.stacks.iter().map(|stack| stack.stack.as_str()).collect();
    assert_eq!(names, ["api", "more"], "the API is deployed first");
    let api = &system.stacks[0].apis[0];
    assert_eq!((api.kind, api.stage_name.as_str()), (ApiKind::Http, "$default"));
    let owners: Vec<_> = api.methods.iter().map(|method| (method.title(), method.stack.as_str())).collect();
    assert_eq!(
        owners,
        [("GET /notes/{id}", "api"), ("PUT /notes/{id}", "api"), ("GET /notes/{id}/history", "more")]
            .map(|(title, stack)| (title.to_owned(), stack))
    );
    assert!(api.methods.iter().all(|method| !method.is_open));
    assert_eq!(api.routes.len(), 3);
    let all = resources(&system, "more");
    let route = &all["ApiNotesIdHistoryGet"]["Properties"];
    assert_eq!(route["ApiId"], json!({ "Ref": "ApiId" }));
    assert_eq!(route["AuthorizerId"], json!({ "Ref": "UsersId" }));
    assert_eq!(
        all["ApiFetchFunctionIntegration"]["Properties"]["IntegrationUri"],
        json!({ "Ref": "FetchFunctionAlias" })
    );
    assert!(all["ApiFetchFunctionPermission"].is_object());
    assert_eq!(system.stacks[0].template["Outputs"]["ApiId"]["Value"], json!({ "Ref": "Api" }));
}

#[test]
fn an_api_has_outputs_and_may_be_served_under_a_domain() {
    let (mut stack, handle) = stack_of(|_| api());
    stack.add(ApiDomain::new("Domain", "api.example.com", &handle).certificate_arn(Some("arn:certificate")));
    let system = render([stack]).expect("rendered");
    let url = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}";
    assert_eq!(system.stacks[0].template["Outputs"]["ApiUrl"]["Value"], json!({ "Fn::Sub": url }));
    let mapping = &resources(&system, "api")["DomainMapping"]["Properties"];
    assert_eq!((&mapping["ApiId"], &mapping["Stage"]), (&json!({ "Ref": "Api" }), &json!({ "Ref": "ApiStage" })));

    let (stack, _) = stack_of(|_| api().only_by_domain("api.example.com"));
    let system = render([stack]).expect("rendered");
    assert_eq!(system.stacks[0].template["Outputs"]["ApiUrl"]["Value"], "https://api.example.com");
    assert_eq!(resources(&system, "api")["Api"]["Properties"]["DisableExecuteApiEndpoint"], true);
}

#[test]
fn the_issuer_of_a_pool_names_region_and_pool() {
    let mut stack = Stack::new("api", "An API.");
    let pool = stack.resource("Pool", Resource::new("AWS::Cognito::UserPool", json!({})));
    stack.output("Issuer", issuer_of(&pool));
    let system = render([stack]).expect("rendered");
    let issuer = &system.stacks[0].template["Outputs"]["Issuer"]["Value"];
    assert_eq!(*issuer, json!({ "Fn::Sub": "https://cognito-idp.${AWS::Region}.${AWS::URLSuffix}/${Pool}" }));
}

fn refused(stacks: impl IntoIterator<Item = Stack>) -> (String, RefusedRoute) {
    match render(stacks) {
        Err(RenderError::Route { stack, refused, .. }) => (stack, *refused),
        other => panic!("{other:?}"),
    }
}

/// The problem of an API whose routes `add` adds.
fn problem(add: impl FnOnce(&FunctionHandle) -> HttpApi) -> RouteProblem {
    refused([stack_of(add).0]).1.problem
}

#[test]
fn a_route_without_authorization_is_declared_open() {
    assert_eq!(problem(|function| api().routes::<NotesRoute>(function)), RouteProblem::NoAuthorizer);
    let (first, handle) = stack_of(|_| api());
    let second = more(|function| HttpRoutes::new(&handle).routes::<HistoryRoute>(function));
    let (stack, refused) = refused([first, second]);
    assert_eq!((stack.as_str(), refused.problem), ("more", RouteProblem::NoAuthorizer));
    assert_eq!(refused.route, "GET /notes/{id}/history");
}

#[test]
fn a_route_of_two_stacks_is_refused_with_both_places() {
    let (first, handle) = stack_of(|function| with_jwt().routes::<NotesRoute>(function));
    // The order of the stacks does not matter.
    let second = more(|function| HttpRoutes::new(&handle).routes::<NotesRoute>(function));
    for stacks in [[first.clone(), second.clone()], [second, first]] {
        let (stack, refused) = refused(stacks);
        assert_eq!((stack.as_str(), refused.route.as_str()), ("more", "GET /notes/{id}"));
        let RouteProblem::Duplicate { place } = &refused.problem else { panic!("{refused:?}") };
        assert_ne!(*place, refused.place);
        for place in [place, &refused.place] {
            assert!(place.contains("parts/http_api/tests.rs:"), "{place}");
        }
    }
    let twice = problem(|function| with_jwt().routes::<NotesRoute>(function).routes::<NotesRoute>(function));
    assert!(matches!(twice, RouteProblem::Duplicate { .. }), "{twice:?}");
}

/// Declares routes of `GET` on these paths.
macro_rules! gets {
    ($name:ident, [$($path:literal),+]) => {
        #[derive(Debug, Clone, Copy)]
        struct $name(&'static str);

        impl Routes for $name {
            const ALL: &'static [Self] = &[$(Self($path)),+];

            fn route(self) -> Route {
                Route { method: Method::Get, path: self.0 }
            }
        }
    };
}

gets!(SameShape, ["/notes/{id}", "/notes/{name}"]);
gets!(SameName, ["/notes/{id}", "/notes/id"]);
gets!(GreedyFirst, ["/files/{path+}/info"]);
gets!(Apart, ["/notes/{id}", "/notes/{all+}", "/notes/{name}/texts", "/"]);

#[test]
fn routes_that_api_gateway_would_refuse_are_refused() {
    let same = problem(|function| with_jwt().routes::<SameShape>(function));
    let RouteProblem::SameRequests { route, .. } = &same else { panic!("{same:?}") };
    assert_eq!(route, "GET /notes/{id}");
    let greedy = problem(|function| with_jwt().routes::<GreedyFirst>(function));
    assert_eq!(greedy, RouteProblem::GreedyNotLast { segment: "{path+}".to_owned() });
    let named = problem(|function| with_jwt().routes::<SameName>(function));
    let expected = RouteProblem::SameLogicalId {
        logical_id: "ApiNotesIdGet".to_owned(),
        other: "route `GET /notes/{id}`".to_owned(),
    };
    assert_eq!(named, expected);
    let add = |function: &FunctionHandle| with_jwt().routes::<SameName>(function).path_name("/notes/id", "NotesOwnId");
    assert!(properties(stack_of(add).0)["ApiNotesOwnIdGet"].is_object());
    let unknown = problem(|function| with_jwt().routes::<NotesRoute>(function).path_name("/note", "Note"));
    assert_eq!(unknown, RouteProblem::UnknownPath { paths: vec!["/notes/{id}".to_owned()] });
    assert!(properties(stack_of(|function| with_jwt().routes::<Apart>(function)).0)["ApiGet"].is_object());
}

#[test]
fn scopes_need_a_jwt_and_a_throttle_the_stack_of_the_api() {
    let scoped = |open: bool| {
        move |_: NotesRoute| HttpRouteSettings { open, scopes: vec!["notes/read".to_owned()], ..Default::default() }
    };
    let all = properties(stack_of(|function| with_jwt().routes_with(function, scoped(false))).0);
    assert_eq!(all["ApiNotesIdGet"]["Properties"]["AuthorizationScopes"], json!(["notes/read"]));
    assert_eq!(problem(|function| with_jwt().routes_with(function, scoped(true))), RouteProblem::Scopes);
    let decided = |function: &FunctionHandle| {
        api().function_authorizer("Decider", function, 0).routes_with(function, scoped(false))
    };
    assert_eq!(problem(decided), RouteProblem::Scopes);

    let (first, handle) = stack_of(|_| with_jwt());
    let throttled =
        |_: HistoryRoute| HttpRouteSettings { throttle: Some(Throttle { rate: 1, burst: 1 }), ..Default::default() };
    let second = more(|function| HttpRoutes::new(&handle).routes_with(function, throttled));
    let expected = RouteProblem::ForeignThrottle { owner: "api".to_owned() };
    assert_eq!(refused([first, second]).1.problem, expected);
}

/// More routes than an API may have.
#[derive(Debug, Clone, Copy)]
struct Many(usize);

impl Routes for Many {
    const ALL: &'static [Self] = &{
        let mut all = [Self(0); 301];
        let mut index = 0;
        while index < all.len() {
            all[index] = Self(index);
            index += 1;
        }
        all
    };

    fn route(self) -> Route {
        Route { method: Method::Get, path: format!("/route-{}", self.0).leak() }
    }
}

#[test]
fn the_quota_of_routes_is_checked() {
    let many = problem(|function| with_jwt().routes::<Many>(function));
    assert_eq!(many, RouteProblem::TooMany { what: "routes of an API", maximum: 300 });
}
