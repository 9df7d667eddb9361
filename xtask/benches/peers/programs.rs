//! The programs of the race: their installation, in pinned versions below the target directory, and how they are run.

use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use crate::{Arguments, Failure, Result};

/// The lines of a failed program's output in an error.
const LINES: usize = 15;

/// The installed programs.
pub(crate) struct Programs {
    /// The workspace.
    pub(crate) root: Utf8PathBuf,
    /// This tool.
    pub(crate) xtask: Utf8PathBuf,
    /// This tool as a release build.
    pub(crate) release: Option<Utf8PathBuf>,
    /// AWS SAM CLI.
    pub(crate) sam: Utf8PathBuf,
    /// AWS CDK CLI.
    pub(crate) cdk: Utf8PathBuf,
    /// The folder of CDK's packages and the app.
    pub(crate) app: Utf8PathBuf,
}

impl Programs {
    /// Installs SAM CLI with pip and CDK with npm, unless these versions are there already.
    pub(crate) fn install(root: &Utf8Path, arguments: &Arguments) -> Result<Self> {
        // `<target>/<profile>/xtask`.
        let target = arguments.xtask.ancestors().nth(2).unwrap_or(root).join("peers");
        let sources = root.join("xtask/benches/peers");
        let sam = installed(&target, "sam", &[sources.join("sam/requirements.txt")], |folder, requirements| {
            run(command("python3").args(["-m", "venv", folder.as_str()]))?;
            let pip = folder.join("bin/pip");
            let arguments = ["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r"];
            run(command(&pip).args(arguments).arg(&requirements[0])).map(drop)
        })?;
        let app =
            ["package.json", "package-lock.json", "cdk.json", "app.js"].map(|file| sources.join("cdk").join(file));
        let app = installed(&target, "cdk", &app, |folder, files| {
            for file in files {
                fs_err::copy(file, folder.join(file.file_name().unwrap_or_default()))?;
            }
            run(command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder)).map(drop)
        })?;
        Ok(Self {
            root: root.to_owned(),
            xtask: arguments.xtask.clone(),
            release: arguments.release.clone(),
            sam: sam.join("bin/sam"),
            cdk: app.join("node_modules/.bin/cdk"),
            app,
        })
    }

    /// The versions, for the result.
    pub(crate) fn versions(&self) -> Result<[(&'static str, String); 4]> {
        let first = |program: &Utf8Path| -> Result<String> {
            let printed = run(command(program).arg("--version"))?;
            Ok(printed.lines().next().unwrap_or_default().trim().to_owned())
        };
        let commit = run(engine::process::git(&self.root).args(["rev-parse", "--short", "HEAD"]))?;
        Ok([
            ("This tool", format!("commit {}", commit.trim())),
            ("AWS SAM CLI", first(&self.sam)?.replace("SAM CLI, version ", "")),
            ("AWS CDK CLI", first(&self.cdk)?),
            ("Node.js", first(Utf8Path::new("node"))?),
        ])
    }
}

/// Returns the folder of a program that `install` has installed from these files.
fn installed(
    target: &Utf8Path,
    name: &str,
    files: &[Utf8PathBuf],
    install: impl FnOnce(&Utf8Path, &[Utf8PathBuf]) -> Result<()>,
) -> Result<Utf8PathBuf> {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs_err::read(file)?);
    }
    let folder = target.join(format!("{name}-{}", hex::encode(&hash.finalize()[..6])));
    let complete = folder.join("complete");
    if !complete.exists() {
        // What an interrupted installation has left.
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir_all(&folder)?;
        install(&folder, files)?;
        fs_err::write(&complete, "")?;
    }
    Ok(folder)
}

/// Creates a command that neither asks questions nor finds the caller's AWS settings.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("CI", "true").env("NO_COLOR", "1").env("AWS_EC2_METADATA_DISABLED", "true");
    for variable in
        ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"]
    {
        command.env_remove(variable);
    }
    command
}

/// Runs a command that must succeed; returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| Failure(format!("{command:?} does not start: {error}")))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let printed = printed + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = printed.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Err(Failure(format!("{command:?} ended with {}:\n{last}", output.status)))
}
