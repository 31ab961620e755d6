//! Packets that are no frame of ours: cut into frames, kept for several, or joined to one.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::{Cell, JitterBuffer, Kind, up};

impl JitterBuffer {
    /// Cut a packet that is no frame of ours into the frames it covers.
    pub(super) fn split(&mut self, py: Python<'_>, start: i64, payload: &[u8]) {
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
    pub(super) fn place(&mut self, py: Python<'_>, start: i64, payload: Py<PyBytes>, size: i64) -> PyResult<()> {
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

    pub(super) fn join(&mut self, py: Python<'_>, cell: i64) -> PyResult<()> {
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

    pub(super) fn give_up(&mut self) {
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
}
