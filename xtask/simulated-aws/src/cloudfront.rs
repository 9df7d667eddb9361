//! CloudFront: distributions, their invalidations, and the sites that they serve.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    account::Account,
    bags,
    resources::{Provided, Provider, Wanted},
    s3,
    time::Moment,
    wire::{Call, Element, Handled, Node, Refusal, Reply},
};

/// The type.
pub(crate) const TYPE: &str = "AWS::CloudFront::Distribution";
/// Creates, updates and deletes distributions.
pub(crate) const DISTRIBUTION: Provider = Provider { create, update, delete };

/// A distribution.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    /// The host at which it serves: `d….cloudfront.net`.
    pub domain: String,
    /// The property `DistributionConfig`.
    pub config: Value,
    /// When its edges serve it. CloudFormation usually waits until then.
    pub served_from: Moment,
    /// The invalidations, by the reference of their caller.
    pub invalidations: BTreeMap<String, Invalidation>,
}

/// An invalidation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalidation {
    /// The ID.
    pub id: String,
    /// The paths, in the order of the request.
    pub paths: Vec<String>,
}

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let id = format!("E{}", account.chance.capitals(13));
    let domain = format!("d{}.cloudfront.net", account.chance.capitals(13).to_lowercase());
    let config = wanted.properties["DistributionConfig"].clone();
    let distribution = Distribution { domain, config, ..Distribution::default() };
    let provided = provided(&id, &distribution);
    account.distributions.insert(id, distribution);
    Ok(provided)
}

fn update(account: &mut Account, id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let distribution = account.distributions.get_mut(id).ok_or("The specified distribution does not exist.")?;
    wanted.properties["DistributionConfig"].clone_into(&mut distribution.config);
    Ok(provided(id, distribution))
}

fn delete(account: &mut Account, id: &str, _: Wanted<'_>) -> Result<(), String> {
    account.distributions.remove(id);
    Ok(())
}

/// Lets the edges take minutes to serve a new distribution, as long as CloudFormation's step for it usually takes.
pub(crate) fn linger(account: &mut Account, id: &str) {
    let takes = account.chance.duration(Duration::from_secs(60)..Duration::from_secs(300));
    let served_from = account.now().plus(takes);
    if let Some(distribution) = account.distributions.get_mut(id) {
        distribution.served_from = served_from;
    }
}

/// CloudFormation template reference, `AWS::CloudFront::Distribution`: return values.
fn provided(id: &str, distribution: &Distribution) -> Provided {
    bags::provided(id, &[("DomainName", &distribution.domain), ("Id", id)])
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    // POST /2020-05-31/distribution/<ID>/invalidation
    match (call.method.as_str(), call.steps().as_slice()) {
        ("POST", [_, distribution, id, invalidation])
            if distribution == "distribution" && invalidation == "invalidation" =>
        {
            invalidate(account, call, id)
        }
        _ => Err(Refusal::unknown(call)),
    }
}

/// CloudFront API reference, `CreateInvalidation` and `InvalidationBatch`: a reference that was used before returns its invalidation, unless the
/// paths differ.
fn invalidate(account: &mut Account, call: &Call, id: &str) -> Handled {
    let created = account.now().iso8601();
    let batch = Node::parse(&call.body).unwrap_or_default();
    let reference = batch.text_of("CallerReference").unwrap_or_default();
    let items = batch.child("Paths").and_then(|paths| paths.child("Items"));
    let paths: Vec<_> = items.into_iter().flat_map(|items| items.all("Path")).map(|path| path.text.clone()).collect();
    if reference.is_empty() || paths.is_empty() || !paths.iter().all(|path| path.starts_with('/')) {
        return Err(Refusal::bad_request(
            "InvalidArgument",
            "Your request contains one or more invalid invalidation paths.",
        ));
    }
    let Account { distributions, chance, .. } = account;
    let distribution = distributions.get_mut(id);
    let distribution = distribution
        .ok_or_else(|| Refusal::new(404, "NoSuchDistribution", "The specified distribution does not exist."))?;
    let new = || Invalidation { id: format!("I{}", chance.capitals(13)), paths: paths.clone() };
    let invalidation = distribution.invalidations.entry(reference.to_owned()).or_insert_with(new);
    if invalidation.paths != paths {
        let message = "You specified a caller reference that was used with other paths.";
        return Err(Refusal::bad_request("InvalidationBatchAlreadyExists", message));
    }
    let items = paths.iter().map(|path| Element::text("Path", path));
    let listed = Element::new("Paths").with(Element::text("Quantity", paths.len()));
    let batch = Element::new("InvalidationBatch").with(listed.with(Element::new("Items").with_all(items)));
    let result = Element::new("Invalidation")
        .with(Element::text("Id", &invalidation.id))
        .with(Element::text("Status", "InProgress"))
        .with(Element::text("CreateTime", created))
        .with(batch.with(Element::text("CallerReference", reference)));
    Ok(Reply::xml(201, &result))
}

/// Whether a host is that of a distribution.
pub(crate) fn is_host(host: &str) -> bool {
    host.ends_with(".cloudfront.net")
}

/// Serves a file of a site: the object of the origin's bucket. A missing one is 403, because a distribution may not list objects, and the custom
/// error response of that status replaces it (CloudFront developer guide, "Generate custom error responses"; S3 API reference,
/// `GetObject`: permissions). Nothing is cached: each file is the current one.
pub(crate) fn serve(account: &Account, call: &Call) -> Reply {
    let found = account.distributions.values().find(|distribution| distribution.domain == call.host);
    if found.is_some_and(|distribution| account.now() < distribution.served_from) {
        return Reply::empty(503);
    }
    let Some(config) = found.map(|distribution| &distribution.config) else { return Reply::empty(404) };
    let origins = config["Origins"].as_array().into_iter().flatten();
    let mut hosts = origins.filter_map(|origin| origin["DomainName"].as_str());
    let bucket = hosts.find_map(|host| Some(host.split_once(".s3.")?.0));
    let bucket = bucket.and_then(|bucket| account.buckets.get(bucket));
    let Some(bucket) = bucket else { return Reply::empty(502) };
    let path = crate::wire::form::decoded(call.path.trim_start_matches('/'));
    let key = if path.is_empty() { config["DefaultRootObject"].as_str().unwrap_or_default() } else { &path };
    if let Some((_, content)) = bucket.current(key) {
        return file(200, content);
    }
    let responses = config["CustomErrorResponses"].as_array().into_iter().flatten();
    let mut responses = responses.filter(|response| response["ErrorCode"] == 403);
    let page = responses.find_map(|response| {
        let status = response["ResponseCode"].as_u64().and_then(|status| u16::try_from(status).ok())?;
        let page = response["ResponsePagePath"].as_str()?.trim_start_matches('/');
        Some(file(status, bucket.current(page)?.1))
    });
    page.unwrap_or_else(|| Reply::empty(403))
}

fn file(status: u16, content: &s3::Content) -> Reply {
    Reply { headers: content.headers.clone(), body: content.body.to_vec(), ..Reply::empty(status) }
        .header("etag", content.tag.clone())
}

#[cfg(test)]
mod tests {
    use aws_call::{CallError, services::CLOUD_FRONT};
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;
    use serde_json::json;

    use super::*;
    use crate::{Aws, Settings, testing::config};

    fn distribution(aws: &Aws) -> (String, String) {
        let config = json!({
            "DefaultRootObject": "index.html",
            "Origins": [{ "Id": "Site", "DomainName": "web.s3.eu-west-1.amazonaws.com" }],
            "CustomErrorResponses": [{ "ErrorCode": 403, "ResponseCode": 200, "ResponsePagePath": "/index.html" }],
        });
        let properties = json!({ "DistributionConfig": config });
        let (region, stack, logical_id) = ("eu-west-1", "notes-web-dev", "Distribution");
        let wanted = Wanted { region, stack, logical_id, resource_type: TYPE, properties: &properties };
        let made = aws.change(|account| create(account, wanted)).expect("created");
        (made.physical_id, made.attributes["DomainName"].as_str().expect("a domain").to_owned())
    }

    async fn invalidate(aws: &Aws, id: &str, reference: &str, path: &str) -> Result<String, CallError> {
        let body = format!(
            "<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>{path}</Path></Items></Paths>\
             <CallerReference>{reference}</CallerReference></InvalidationBatch>"
        );
        let path = format!("/2020-05-31/distribution/{id}/invalidation");
        let sent = aws_call::Call::xml(CLOUD_FRONT, "CreateInvalidation", path, body).send(&config(aws)).await?;
        Ok(aws_call::element(&String::from_utf8_lossy(&sent), "Id").expect("an ID"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeated_invalidation_is_the_same_one() {
        let aws = Aws::new(Settings::default());
        let (id, _) = distribution(&aws);
        let first = invalidate(&aws, &id, "1", "/index.html").await.expect("created");
        assert_eq!(invalidate(&aws, &id, "1", "/index.html").await.expect("the same"), first);
        assert_ne!(invalidate(&aws, &id, "2", "/index.html").await.expect("another"), first);
        let other = invalidate(&aws, &id, "1", "/other").await.expect_err("other paths");
        assert_eq!(other.code(), Some("InvalidationBatchAlreadyExists"));
        let missing = invalidate(&aws, "E0", "1", "/index.html").await.expect_err("missing");
        assert_eq!(missing.code(), Some("NoSuchDistribution"));
        assert_eq!(aws.read(|account| account.distributions[&id].invalidations.len()), 2);
    }

    /// Puts a page into the distribution's bucket.
    fn page(aws: &Aws) {
        aws.change(|account| {
            let mut bucket = s3::Bucket::new("eu-west-1", &account.id);
            let now = account.now();
            let headers = BTreeMap::from([("content-type".to_owned(), "text/html".to_owned())]);
            bucket.put("index.html", s3::Content::new(b"page", headers), now, &mut account.chance);
            account.buckets.insert("web", bucket);
        });
    }

    fn requested(aws: &Aws, domain: &str, path: &str) -> Reply {
        let call = Call { host: domain.to_owned(), path: path.to_owned(), ..Call::default() };
        aws.read(|account| serve(account, &call))
    }

    #[tokio::test(start_paused = true)]
    async fn a_distribution_that_cloudformation_does_not_wait_for_is_served_later() {
        let aws = Aws::new(Settings::default());
        let (id, domain) = distribution(&aws);
        page(&aws);
        let made_or_updated =
            |is_new| aws.change(|account| crate::resources::linger(account, "eu-west-1", TYPE, &id, is_new));
        made_or_updated(true);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(requested(&aws, &domain, "/").status, 503);
        tokio::time::sleep(Duration::from_secs(241)).await;
        assert_eq!(requested(&aws, &domain, "/").status, 200);
        made_or_updated(false);
        assert_eq!(requested(&aws, &domain, "/").status, 200, "an update does not interrupt it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_is_served_from_its_bucket() {
        let aws = Aws::new(Settings::default());
        let (_, domain) = distribution(&aws);
        page(&aws);
        for path in ["/", "/missing"] {
            let reply = requested(&aws, &domain, path);
            assert_eq!((reply.status, reply.body.as_slice()), (200, &b"page"[..]));
            assert_eq!(reply.headers["content-type"], "text/html");
        }
    }
}
