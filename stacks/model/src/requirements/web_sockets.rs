//! WebSocket APIs: AWS checks callers only when they connect, so an API whose `$connect` has no authorizer is open to every client.

use super::{Requirement, Subject, Violation};
use crate::parts::web_socket_api::CONNECT;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let is_web_socket =
        subject.resource_type() == "AWS::ApiGatewayV2::Api" && *subject.property("ProtocolType") == "WEBSOCKET";
    if !is_web_socket {
        return;
    }
    let api = subject.target();
    let route = subject.index.connect_routes(api).next();
    let is_authorized = route.is_some_and(|route| {
        let kind = &route.resource["Properties"]["AuthorizationType"];
        !(kind.is_null() || kind == "NONE")
    });
    if !is_authorized {
        let message = format!(
            "route `{CONNECT}` has no authorizer, so every client may connect and send messages; add an authorizer, or give the \
             reason with `open`"
        );
        subject.violates(Requirement::WebSocketAuthorizer, "", message, found);
    }
}
