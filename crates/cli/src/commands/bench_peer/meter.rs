//! Measures: time, time of the processor, memory, and what lies on the disk.

use std::{fs, path::Path, time::Instant};

use serde_json::{Map, Value, json};

/// What was measured.
pub(super) struct Report(Map<String, Value>);

impl Report {
    pub(super) fn of(fields: Value) -> Self {
        match fields {
            Value::Object(fields) => Report(fields),
            _ => Report(Map::new()),
        }
    }

    /// Of a workload in which nothing takes time.
    pub(super) fn nothing() -> Self {
        Report::of(json!({ "seconds": 0, "cpu": 0 }))
    }

    pub(super) fn with(mut self, fields: Value) -> Self {
        self.0.extend(Report::of(fields).0);
        self
    }

    /// What the files of a directory take.
    pub(super) fn disk(self, dir: &Path) -> Self {
        let (apparent, allocated) = usage(dir);
        self.with(json!({ "disk_apparent": apparent, "disk_allocated": allocated }))
    }

    pub(super) fn line(self, workload: &str) -> Value {
        let named = self
            .with(json!({ "impl": concat!("rust-", env!("CARGO_PKG_VERSION")), "cmd": workload }));
        Value::Object(named.with(json!({ "rss_kib": peak_memory() })).0)
    }
}

/// Runs from its start.
pub(super) struct Stopwatch {
    start: Instant,
    processor: f64,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Stopwatch {
            processor: processor(),
            start: Instant::now(),
        }
    }

    pub(super) fn stop(self) -> Report {
        Report::of(json!({
            "seconds": self.seconds(),
            "cpu": processor() - self.processor,
        }))
    }

    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// The seconds that the whole process has spent in its own code and in the system's.
pub(super) fn processor() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that was resident, in KiB, as Linux tells it.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix("kB"));
    peak.and_then(|peak| peak.trim().parse().ok()).unwrap_or(0)
}

/// The lengths of the files in a directory, and the room that they take.
fn usage(dir: &Path) -> (u64, u64) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok());
    files.fold((0, 0), |(apparent, allocated), file| {
        (apparent + file.len(), allocated + room(&file))
    })
}

#[cfg(unix)]
fn room(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(file) * 512
}

#[cfg(not(unix))]
fn room(file: &fs::Metadata) -> u64 {
    file.len()
}
