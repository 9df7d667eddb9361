//! AWS's own examples: the Signature Version 4 test suite, and the examples of S3's API reference.

use hyper::Request;

use super::*;

const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// The hash of an empty body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Reads a request as the test suite writes it: the request line, then a header in each line.
fn request(text: &str) -> Parts {
    let mut lines = text.trim().lines();
    let (method, target) = lines.next().and_then(|line| line.split_once(' ')).expect("a request line");
    let request = lines.fold(Request::builder().method(method).uri(target), |request, line| {
        let (name, value) = line.split_once(':').expect("a header");
        request.header(name, value.trim())
    });
    request.body(()).expect("a request").into_parts().0
}

fn at(text: &str) -> SystemTime {
    time(text).expect("a time")
}

fn verified(head: &Parts, secret: &str, now: SystemTime) -> Result<(), Refusal> {
    let claim = Claim::read(head)?.expect("a signature");
    let payload = match claim.payload(head)? {
        Payload::Uncovered(text) | Payload::Named(text) => text,
        Payload::Hashed => EMPTY.to_owned(),
    };
    claim.verify(head, &payload, secret, now)
}

/// Requests of the suite with a signature in the header: `get-vanilla-query-order-key-case`, `post-vanilla`,
/// `get-header-value-trim`, `get-header-key-duplicate`, `get-slashes-normalized`, `get-relative-relative-normalized`,
/// `get-vanilla-query-order-encoded`, `get-vanilla-with-session-token`.
const IN_HEADER: [(&str, &str, &str); 8] = [
    (
        "GET /?Param2=value2&Param1=value1\nHost:example.amazonaws.com",
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "POST /\nHost:example.amazonaws.com",
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "GET /\nHost:example.amazonaws.com\nMy-Header1: value1\nMy-Header2: \"a   b   c\"",
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "GET /\nHost:example.amazonaws.com\nMy-Header1:value2\nMy-Header1:value2\nMy-Header1:value1",
        "host;my-header1;x-amz-date",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "GET //example//\nHost:example.amazonaws.com",
        "host;x-amz-date",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    (
        "GET /example1/example2/../..\nHost:example.amazonaws.com",
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1\nHost:example.amazonaws.com",
        "host;x-amz-date",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    (
        "GET /\nHost:example.amazonaws.com\n\
         X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
        "host;x-amz-date;x-amz-security-token",
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    ),
];

fn of_suite(request_text: &str, headers: &str, signature: &str) -> Parts {
    request(&format!(
        "{request_text}\nX-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 \
         Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={headers}, Signature={signature}"
    ))
}

#[test]
fn the_suites_signatures_in_the_header_are_accepted() {
    for (text, headers, signature) in IN_HEADER {
        let head = of_suite(text, headers, signature);
        assert_eq!(verified(&head, SUITE_SECRET, at("20150830T123600Z")), Ok(()), "{text}");
    }
}

#[test]
fn an_encoded_path_is_encoded_again() {
    // `double-url-encode` of the test suite.
    let head = request(
        "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A892717189312%3Afunction%3Amy-rusty-fun/invocations\n\
         Host:lambda.us-east-2.amazonaws.com\nX-Amz-Date:20210511T154045Z\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=AKIDEXAMPLE/20210511/us-east-2/lambda/aws4_request, SignedHeaders=host;x-amz-date, \
         Signature=4b93abbcc68be32bd64c18e2c71150660ab4c29bbd6c32a383a7517a88fc1804",
    );
    assert_eq!(verified(&head, SUITE_SECRET, at("20210511T154045Z")), Ok(()));
}

/// `get-vanilla-query-order-key-case` and `get-slashes-normalized`, as presigned URLs.
#[test]
fn the_suites_presigned_urls_are_accepted_until_they_expire() {
    let signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2F\
                  aws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=";
    for (url, signature) in [
        ("/?Param2=value2&Param1=value1&", "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"),
        ("//example//?", "c1834e8fb0307243711f0f907f6ab7311ed300d87f13792d7ee4da89ab93e082"),
    ] {
        let head = request(&format!("GET {url}{signed}{signature}\nHost:example.amazonaws.com"));
        let verified = |now: &str| verified(&head, SUITE_SECRET, at(now));
        assert_eq!(verified("20150830T123600Z"), Ok(()), "{url}");
        assert_eq!(verified("20150830T133600Z"), Ok(()), "{url}");
        assert_eq!(verified("20150830T133601Z"), Err(Refusal::Expired), "{url}");
        assert_eq!(verified("20150830T122059Z"), Err(Refusal::Time), "{url}");
    }
}

/// S3 API reference, "Authenticating requests: using query parameters", and "Signature calculations for the authorization header":
/// `GET Object`, and the seed signature of a chunked upload, whose body the gate does not read.
#[test]
fn the_examples_of_s3_are_accepted() {
    let presigned = "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1\
                     %2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
                     X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404\n\
                     Host:examplebucket.s3.amazonaws.com";
    let credential =
        "Authorization:AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,";
    let get = format!(
        "GET /test.txt\nHost:examplebucket.s3.amazonaws.com\nRange:bytes=0-9\nx-amz-content-sha256:{EMPTY}\n\
         x-amz-date:20130524T000000Z\n{credential}SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    let chunked = format!(
        "PUT /examplebucket/chunkObject.txt\nHost:s3.amazonaws.com\nx-amz-date:20130524T000000Z\n\
         x-amz-storage-class:REDUCED_REDUNDANCY\nx-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n\
         Content-Encoding:aws-chunked\nx-amz-decoded-content-length:66560\nContent-Length:66824\n{credential}\
         SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    );
    let now = at("20130524T000500Z");
    for text in [presigned, &get, &chunked] {
        assert_eq!(verified(&request(text), S3_SECRET, now), Ok(()), "{text}");
    }
    let claim = Claim::read(&request(&chunked)).expect("valid").expect("a signature");
    assert!(matches!(claim.payload(&request(&chunked)), Ok(Payload::Uncovered(_))));
}

#[test]
fn another_secret_and_a_changed_request_are_refused() {
    let now = at("20150830T123600Z");
    let (text, headers, signature) = IN_HEADER[1];
    assert_eq!(verified(&of_suite(text, headers, signature), "test", now), Err(Refusal::Signature));
    for changed in ["GET /", "POST /2015-03-31/functions", "POST /?Action=CreateFunction"] {
        let head = of_suite(&text.replace("POST /", changed), headers, signature);
        assert_eq!(verified(&head, SUITE_SECRET, now), Err(Refusal::Signature), "{changed}");
    }
    let head = of_suite(&text.replace("example.amazonaws.com", "localhost"), headers, signature);
    assert_eq!(verified(&head, SUITE_SECRET, now), Err(Refusal::Signature));
    let claim = Claim::read(&of_suite(text, headers, signature)).expect("valid").expect("a signature");
    let head = of_suite(text, headers, signature);
    assert_eq!(claim.verify(&head, &"0".repeat(64), SUITE_SECRET, now), Err(Refusal::Signature), "another body");
}

#[test]
fn times_have_one_form() {
    assert_eq!(time("19700102T000001Z"), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(24 * 60 * 60 + 1)));
    for wrong in
        ["", "20150830T123600", "2015-08-30T12:36:00Z", "20150830T12360Z", "20151330T123600Z", "2015083\u{e9}T123600Z"]
    {
        assert_eq!(time(wrong), None, "{wrong}");
    }
}

#[test]
fn an_old_signature_is_refused() {
    let (text, headers, signature) = IN_HEADER[1];
    let head = of_suite(text, headers, signature);
    let verified = |now: &str| verified(&head, SUITE_SECRET, at(now));
    assert_eq!(verified("20150830T125100Z"), Ok(()));
    assert_eq!(verified("20150830T125101Z"), Err(Refusal::Time));
    assert_eq!(verified("20150830T122059Z"), Err(Refusal::Time));
}

#[test]
fn incomplete_signatures_are_refused() {
    let valid = "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/s/aws4_request, SignedHeaders=host, Signature=00";
    for header in [
        "Bearer token",
        "AWS AKID:signature",
        &valid.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        &valid.replace("SignedHeaders=host", "SignedHeaders=x-amz-date"),
        &valid.replace("Signature=00", "Signature=xyz"),
        &valid.replace("/aws4_request", ""),
        &valid.replace(", Signature=00", ""),
    ] {
        let head = request(&format!("GET /\nHost:localhost\nX-Amz-Date:20150830T123600Z\nAuthorization:{header}"));
        assert_eq!(Claim::read(&head), Err(Refusal::Malformed), "{header}");
    }
    for query in ["X-Amz-Signature=00", "AWSAccessKeyId=a&Signature=b&Expires=9", "x-amz-credential=a"] {
        let head = request(&format!("GET /bucket/key?{query}\nHost:localhost"));
        assert_eq!(Claim::read(&head), Err(Refusal::Malformed), "{query}");
    }
    let both = request(&format!("GET /?X-Amz-Signature=00\nHost:localhost\nAuthorization:{valid}"));
    assert_eq!(Claim::read(&both), Err(Refusal::Malformed));
    assert_eq!(Claim::read(&request("GET /?x=1\nHost:localhost")), Ok(None));
}

#[test]
fn only_s3_may_leave_the_body_uncovered() {
    for payload in [UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
        for (service, expected) in
            [("s3", Ok(Payload::Uncovered(payload.to_owned()))), ("lambda", Err(Refusal::Malformed))]
        {
            let head = request(&format!(
                "POST /\nHost:localhost\nX-Amz-Date:20150830T123600Z\nx-amz-content-sha256:{payload}\nAuthorization:AWS4-HMAC-SHA256 \
                 Credential=A/20150830/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
            ));
            let claim = Claim::read(&head).expect("valid").expect("a signature");
            assert_eq!(claim.payload(&head), expected, "{service} {payload}");
        }
    }
}
