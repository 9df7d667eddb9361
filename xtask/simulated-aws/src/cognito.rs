//! Cognito: user pools, as `AWS::Cognito::UserPool` and as the API deletes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    account::Account,
    bags,
    resources::{Provided, Provider, Wanted},
    wire::{Call, Handled, Refusal, Reply},
};

/// The type.
pub(crate) const TYPE: &str = "AWS::Cognito::UserPool";
/// Creates, updates and deletes user pools.
pub(crate) const USER_POOL: Provider = Provider { create, update, delete };

/// The most pools of a page (Cognito user pools API reference, `ListUserPools`, `MaxResults`).
const PAGE: usize = 60;
const PROTECTED: &str = "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be \
                         inactivated first.";

/// A user pool. Names are not unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPool {
    /// The region.
    pub region: String,
    /// The name.
    pub name: String,
    /// Whether Cognito refuses to delete it.
    pub is_protected: bool,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let id = format!("{}_{}", wanted.region, account.chance.capitals(9));
    let generated = account.physical_id(wanted.stack, wanted.logical_id);
    let name = wanted.properties["UserPoolName"].as_str().unwrap_or(&generated);
    account.user_pools.insert(id.clone(), configured(name, wanted));
    account.record_creation(wanted.region, TYPE, &id);
    Ok(provided(account, &id, wanted))
}

fn update(account: &mut Account, id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let pool = account.user_pools.get_mut(id).ok_or_else(|| format!("User pool {id} does not exist."))?;
    let name = wanted.properties["UserPoolName"].as_str().unwrap_or(&pool.name).to_owned();
    *pool = configured(&name, wanted);
    Ok(provided(account, id, wanted))
}

fn delete(account: &mut Account, id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    if account.user_pools.get(id).is_some_and(|pool| pool.is_protected) {
        return Err(PROTECTED.to_owned());
    }
    account.user_pools.remove(id);
    account.record_deletion(wanted.region, TYPE, id);
    Ok(())
}

fn configured(name: &str, wanted: Wanted<'_>) -> UserPool {
    let tags = wanted.properties["UserPoolTags"].as_object().into_iter().flatten();
    let tags = tags.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    UserPool {
        region: wanted.region.to_owned(),
        name: name.to_owned(),
        is_protected: wanted.properties["DeletionProtection"] == "ACTIVE",
        tags: tags.collect(),
    }
}

/// CloudFormation template reference, `AWS::Cognito::UserPool`: return values.
fn provided(account: &Account, id: &str, wanted: Wanted<'_>) -> Provided {
    let name = format!("cognito-idp.{}.amazonaws.com/{id}", wanted.region);
    let (arn, url) = (arn(account, wanted.region, id), format!("https://{name}"));
    bags::provided(id, &[("Arn", &arn), ("ProviderName", &name), ("ProviderURL", &url), ("UserPoolId", id)])
}

fn arn(account: &Account, region: &str, id: &str) -> String {
    format!("arn:aws:cognito-idp:{region}:{}:userpool/{id}", account.id)
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let input = call.json();
    let id = input["UserPoolId"].as_str().unwrap_or_default();
    match call.operation.as_str() {
        "DescribeUserPool" => {
            let pool = find(account, call, id)?;
            let described = json!({
                "Id": id,
                "Name": pool.name,
                "Arn": arn(account, &pool.region, id),
                "DeletionProtection": if pool.is_protected { "ACTIVE" } else { "INACTIVE" },
                "UserPoolTags": pool.tags,
            });
            Ok(Reply::json(200, &json!({ "UserPool": described })))
        }
        "ListUserPools" => Ok(list(account, call, &input)),
        "ListTagsForResource" => {
            let arn = input["ResourceArn"].as_str().unwrap_or_default();
            let pool = find(account, call, arn.rsplit('/').next().unwrap_or_default())?;
            Ok(Reply::json(200, &json!({ "Tags": pool.tags })))
        }
        "DeleteUserPool" => {
            let pool = find(account, call, id)?;
            if pool.is_protected {
                return Err(Refusal::bad_request("InvalidParameterException", PROTECTED));
            }
            let region = pool.region.clone();
            account.user_pools.remove(id);
            account.record_deletion(&region, TYPE, id);
            Ok(Reply::json(200, &json!({})))
        }
        _ => Err(Refusal::unknown(call)),
    }
}

fn find<'a>(account: &'a Account, call: &Call, id: &str) -> Result<&'a UserPool, Refusal> {
    let pool = account.user_pools.get(id).filter(|pool| pool.region == call.region);
    pool.ok_or_else(|| Refusal::bad_request("ResourceNotFoundException", format!("User pool {id} does not exist.")))
}

/// The token of the next page is the last ID of this one.
fn list(account: &Account, call: &Call, input: &Value) -> Reply {
    let most = input["MaxResults"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE).min(PAGE);
    let after = input["NextToken"].as_str().unwrap_or_default();
    let pools = account.user_pools.iter().filter(|(id, pool)| pool.region == call.region && id.as_str() > after);
    let mut pools = pools.peekable();
    let page: Vec<_> = pools.by_ref().take(most).collect();
    let next = page.last().filter(|_| pools.peek().is_some()).map(|(id, _)| id.as_str());
    let page: Vec<_> = page.iter().map(|(id, pool)| json!({ "Id": id, "Name": pool.name })).collect();
    let mut body = json!({ "UserPools": page });
    if let Some(next) = next {
        body["NextToken"] = next.into();
    }
    Reply::json(200, &body)
}

#[cfg(test)]
mod tests {
    use aws_call::{Call, CallError, services::COGNITO};
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;

    use super::*;
    use crate::{Aws, Settings, testing::config};

    async fn call(aws: &Aws, operation: &'static str, input: Value) -> Result<Value, CallError> {
        Call::json(COGNITO, operation, &input).receive(&config(aws)).await
    }

    fn pool(aws: &Aws, name: &str, protection: &str) -> String {
        let properties =
            json!({ "UserPoolName": name, "DeletionProtection": protection, "UserPoolTags": { "stage": "dev" } });
        let wanted = Wanted {
            region: "eu-west-1",
            stack: "notes-dev",
            logical_id: "Users",
            resource_type: TYPE,
            properties: &properties,
        };
        aws.change(|account| create(account, wanted)).expect("created").physical_id
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_is_described_and_deleted_unless_it_is_protected() {
        let aws = Aws::new(Settings::default());
        let (open, protected) = (pool(&aws, "notes-users", "INACTIVE"), pool(&aws, "notes-users", "ACTIVE"));
        let described = call(&aws, "DescribeUserPool", json!({ "UserPoolId": protected })).await.expect("a pool");
        assert_eq!(described["UserPool"]["DeletionProtection"], "ACTIVE");
        assert_eq!(described["UserPool"]["UserPoolTags"], json!({ "stage": "dev" }));
        let arn = described["UserPool"]["Arn"].clone();
        let tags = call(&aws, "ListTagsForResource", json!({ "ResourceArn": arn })).await.expect("tags");
        assert_eq!(tags["Tags"], json!({ "stage": "dev" }));
        let refused = call(&aws, "DeleteUserPool", json!({ "UserPoolId": protected })).await.expect_err("protected");
        assert_eq!(refused.code(), Some("InvalidParameterException"));
        call(&aws, "DeleteUserPool", json!({ "UserPoolId": open })).await.expect("deleted");
        let missing = call(&aws, "DescribeUserPool", json!({ "UserPoolId": open })).await.expect_err("deleted");
        assert_eq!(missing.code(), Some("ResourceNotFoundException"));
        let stateful: Vec<_> = aws.read(Account::stateful).into_iter().map(|found| found.physical_id).collect();
        assert_eq!(stateful, [protected]);
    }

    #[tokio::test(start_paused = true)]
    async fn pools_are_listed_in_pages_and_names_are_not_unique() {
        let aws = Aws::new(Settings::default());
        let mut made: Vec<_> = (0..3).map(|_| pool(&aws, "notes-users", "INACTIVE")).collect();
        made.sort();
        let first = call(&aws, "ListUserPools", json!({ "MaxResults": 2 })).await.expect("a page");
        let second = call(&aws, "ListUserPools", json!({ "MaxResults": 2, "NextToken": first["NextToken"] })).await;
        let second = second.expect("a page");
        let pages = [&first, &second].map(|page| page["UserPools"].as_array().expect("pools").clone());
        let ids: Vec<_> = pages.concat().iter().map(|pool| pool["Id"].as_str().expect("an ID").to_owned()).collect();
        assert_eq!((ids, &second["NextToken"]), (made, &Value::Null));
    }
}
