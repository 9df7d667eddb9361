//! Every way a video comes in: rows 10 to 14.

use std::sync::Arc;

use serde_json::{Value, json};

use super::world::{World, error};

const MIB: usize = 1024 * 1024;

/// Bytes that no two places share.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length.div_ceil(8)).flatten().take(length).collect()
}

pub(super) async fn row_10_a_small_video_is_stored_and_queued(world: Arc<World>) {
    let video = bytes(3 * MIB);
    let (status, body) = world.user.form("/upload", &[], Some(("file", "lecture.mp4", &video))).await;
    assert_eq!(status, 200, "{body}");
    let id = body["video_id"].as_str().expect("an id");
    assert_eq!(body["s3_key"], format!("videos/{id}/lecture.mp4"));
    assert!(world.object(&format!("videos/{id}/lecture.mp4")).await.expect("stored") == video);
    let (status, body) = world.user.get(&format!("/status/{id}")).await;
    assert_eq!((status, &body["status"], &body["filename"]), (200, &json!("in_queue"), &json!("lecture.mp4")));
    let messages = world.messages_of(id).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].filename, "lecture.mp4");
    assert_eq!(messages[0].s3_key, format!("videos/{id}/lecture.mp4"));
    assert_eq!(messages[0].bucket, world.bucket());
    assert!(!messages[0].user_id.is_empty());
}

pub(super) async fn row_11_unfit_uploads_are_refused(world: Arc<World>) {
    let user = &world.user;
    let plain = user.form("/upload", &[("file", "x")], None).await;
    assert_eq!(error(&plain), (400, "No file provided"));
    assert_eq!(error(&user.form("/upload", &[], None).await), (400, "No file provided"));
    assert_eq!(error(&user.form("/upload", &[], Some(("file", "", b"x"))).await), (400, "No selected file"));
    let text = user.form("/upload", &[], Some(("file", "notes.txt", b"x"))).await;
    assert_eq!(error(&text), (400, "Unsupported file type"));
    assert_eq!(text.1["allowed"], json!(["mp4", "avi", "mov", "wmv", "mkv"]));
    assert_eq!(error(&user.form("/upload", &[], Some(("file", "x.mp4", b""))).await), (400, "Empty file"));
    let (status, body) = user.form("/upload", &[], Some(("file", "../../x.mp4", b"x"))).await;
    let id = body["video_id"].as_str().expect("an id");
    assert_eq!((status, &body["s3_key"]), (200, &json!(format!("videos/{id}/x.mp4"))));

    let large = user.form("/upload", &[], Some(("file", "x.mp4", &vec![0; 4_400_000]))).await;
    assert_eq!(error(&large), (413, "File too large for direct upload"));
    assert_eq!(large.1["max_direct_bytes"], 4_194_304);
    let larger = user.form("/upload", &[], Some(("file", "x.mp4", &vec![0; 8 * MIB]))).await;
    assert!(larger.0 >= 400 && larger.1["error"].is_string(), "{larger:?}");
}

/// Asks for an upload's assembly as its first answer says.
async fn assemble(world: &World, upload: &Value) -> (u16, Value) {
    assert_eq!(upload["complete"]["path"], "/assemble-file");
    world.user.post("/assemble-file", upload["complete"]["body"].clone()).await
}

pub(super) async fn row_12_a_video_in_one_piece_is_assembled_once_it_is_there(world: Arc<World>) {
    let size = 20 * MIB;
    let (status, upload) = world.user.post("/upload", json!({"filename": "l.mp4", "size": size})).await;
    assert_eq!((status, &upload["mode"]), (200, &json!("single")), "{upload}");
    assert!(upload["upload_url"].as_str().expect("a link").contains("X-Amz-Expires=3600"));
    let early = assemble(&world, &upload).await;
    assert_eq!(error(&early), (400, "Missing chunks"));
    assert_eq!(early.1["missing_chunks"], json!([0]));
    assert_eq!(world.user.put(&upload["upload_url"], &upload["headers"], bytes(size)).await, 200);
    let (status, body) = assemble(&world, &upload).await;
    assert_eq!((status, &body["total_size"]), (200, &json!(20_971_520)), "{body}");
    assert_eq!(body["video_id"], upload["video_id"]);
    // Once more: the same answer, and nobody is told twice.
    assert_eq!(assemble(&world, &upload).await, (200, body));
    assert_eq!(world.messages_of(upload["video_id"].as_str().expect("an id")).await.len(), 1);
}

pub(super) async fn row_13_a_large_video_goes_in_parts(world: Arc<World>) {
    let size = 200 * MIB;
    let before = world.open_uploads().await;
    let (status, upload) = world.user.post("/upload", json!({"filename": "l.mkv", "size": size})).await;
    assert_eq!((status, &upload["mode"], &upload["total_chunks"]), (200, &json!("multipart"), &json!(4)), "{upload}");
    let parts = upload["parts"].as_array().expect("parts");
    let put = async |index: usize| {
        let length = usize::try_from(parts[index]["size"].as_u64().expect("a size")).unwrap();
        let status =
            world.user.put(&parts[index]["upload_url"], &json!({}), vec![u8::try_from(index).unwrap(); length]).await;
        assert_eq!(status, 200, "part {index}");
    };
    for index in [0, 1, 3] {
        put(index).await;
    }
    let early = assemble(&world, &upload).await;
    assert_eq!((error(&early), &early.1["missing_chunks"]), ((400, "Missing chunks"), &json!([2])));
    // The third link has expired, say: it is asked for again.
    let again = json!({
        "file_id": upload["file_id"], "total_chunks": 4, "original_filename": "l.mkv", "chunk_index": 2,
        "chunk_size": parts[2]["size"],
    });
    let (status, link) = world.user.post("/upload-chunk", again).await;
    assert_eq!(status, 200, "{link}");
    let third = vec![2; usize::try_from(parts[2]["size"].as_u64().expect("a size")).unwrap()];
    assert_eq!(world.user.put(&link["upload_url"], &link["headers"], third).await, 200);
    let (status, body) = assemble(&world, &upload).await;
    assert_eq!((status, &body["total_size"]), (200, &json!(209_715_200)), "{body}");
    let key = upload["s3_key"].as_str().expect("a key");
    let head = world.cloud.s3().head_object().bucket(world.bucket()).key(key).send().await.expect("an object");
    assert_eq!(head.content_length(), Some(209_715_200));
    assert_eq!(world.open_uploads().await, before);
}

/// Sends a chunk of an old client.
async fn chunk(world: &World, file_id: &str, index: usize, total: usize, name: &str, bytes: &[u8]) -> (u16, Value) {
    let (index, total) = (index.to_string(), total.to_string());
    let texts = [("chunk_index", &*index), ("total_chunks", &total), ("file_id", file_id), ("original_filename", name)];
    world.user.form("/upload-chunk", &texts, Some(("chunk", "blob", bytes))).await
}

pub(super) async fn row_14_chunks_are_joined_in_their_order(world: Arc<World>) {
    let video = bytes(6 * MIB);
    let send = async |index: usize| {
        let piece = &video[index * 2 * MIB..(index + 1) * 2 * MIB];
        let (status, body) = chunk(&world, "inline-1", index, 3, "l.mp4", piece).await;
        assert_eq!(
            (status, &body["chunk_index"], &body["chunk_size"]),
            (200, &json!(index), &json!(2 * MIB)),
            "{body}"
        );
    };
    send(2).await;
    send(0).await;
    let body = json!({"file_id": "inline-1", "total_chunks": "3", "original_filename": "l.mp4"});
    let early = world.user.post("/assemble-file", body.clone()).await;
    assert_eq!((error(&early), &early.1["missing_chunks"]), ((400, "Missing chunks"), &json!([1])));
    // What one upload was begun as, it stays.
    let other = chunk(&world, "inline-1", 1, 4, "l.mp4", b"x").await;
    assert_eq!(error(&other), (409, "Chunk metadata mismatch"));
    let other = chunk(&world, "inline-1", 1, 3, "m.mp4", b"x").await;
    assert_eq!(error(&other), (409, "Chunk metadata mismatch"));
    let mixed = json!({
        "file_id": "inline-1", "total_chunks": 3, "original_filename": "l.mp4", "chunk_index": 1, "chunk_size": 9_000_000,
    });
    assert_eq!(error(&world.user.post("/upload-chunk", mixed).await), (409, "Chunk metadata mismatch"));
    send(1).await;
    send(1).await;

    // Two at once: both get the video, or one is asked to come back.
    let (one, two) =
        tokio::join!(world.user.post("/assemble-file", body.clone()), world.user.post("/assemble-file", body.clone()));
    let done = if one.0 == 200 { &one } else { &two };
    assert_eq!((done.0, &done.1["total_size"]), (200, &json!(6 * MIB)), "{one:?} {two:?}");
    for answer in [&one, &two] {
        let same = answer.0 == 200 && answer.1["video_id"] == done.1["video_id"];
        assert!(same || error(answer) == (409, "Assembly in progress"), "{answer:?}");
    }
    let id = done.1["video_id"].as_str().expect("an id");
    assert!(world.object(done.1["s3_key"].as_str().expect("a key")).await.expect("stored") == video);
    let again = world.user.post("/assemble-file", body).await;
    assert_eq!((again.0, &again.1["video_id"]), (200, &done.1["video_id"]));
    assert_eq!(world.messages_of(id).await.len(), 1);
    let listed = world.cloud.s3().list_objects_v2().bucket(world.bucket()).prefix("chunks/").send().await;
    assert_eq!(listed.expect("a list").contents().len(), 0, "the pieces are gone");
}

pub(super) async fn chunks_of_the_clients_size_go_to_s3(world: Arc<World>) {
    let ask = async |index: usize, size: usize| {
        let body = json!({
            "file_id": "presigned-1", "total_chunks": 2, "original_filename": "l.avi", "chunk_index": index,
            "chunk_size": size,
        });
        world.user.post("/upload-chunk", body).await
    };
    let small = ask(0, MIB).await;
    assert_eq!((error(&small), &small.1["min_bytes"]), ((400, "Chunk too small"), &json!(5_242_880)));
    let video = bytes(7 * MIB);
    for (index, piece) in [(0, &video[..6 * MIB]), (1, &video[6 * MIB..])] {
        let (status, link) = ask(index, piece.len()).await;
        assert_eq!((status, &link["method"]), (200, &json!("PUT")), "{link}");
        assert_eq!(world.user.put(&link["upload_url"], &link["headers"], piece.to_vec()).await, 200);
    }
    let body = json!({"file_id": "presigned-1", "total_chunks": 2, "original_filename": "l.avi"});
    let (status, done) = world.user.post("/assemble-file", body).await;
    assert_eq!((status, &done["total_size"]), (200, &json!(7 * MIB)), "{done}");
    assert!(world.object(done["s3_key"].as_str().expect("a key")).await.expect("stored") == video);
    let unknown = json!({"file_id": "nobodys", "total_chunks": 2, "original_filename": "l.avi"});
    assert_eq!(error(&world.user.post("/assemble-file", unknown).await), (404, "Chunks directory not found"));
}
