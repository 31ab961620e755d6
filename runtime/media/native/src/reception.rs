//! What arrived of one RTP stream: `runtime/media/reception.py`, whose every answer this gives.

use pyo3::prelude::*;

pub const NEXT: i64 = 0;
pub const AHEAD: i64 = 1;
pub const REORDERED: i64 = 2;
pub const DUPLICATE: i64 = 3;
pub const RESTARTED: i64 = 4;
pub const STRANGE: i64 = 5;

const DROPOUT_PACKETS_MAX: i64 = 3000;
const MISORDER_PACKETS_MAX: i64 = 100;
const RESTART_SILENCE_S_MIN: f64 = 0.05;
const TRANSIT_STEP_S_MAX: f64 = 10.0;
const SEEN_MASK: u128 = (1 << (MISORDER_PACKETS_MAX + 1)) - 1;
const CUMULATIVE_LOST_MAX: i64 = 0x7F_FFFF;
const CUMULATIVE_LOST_MIN: i64 = -0x80_0000;

/// Counters of one call's incoming audio.
#[pyclass(module = "runtime.media.native.compiled")]
pub struct Reception {
    clock_hz: i64,
    #[pyo3(get)]
    pub received: i64,
    #[pyo3(get)]
    duplicates: i64,
    #[pyo3(get)]
    newest: i64,
    base: i64,
    earlier_expected: i64,
    last_at: f64,
    seen: u128,
    restart_at: i64,
    transit: Option<f64>,
    jitter: f64,
    stream_received: i64,
    reported_expected: i64,
    reported_received: i64,
}

impl Reception {
    /// Whether this sequence number goes on with the stream: nothing is to be decided about it.
    pub fn goes_on(&self, sequence: i64) -> bool {
        let ahead = (sequence - self.newest) & 0xFFFF;
        self.newest >= 0 && (ahead < DROPOUT_PACKETS_MAX || (-ahead & 0xFFFF) <= MISORDER_PACKETS_MAX)
    }

    fn judge_old(&mut self, sequence: i64, behind: i64, now: f64) -> i64 {
        if behind <= MISORDER_PACKETS_MAX {
            let bit = 1u128 << behind;
            if self.seen & bit != 0 {
                self.duplicates += 1;
                return DUPLICATE;
            }
            self.seen |= bit;
            self.base = self.base.min(self.newest - behind);
            return REORDERED;
        }
        if sequence != self.restart_at || now - self.last_at < RESTART_SILENCE_S_MIN {
            self.restart_at = (sequence + 1) & 0xFFFF;
            return STRANGE;
        }
        self.restart();
        self.newest = sequence;
        self.base = sequence;
        RESTARTED
    }
}

#[pymethods]
impl Reception {
    #[new]
    pub fn new(clock_hz: i64) -> Self {
        Reception {
            clock_hz,
            received: 0,
            duplicates: 0,
            newest: -1,
            base: 0,
            earlier_expected: 0,
            last_at: 0.0,
            seen: 1,
            restart_at: -1,
            transit: None,
            jitter: 0.0,
            stream_received: 0,
            reported_expected: 0,
            reported_received: 0,
        }
    }

    pub fn restart(&mut self) {
        if self.newest >= 0 {
            self.earlier_expected += self.newest - self.base + 1;
        }
        self.newest = -1;
        self.seen = 1;
        self.restart_at = -1;
        self.transit = None;
        self.jitter = 0.0;
        self.stream_received = 0;
        self.reported_expected = 0;
        self.reported_received = 0;
    }

    pub fn use_clock(&mut self, clock_hz: i64) {
        if clock_hz != self.clock_hz {
            self.jitter *= clock_hz as f64 / self.clock_hz as f64;
            self.clock_hz = clock_hz;
            self.transit = None;
        }
    }

    pub fn arrived(&mut self, sequence: i64, now: f64) -> i64 {
        let sequence = sequence & 0xFFFF;
        let ahead = (sequence - self.newest) & 0xFFFF;
        let verdict;
        if self.newest < 0 {
            self.newest = sequence;
            self.base = sequence;
            verdict = NEXT;
        } else if 0 < ahead && ahead < DROPOUT_PACKETS_MAX {
            self.newest += ahead;
            self.seen = if ahead < 128 { ((self.seen << ahead) | 1) & SEEN_MASK } else { 1 };
            verdict = if ahead == 1 { NEXT } else { AHEAD };
        } else {
            verdict = self.judge_old(sequence, -ahead & 0xFFFF, now);
            if verdict == STRANGE {
                return verdict;
            }
        }
        self.restart_at = -1;
        self.last_at = now;
        self.stream_received += 1;
        self.received += 1;
        verdict
    }

    pub fn note_transit(&mut self, timestamp: i64, now: f64) {
        let transit = now * self.clock_hz as f64 - timestamp as f64;
        if let Some(before) = self.transit {
            let step = (transit - before).abs();
            if step < TRANSIT_STEP_S_MAX * self.clock_hz as f64 {
                self.jitter += (step - self.jitter) / 16.0;
            }
        }
        self.transit = Some(transit);
    }

    #[getter]
    fn lost(&self) -> i64 {
        let here = if self.newest >= 0 { self.newest - self.base + 1 } else { 0 };
        (self.earlier_expected + here - (self.received - self.duplicates)).max(0)
    }

    #[getter]
    fn jitter_ms(&self) -> f64 {
        self.jitter * 1000.0 / self.clock_hz as f64
    }

    fn report(&mut self) -> (i64, i64, i64, i64) {
        let expected = self.newest - self.base + 1;
        let lost = expected - self.stream_received;
        let expected_since = expected - self.reported_expected;
        let lost_since = expected_since - (self.stream_received - self.reported_received);
        self.reported_expected = expected;
        self.reported_received = self.stream_received;
        let fraction =
            if expected_since <= 0 || lost_since <= 0 { 0 } else { ((lost_since << 8) / expected_since).min(255) };
        let cumulative = lost.clamp(CUMULATIVE_LOST_MIN, CUMULATIVE_LOST_MAX);
        (fraction, cumulative, self.newest & 0xFFFF_FFFF, self.jitter as i64)
    }
}
