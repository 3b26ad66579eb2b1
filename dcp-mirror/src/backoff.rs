//! How long to wait before the source is asked again.

use std::time::Duration;

/// Doubles from `first` to `most`, and takes between half and all of that, by `draw`, so that many
/// links do not return to a source at one moment. Pure.
pub(crate) fn pause(first: Duration, most: Duration, attempt: u32, draw: &[u8; 32]) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(attempt.min(20)).unwrap_or(u32::MAX)).min(most);
    let half = doubled / 2;
    half + half * u32::from(draw[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounded(attempt in 0_u32..100, byte in 0_u8..=255) {
            let (first, most) = (Duration::from_millis(50), Duration::from_secs(2));
            let pause = pause(first, most, attempt, &[byte; 32]);
            prop_assert!(pause >= first / 2);
            prop_assert!(pause <= most);
        }
    }

    #[test]
    fn rises_to_the_bound() {
        let pauses: Vec<_> = (0..8)
            .map(|attempt| pause(Duration::from_millis(50), Duration::from_secs(2), attempt, &[255; 32]).as_millis())
            .collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
    }
}
