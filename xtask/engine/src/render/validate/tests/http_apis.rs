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

use super::{Stage, VALIDATOR};

#[test]
fn an_http_api_with_everything_passes_in_aws_and_on_the_emulator() {
    let dev = Stage::parse("dev", "account: '111122223333'\nregion: eu-central-1", "stages/dev.yaml").expect("a stage");
    for stage in [Example::stage_named("local"), dev] {
        let name = stage.name.as_str();
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
