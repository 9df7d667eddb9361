//! Stack `storage`: the bucket of videos, and of what is made of them.

use model::{
    parts::bucket::{Bucket, BucketName},
    stage::Stage,
    template::{Expression, Stack},
};
use thakii_contract::storage::{CHUNKS, VIDEOS};

use super::Settings;

/// After how many days pieces of uploads that nobody finished are removed.
const SCRATCH: u32 = 1;
/// For how many days what was deleted or overwritten can be taken back.
const UNDO: u32 = 30;
/// After how many days a video is read so seldom that its keeping should be cheap.
const COOL: u32 = 30;

/// The stack, and its bucket.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, BucketName) {
    let mut stack = Stack::new("storage", "Thakii: videos, subtitles and PDFs.");
    let name = format!("thakii-video-storage-{}-${{AWS::AccountId}}", stage.name);
    let name = BucketName(Expression::sub(&name, []).into());
    let bucket = Bucket::new("VideoBucket", &name, stage)
        .versioned()
        .cors(&settings.allowed_origins, &["GET", "PUT", "POST", "HEAD"])
        .expire_under(CHUNKS, SCRATCH)
        .abort_uploads(SCRATCH)
        .expire_noncurrent(UNDO)
        .cool_under(VIDEOS, COOL);
    let bucket = stack.add(bucket);
    stack.output("VideoBucketName", bucket.id());
    stack.output("VideoBucketArn", bucket.attribute("Arn"));
    (stack, name)
}
