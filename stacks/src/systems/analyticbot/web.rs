//! Stack `web`: the bucket and distribution of the panel.

use analyticbot_contract::SYSTEM;
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
    let mut stack = Stack::new(NAME, "AnalyticBot: the panel.").in_region(cdn::REGION);
    let name = format!("{SYSTEM}-web-{}", stage.name);
    let bucket = BucketName(Expression::sub(&format!("{name}-${{AWS::AccountId}}"), []).into());
    let distribution = stack.add(Site::new(&name, &bucket, stage).domain(settings.site.as_ref()));
    let host = distribution.attribute("DomainName");
    let url = match &settings.site {
        Some(site) => Text::from(&site.urls()[0]),
        None => Expression::sub("https://${Host}", [("Host", host.clone())]).into(),
    };
    stack.output("WebBucketName", bucket.0);
    stack.output("DistributionId", distribution.id());
    stack.output("DistributionDomainName", host.clone());
    stack.output("PanelUrl", url);
    (stack, host)
}

/// The files that a deploy uploads, and the API's URL in their configuration.
pub(super) fn site() -> RenderedSite {
    let api = SiteValue { stack: api::NAME.to_owned(), output: format!("{}Url", api::API) };
    RenderedSite {
        name: "Panel".to_owned(),
        source: "lambdas/analyticbot/site".to_owned(),
        stack: NAME.to_owned(),
        bucket_output: "WebBucketName".to_owned(),
        distribution_output: "DistributionId".to_owned(),
        url_output: "PanelUrl".to_owned(),
        config: [("apiUrl".to_owned(), api)].into(),
    }
}
