//! The RTP packet: `parse` of `runtime/media/rtp.py`.

use crate::srtp::{short, word};

const DATAGRAM_BYTES_MAX: usize = 2048;
const HEADER_BYTES: usize = 12;

pub struct Packet<'a> {
    pub payload_type: u8,
    pub sequence: i64,
    pub timestamp: i64,
    pub ssrc: u32,
    pub payload: &'a [u8],
}

/// The packet in a datagram; None when it is not RTP version 2 or its lengths do not add up.
pub fn parse(data: &[u8]) -> Option<Packet<'_>> {
    let mut size = data.len();
    if !(HEADER_BYTES..=DATAGRAM_BYTES_MAX).contains(&size) {
        return None;
    }
    let (first, second) = (*data.first()?, *data.get(1)?);
    if first & 0xC0 != 0x80 {
        return None;
    }
    let mut start = HEADER_BYTES + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        start += 4 + 4 * usize::from(short(data, start + 2)?);
    }
    if first & 0x20 != 0 {
        let padding = usize::from(*data.last()?);
        if padding == 0 || start + padding > size {
            return None;
        }
        size -= padding;
    }
    Some(Packet {
        payload_type: second & 0x7F,
        sequence: i64::from(short(data, 2)?),
        timestamp: i64::from(word(data, 4)?),
        ssrc: word(data, 8)?,
        payload: data.get(start..size)?,
    })
}
