//! How long an Opus packet lasts (RFC 6716 section 3): `duration` of `runtime/media/codecs/opus_packets.py`.

const SAMPLES_MAX: i64 = 48_000 * 120 / 1000;
const SILK: [i64; 4] = [480, 960, 1920, 2880];
const HYBRID: [i64; 2] = [480, 960];
const CELT: [i64; 4] = [120, 240, 480, 960];

/// In steps of the clock; 0 for what is none.
pub fn duration(packet: &[u8]) -> i64 {
    let Some(&toc) = packet.first() else { return 0 };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |many| i64::from(many & 0x3F)),
    };
    let samples = count * frame(usize::from(toc >> 3));
    if samples <= SAMPLES_MAX { samples } else { 0 }
}

/// Samples of a frame, by the upper five bits of the first byte (section 3.1, table 2).
fn frame(config: usize) -> i64 {
    let lengths: &[i64] = match config {
        0..12 => &SILK,
        12..16 => &HYBRID,
        _ => &CELT,
    };
    lengths.get(config % lengths.len()).copied().unwrap_or(0)
}
