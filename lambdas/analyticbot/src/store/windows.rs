//! Windows of sign-ins: at most a number in a minute from one address, and for one account.
//!
//! Each window is an item of its own, `LOGIN#<client>#<minute>`, counted by a conditional write. Concurrent sign-ins of all instances
//! cannot exceed it, and a window of another minute is never read.

use std::net::{IpAddr, Ipv6Addr};

use analyticbot_contract::tables::TTL;
use jiff::Timestamp;
use ring::digest;
use tables::{AwsError, Change};

use super::{key, users::Users};

/// The start of the keys of windows.
pub const PREFIX: &str = "LOGIN#";
/// The length of a window, in seconds.
const LENGTH: i64 = 60;
/// The seconds after its end when a window may be deleted: clocks of instances differ.
const GRACE: i64 = 120;

/// A sign-in that exceeds a window. The next one is allowed after this many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// At least 1.
    pub seconds: u32,
}

impl Users {
    /// Counts a sign-in from an address as the gateway reports it, then for an account.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn admit_login(
        &self,
        address: &str,
        account: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<Result<(), TooMany>, AwsError> {
        for client in [client(address), pseudonym(account)] {
            if !self.count_login(&client, most, now).await? {
                let seconds = LENGTH - now.as_second().rem_euclid(LENGTH);
                return Ok(Err(TooMany { seconds: u32::try_from(seconds).unwrap_or(1) }));
            }
        }
        Ok(Ok(()))
    }

    /// Counts a sign-in. Returns false if its window is full.
    async fn count_login(&self, client: &str, most: u32, now: Timestamp) -> Result<bool, AwsError> {
        let minute = now.as_second().div_euclid(LENGTH);
        let window = key(&format!("{PREFIX}{client}#{minute}"));
        let change = Change::new()
            .add("n", 1)
            .set(TTL, (minute + 1) * LENGTH + GRACE)
            .when(|at| format!("{} OR {}", at.absent("n"), at.compare("n", "<", most)));
        Ok(self.database.update(&self.table, window, change).await?.is_some())
    }
}

/// Returns the part of an address that identifies a client. Clients have whole /64 networks in IPv6, so these are one client.
fn client(address: &str) -> String {
    match address.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Err(_) => "unknown".to_owned(),
    }
}

/// Returns a hash of an account's name: people also type passwords into the field of the name.
fn pseudonym(account: &str) -> String {
    let digest = digest::digest(&digest::SHA256, account.to_lowercase().as_bytes());
    format!("account-{}", hex::encode(&digest.as_ref()[..16]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;
    use tables::{
        Database,
        testing::{Reply, Request, Script, error_reply, json_reply},
    };

    use super::*;

    /// Counts as DynamoDB does.
    fn counting() -> impl FnMut(&Request) -> Option<Reply> + Send + 'static {
        let mut counts: HashMap<String, u32> = HashMap::new();
        move |request| {
            let most: u32 = request.body["ExpressionAttributeValues"][":v2"]["N"].as_str()?.parse().ok()?;
            let count = counts.entry(request.body["Key"]["pk"]["S"].as_str()?.to_owned()).or_default();
            if *count >= most {
                return error_reply("ConditionalCheckFailedException");
            }
            *count += 1;
            json_reply(json!({ "Attributes": { "n": { "N": count.to_string() } } }))
        }
    }

    fn users(script: &Script) -> Users {
        Users::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "users".to_owned())
    }

    async fn refused(users: &Users, address: &str, account: &str, second: i64) -> Option<u32> {
        let now = Timestamp::from_second(second).expect("a time");
        let admitted = users.admit_login(address, account, 30, now).await.expect("counted");
        admitted.err().map(|TooMany { seconds }| seconds)
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client() {
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!([client("::ffff:192.0.2.1"), client("x")], ["192.0.2.1", "unknown"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_31st_sign_in_of_a_minute_from_an_address_is_refused() {
        let script = Script::new(counting());
        let users = users(&script);
        for account in 0..30 {
            let address = format!("2001:db8::{account:x}");
            assert_eq!(refused(&users, &address, &format!("user{account}"), 1_800_000_010).await, None);
        }
        assert_eq!(refused(&users, "2001:db8::ffff", "another", 1_800_000_010).await, Some(50));
        assert_eq!(refused(&users, "2001:db8::1", "another", 1_800_000_060).await, None, "the next minute");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn thirty_one_addresses_against_one_account_are_refused() {
        let script = Script::new(counting());
        let users = users(&script);
        for address in 0..30 {
            assert_eq!(refused(&users, &format!("192.0.2.{address}"), "Ana", 1_800_000_010).await, None);
        }
        assert_eq!(refused(&users, "192.0.2.99", "ana", 1_800_000_010).await, Some(50));
        let stored = script.bodies("DynamoDB.UpdateItem").iter().map(ToString::to_string).collect::<String>();
        assert!(!stored.to_lowercase().contains("\"ana"), "no name is stored");
        let first = &script.bodies("DynamoDB.UpdateItem")[0];
        assert_eq!(first["Key"]["pk"]["S"], "LOGIN#192.0.2.0#30000000");
        assert_eq!(first["ExpressionAttributeValues"][":v1"]["N"], "1800000180");
    }
}
