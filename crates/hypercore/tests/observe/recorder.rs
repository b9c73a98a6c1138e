//! Keeps every number that is reported.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Once},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

static CELLS: Mutex<BTreeMap<(String, String), Arc<Cell>>> = Mutex::new(BTreeMap::new());

/// From now on everything is kept.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| metrics::set_global_recorder(Keep).unwrap());
}

/// What a counter or a gauge says.
pub(crate) fn value(name: &str, labels: &str) -> f64 {
    *cell(name, labels).sum.lock().unwrap()
}

/// How often a histogram was told something.
pub(crate) fn count(name: &str, labels: &str) -> usize {
    *cell(name, labels).times.lock().unwrap()
}

fn cell(name: &str, labels: &str) -> Arc<Cell> {
    let cells = CELLS.lock().unwrap();
    let cell = cells.get(&(name.to_owned(), labels.to_owned()));
    Arc::clone(cell.unwrap_or_else(|| panic!("no {name} of {labels} in {:?}", cells.keys())))
}

#[derive(Default)]
struct Cell {
    sum: Mutex<f64>,
    times: Mutex<usize>,
}

struct Keep;

impl Keep {
    fn register(key: &Key) -> Arc<Cell> {
        let mut labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        labels.sort();
        let mut cells = CELLS.lock().unwrap();
        let cell = cells.entry((key.name().to_owned(), labels.join(" ")));
        Arc::clone(cell.or_default())
    }
}

impl Recorder for Keep {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Self::register(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Self::register(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Self::register(key))
    }
}

impl CounterFn for Cell {
    fn increment(&self, by: u64) {
        *self.sum.lock().unwrap() += by as f64;
    }

    fn absolute(&self, value: u64) {
        *self.sum.lock().unwrap() = value as f64;
    }
}

impl GaugeFn for Cell {
    fn increment(&self, by: f64) {
        *self.sum.lock().unwrap() += by;
    }

    fn decrement(&self, by: f64) {
        *self.sum.lock().unwrap() -= by;
    }

    fn set(&self, value: f64) {
        *self.sum.lock().unwrap() = value;
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        *self.sum.lock().unwrap() += value;
        *self.times.lock().unwrap() += 1;
    }
}
