//! Two HTTP APIs: one asks a function about each request and has a route of another stack, the other one requires a user's token.

use contract::Method;
use model::{
    parts::{
        email_pool::EmailPool,
        function::Function,
        http_api::{Cors, HttpApi, HttpRouteSettings, HttpRoutes, issuer_of},
    },
    rendered::{LiveCheck, SignIn, SmokeCheck},
    stage::Stage,
    template::{Stack, System, Text},
};
use notes_contract::{Decide, Enter, EnterRoute, More, MoreRoute, Who, WhoRoute};

const ORIGIN: &str = "http://localhost:3000";
const USER: &str = "check@example.com";

pub fn stacks(stage: &Stage) -> Vec<Stack> {
    let mut doors = Stack::new("doors", "An HTTP API with an authorizer, a function and another stack's routes.");
    let decide = doors.add(Function::new(stage, Decide { word: Text::from("sesame") }));
    let enter = doors.add(Function::new(stage, Enter {}));
    let settings =
        |route: EnterRoute| HttpRouteSettings { open: route == EnterRoute::Health, ..HttpRouteSettings::default() };
    let api = HttpApi::new("DoorsApi", format!("notes-doors-{}", stage.name), stage)
        .cors(Cors {
            origins: vec![ORIGIN.into()],
            methods: vec![Method::Get, Method::Post],
            headers: vec!["authorization".to_owned(), "content-type".to_owned()],
            credentials: true,
            max_age: 60,
        })
        .function_authorizer("Decider", &decide, 0)
        .routes_with(&enter, settings);
    let api = doors.add(api);

    let mut rooms = Stack::new("rooms", "A route of the other stack's API.");
    let more = rooms.add(Function::new(stage, More {}));
    rooms.add(HttpRoutes::new(&api).routes::<MoreRoute>(&more));

    let mut users = Stack::new("users", "An HTTP API for users.");
    let pool = users.add(EmailPool::new("Users", &format!("notes-{}", stage.name), ("UserClient", "notes-web")));
    users.output("UserPoolId", pool.pool.id());
    users.output("UserClientId", pool.client.id());
    let who = users.add(Function::new(stage, Who {}));
    let api = HttpApi::new("UsersApi", format!("notes-users-{}", stage.name), stage)
        .jwt_authorizer("UserTokens", issuer_of(&pool.pool), vec![pool.client.id()])
        .routes::<WhoRoute>(&who);
    users.add(api);
    vec![rooms, users, doors]
}

pub fn checked(system: System) -> System {
    let smoke = SmokeCheck { api: "DoorsApi".to_owned(), path: "/health".to_owned(), status: 200, json: None };
    let preflight = LiveCheck::preflight("DoorsApi", Method::Get, "/rooms/1", ORIGIN);
    system
        .smoke(smoke)
        .live(LiveCheck::requires_token("DoorsApi", Method::Get, "/rooms/1"))
        .live(LiveCheck::rejects_forged_token("DoorsApi", Method::Post, "/doors/1"))
        .live(LiveCheck::has_no_route("DoorsApi", Method::Get, "/cellar"))
        .live(preflight)
        .live(LiveCheck::requires_token("UsersApi", Method::Get, "/who"))
        .live(LiveCheck::rejects_forged_token("UsersApi", Method::Get, "/who"))
        .sign_in(SignIn {
            stack: "users".to_owned(),
            pool_output: "UserPoolId".to_owned(),
            client_output: "UserClientId".to_owned(),
            user: USER.to_owned(),
            attributes: vec![("email".to_owned(), USER.to_owned())],
            exchange: None,
            checks: vec![LiveCheck::responds("UsersApi", Method::Get, "/who", &[200])],
        })
}
