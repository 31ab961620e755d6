//! How long the playout buffer waits: `runtime/media/delay.py`.

use std::collections::VecDeque;

const WINDOW_TICKS: i64 = 50;
const PATIENT_WINDOWS: i64 = 4;
const SLACK_WINDOWS: usize = 8;
const HURRY_WINDOWS: usize = 2;
const INSERT_SOON_TICKS: i64 = 10;
const MUCH_TOO_LONG: i64 = 2;
pub const FAR: i64 = 1 << 40;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Adjust {
    Nothing,
    SkipQuiet,
    SkipAny,
    InsertQuiet,
    InsertSoon,
}

pub struct Delay {
    step: i64,
    slacks: VecDeque<i64>,
    windows_long: i64,
    windows_tight: i64,
    pub adjust: Adjust,
    pub least: i64,
    pub patience: i64,
    pub ticks: i64,
}

impl Delay {
    pub fn new(step: i64) -> Self {
        Delay {
            step,
            slacks: VecDeque::new(),
            windows_long: 0,
            windows_tight: 0,
            adjust: Adjust::Nothing,
            least: FAR,
            patience: 0,
            ticks: WINDOW_TICKS,
        }
    }

    pub fn forget(&mut self) {
        *self = Delay::new(self.step);
    }

    pub fn is_late(&mut self) {
        self.adjust = Adjust::InsertSoon;
        self.patience = INSERT_SOON_TICKS;
    }

    pub fn moved(&mut self, frames: i64) {
        let by = frames * self.step;
        for slack in &mut self.slacks {
            *slack += by;
        }
        self.windows_long = 0;
        self.windows_tight = 0;
        self.watch();
    }

    pub fn review(&mut self, wanted: i64) {
        let least = self.least;
        self.watch();
        if least == FAR {
            return;
        }
        if self.slacks.len() >= SLACK_WINDOWS {
            self.slacks.pop_front();
        }
        self.slacks.push_back(least);
        self.windows_tight = if least <= 0 { self.windows_tight + 1 } else { 0 };
        if least <= 0 {
            let patient = self.windows_tight <= PATIENT_WINDOWS;
            self.adjust = if patient { Adjust::InsertQuiet } else { Adjust::InsertSoon };
        }
        let tightest = self.slacks.iter().copied().min().unwrap_or(least);
        let is_far_off = tightest >= wanted + MUCH_TOO_LONG * self.step;
        let enough = if is_far_off { HURRY_WINDOWS } else { SLACK_WINDOWS };
        if tightest < wanted || self.slacks.len() < enough {
            self.windows_long = 0;
            return;
        }
        self.windows_long += 1;
        let any = is_far_off || self.windows_long > PATIENT_WINDOWS;
        self.adjust = if any { Adjust::SkipAny } else { Adjust::SkipQuiet };
    }

    fn watch(&mut self) {
        self.adjust = Adjust::Nothing;
        self.least = FAR;
        self.ticks = WINDOW_TICKS;
    }
}
