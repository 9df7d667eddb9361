//! The sources of credentials that the AWS SDKs and Tools reference guide lists, except instances, against scripted services.

use std::process::Output;

use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text},
    proxy::{Call, Proxy, Verdict},
    refusals::refused,
};

/// The account that STS reports: not the stage's, so every run ends there.
const ACCOUNT: &str = "444455556666";
const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// Plays STS, IAM Identity Center, and the metadata of containers.
fn services(call: &Call) -> Verdict {
    let keys = |key: &str| {
        format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{key}","SecretAccessKey":"s","Token":"t","Expiration":"{EXPIRES}"}}"#
        )
    };
    let body = match call.operation.as_str() {
        "GetCallerIdentity" => format!(
            r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/u</Arn><UserId>U</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"#
        ),
        "AssumeRole" => assumed("AssumeRole", &format!("ASIA-BY-{}", call.key)),
        "AssumeRoleWithWebIdentity" => assumed("AssumeRoleWithWebIdentity", "ASIAWEB"),
        "GET /federation/credentials" => {
            r#"{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":4070908800000}}"#
                .to_owned()
        }
        "GET /container" => keys("ASIACONTAINER"),
        _ => return Verdict::Answer(404, "{}".to_owned()),
    };
    Verdict::Answer(200, body)
}

fn assumed(operation: &str, key: &str) -> String {
    format!(
        r#"<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result><AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{EXPIRES}</Expiration></Credentials></{operation}Result></{operation}Response>"#
    )
}

const CONFIG: &str = "
[profile keys]
aws_access_key_id = AKIAPROFILE
aws_secret_access_key = s
[profile role]
role_arn = arn:aws:iam::444455556666:role/r
source_profile = keys
[profile chain]
role_arn = arn:aws:iam::444455556666:role/q
source_profile = role
[profile device]
role_arn = arn:aws:iam::444455556666:role/r
mfa_serial = arn:aws:iam::444455556666:mfa/phone
source_profile = missing
[profile sso]
sso_session = corp
sso_account_id = 444455556666
sso_role_name = deployer
[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://corp.awsapps.com/start
[profile command]
credential_process = echo '{\"Version\":1,\"AccessKeyId\":\"ASIACOMMAND\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\"}'
[profile broken]
credential_process = false
[profile console]
login_session = arn:aws:iam::444455556666:user/admin
";

/// A home folder, and the services that its credentials need.
struct Home {
    cloud: Cloud,
    folder: TempDir,
    services: Proxy,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs_err::write(folder.path().join("config"), CONFIG).expect("written");
        Self { cloud: Cloud::new(), folder, services: Proxy::start("http://127.0.0.1:9", services) }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs_err::write(path, text).expect("written");
    }

    /// `status --stage dev` with only these variables.
    fn run(&self, variables: &[(&str, &str)]) -> Output {
        let mut command = self.cloud.command(&["status", "--stage", "dev"]);
        command
            .env("HOME", self.folder.path())
            .env("AWS_CONFIG_FILE", self.folder.path().join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.folder.path().join("credentials"))
            .env("AWS_ENDPOINT_URL_STS", self.services.endpoint())
            .env("AWS_ENDPOINT_URL_SSO", self.services.endpoint())
            // Neither this machine nor an emulator is called through a proxy.
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env_remove("AWS_SESSION_TOKEN");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.output().expect("xtask starts")
    }

    /// Asserts that a run signs its call with this key.
    fn signs(&self, variables: &[(&str, &str)], key: &str) {
        let output = self.run(variables);
        refused(&output, 1, &[&format!("the credentials are for account {ACCOUNT}"), "nothing was touched"]);
        let calls = self.services.calls();
        let last = calls.iter().rev().find(|call| call.is("GetCallerIdentity")).expect("the caller is asked for");
        assert_eq!(last.key, key, "{variables:?}\n{}", text(&output));
    }
}

/// The cached token of `aws sso login`, under the SHA-1 of the session's name.
const SSO_TOKEN: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
/// The cached session of `aws login`, under the SHA-256 of its identity.
const LOGIN: &str = ".aws/login/cache/90a202af99cdf567ab3f4357cebc52698af04e81e17258aee622d1177ec44b43.json";

fn sso_token(expires: &str) -> String {
    format!(
        r#"{{"accessToken":"a","expiresAt":"{expires}","region":"eu-central-1","startUrl":"https://corp.awsapps.com/start"}}"#
    )
}

#[test]
fn every_source_of_credentials_signs() {
    let home = Home::new();
    home.signs(&[("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "s")], "AKIAENVIRONMENT");
    home.signs(&[("AWS_PROFILE", "keys")], "AKIAPROFILE");
    home.signs(&[("AWS_PROFILE", "role")], "ASIA-BY-AKIAPROFILE");
    home.signs(&[("AWS_PROFILE", "chain")], "ASIA-BY-ASIA-BY-AKIAPROFILE");
    home.signs(&[("AWS_PROFILE", "command")], "ASIACOMMAND");
    home.write(SSO_TOKEN, &sso_token(EXPIRES));
    home.signs(&[("AWS_PROFILE", "sso")], "ASIASSO");
    let session = format!(
        r#"{{"accessToken":{{"accessKeyId":"ASIALOGIN","secretAccessKey":"s","sessionToken":"t","accountId":"{ACCOUNT}","expiresAt":"{EXPIRES}"}},"tokenType":"aws_sigv4","refreshToken":"r","clientId":"c","dpopKey":"k"}}"#
    );
    home.write(LOGIN, &session);
    home.signs(&[("AWS_PROFILE", "console")], "ASIALOGIN");
    home.write("token", "a web identity");
    let token = home.folder.path().join("token");
    let token = token.to_str().expect("UTF-8");
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", token), ("AWS_ROLE_ARN", "arn:aws:iam::444455556666:role/r")];
    home.signs(&web, "ASIAWEB");
    let container = format!("{}/container", home.services.endpoint());
    home.signs(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)], "ASIACONTAINER");
}

#[test]
fn an_absent_or_expired_session_is_reported_with_the_command_that_renews_it() {
    let home = Home::new();
    let login = "run `aws sso login --profile sso`";
    refused(&home.run(&[("AWS_PROFILE", "sso")]), 1, &["failed to sign in to AWS", "nothing was touched", login]);
    home.write(SSO_TOKEN, &sso_token("2020-01-01T00:00:00Z"));
    refused(&home.run(&[("AWS_PROFILE", "sso")]), 1, &["has expired", login]);
    refused(&home.run(&[("AWS_PROFILE", "console")]), 1, &["run `aws login --profile console`"]);
    refused(&home.run(&[("AWS_PROFILE", "broken")]), 1, &["fix the command in `credential_process` of profile broken"]);
    refused(&home.run(&[("AWS_PROFILE", "device")]), 1, &["aws configure export-credentials --profile device"]);
    assert_eq!(home.services.count("GetCallerIdentity"), 0);
}

/// The region of stage dev is enabled everywhere, so another stage file names one that is not.
#[test]
fn keys_that_a_disabled_region_does_not_know_name_the_region() {
    let home = Home::new();
    let error = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>";
    let sts = Proxy::start("http://127.0.0.1:9", move |_: &Call| Verdict::Answer(403, error.to_owned()));
    home.write("stages/far.yaml", "account: '444455556666'\nregion: af-south-1\n");
    let output = home
        .cloud
        .command(&["status", "--stage", "far"])
        .env("XTASK_STAGES", home.folder.path().join("stages"))
        .env("HOME", home.folder.path())
        .env("AWS_ENDPOINT_URL_STS", sts.endpoint())
        .env("AWS_ACCESS_KEY_ID", "AKIA")
        .env("AWS_SECRET_ACCESS_KEY", "s")
        .output();
    let said =
        ["security token included in the request is invalid", "--region-name af-south-1`", "nothing was touched"];
    refused(&output.expect("xtask starts"), 1, &said);
}
