//! Stack `storage`: the bucket of videos, subtitles and PDFs.

use model::{
    parts::bucket::{Bucket, BucketName},
    stage::Stage,
    template::{Expression, Stack},
};
use thakii_contract::storage::{CHUNKS, VIDEOS};

use super::Settings;

/// The age in days at which the pieces of incomplete uploads are deleted.
const UPLOAD_RETENTION: u32 = 1;
/// The number of days for which deleted or overwritten objects can be restored.
const NONCURRENT_RETENTION: u32 = 30;
/// The age in days from which on videos are read rarely, so that cheap storage pays off.
const COOL_AFTER: u32 = 30;

/// Builds the stack; also returns its bucket's name.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, BucketName) {
    let mut stack = Stack::new("storage", "Thakii: videos, subtitles and PDFs.");
    let name = format!("thakii-video-storage-{}-${{AWS::AccountId}}", stage.name);
    let name = BucketName(Expression::sub(&name, []).into());
    let bucket = Bucket::new("VideoBucket", &name, stage)
        .versioned()
        .cors(&settings.allowed_origins, &["GET", "PUT", "POST", "HEAD"])
        .expire_under(CHUNKS, UPLOAD_RETENTION)
        .abort_uploads(UPLOAD_RETENTION)
        .expire_noncurrent(NONCURRENT_RETENTION)
        .cool_under(VIDEOS, COOL_AFTER);
    let bucket = stack.add(bucket);
    stack.output("VideoBucketName", bucket.id());
    stack.output("VideoBucketArn", bucket.attribute("Arn"));
    (stack, name)
}
