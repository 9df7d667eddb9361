//! A local cloud of the race's own: own port, own state, gone when it is dropped.

use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use camino::{Utf8Path, Utf8PathBuf};
use engine::local::Keys;

use crate::{
    Failure, Result,
    programs::{Programs, command, run},
};

/// The region of stage `local`.
pub(crate) const REGION: &str = "us-east-1";

/// A running local cloud.
pub(crate) struct Cloud {
    /// Its folder, in which the file `credentials` has its keys.
    pub(crate) directory: Utf8PathBuf,
    /// Its port.
    pub(crate) port: u16,
    xtask: Utf8PathBuf,
}

impl Cloud {
    /// Starts one.
    pub(crate) fn start(programs: &Programs, directory: &Utf8Path) -> Result<Self> {
        fs_err::create_dir_all(directory)?;
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let cloud = Self { directory: directory.to_owned(), port, xtask: programs.xtask.clone() };
        let mut up = command(&cloud.xtask);
        run(up.args(["local", "up"]).envs(cloud.variables()))?;
        Ok(cloud)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables with which this tool finds it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [("XTASK_LOCAL_DIRECTORY", self.directory.to_string()), ("XTASK_LOCAL_PORT", self.port.to_string())]
    }

    /// The variables with which other tools find it behind a proxy (README, "Call the local cloud").
    pub(crate) fn variables_of_others(&self, proxy: &str) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", proxy.to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", self.directory.join("credentials").into_string()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ]
    }

    /// Creates a bucket.
    pub(crate) async fn create_bucket(&self, name: &str) -> Result<()> {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk()?).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(name).send().await?;
        Ok(())
    }

    /// Returns the value of a stack's output.
    pub(crate) async fn output(&self, stack: &str, output: &str) -> Result<String> {
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.sdk()?);
        let described = cloudformation.describe_stacks().stack_name(stack).send().await?;
        let outputs = described.stacks().iter().flat_map(|stack| stack.outputs());
        let value = outputs.filter(|found| found.output_key() == Some(output)).find_map(|found| found.output_value());
        value.map(str::to_owned).ok_or_else(|| Failure(format!("stack {stack} has no output {output}")))
    }

    /// Returns the SHA-256 of a function's deployed code, as Lambda spells it.
    pub(crate) async fn code_of(&self, function: &str) -> Result<String> {
        let lambda = aws_sdk_lambda::Client::new(&self.sdk()?);
        let function = lambda.get_function_configuration().function_name(function).send().await?;
        Ok(function.code_sha256().unwrap_or_default().to_owned())
    }

    fn sdk(&self) -> Result<aws_config::SdkConfig> {
        let keys = Keys::read(&self.directory)?.ok_or_else(|| Failure("the local cloud has no keys".to_owned()))?;
        let credentials = aws_sdk_s3::config::Credentials::new(keys.access_key(), keys.secret(), None, None, "race");
        Ok(aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .endpoint_url(self.url())
            .region(aws_config::Region::new(REGION))
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            .build())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let mut down = command(&self.xtask);
        // One that remains is found by `local down` with its folder.
        let _stopped = run(down.args(["local", "down"]).envs(self.variables()));
    }
}
