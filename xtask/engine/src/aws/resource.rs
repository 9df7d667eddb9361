//! The resource of a call, which the call's error names.

use std::fmt::{self, Display, Formatter};

/// The most names that an error lists.
const LISTED: usize = 3;

/// The resource of a call: each part follows the operation in the error's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(Vec<Part>);

/// `for function notes-api-dev`, or `in bucket artifacts`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    text: String,
    /// The name that identifies the resource in other messages.
    name: String,
}

impl Resource {
    /// No resource: the call is about its caller.
    pub(super) const fn caller() -> Self {
        Self(Vec::new())
    }

    /// Every resource of a kind.
    pub(super) fn all(kind: &str) -> Self {
        Self::part(format!("for all {kind}"), kind)
    }

    /// One resource of a kind.
    pub(super) fn named(kind: &str, name: &str) -> Self {
        Self::part(format!("for {kind} {name}"), name)
    }

    /// Several resources; `kind` is their plural.
    pub(super) fn several<'a>(kind: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let (listed, others) = names.split_at(names.len().min(LISTED));
        let others = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        Self::named(kind, &format!("{}{others}", listed.join(", ")))
    }

    /// A stack, by its name or its ID.
    pub(super) fn stack(id: &str) -> Self {
        let name = id.split_once(":stack/").and_then(|(_, rest)| rest.split('/').next());
        Self::named("stack", name.unwrap_or(id))
    }

    /// A function.
    pub(crate) fn function(name: &str) -> Self {
        Self::named("function", name)
    }

    /// A version of a function, or the function itself if the version is `$LATEST`. `qualifier` is its number or an alias.
    pub(super) fn version(function: &str, qualifier: &str) -> Self {
        let kind = match qualifier {
            "$LATEST" => return Self::function(function),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => "version",
            _ => "alias",
        };
        Self::part(format!("for {kind} {qualifier} of function {function}"), function)
    }

    /// A bucket.
    pub(super) fn bucket(name: &str) -> Self {
        Self::named("bucket", name)
    }

    /// An object, or all objects whose keys begin so.
    pub(super) fn object(bucket: &str, key: &str) -> Self {
        let mut object = Self::document(key);
        object.0.push(Part { text: format!("in bucket {bucket}"), name: bucket.to_owned() });
        object
    }

    /// An object in a bucket that the caller does not know.
    pub(crate) fn document(key: &str) -> Self {
        Self::part(format!("for {key}"), key)
    }

    fn part(text: String, name: &str) -> Self {
        Self(vec![Part { text, name: name.to_owned() }])
    }

    /// Leaves out the parts that a message names already.
    pub(super) fn beside(&self, message: &str) -> Self {
        Self(self.0.iter().filter(|part| !names(message, &part.name)).cloned().collect())
    }
}

impl Display for Resource {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(formatter, " {}", part.text))
    }
}

/// Returns whether a message contains a name as a whole: `notes-api` is no part of `notes-api-dev`.
fn names(message: &str, name: &str) -> bool {
    let continues = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    message.match_indices(name).any(|(start, _)| {
        let (before, after) = (&message[..start], &message[start + name.len()..]);
        !before.ends_with(continues) && !after.starts_with(continues)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::aws::{
        AwsError,
        scripted::{Endpoint, Received},
    };

    /// Denies every call, in the protocol of its service.
    fn denied(request: &Received) -> (u16, String) {
        let xml = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        let is_json = request.headers.contains_key("x-amz-target") || request.target.contains("/2015-03-31/");
        let body = if is_json || request.target.contains("/restapis/") {
            r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned()
        } else if request.body.starts_with("Action=") {
            format!("<ErrorResponse>{xml}</ErrorResponse>")
        } else {
            xml.to_owned()
        };
        (403, body)
    }

    #[tokio::test]
    async fn the_error_of_a_call_names_its_resource() {
        fn error<T>(result: Result<T, AwsError>) -> String {
            result.err().map(|error| error.to_string()).unwrap_or_default()
        }
        let endpoint = Endpoint::serve(denied).await;
        let clients = endpoint.clients().await;
        let (stacks, lambda, s3) = (clients.cloudformation(None), clients.lambda(), clients.s3());
        let alarms = ["alarm-a".to_owned()];
        for (error, expected) in [
            (error(stacks.describe("notes-api").await), "cloudformation:DescribeStacks for stack notes-api"),
            (error(stacks.describe_all().await), "cloudformation:DescribeStacks for all stacks"),
            (error(stacks.execute("notes-api", "c").await), "cloudformation:ExecuteChangeSet for stack notes-api"),
            (error(stacks.drift("notes-api").await), "cloudformation:DetectStackDrift for stack notes-api"),
            (error(lambda.aliases("notes-f").await), "lambda:ListAliases for function notes-f"),
            (
                error(lambda.version("notes-f", "7").await),
                "lambda:GetFunctionConfiguration for version 7 of function notes-f",
            ),
            (
                error(lambda.point("notes-f", "live", "7").await),
                "lambda:UpdateAlias for alias live of function notes-f",
            ),
            (error(s3.keys("artifacts", "sites/").await), "s3:ListObjectsV2 for sites/ in bucket artifacts"),
            (error(s3.is_empty("artifacts").await), "s3:ListObjectVersions for bucket artifacts"),
            (
                error(clients.documents("artifacts".to_owned()).read("locks/notes.json").await),
                "s3:GetObject for locks/notes.json in bucket artifacts",
            ),
            (
                error(clients.secrets(None).versions("notes/key").await),
                "secretsmanager:ListSecretVersionIds for secret notes/key",
            ),
            (error(clients.logs().groups("/aws/a").await), "logs:DescribeLogGroups for log groups /aws/a"),
            (error(clients.logs().delete("/aws/a").await), "logs:DeleteLogGroup for log group /aws/a"),
            (error(clients.cloudwatch().alarms(&alarms).await), "cloudwatch:DescribeAlarms for alarms alarm-a"),
            (error(clients.cognito().pool("pool-a").await), "cognito-idp:DescribeUserPool for user pool pool-a"),
            (error(clients.deployed_routes("api-a", "v1").await), "apigateway:GetStage for stage v1 of API api-a"),
            (error(clients.publish(None, "arn:topic", "s", "m").await), "sns:Publish for topic arn:topic"),
            (
                error(clients.invalidate("E1", &["/".to_owned()]).await),
                "cloudfront:CreateInvalidation for distribution E1",
            ),
            (error(clients.denied("arn:role", &[], &[]).await), "iam:SimulatePrincipalPolicy for identity arn:role"),
        ] {
            let (named, _) = error.split_once(": no (AccessDenied").expect(expected);
            assert_eq!(named, format!("failed to call {expected}"));
        }
        let deleted: BTreeMap<_, _> = s3.delete("artifacts", &["a.zip".to_owned()]).await;
        assert!(deleted["a.zip"].to_string().contains("for bucket artifacts"), "{deleted:?}");
    }

    #[test]
    fn a_resource_is_named_with_its_kind() {
        for (resource, expected) in [
            (Resource::caller(), ""),
            (Resource::all("stacks"), " for all stacks"),
            (Resource::stack("notes-api-dev"), " for stack notes-api-dev"),
            (
                Resource::stack("arn:aws:cloudformation:eu-west-1:111122223333:stack/notes-api-dev/1"),
                " for stack notes-api-dev",
            ),
            (Resource::version("notes-api-dev", "7"), " for version 7 of function notes-api-dev"),
            (Resource::version("notes-api-dev", "live"), " for alias live of function notes-api-dev"),
            // It is no version to a reader, but the function as it was last changed.
            (Resource::version("notes-api-dev", "$LATEST"), " for function notes-api-dev"),
            (Resource::object("artifacts", "locks/notes.json"), " for locks/notes.json in bucket artifacts"),
            (Resource::several("alarms", ["a", "b"]), " for alarms a, b"),
            (Resource::several("alarms", ["a", "b", "c", "d", "e"]), " for alarms a, b, c and 2 more"),
        ] {
            assert_eq!(resource.to_string(), expected);
        }
    }

    #[test]
    fn a_name_that_a_message_contains_is_not_repeated() {
        let stack = Resource::stack("notes-api");
        for (message, expected) in [
            ("Stack with id notes-api does not exist", ""),
            ("arn:aws:cloudformation:eu-west-1:111122223333:stack/notes-api/1 is busy", ""),
            ("Stack notes-api-dev is busy", " for stack notes-api"),
            ("Stack my_notes-api is busy", " for stack notes-api"),
            ("Rate exceeded", " for stack notes-api"),
        ] {
            assert_eq!(stack.beside(message).to_string(), expected, "{message}");
        }
        let object = Resource::object("artifacts", "a.zip");
        assert_eq!(object.beside("failed to upload a.zip").to_string(), " in bucket artifacts");
        assert_eq!(object.beside("failed to publish to bucket artifacts").to_string(), " for a.zip");
    }
}
