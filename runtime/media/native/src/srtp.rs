//! Secure RTP and RTCP of one direction: what `runtime/media/srtp.py` has libsrtp do, and `srtp_cm.py` for long keys.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::keys::{At, GCM_TAG_BYTES, PACKET_BYTES_MAX, Way, way};

const STREAMS_MAX: usize = 1_024;
const WINDOW: i64 = 128;
/// Packets that one key protects (RFC 3711 section 9.2).
const INDEX_MAX: i64 = 1 << 48;
const RTCP_TAG_BYTES: usize = 10;
const RTCP_HEAD: usize = 8;
const ENCRYPTED: u32 = 1 << 31;

/// Which packets of one SSRC were taken. `newest` is an index: for RTP with the roll-overs above the sequence.
#[derive(Clone, Copy)]
struct Window {
    newest: i64,
    seen: u128,
}

impl Window {
    fn new(newest: i64) -> Self {
        Window { newest, seen: 0 }
    }

    /// The index that this sequence number most likely means (RFC 3711 appendix A).
    fn index_of(&self, sequence: i64) -> i64 {
        if self.newest < 0 {
            return sequence;
        }
        let ahead = (sequence - self.newest) & 0xFFFF;
        let index = if ahead < 0x8000 { self.newest + ahead } else { self.newest + ahead - 0x1_0000 };
        if index >= 0 { index } else { index + 0x1_0000 }
    }

    fn is_new(&self, index: i64) -> bool {
        let behind = self.newest - index;
        behind < 0 || (behind < WINDOW && (self.seen >> behind) & 1 == 0)
    }

    fn take(&mut self, index: i64) {
        let ahead = index - self.newest;
        if ahead > 0 {
            self.seen = if ahead < WINDOW { (self.seen << ahead) | 1 } else { 1 };
            self.newest = index;
        } else {
            self.seen |= 1 << -ahead;
        }
    }
}

/// Where what is encrypted begins: behind the header, its sources and its extension (section 3.1).
pub fn payload_at(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if packet.len() < 12 || first >> 6 != 2 {
        return None;
    }
    let mut at = 12 + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        at += 4 + 4 * usize::from(short(packet, at + 2)?);
    }
    (at <= packet.len()).then_some(at)
}

pub fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

struct Keys {
    rtp: Way,
    rtcp: Way,
    tag: usize,
    rtcp_tag: usize,
}

impl Keys {
    fn new(gcm: bool, key_bytes: usize, tag_bytes: usize, master: &[u8]) -> PyResult<Self> {
        let fault = || PyValueError::new_err("a master key and salt, and a tag, of a profile's lengths");
        if !gcm && !(4..=20).contains(&tag_bytes) {
            return Err(fault());
        }
        Ok(Keys {
            rtp: way(gcm, key_bytes, master, 0).ok_or_else(fault)?,
            rtcp: way(gcm, key_bytes, master, 3).ok_or_else(fault)?,
            tag: if gcm { GCM_TAG_BYTES } else { tag_bytes },
            rtcp_tag: if gcm { GCM_TAG_BYTES } else { RTCP_TAG_BYTES },
        })
    }
}

/// Protects our packets.
#[pyclass(module = "runtime.media.native.compiled")]
pub struct Sealer {
    keys: Keys,
    streams: HashMap<u32, Window>,
    reports: HashMap<u32, u32>,
    wire: Vec<u8>,
}

#[pymethods]
impl Sealer {
    #[new]
    fn new(gcm: bool, key_bytes: usize, tag_bytes: usize, master: &[u8]) -> PyResult<Self> {
        let keys = Keys::new(gcm, key_bytes, tag_bytes, master)?;
        Ok(Sealer { keys, streams: HashMap::new(), reports: HashMap::new(), wire: Vec::new() })
    }

    /// A packet of media, ready to be sent; None for what is too long, or was sent before.
    fn rtp<'py>(&mut self, py: Python<'py>, packet: &[u8]) -> Option<Bound<'py, PyBytes>> {
        self.seal(packet)?;
        Some(PyBytes::new(py, &self.wire))
    }

    /// The same of RTCP.
    fn rtcp<'py>(&mut self, py: Python<'py>, compound: &[u8]) -> Option<Bound<'py, PyBytes>> {
        if compound.len() + self.keys.rtcp_tag + 4 > PACKET_BYTES_MAX {
            return None;
        }
        let ssrc = word(compound, 4)?;
        if !self.reports.contains_key(&ssrc) && self.reports.len() >= STREAMS_MAX {
            return None;
        }
        let index = self.reports.get(&ssrc).map_or(0, |last| last + 1);
        if index & ENCRYPTED != 0 {
            return None; // all indexes of this key are used up (section 9.2)
        }
        self.reports.insert(ssrc, index);
        self.wire.clear();
        self.wire.extend_from_slice(compound);
        let at = At { begins: RTCP_HEAD, ssrc, index: u64::from(index), rtcp: Some(ENCRYPTED | index) };
        self.keys.rtcp.seal(&mut self.wire, self.keys.rtcp_tag, at)?;
        Some(PyBytes::new(py, &self.wire))
    }
}

impl Sealer {
    /// What is sent is in `wire` then.
    fn seal(&mut self, packet: &[u8]) -> Option<()> {
        let begins = payload_at(packet)?;
        if packet.len() + self.keys.tag > PACKET_BYTES_MAX {
            return None;
        }
        let (sequence, ssrc) = (i64::from(short(packet, 2)?), word(packet, 8)?);
        let window = kept(&mut self.streams, ssrc, Window::new(-1))?;
        let index = window.index_of(sequence);
        if !window.is_new(index) || index >= INDEX_MAX {
            return None; // the same key stream twice would give both away
        }
        window.take(index);
        self.wire.clear();
        self.wire.extend_from_slice(packet);
        self.keys.rtp.seal(&mut self.wire, self.keys.tag, At { begins, ssrc, index: index as u64, rtcp: None })
    }
}

/// Opens the peer's packets.
#[pyclass(module = "runtime.media.native.compiled")]
pub struct Opener {
    keys: Keys,
    streams: HashMap<u32, Window>,
    reports: HashMap<u32, Window>,
    wire: Vec<u8>,
}

#[pymethods]
impl Opener {
    /// `index`, where it is not 0: of `ssrc` the next packet has it.
    #[new]
    #[pyo3(signature = (gcm, key_bytes, tag_bytes, master, ssrc = 0, index = 0))]
    fn new(gcm: bool, key_bytes: usize, tag_bytes: usize, master: &[u8], ssrc: u32, index: u32) -> PyResult<Self> {
        let keys = Keys::new(gcm, key_bytes, tag_bytes, master)?;
        let mut streams = HashMap::new();
        if index > 0 {
            streams.insert(ssrc, Window::new(i64::from(index) - 1));
        }
        Ok(Opener { keys, streams, reports: HashMap::new(), wire: Vec::new() })
    }

    /// What is in a datagram; None when it is not authentic, or a repetition.
    fn rtp<'py>(&mut self, py: Python<'py>, data: &[u8]) -> Option<Bound<'py, PyBytes>> {
        self.open(data).map(|packet| PyBytes::new(py, packet))
    }

    /// The same of RTCP.
    fn rtcp<'py>(&mut self, py: Python<'py>, data: &[u8]) -> Option<Bound<'py, PyBytes>> {
        let (tag, is_gcm) = (self.keys.rtcp_tag, self.keys.rtcp_tag == GCM_TAG_BYTES);
        let least = if is_gcm { RTCP_HEAD + tag + 4 } else { 12 + tag };
        if data.len() < least || data.len() > PACKET_BYTES_MAX {
            return None;
        }
        let shown_at = if is_gcm { data.len() - 4 } else { data.len() - tag - 4 };
        let (ssrc, shown) = (word(data, 4)?, word(data, shown_at)?);
        let mut window = self.reports.get(&ssrc).copied().unwrap_or(Window::new(-1));
        let index = i64::from(shown & !ENCRYPTED);
        if shown & ENCRYPTED == 0 || !window.is_new(index) {
            return None;
        }
        self.wire.clear();
        self.wire.extend_from_slice(data);
        self.keys.rtcp.open(
            &mut self.wire,
            tag,
            At { begins: RTCP_HEAD, ssrc, index: index as u64, rtcp: Some(shown) },
        )?;
        window.take(index);
        *kept(&mut self.reports, ssrc, window)? = window;
        Some(PyBytes::new(py, &self.wire))
    }
}

impl Opener {
    pub fn open(&mut self, data: &[u8]) -> Option<&[u8]> {
        let ends = data.len().checked_sub(self.keys.tag)?;
        if data.len() > PACKET_BYTES_MAX {
            return None;
        }
        let begins = payload_at(data.get(..ends)?)?;
        let (sequence, ssrc) = (i64::from(short(data, 2)?), word(data, 8)?);
        let mut window = self.streams.get(&ssrc).copied().unwrap_or(Window::new(-1));
        let index = window.index_of(sequence);
        if !window.is_new(index) || index >= INDEX_MAX {
            return None;
        }
        self.wire.clear();
        self.wire.extend_from_slice(data);
        self.keys.rtp.open(&mut self.wire, self.keys.tag, At { begins, ssrc, index: index as u64, rtcp: None })?;
        window.take(index);
        *kept(&mut self.streams, ssrc, window)? = window;
        Some(&self.wire)
    }
}

fn kept(streams: &mut HashMap<u32, Window>, ssrc: u32, window: Window) -> Option<&mut Window> {
    if !streams.contains_key(&ssrc) && streams.len() >= STREAMS_MAX {
        return None;
    }
    Some(streams.entry(ssrc).or_insert(window))
}
