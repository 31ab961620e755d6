//! What comes in at one socket and goes on with what is known: nothing is decided about it, so Python is not asked.
//!
//! A packet that is of no stream here, or not from where the stream comes from, or far from its sequence, is Python's.

use std::net::IpAddr;

use pyo3::prelude::*;

use crate::playout::{Arrival, JitterBuffer};
use crate::reception::{DUPLICATE, NEXT, REORDERED, Reception};
use crate::rtp;

/// One stream that is heard: what it is known by, and where it goes.
#[pyclass(module = "runtime.media.native.compiled")]
pub struct Stream {
    #[pyo3(get)]
    ssrc: u32,
    payload_type: u8,
    reception: Py<Reception>,
    playout: Py<JitterBuffer>,
    measures: bool,
    sequence: i64,
    #[pyo3(get)]
    heard_at: f64,
    is_told: bool,
}

#[pymethods]
impl Stream {
    /// `measures`: whether its jitter is estimated.
    #[new]
    fn new(ssrc: u32, payload_type: u8, reception: Py<Reception>, playout: Py<JitterBuffer>, measures: bool) -> Self {
        let heard_at = f64::NEG_INFINITY;
        Stream { ssrc, payload_type, reception, playout, measures, sequence: -1, heard_at, is_told: true }
    }

    /// Sequence number and time of the last packet that went by; None where that was told before.
    fn passed(&mut self) -> Option<(i64, f64)> {
        if self.is_told {
            return None;
        }
        self.is_told = true;
        Some((self.sequence, self.heard_at))
    }
}

impl Stream {
    fn take(&mut self, py: Python<'_>, packet: &rtp::Packet<'_>, now: f64) -> PyResult<bool> {
        let Ok(mut reception) = self.reception.try_borrow_mut(py) else { return Ok(false) };
        let Ok(mut playout) = self.playout.try_borrow_mut(py) else { return Ok(false) };
        if packet.payload_type != self.payload_type || !reception.goes_on(packet.sequence) {
            return Ok(false);
        }
        let order = reception.arrived(packet.sequence, now);
        self.sequence = packet.sequence;
        self.heard_at = now;
        self.is_told = false;
        if order == DUPLICATE {
            return Ok(true);
        }
        if self.measures {
            reception.note_transit(packet.timestamp, now);
        }
        let (newest, follows) = (order != REORDERED, order == NEXT);
        playout.take(py, packet.payload, None, Arrival { timestamp: packet.timestamp, now, newest, follows })?;
        Ok(true)
    }
}

/// The streams of one socket, and the one address that they come from; no address: nobody else can send there.
#[pyclass(module = "runtime.media.native.compiled")]
pub struct Inlet {
    source: Option<(IpAddr, u16)>,
    streams: Vec<Py<Stream>>,
    open: bool,
}

#[pymethods]
impl Inlet {
    #[new]
    fn new() -> Self {
        Inlet { source: None, streams: Vec::new(), open: false }
    }

    /// Take this stream alone, from there alone. An address that is no plain one of IP is left to Python.
    fn follow(&mut self, host: &str, port: u16, stream: Py<Stream>) {
        self.forget();
        if let Ok(address) = host.parse() {
            self.source = Some((address, port));
            self.streams.push(stream);
            self.open = true;
        }
    }

    /// Take this stream too, whoever sends it: the socket has one peer.
    fn add(&mut self, py: Python<'_>, stream: Py<Stream>) {
        let ssrc = stream.borrow(py).ssrc;
        self.remove(py, ssrc);
        self.streams.push(stream);
        self.open = true;
    }

    fn remove(&mut self, py: Python<'_>, ssrc: u32) {
        self.streams.retain(|stream| stream.borrow(py).ssrc != ssrc);
    }

    /// Take nothing until it is said anew what.
    fn forget(&mut self) {
        self.source = None;
        self.streams.clear();
        self.open = false;
    }

    /// Whether the packet was taken.
    #[pyo3(name = "take")]
    fn take_from(&self, py: Python<'_>, packet: &[u8], host: &str, port: u16, now: f64) -> PyResult<bool> {
        self.take(py, packet, host.parse().ok().map(|address| (address, port)), now)
    }
}

impl Inlet {
    pub fn take(&self, py: Python<'_>, packet: &[u8], from: Option<(IpAddr, u16)>, now: f64) -> PyResult<bool> {
        if !self.open || (self.source.is_some() && self.source != from) {
            return Ok(false);
        }
        let Some(parsed) = rtp::parse(packet) else { return Ok(false) };
        for stream in &self.streams {
            let Ok(mut stream) = stream.try_borrow_mut(py) else { return Ok(false) };
            if stream.ssrc == parsed.ssrc {
                return stream.take(py, &parsed, now);
            }
        }
        Ok(false)
    }
}
