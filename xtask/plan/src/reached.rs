//! Resource types that clients or events reach: what stops when such a resource is deleted, although no data is lost.

/// Each type, the consequence of its deletion, and whether a replacement has the same one.
const REACHED: &[(&str, &str, bool)] = &[
    ("AWS::ApiGateway::DomainName", "the domain no longer serves an API", false),
    ("AWS::ApiGateway::RestApi", "its URL stops working", true),
    ("AWS::ApiGatewayV2::Api", "its URL stops working", true),
    ("AWS::ApiGatewayV2::ApiMapping", "the domain no longer serves the API", false),
    ("AWS::ApiGatewayV2::DomainName", "the domain no longer serves an API", false),
    ("AWS::ApiGatewayV2::Stage", "the API's URL stops working", true),
    ("AWS::CloudFront::Distribution", "its domain names stop working", true),
    ("AWS::Cognito::UserPoolClient", "apps that sign in with its ID stop working", true),
    ("AWS::Events::EventBus", "its rules no longer receive events", true),
    ("AWS::Events::Rule", "its schedule or events no longer reach a target", false),
    ("AWS::Lambda::EventSourceMapping", "the function no longer receives the source's events", false),
    ("AWS::Lambda::Url", "its URL stops working", true),
    ("AWS::Route53::RecordSet", "the name no longer resolves", false),
    ("AWS::SNS::Subscription", "the endpoint no longer receives messages", false),
    ("AWS::SNS::Topic", "its subscriptions are lost", true),
    ("AWS::SQS::Queue", "the messages in it are lost", true),
    ("AWS::Scheduler::Schedule", "it no longer invokes its target", false),
    ("AWS::WAFv2::WebACLAssociation", "requests are no longer filtered", false),
];

/// Returns the consequence of deleting a resource of this type, or of replacing it.
pub(crate) fn consequence(resource_type: &str, is_replaced: bool) -> Option<&'static str> {
    let (_, consequence, even_if_replaced) = REACHED.iter().find(|(reached, ..)| *reached == resource_type)?;
    (!is_replaced || *even_if_replaced).then_some(*consequence)
}
