//! Starts the Portfolio's function: in Lambda behind its API, elsewhere as an HTTP server.

use std::process::ExitCode;

use portfolio::{app::App, local, routes::router, settings::Settings};

type Contract = portfolio_contract::Api;

fn main() -> ExitCode {
    let in_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
    if !in_lambda {
        // Variables that are already set take precedence, and a missing file is not an error.
        let _ = dotenvy::dotenv();
    }
    common::start::<Contract>(async |started| {
        let settings = Settings::new(started.environment, started.aws.endpoint_url())?;
        let router = router(App::new(settings, started.aws));
        if in_lambda { common::http::serve::<Contract>(router).await } else { Ok(local::serve(router).await?) }
    })
}
