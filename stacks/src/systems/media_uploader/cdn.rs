//! Stack `cloudfront`: the reading requests of the API under a domain.

use model::{
    parts::{
        api::ApiHandle,
        cdn::{self, Cdn},
    },
    stage::Stage,
    template::Stack,
};

use super::Domain;

pub(super) fn stack(stage: &Stage, domain: &Domain, api: &ApiHandle) -> Stack {
    let mut stack = Stack::new("cloudfront", "Media Uploader: retrieval under its own domain.").in_region(cdn::REGION);
    let cdn = Cdn::new("Media", &domain.name, &domain.hosted_zone_id, api, &stage.region);
    stack.add(cdn.comment("Media Uploader"));
    stack
}
