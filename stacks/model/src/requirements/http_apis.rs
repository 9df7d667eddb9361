//! HTTP APIs: each route has an authorizer or says that it is open, and the stage has an access log. CloudFormation accepts a route
//! without either, which every client may call.

use super::{Requirement, Subject, Violation, references::Target};
use crate::emulator::Feature;

const ROUTE: &str = "AWS::ApiGatewayV2::Route";
const STAGE: &str = "AWS::ApiGatewayV2::Stage";
const API: &str = "AWS::ApiGatewayV2::Api";
/// The authorization types that name an authorizer (API Gateway API reference, `CreateRoute`).
const WITH_AUTHORIZER: [&str; 2] = ["CUSTOM", "JWT"];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    match subject.resource_type() {
        ROUTE if is_of_http_api(subject) => route(subject, found),
        STAGE
            if is_of_http_api(subject)
                && Feature::AccessLogs.is_in(subject.stage)
                && subject.property("AccessLogSettings.DestinationArn").is_null() =>
        {
            let message = "its requests are not logged; set AccessLogSettings".to_owned();
            subject.violates(Requirement::AccessLog, "AccessLogSettings", message, found);
        }
        _ => {}
    }
}

fn route(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let kind = subject.property("AuthorizationType");
    let message = match kind.as_str() {
        None if kind.is_null() => {
            "every client may call it; name an authorizer, or set AuthorizationType to NONE if that is intended"
        }
        Some(kind) if WITH_AUTHORIZER.contains(&kind) && subject.property("AuthorizerId").is_null() => {
            "it names no authorizer, so API Gateway refuses it; set AuthorizerId"
        }
        _ => return,
    };
    subject.violates(Requirement::RouteAuthorization, "AuthorizationType", message.to_owned(), found);
}

/// Does a part belong to an API of protocol HTTP? Only the route `$connect` of a WebSocket API has an authorizer.
fn is_of_http_api(subject: &Subject<'_>) -> bool {
    let api = subject.target().scope.target(subject.property("ApiId"));
    let is_http = |api: Target<'_>| api.kind() == API && api.resource["Properties"]["ProtocolType"] == "HTTP";
    api.is_some_and(is_http)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{found_in, of};
    use crate::template::Stack;

    fn found(stage: &str, protocol: &str, kind: &str, mut properties: Value) -> Vec<String> {
        let mut stack = Stack::new("api", "Api.");
        stack.resource("Api", of(super::API, json!({ "Name": "api", "ProtocolType": protocol })));
        properties["ApiId"] = json!({ "Ref": "Api" });
        stack.resource("A", of(kind, properties));
        let of_web_sockets = |found: &String| found.starts_with("web-socket-authorizer");
        found_in(stage, stack).into_iter().filter(|found| !of_web_sockets(found)).collect()
    }

    #[test]
    fn a_route_names_an_authorizer_or_says_that_it_is_open() {
        let route = |properties: Value| found("dev", "HTTP", super::ROUTE, properties);
        let without = route(json!({ "RouteKey": "GET /" }));
        assert_eq!(
            without,
            [
                "route-authorization: A: every client may call it; name an authorizer, or set AuthorizationType to NONE if that is \
              intended"
            ]
        );
        assert_eq!(route(json!({ "AuthorizationType": "JWT" })).len(), 1);
        for accepted in [
            json!({ "AuthorizationType": "NONE" }),
            json!({ "AuthorizationType": "AWS_IAM" }),
            json!({ "AuthorizationType": "CUSTOM", "AuthorizerId": "a" }),
        ] {
            assert_eq!(route(accepted.clone()), [""; 0], "{accepted}");
        }
        assert_eq!(found("dev", "WEBSOCKET", super::ROUTE, json!({ "RouteKey": "send" })), [""; 0]);
    }

    #[test]
    fn the_stage_of_an_http_api_has_an_access_log_in_aws() {
        let bare = json!({ "StageName": "$default" });
        assert_eq!(found("dev", "HTTP", super::STAGE, bare.clone()).len(), 1);
        assert_eq!(found("local", "HTTP", super::STAGE, bare.clone()), [""; 0]);
        assert_eq!(found("dev", "WEBSOCKET", super::STAGE, bare), [""; 0]);
        let logged = json!({ "AccessLogSettings": { "DestinationArn": "arn:log", "Format": "$context.requestId" } });
        assert_eq!(found("dev", "HTTP", super::STAGE, logged), [""; 0]);
    }
}
