//! The crate stays pure: neither an asynchronous runtime nor an AWS crate is among its dependencies.

use std::process::Command;

#[test]
fn no_dependency_is_tokio_or_an_aws_crate() {
    let cargo = std::env::var_os("CARGO").expect("cargo sets CARGO for tests");
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--package", "plan", "--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    let printed = String::from_utf8(tree.stdout).expect("UTF-8");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let names: Vec<_> = printed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"plan") && names.contains(&"model"), "{printed}");
    let impure = |name: &&&str| **name == "tokio" || name.starts_with("aws-");
    assert_eq!(names.iter().find(impure), None, "{printed}");
}
