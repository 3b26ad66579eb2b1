//! Tells the tests whether `python3` is there and whether a small disk can be mounted, so that the
//! tests that need them are listed as ignored, with the reason, where they are not.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rustc-check-cfg=cfg(without_python3)");
    println!("cargo::rustc-check-cfg=cfg(without_tmpfs)");
    if !may_mount() {
        println!("cargo::rustc-cfg=without_tmpfs");
    }
    let found = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !found {
        println!("cargo::rustc-cfg=without_python3");
    }
}

// Whether this process holds CAP_SYS_ADMIN, as Linux writes it.
fn may_mount() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & CAP_SYS_ADMIN != 0)
}
