//! The part for HTTP APIs gives templates without findings, in AWS and on the emulator.

use contract::Method;
use model::{
    example::{Example, FeedsFetch, HistoryRoute, NotesApi, NotesRoute},
    parts::{
        api::Throttle,
        api_domain::ApiDomain,
        function::Function,
        http_api::{Cors, HttpApi, HttpRouteSettings, HttpRoutes},
    },
    template::{Stack, System, Text},
};

use super::VALIDATOR;

#[test]
fn an_http_api_with_everything_passes_in_aws_and_on_the_emulator() {
    for name in ["local", "prod"] {
        let stage = Example::stage_named(name);
        let mut stack = Stack::new("api", "An API.");
        let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
        let function = stack.add(Function::new(&stage, environment));
        let throttle = Some(Throttle { rate: 1, burst: 1 });
        let settings = |route: NotesRoute| HttpRouteSettings {
            open: route == NotesRoute::Get,
            throttle,
            ..HttpRouteSettings::default()
        };
        let cors = Cors {
            origins: vec!["https://www.example.com".into()],
            methods: vec![Method::Get, Method::Put],
            headers: vec!["authorization".to_owned()],
            credentials: true,
            max_age: 60,
        };
        let api = HttpApi::new("Api", format!("notes-{name}"), &stage)
            .cors(cors)
            .function_authorizer("Decider", &function, 0)
            .routes_with(&function, settings)
            .only_by_domain("api.example.com");
        let handle = stack.add(api);
        stack.add(ApiDomain::new("Domain", "api.example.com", &handle).hosted_zone_id(Some("Z0123456789ABCDEFGHIJ")));
        let mut more = Stack::new("more", "More routes.");
        let function = more.add(Function::new(&stage, FeedsFetch { stage: Text::from(name) }));
        more.add(HttpRoutes::new(&handle).routes::<HistoryRoute>(&function));
        let mut users = Stack::new("users", "An API with tokens.");
        let api = HttpApi::new("UsersApi", format!("users-{name}"), &stage);
        users.add(api.jwt_authorizer("Users", "https://issuer.example.com".into(), vec!["web".into()]));
        let system = System::new("notes", [stack, more, users]).render(&stage).expect("rendered");
        if let Err(error) = VALIDATOR.check_systems(&stage, &[system]) {
            panic!("{name}: {error}");
        }
    }
}
