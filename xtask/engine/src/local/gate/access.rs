//! Which requests pass the gate: a pure decision on a request's head.
//!
//! MiniStack finds the service of a request by host, path, query and headers, in an order of its own. So a request passes without a
//! signature only if nothing in it can lead to another service than the one that is open.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::{Method, http::request::Parts};

use super::{
    canonical,
    refusal::Refusal,
    signature::{Claim, PAYLOAD, Place, names_access_key},
};

/// The emulator's health.
const HEALTH: &str = "/_ministack/health";
/// Where custom resources and wait conditions respond to CloudFormation. A random token ends the path, as the signature does in AWS, where
/// these are presigned URLs (CloudFormation user guide, "Custom resource response objects").
const RESPONSES: [&str; 2] = ["/_ministack/cfn-response/", "/_ministack/cfn-signal/"];
/// Where MiniStack serves an API by its path (`_parse_execute_api_url`).
const API_PATH: &str = "/_aws/execute-api/";
/// Paths that MiniStack serves itself before it considers the host of an API or a distribution.
const RESERVED: [&str; 14] = [
    "/_",
    "/BatchExecute",
    "/BeginTransaction",
    "/CommitTransaction",
    "/Execute",
    "/RollbackTransaction",
    "/WriteGetObjectResponse",
    "/health",
    "/iceberg",
    "/login",
    "/logout",
    "/oauth2/",
    "/v20180820/",
    "/v2/",
];
/// Parameters of S3 that select something else than the object (S3 API reference, `GetObject`; S3 user guide, "Signing and
/// authenticating REST requests", lists the subresources).
const SUBRESOURCES: [&str; 22] = [
    "accelerate",
    "acl",
    "action",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "partnumber",
    "policy",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploadid",
];
/// Operations of user pools without a signature (Amazon Cognito user pools API reference, "Understanding API, OIDC, and managed login
/// pages authentication": those whose model has no authentication).
const USER_POOLS: &str = "AWSCognitoIdentityProviderService.";
const OF_USER_POOLS: [&str; 32] = [
    "AssociateSoftwareToken",
    "ChangePassword",
    "CompleteWebAuthnRegistration",
    "ConfirmDevice",
    "ConfirmForgotPassword",
    "ConfirmSignUp",
    "DeleteUser",
    "DeleteUserAttributes",
    "DeleteWebAuthnCredential",
    "ForgetDevice",
    "ForgotPassword",
    "GetDevice",
    "GetTokensFromRefreshToken",
    "GetUser",
    "GetUserAttributeVerificationCode",
    "GetUserAuthFactors",
    "GlobalSignOut",
    "InitiateAuth",
    "ListDevices",
    "ListWebAuthnCredentials",
    "ResendConfirmationCode",
    "RespondToAuthChallenge",
    "RevokeToken",
    "SetUserMFAPreference",
    "SetUserSettings",
    "SignUp",
    "StartWebAuthnRegistration",
    "UpdateAuthEventFeedback",
    "UpdateDeviceStatus",
    "UpdateUserAttributes",
    "VerifySoftwareToken",
    "VerifyUserAttribute",
];
/// As [`OF_USER_POOLS`], of identity pools (Amazon Cognito federated identities API reference).
const IDENTITY_POOLS: &str = "AWSCognitoIdentityService.";
const OF_IDENTITY_POOLS: [&str; 4] = ["GetCredentialsForIdentity", "GetId", "GetOpenIdToken", "UnlinkIdentity"];

/// How a request passes the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// As it is.
    Open,
    /// As it is; the response has credentials of an identity pool.
    Credentials,
    /// If the bucket is a site's.
    OfSite(String),
    /// If there is a distribution with this label: MiniStack serves other requests for its name as if it had none.
    OfDistribution(String),
    /// If its signature is valid.
    Signed(Claim),
}

/// Decides about a request. `is_allowed` returns whether browsers of an origin may use the local cloud.
///
/// # Errors
///
/// When the request is refused, with or without a valid signature.
pub(super) fn judge(head: &Parts, is_allowed: impl Fn(&str) -> bool) -> Result<Access, Refusal> {
    let host = Host::of(head)?;
    let (browser, deployed) = (Browser::of(head)?, deployed(head, &host)?);
    let is_foreign = browser.origin.is_some_and(|origin| !is_allowed(origin));
    if asks_for_web_socket(head) {
        // Browsers let every page open one and read its messages: no API can forbid that with CORS.
        return match deployed {
            Some(Access::Open) if is_foreign => Err(Refusal::Origin),
            Some(Access::Open) => Ok(Access::Open),
            _ => Err(Refusal::WebSocket),
        };
    }
    if let Some(access) = deployed {
        return Ok(access);
    }
    if is_foreign {
        return Err(Refusal::Origin);
    }
    if browser.origin.is_some() && host == Host::Machine && is_preflight(head) {
        return Ok(Access::Open);
    }
    match Claim::read(head)? {
        Some(claim) => signed(claim, head, &browser),
        None => unsigned(head, &host, &browser),
    }
}

fn signed(claim: Claim, head: &Parts, browser: &Browser<'_>) -> Result<Access, Refusal> {
    let is_presigned_url = claim.place == Place::Query && claim.service == "s3";
    if browser.is_browser() && !is_presigned_url {
        return Err(Refusal::Browser);
    }
    // The header, or a form in the body of a presigned URL, would lead a request that was signed for one service to another.
    let target = canonical::only(&head.headers, "x-amz-target")?;
    if (target.is_some() && !claim.covers("x-amz-target")) || (is_presigned_url && is_form(head)) {
        return Err(Refusal::Signature);
    }
    // Such a header turns an upload into a copy of any object. The hash of the payload is part of what was signed.
    let is_added = |name: &str| name.starts_with("x-amz-") && name != PAYLOAD && !claim.covers(name);
    if is_presigned_url && head.headers.keys().any(|name| is_added(name.as_str())) {
        return Err(Refusal::Signature);
    }
    Ok(Access::Signed(claim))
}

fn unsigned(head: &Parts, host: &Host, browser: &Browser<'_>) -> Result<Access, Refusal> {
    let (path, target) = (head.uri.path(), canonical::only(&head.headers, "x-amz-target")?);
    // A form in the body would lead to another service.
    let is_read = matches!(head.method, Method::GET | Method::HEAD) && !has_body(head);
    let access = match target {
        // A name such as `bucket.localhost` leads to a bucket, with any path.
        _ if *host != Host::Machine => return Err(Refusal::Unsigned),
        Some(target) if head.method == Method::POST && path == "/" && head.uri.query().is_none() => operation(target),
        Some(_) => None,
        None if head.method == Method::PUT && is_response(path) => (!browser.is_browser()).then_some(Access::Open),
        None if is_read && path == HEALTH => (!browser.is_browser()).then_some(Access::Open),
        None if is_read && head.uri.query().is_none() && is_pool_document(path) => Some(Access::Open),
        None if is_read => bucket(path).filter(|_| !selects_more(head)).map(|name| Access::OfSite(name.to_owned())),
        None => None,
    };
    match access {
        None => Err(Refusal::Unsigned),
        Some(_) if browser.is_foreign() => Err(Refusal::Browser),
        Some(access) => Ok(access),
    }
}

/// Cognito's operations without signature.
fn operation(target: &str) -> Option<Access> {
    if target.strip_prefix(USER_POOLS).is_some_and(|name| OF_USER_POOLS.contains(&name)) {
        return Some(Access::Open);
    }
    let name = target.strip_prefix(IDENTITY_POOLS).filter(|name| OF_IDENTITY_POOLS.contains(name))?;
    Some(if name == "GetCredentialsForIdentity" { Access::Credentials } else { Access::Open })
}

/// Returns whether a request asks for a WebSocket.
pub(super) fn asks_for_web_socket(head: &Parts) -> bool {
    let upgrade = canonical::only(&head.headers, "upgrade");
    upgrade.is_ok_and(|upgrade| upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")))
}

/// Returns whether the `Host` header names this machine, and so neither a bucket nor a service.
pub(super) fn is_for_machine(head: &Parts) -> bool {
    Host::of(head) == Ok(Host::Machine)
}

/// The kind of name in the `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// `localhost` or a loopback address.
    Machine,
    /// The name that MiniStack gives an API.
    Api,
    /// The name of a distribution with this label. CloudFront's names are its own, so a page cannot point one of them elsewhere.
    Distribution(String),
    /// Any other name below `localhost`, for example a bucket's. Resolvers lead them all to this machine (RFC 6761, section 6.3), so a
    /// page cannot point one of them elsewhere either.
    Own,
}

impl Host {
    /// Reads the header. Capital letters, which no client sends, are refused: MiniStack knows some of its names in lower case only.
    fn of(head: &Parts) -> Result<Self, Refusal> {
        // A request with a whole URL names its server twice.
        if head.uri.authority().is_some() {
            return Err(Refusal::Malformed);
        }
        let host = canonical::only(&head.headers, "host")?.ok_or(Refusal::Malformed)?;
        let name = without_port(host).ok_or(Refusal::Host)?;
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let is_machine = name == "localhost"
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || address.and_then(|address| address.parse::<Ipv6Addr>().ok()).is_some_and(|ip| ip.is_loopback());
        if is_machine {
            return Ok(Self::Machine);
        }
        let label = name.strip_suffix(".cloudfront.net").or_else(|| name.strip_suffix(".cloudfront.localhost"));
        if let Some(label) = label.filter(|label| is_label(label) && !label.contains('-')) {
            return Ok(Self::Distribution(label.to_owned()));
        }
        match name.strip_suffix(".localhost") {
            Some(labels) if labels.strip_suffix(".execute-api").is_some_and(is_api_id) => Ok(Self::Api),
            Some(labels) if labels.split('.').all(is_label) => Ok(Self::Own),
            _ => Err(Refusal::Host),
        }
    }
}

fn without_port(host: &str) -> Option<&str> {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => Some(name),
        None => Some(host),
        Some(_) => host.ends_with(']').then_some(host),
    }
}

fn is_label(label: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty() && label.bytes().all(is_plain)
}

/// The ID that MiniStack gives an API.
fn is_api_id(id: &str) -> bool {
    id.len() == 8 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// How a request to a deployed API, or to a distribution in front of one, passes; `None` for any other request. APIs decide themselves
/// about callers, and about origins unless the request asks for a WebSocket.
fn deployed(head: &Parts, host: &Host) -> Result<Option<Access>, Refusal> {
    let path = decoded_path(head)?;
    // Messages to the clients of a WebSocket API are calls of AWS.
    if path.contains("/@connections") {
        return Ok(None);
    }
    let is_reserved = RESERVED.iter().any(|reserved| path.starts_with(reserved));
    Ok(match host {
        Host::Api if !is_reserved => Some(Access::Open),
        Host::Distribution(label) if !is_reserved && !names_access_key(head) => {
            Some(Access::OfDistribution(label.clone()))
        }
        Host::Machine if is_api_path(&path) => Some(Access::Open),
        _ => None,
    })
}

fn decoded_path(head: &Parts) -> Result<String, Refusal> {
    String::from_utf8(canonical::decoded(head.uri.path())).map_err(|_| Refusal::Malformed)
}

fn is_api_path(path: &str) -> bool {
    if let Some(rest) = path.strip_prefix(API_PATH) {
        return rest.split_once('/').is_some_and(|(id, _)| is_label(id));
    }
    let parts: Vec<_> = path.splitn(6, '/').collect();
    matches!(parts.as_slice(), ["", "restapis", id, _, "_user_request_", ..] if is_label(id))
}

/// Returns whether a path is that of a user pool's keys or description: `/POOL/.well-known/jwks.json`.
fn is_pool_document(path: &str) -> bool {
    let Some((pool, document)) = path.strip_prefix('/').and_then(|path| path.split_once("/.well-known/")) else {
        return false;
    };
    let is_pool = pool.split_once('_').is_some_and(|(region, id)| {
        is_label(region) && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    is_pool && matches!(document, "jwks.json" | "openid-configuration")
}

/// Returns whether a path is that of a response to CloudFormation, with its token.
fn is_response(path: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f' | b'-');
    let token = RESPONSES.iter().find_map(|start| path.strip_prefix(start));
    token.is_some_and(|token| token.len() == 36 && token.bytes().all(is_hex))
}

/// Returns the bucket of an object's path.
fn bucket(path: &str) -> Option<&str> {
    let (bucket, key) = path.strip_prefix('/')?.split_once('/')?;
    let is_name = bucket.len() >= 3 && bucket.split('.').all(is_label);
    (is_name && !key.is_empty()).then_some(bucket)
}

/// Returns whether a read of an object may lead to something else than its current version.
fn selects_more(head: &Parts) -> bool {
    let pairs = canonical::pairs(head.uri.query().unwrap_or_default());
    pairs.iter().any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let prefixes = ["x-amz-", "x-id", "response-", "version", "list-", "upload"];
        prefixes.iter().any(|prefix| name.starts_with(prefix)) || SUBRESOURCES.contains(&name.as_str())
    })
}

/// Returns whether a request only asks what a page may send. MiniStack answers it before it considers anything else, except below `/_`.
fn is_preflight(head: &Parts) -> bool {
    let is_other = decoded_path(head).map_or(true, |path| path.starts_with("/_")) || has_body(head);
    head.method == Method::OPTIONS && head.headers.contains_key("access-control-request-method") && !is_other
}

fn has_body(head: &Parts) -> bool {
    let length = head.headers.get("content-length");
    head.headers.contains_key("transfer-encoding") || length.is_some_and(|length| length != "0")
}

fn is_form(head: &Parts) -> bool {
    let form = "application/x-www-form-urlencoded";
    let kinds = head.headers.get_all("content-type");
    kinds.iter().any(|kind| kind.to_str().map_or(true, |kind| kind.to_ascii_lowercase().contains(form)))
}

/// What a browser says about the page that sends a request (Fetch standard, "`Origin` header"; W3C "Fetch Metadata Request Headers").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Browser<'a> {
    origin: Option<&'a str>,
    site: Option<&'a str>,
    is_navigation: bool,
}

impl<'a> Browser<'a> {
    fn of(head: &'a Parts) -> Result<Self, Refusal> {
        let header = |name: &str| canonical::only(&head.headers, name);
        let is_navigation = header("sec-fetch-mode")? == Some("navigate") && head.method == Method::GET;
        Ok(Self { origin: header("origin")?, site: header("sec-fetch-site")?, is_navigation })
    }

    fn is_browser(&self) -> bool {
        self.origin.is_some() || self.site.is_some()
    }

    /// Returns whether a page of an unknown origin sent the request. A link that a user follows is no such request.
    fn is_foreign(&self) -> bool {
        let is_own = matches!(self.site, None | Some("same-origin" | "none"));
        self.origin.is_none() && !is_own && !self.is_navigation
    }
}

#[cfg(test)]
mod tests;
