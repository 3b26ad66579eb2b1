//! How long to wait before another attempt. Pure.

use std::time::Duration;

/// Twice as long for each attempt that failed, up to the longest; then between half of it and all of it,
/// so that clients that failed together do not come back together.
pub(crate) fn pause(min: Duration, max: Duration, failed: u32, drawn: [u8; 32]) -> Duration {
    let whole = min.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX)).min(max);
    let part = u32::from(u16::from_be_bytes([drawn[0], drawn[1]]));
    whole / 2 + (whole / 2).saturating_mul(part) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_longest_and_never_passes_it() {
        let (min, max) = (Duration::from_millis(20), Duration::from_secs(1));
        for failed in 0..80 {
            for drawn in [[0; 32], [255; 32], [77; 32]] {
                let pause = pause(min, max, failed, drawn);
                assert!(pause >= min / 2 && pause <= max, "{failed} {pause:?}");
            }
        }
        assert_eq!(pause(min, max, 1, [0; 32]), min / 2);
        assert_eq!(pause(min, max, 3, [255; 32]), min * 4);
        assert_eq!(pause(min, max, 60, [255; 32]), max);
    }
}
