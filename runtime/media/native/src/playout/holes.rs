//! What is played where no whole frame is at hand, or the delay is to change.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::{Cell, FADE_TICKS, Filled, JitterBuffer, Kind};
use crate::delay::Adjust;

impl JitterBuffer {
    /// No whole frame for this tick: dry, a frame in part, silence that the sender left out, or loss.
    pub(super) fn hole(&mut self, py: Python<'_>, lead: i64) -> PyResult<Option<Py<PyAny>>> {
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

    pub(super) fn made_up(&self, py: Python<'_>, following: Option<Py<PyBytes>>) -> PyResult<Option<Py<PyAny>>> {
        self.rare.piece.call1(py, (py.None(), 0, following, py.None(), true)).map(Some)
    }

    pub(super) fn given(&self, py: Python<'_>, cell: Cell) -> PyResult<Py<PyAny>> {
        match cell.kind {
            Kind::Whole => Ok(cell.payload.into_any()),
            Kind::Part(part) => self.rare.piece.call1(py, (cell.payload, part)),
            Kind::First(rest) => self.rare.piece.call1(py, (cell.payload, 0, py.None(), py.None(), false, rest)),
        }
    }

    /// Leave out or make up one frame, if this is the moment; moves `next` accordingly.
    pub(super) fn adjusted(&mut self, py: Python<'_>, cell: Cell) -> PyResult<Py<PyAny>> {
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

    pub(super) fn insert_one(&mut self) {
        self.inserted += 1;
        self.delay.moved(1);
    }
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
