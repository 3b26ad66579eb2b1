//! Tells the tests whether `python3` is there, so that the tests of the independent checker are
//! listed as ignored, with the reason, where it is not.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rustc-check-cfg=cfg(without_python3)");
    let found = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !found {
        println!("cargo::rustc-cfg=without_python3");
    }
}
