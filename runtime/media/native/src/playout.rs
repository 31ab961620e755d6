//! The playout buffer: `runtime/media/jitter.py`, whose every answer this gives.
//!
//! What is rare stays Python's and is handed in: the `Piece` that is given out, whether a payload is quiet, how packets
//! of Opus are joined, and the pattern of losses.

mod filling;
mod holes;

use std::collections::{BTreeMap, HashMap};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::delay::{Adjust, Delay};
use crate::opus;

const DELAY_MS_START: i64 = 40;
const DELAY_MS_WANTED_MAX: i64 = 120;
const DELAY_MS_MAX: i64 = 240;
const CALM_WINDOWS: i64 = 30;
const FADE_TICKS: i64 = 3;
const PAYLOAD_BYTES_MAX: usize = 1600;
const RESYNC_S: i64 = 1;

/// How a payload fills a tick.
enum Kind {
    Whole,
    /// It is longer: which tick of it this is.
    Part(i64),
    /// It is shorter, and these follow it.
    First(Py<PyTuple>),
}

/// The payload of one tick.
struct Cell {
    payload: Py<PyBytes>,
    kind: Kind,
}

/// What is known of a packet. `newest`: no later sequence was seen; `follows`: none is missing before it.
pub struct Arrival {
    pub timestamp: i64,
    pub now: f64,
    pub newest: bool,
    pub follows: bool,
}

type Filled = Vec<(i64, i64)>;

/// What of Python is asked for what is rare.
struct Rare {
    piece: Py<PyAny>,
    is_quiet: Py<PyAny>,
    join: Py<PyAny>,
}

struct Traits {
    codec: Py<PyAny>,
    clock_hz: i64,
    step: i64,
    cuttable: bool,
    silence: Vec<u8>,
}

impl Traits {
    fn of(codec: &Bound<'_, PyAny>) -> PyResult<Self> {
        let traits = Traits {
            codec: codec.clone().unbind(),
            clock_hz: codec.getattr("clock_hz")?.extract()?,
            step: codec.getattr("step")?.extract()?,
            cuttable: codec.getattr("cuttable")?.extract()?,
            silence: codec.getattr("silence")?.extract()?,
        };
        if traits.clock_hz < 1000 || traits.step < 1 {
            return Err(pyo3::exceptions::PyValueError::new_err("a codec's clock counts at least once a millisecond"));
        }
        Ok(traits)
    }
}

#[pyclass(module = "runtime.media.native.compiled")]
pub struct JitterBuffer {
    rare: Rare,
    of: Traits,
    #[pyo3(get)]
    losses: Py<PyAny>,
    #[pyo3(get)]
    concealed: i64,
    #[pyo3(get)]
    starved: i64,
    #[pyo3(get)]
    late: i64,
    #[pyo3(get)]
    skipped: i64,
    #[pyo3(get)]
    inserted: i64,
    #[pyo3(get)]
    discarded: i64,
    calm: i64,
    wanted: i64,
    wanted_min: i64,
    lead_max: i64,
    cells: HashMap<i64, Cell>,
    partial: HashMap<i64, (Vec<u8>, Filled)>,
    gathered: HashMap<i64, BTreeMap<i64, Py<PyBytes>>>,
    begun: bool,
    playing: bool,
    dry: bool,
    newest: i64,
    newest_end: i64,
    next: i64,
    floor: i64,
    silence_start: i64,
    silence_end: i64,
    opened_at: f64,
    packet_samples: i64,
    fade: i64,
    hole_at: i64,
    delay: Delay,
}

impl JitterBuffer {
    /// Take one packet's audio; `kept` is where its bytes are already, if anywhere.
    pub fn take(
        &mut self,
        py: Python<'_>,
        bytes: &[u8],
        kept: Option<&Bound<'_, PyBytes>>,
        Arrival { timestamp, now, newest, follows }: Arrival,
    ) -> PyResult<()> {
        let size = if self.of.cuttable { bytes.len() as i64 } else { opus::duration(bytes) };
        if size == 0 || bytes.len() > PAYLOAD_BYTES_MAX {
            return Ok(());
        }
        if !self.begun {
            self.begin(timestamp, now);
        }
        let mut start = self.newest + (((timestamp - self.newest + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000);
        if newest && start < self.next - RESYNC_S * self.of.clock_hz {
            self.clear();
            self.begin(timestamp, now);
            start = timestamp;
        }
        if !self.playing {
            self.prepare(start, now);
        }
        let offset = start - self.next;
        if self.playing && offset < self.delay.least {
            self.delay.least = offset;
            if offset < 0 {
                self.delay.is_late();
            }
        }
        if offset + size <= 0 {
            self.late += 1;
            return Ok(());
        }
        let step = self.of.step;
        let payload = || kept.map_or_else(|| PyBytes::new(py, bytes).unbind(), |bound| bound.clone().unbind());
        if size == step && offset % step == 0 {
            self.cells.insert(start, Cell { payload: payload(), kind: Kind::Whole });
        } else if self.of.cuttable {
            self.split(py, start, bytes);
        } else {
            self.place(py, start, payload(), size)?;
        }
        if start + size > self.newest_end {
            self.extend(start, size, follows);
        }
        Ok(())
    }

    fn clear(&mut self) {
        let per_ms = self.of.clock_hz / 1000;
        self.wanted_min = DELAY_MS_START * per_ms;
        self.lead_max = DELAY_MS_MAX * per_ms;
        self.cells.clear();
        self.partial.clear();
        self.gathered.clear();
        self.begun = false;
        self.playing = false;
        self.dry = false;
        self.newest = 0;
        self.newest_end = 0;
        self.next = 0;
        self.floor = 0;
        self.silence_start = 0;
        self.silence_end = 0;
        self.opened_at = 0.0;
        self.packet_samples = self.of.step;
        self.fade = 0;
        self.hole_at = 0;
        self.delay = Delay::new(self.of.step);
    }

    fn begin(&mut self, timestamp: i64, now: f64) {
        self.begun = true;
        self.newest = timestamp;
        self.newest_end = timestamp;
        self.next = timestamp;
        self.floor = timestamp - self.lead_max;
        self.opened_at = now;
    }

    fn prepare(&mut self, start: i64, now: f64) {
        let step = self.of.step;
        if self.cells.is_empty() && start >= self.newest_end {
            self.opened_at = now;
            if start > self.newest_end {
                self.partial.clear();
                self.gathered.clear();
                self.next = start;
            } else if self.dry {
                let most = DELAY_MS_WANTED_MAX * self.of.clock_hz / 1000;
                self.wanted = (self.wanted + step).min(most);
                self.calm = 0;
            }
            self.dry = false;
        } else if self.floor <= start && start < self.next && self.newest_end - start <= self.lead_max - step {
            self.next -= up(self.next - start, step) * step;
        }
    }

    fn extend(&mut self, start: i64, size: i64, follows: bool) {
        if follows && start > self.newest_end {
            self.silence_start = self.newest_end;
            self.silence_end = start;
        }
        self.newest = start;
        self.newest_end = start + size;
        self.packet_samples = size;
        if self.newest_end - self.next > self.lead_max {
            self.give_up();
        }
    }

    /// Parts of what was played whole.
    fn forget_parts(&mut self) {
        let next = self.next;
        self.partial.retain(|cell, _| *cell >= next);
        self.gathered.retain(|cell, _| *cell >= next);
    }

    fn starts(&mut self, lead: i64, now: f64) -> bool {
        let step = self.of.step;
        let some = !(self.partial.is_empty() && self.gathered.is_empty());
        if self.cells.is_empty() && !(some && lead >= step) {
            return false;
        }
        if lead < self.wanted + self.packet_samples - step
            && now - self.opened_at < self.wanted as f64 / self.of.clock_hz as f64
        {
            return false;
        }
        self.playing = true;
        self.hole_at = self.next;
        self.fade = 0;
        self.delay.forget();
        true
    }

    fn review(&mut self) {
        self.delay.review(self.wanted);
        self.calm += 1;
        if self.calm >= CALM_WINDOWS {
            self.calm = 0;
            self.wanted = (self.wanted - self.of.step).max(self.wanted_min);
        }
    }
}

#[pymethods]
impl JitterBuffer {
    #[new]
    fn new(
        codec: &Bound<'_, PyAny>,
        losses: Py<PyAny>,
        piece: Py<PyAny>,
        is_quiet: Py<PyAny>,
        join: Py<PyAny>,
    ) -> PyResult<Self> {
        let of = Traits::of(codec)?;
        let mut made = JitterBuffer {
            rare: Rare { piece, is_quiet, join },
            losses,
            concealed: 0,
            starved: 0,
            late: 0,
            skipped: 0,
            inserted: 0,
            discarded: 0,
            calm: 0,
            wanted: DELAY_MS_START * of.clock_hz / 1000,
            wanted_min: 0,
            lead_max: 0,
            cells: HashMap::new(),
            partial: HashMap::new(),
            gathered: HashMap::new(),
            begun: false,
            playing: false,
            dry: false,
            newest: 0,
            newest_end: 0,
            next: 0,
            floor: 0,
            silence_start: 0,
            silence_end: 0,
            opened_at: 0.0,
            packet_samples: 0,
            fade: 0,
            hole_at: 0,
            delay: Delay::new(of.step),
            of,
        };
        made.clear();
        Ok(made)
    }

    fn flush(&mut self, codec: &Bound<'_, PyAny>) -> PyResult<()> {
        if !codec.is(&self.of.codec) {
            let of = Traits::of(codec)?;
            self.wanted = self.wanted * of.clock_hz / self.of.clock_hz;
            self.of = of;
        }
        self.clear();
        Ok(())
    }

    #[getter]
    fn lead_ms(&self) -> i64 {
        (self.newest_end - self.next).max(0) * 1000 / self.of.clock_hz
    }

    #[getter]
    fn waiting(&self) -> usize {
        self.cells.len()
    }

    #[getter]
    fn unfinished(&self) -> usize {
        self.partial.len() + self.gathered.len()
    }

    #[pyo3(signature = (timestamp, payload, now, *, newest = true, follows = true))]
    fn insert(
        &mut self,
        py: Python<'_>,
        timestamp: i64,
        payload: &Bound<'_, PyBytes>,
        now: f64,
        newest: bool,
        follows: bool,
    ) -> PyResult<()> {
        let arrival = Arrival { timestamp: timestamp & 0xFFFF_FFFF, now, newest, follows };
        self.take(py, payload.as_bytes(), Some(payload), arrival)
    }

    pub fn pull(&mut self, py: Python<'_>, now: f64) -> PyResult<Option<Py<PyAny>>> {
        let lead = self.newest_end - self.next;
        if !self.playing && !self.starts(lead, now) {
            if self.fade == 0 {
                return Ok(None);
            }
            self.fade -= 1;
            return self.made_up(py, None);
        }
        self.delay.ticks -= 1;
        if self.delay.ticks == 0 {
            self.review();
        }
        let Some(cell) = self.cells.remove(&self.next) else { return self.hole(py, lead) };
        let frame = if self.delay.adjust == Adjust::Nothing { self.given(py, cell)? } else { self.adjusted(py, cell)? };
        self.next += self.of.step;
        if !(self.partial.is_empty() && self.gathered.is_empty()) {
            self.forget_parts();
        }
        Ok(Some(frame))
    }
}

/// Divided, and rounded up.
fn up(number: i64, by: i64) -> i64 {
    -(-number).div_euclid(by)
}
