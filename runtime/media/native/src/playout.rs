//! The playout buffer: `runtime/media/jitter.py`, whose every answer this gives.
//!
//! What is rare stays Python's and is handed in: the `Piece` that is given out, whether a payload is quiet, how packets
//! of Opus are joined, and the pattern of losses.

use std::collections::{BTreeMap, HashMap};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

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

    /// Cut a packet that is no frame of ours into the frames it covers.
    fn split(&mut self, py: Python<'_>, start: i64, payload: &[u8]) {
        let step = self.of.step;
        let end = start + payload.len() as i64;
        let mut cell = self.next + ((start - self.next).div_euclid(step) * step).max(0);
        while cell < end {
            let (first, last) = (start.max(cell), end.min(cell + step));
            let (mut frame, mut filled) =
                self.partial.remove(&cell).unwrap_or_else(|| (self.of.silence.clone(), Vec::new()));
            let to = frame.get_mut((first - cell) as usize..(last - cell) as usize);
            let from = payload.get((first - start) as usize..(last - start) as usize);
            if let (Some(to), Some(from)) = (to, from) {
                to.copy_from_slice(from);
            }
            filled.push((first - cell, last - cell));
            if filled.iter().map(|(since, until)| until - since).sum::<i64>() >= step {
                self.cells.insert(cell, Cell { payload: PyBytes::new(py, &frame).unbind(), kind: Kind::Whole });
            } else {
                self.partial.insert(cell, (frame, filled));
            }
            cell += step;
        }
    }

    /// Keep a packet that cannot be cut in the cells that it lasts for, or beside the others of one cell.
    fn place(&mut self, py: Python<'_>, start: i64, payload: Py<PyBytes>, size: i64) -> PyResult<()> {
        let step = self.of.step;
        let cell = self.next + (start - self.next).div_euclid(step) * step;
        if size < step {
            if cell < self.next {
                return Ok(());
            }
            let beside = self.gathered.entry(cell).or_default();
            beside.insert(start, payload);
            if beside.len() as i64 * size >= step {
                self.join(py, cell)?;
            }
            return Ok(());
        }
        for part in (self.next - cell).div_euclid(step).max(0)..size / step {
            self.cells.insert(cell + part * step, Cell { payload: payload.clone_ref(py), kind: Kind::Part(part) });
        }
        Ok(())
    }

    fn join(&mut self, py: Python<'_>, cell: i64) -> PyResult<()> {
        let beside = self.gathered.remove(&cell).unwrap_or_default();
        let mut packets = beside.into_values();
        let Some(first) = packets.next() else { return Ok(()) };
        let rest = PyTuple::new(py, packets)?;
        let all = PyList::new(py, [&first])?;
        for packet in &rest {
            all.append(packet)?;
        }
        let joined = self.rare.join.call1(py, (all,))?.into_bound(py);
        let cell_of = match joined.cast_into::<PyBytes>() {
            Ok(payload) if !payload.as_bytes().is_empty() => Cell { payload: payload.unbind(), kind: Kind::Whole },
            _ => Cell { payload: first, kind: Kind::First(rest.unbind()) },
        };
        self.cells.insert(cell, cell_of);
        Ok(())
    }

    fn give_up(&mut self) {
        let step = self.of.step;
        let ahead = self.newest_end - self.wanted - self.next;
        self.next += up(ahead, step) * step;
        let next = self.next;
        let before = self.cells.len() + self.partial.len() + self.gathered.len();
        self.cells.retain(|cell, _| *cell >= next);
        self.partial.retain(|cell, _| *cell >= next);
        self.gathered.retain(|cell, _| *cell >= next);
        self.discarded += (before - self.cells.len() - self.partial.len() - self.gathered.len()) as i64;
        self.delay.forget();
    }

    /// No whole frame for this tick: dry, a frame in part, silence that the sender left out, or loss.
    fn hole(&mut self, py: Python<'_>, lead: i64) -> PyResult<Option<Py<PyAny>>> {
        let (step, here) = (self.of.step, self.next);
        if lead < step {
            self.playing = false;
            self.dry = true;
            self.floor = here;
            self.fade = FADE_TICKS - 1;
            self.starved += 1;
            return self.made_up(py, None);
        }
        if self.gathered.contains_key(&here) {
            self.join(py, here)?;
            self.next += step;
            return self.cells.remove(&here).map(|cell| self.given(py, cell)).transpose();
        }
        let partial = self.partial.remove(&here);
        if partial.is_none() && here < self.silence_end && here + step > self.silence_start {
            self.next += step;
            return Ok(None);
        }
        if partial.is_none() && self.delay.adjust == Adjust::InsertSoon && lead < self.lead_max - step {
            self.insert_one();
            return self.made_up(py, None);
        }
        self.next += step;
        let following = self.cells.get(&self.next).map(|cell| cell.payload.clone_ref(py));
        if let Some((frame, filled)) = partial {
            let gaps = PyTuple::new(py, gaps(filled, step))?;
            let payload = PyBytes::new(py, &frame);
            return self.rare.piece.call1(py, (payload, 0, following, py.None(), false, (), gaps)).map(Some);
        }
        self.concealed += 1;
        self.losses.call_method1(py, "note", ((here - self.hole_at).max(0).div_euclid(step),))?;
        self.hole_at = self.next;
        self.rare.piece.call1(py, (py.None(), 0, following)).map(Some)
    }

    fn made_up(&self, py: Python<'_>, following: Option<Py<PyBytes>>) -> PyResult<Option<Py<PyAny>>> {
        self.rare.piece.call1(py, (py.None(), 0, following, py.None(), true)).map(Some)
    }

    fn given(&self, py: Python<'_>, cell: Cell) -> PyResult<Py<PyAny>> {
        match cell.kind {
            Kind::Whole => Ok(cell.payload.into_any()),
            Kind::Part(part) => self.rare.piece.call1(py, (cell.payload, part)),
            Kind::First(rest) => self.rare.piece.call1(py, (cell.payload, 0, py.None(), py.None(), false, rest)),
        }
    }

    /// Leave out or make up one frame, if this is the moment; moves `next` accordingly.
    fn adjusted(&mut self, py: Python<'_>, cell: Cell) -> PyResult<Py<PyAny>> {
        let step = self.of.step;
        self.delay.patience -= 1;
        let adjust = self.delay.adjust;
        let is_time = adjust == Adjust::SkipAny || (adjust == Adjust::InsertSoon && self.delay.patience <= 0);
        if !is_time {
            let quiet = self.rare.is_quiet.call1(py, (&self.of.codec, &cell.payload))?;
            if !quiet.is_truthy(py)? {
                return self.given(py, cell);
            }
        }
        if matches!(adjust, Adjust::InsertQuiet | Adjust::InsertSoon) {
            let payload = cell.payload.clone_ref(py);
            self.cells.insert(self.next, cell);
            self.next -= step;
            self.insert_one();
            return self.rare.piece.call1(py, (py.None(), 0, payload, py.None(), true));
        }
        let coming = self.next + step;
        match self.cells.remove(&coming) {
            None => self.given(py, cell),
            Some(following) if matches!(following.kind, Kind::Part(part) if part > 0) => {
                self.cells.insert(coming, following); // a long packet loses its end, never its beginning
                self.given(py, cell)
            }
            Some(following) => {
                self.next += step;
                self.delay.moved(-1);
                self.skipped += 1;
                if !matches!(following.kind, Kind::Whole) {
                    return self.given(py, following);
                }
                self.rare.piece.call1(py, (following.payload, 0, py.None(), cell.payload))
            }
        }
    }

    fn insert_one(&mut self) {
        self.inserted += 1;
        self.delay.moved(1);
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
        Ok(Some(frame))
    }
}

/// Divided, and rounded up.
fn up(number: i64, by: i64) -> i64 {
    -(-number).div_euclid(by)
}

/// Where nothing was filled in.
fn gaps(mut filled: Filled, size: i64) -> Filled {
    filled.sort_unstable();
    let (mut found, mut at) = (Vec::new(), 0);
    for (since, until) in filled {
        if since > at {
            found.push((at, since));
        }
        at = at.max(until);
    }
    if at < size {
        found.push((at, size));
    }
    found
}
