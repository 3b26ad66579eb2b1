//! Memory of a process, as the kernel counts it.

/// Highest resident memory of a process so far, in mebibytes; 0 where the kernel does not say.
#[must_use]
pub fn peak_memory_mb(process: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = kilobytes.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}
