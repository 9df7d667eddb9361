//! `completions`: a script that completes verbs and options in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::{cli, context::Context, error::Exit};

/// The command that scripts complete. Cargo's own completion for zsh passes `cargo xtask` on to the function of this name.
const COMMAND: &str = "cargo-xtask";

/// What follows the script in bash, whose function clap_complete names `_cargo__xtask`: `cargo xtask …` is completed by it, and other cargo commands as before.
const BASH: &str = r#"
_cargo_xtask() {
    if [[ ${COMP_WORDS[1]} == xtask && $COMP_CWORD -gt 1 ]]; then
        COMP_WORDS=(cargo-xtask "${COMP_WORDS[@]:2}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _cargo__xtask cargo-xtask "$2" "$3"
    elif [[ -n $_cargo_xtask_others ]]; then
        "$_cargo_xtask_others" "$@"
    fi
}

if [[ $(complete -p cargo 2>/dev/null) =~ " -F "([^ ]+) && ${BASH_REMATCH[1]} != _cargo_xtask ]]; then
    _cargo_xtask_others=${BASH_REMATCH[1]}
fi
complete -F _cargo_xtask -o bashdefault -o default cargo
"#;

/// What follows the script in fish. The single quotes defer the expansion until a word is completed.
const FISH: &str = r#"
complete -c cargo -n "__fish_seen_subcommand_from xtask" -f -a \
    '(complete -C "cargo-xtask $(string join " " -- (commandline -opc)[3..]) $(commandline -ct)")'
"#;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
bash: load the script in ~/.bashrc, after cargo's own completion:
    cargo xtask completions bash > ~/.cargo-xtask.bash
    echo 'source ~/.cargo-xtask.bash' >> ~/.bashrc

zsh: put the script where $fpath finds it; cargo's own completion passes `cargo xtask` on to it:
    cargo xtask completions zsh > ~/.zfunc/_cargo-xtask
    and in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit; compinit

fish:
    cargo xtask completions fish > ~/.config/fish/conf.d/cargo-xtask.fish

elvish and powershell: the script completes a command named `cargo-xtask`; define it as an alias of `cargo xtask`.")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
///
/// Never; commands share a signature.
pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> miette::Result<Exit> {
    context.ui.result(script(cli::command(&context.application), args.shell).trim_end());
    Ok(Exit::Success)
}

fn script(command: clap::Command, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command.name(COMMAND).bin_name(COMMAND), COMMAND, &mut script);
    let bridge = match shell {
        Shell::Bash => BASH,
        Shell::Fish => FISH,
        _ => "",
    };
    // clap_complete names the verbs' cases after `cargo xtask`, as usage lines show the tool, and looks for them after COMMAND.
    String::from_utf8_lossy(&script).replace("cargo__subcmd__xtask", "cargo__xtask") + bridge
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use model::example::Example;

    use super::*;
    use crate::application::Application;

    fn script_for(shell: Shell) -> String {
        script(cli::command(&Application::new(Example)), shell)
    }

    fn bash(arguments: &[&str]) -> String {
        let output =
            Command::new("bash").args(["--norc", "--noprofile"]).args(arguments).output().expect("bash starts");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && errors.is_empty(), "{errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What bash offers after these words.
    fn offered(file: &str, words: &[&str]) -> Vec<String> {
        let last = words.last().copied().unwrap_or_default();
        let before = words.len().checked_sub(2).map(|index| words[index]).unwrap_or_default();
        let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let (quoted, index) = (quoted.join(" "), words.len() - 1);
        let code = format!(
            "_others() {{ COMPREPLY=(\"cargo's own\"); }}; complete -F _others cargo; source {file}; source {file}; \
             COMP_WORDS=({quoted}); COMP_CWORD={index}; COMPREPLY=(); \
             [[ $(complete -p cargo) =~ ' -F '([^ ]+) ]]; ${{BASH_REMATCH[1]}} cargo '{last}' '{before}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        bash(&["-c", &code]).lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_verbs_and_options_after_cargo_xtask() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cargo-xtask.bash");
        fs_err::write(&path, script_for(Shell::Bash)).expect("written");
        let file = path.to_str().expect("UTF-8");
        bash(&["-n", file]);

        assert_eq!(offered(file, &["cargo", "xtask", "rol"]), ["rollback"]);
        assert_eq!(offered(file, &["cargo", "xtask", "lock", "br"]), ["break"]);
        let options = offered(file, &["cargo", "xtask", "plan", "--on"]);
        assert!(options.iter().any(|option| option == "--online"), "{options:?}");
        for verb in ["deploy", "plan"] {
            assert_eq!(offered(file, &["cargo", "xtask", verb, "--gr"]), ["--group"]);
        }
        assert_eq!(offered(file, &["cargo", "build", "--rel"]), ["cargo's own"]);
    }

    #[test]
    fn every_shell_has_a_script_with_every_verb() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = script_for(shell);
            for verb in cli::command(&Application::new(Example)).get_subcommands() {
                assert!(script.contains(verb.get_name()), "{shell}: {}", verb.get_name());
            }
            assert!(script.contains(COMMAND) && !script.contains("cargo xtask deploy\""), "{shell}");
        }
    }
}
