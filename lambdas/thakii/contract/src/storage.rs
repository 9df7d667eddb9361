//! Where things lie in the bucket.

/// Videos: `videos/{video_id}/{filename}`.
pub const VIDEOS: &str = "videos/";
/// Subtitles: `subtitles/{video_id}.srt`.
pub const SUBTITLES: &str = "subtitles/";
/// PDFs: `pdfs/{video_id}.pdf`.
pub const PDFS: &str = "pdfs/";
/// Pieces of uploads: `chunks/{owner}/{file_id}/{index:05}`.
pub const CHUNKS: &str = "chunks/";
/// All of them.
pub const PREFIXES: [&str; 4] = [VIDEOS, SUBTITLES, PDFS, CHUNKS];
