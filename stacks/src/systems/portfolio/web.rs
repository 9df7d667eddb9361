//! Stack `web`: the bucket and distribution of the static site.

use model::{
    parts::{bucket::BucketName, cdn, site::Site},
    rendered::{RenderedSite, SiteValue},
    stage::Stage,
    template::{Expression, Stack, Text},
};

use super::{Settings, api};

const NAME: &str = "web";

/// Builds the stack; also returns the distribution's own domain name. The stack is in the region of CloudFront's
/// certificates.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, Text) {
    let mut stack = Stack::new(NAME, "Portfolio: the static site.").in_region(cdn::REGION);
    let name = format!("portfolio-web-{}", stage.name);
    let bucket = BucketName(Expression::sub(&format!("{name}-${{AWS::AccountId}}"), []).into());
    let distribution = stack.add(Site::new(&name, &bucket, stage).domain(settings.site.as_ref()));
    stack.output("WebBucketName", bucket.0);
    stack.output("DistributionId", distribution.id());
    stack.output("DistributionDomainName", distribution.attribute("DomainName"));
    match &settings.site {
        Some(site) => {
            let [apex, www] = site.urls();
            stack.output("WebsiteUrl", apex);
            stack.output("WwwWebsiteUrl", www);
        }
        None => {
            let host = distribution.attribute("DomainName");
            stack.output("WebsiteUrl", Expression::sub("https://${Host}", [("Host", host)]));
        }
    }
    (stack, distribution.attribute("DomainName"))
}

/// The files that a deploy uploads, and the API's URL in their configuration.
pub(super) fn site(settings: &Settings) -> RenderedSite {
    let output = if settings.domain.is_some() { "CustomDomainUrl".to_owned() } else { format!("{}Url", api::API) };
    let api = SiteValue { stack: api::NAME.to_owned(), output };
    RenderedSite {
        name: "PortfolioSite".to_owned(),
        source: "lambdas/portfolio/site".to_owned(),
        stack: NAME.to_owned(),
        bucket_output: "WebBucketName".to_owned(),
        distribution_output: "DistributionId".to_owned(),
        url_output: "WebsiteUrl".to_owned(),
        config: [("apiUrl".to_owned(), api)].into(),
    }
}
