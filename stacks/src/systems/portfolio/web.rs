//! Stack `web`: the bucket and distribution of the static site.

use super::Settings;
use crate::{
    parts::{bucket::BucketName, cdn, site::Site},
    stage::Stage,
    template::{Expression, Stack},
};

/// The stack. It lies where CloudFront takes its certificates from.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> Stack {
    let mut stack = Stack::new("web", "Portfolio: the static site.").in_region(cdn::REGION);
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
    stack
}
