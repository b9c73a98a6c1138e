//! The time and the tasks of a simulated world: one thread, a clock that jumps, and an order of tasks that the seed decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crate::{Clock, Rng};

/// So many polls without a tick of the clock are no work but a busy loop.
const BUSY: u64 = 2_000_000;

/// A handle of the world's clock and executor. All handles are the same.
#[derive(Clone)]
pub struct Sim(Arc<Mutex<State>>);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct State {
    clock: Clock,
    rng: Rng,
    timers: BTreeMap<(Duration, u64), Waker>,
    tasks: BTreeMap<u64, (String, Option<Work>)>,
    ready: BTreeSet<u64>,
    next: u64,
    polls: u64,
    trace: u64,
}

impl Sim {
    /// A world at time zero, in which a seed decides who goes first.
    pub fn new(seed: u64) -> Self {
        Sim(Arc::new(Mutex::new(State {
            clock: Clock::default(),
            rng: Rng::new(seed),
            timers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            ready: BTreeSet::new(),
            next: 0,
            polls: 0,
            trace: seed,
        })))
    }

    /// What time it is.
    pub fn now(&self) -> Duration {
        self.state().clock.now()
    }

    /// Begins a task. It is polled when the world next runs.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: impl Into<String>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let work = Box::pin(async move {
            let done = future.await;
            *lock(&slot) = Some(done);
        });
        let mut state = self.state();
        let id = state.next();
        state.tasks.insert(id, (name.into(), Some(work)));
        state.ready.insert(id);
        drop(state);
        Task {
            sim: self.clone(),
            id,
            result,
        }
    }

    /// Runs until nothing can go on before time passes.
    ///
    /// # Panics
    /// If that takes so many polls that somebody must be going round in circles.
    pub fn run_ready(&self) {
        self.state().polls = 0;
        loop {
            let mut state = self.state();
            if state.ready.is_empty() {
                return;
            }
            let count = state.ready.len() as u64;
            let nth = state.rng.below(count) as usize;
            let Some(id) = state.ready.iter().nth(nth).copied() else {
                return;
            };
            state.ready.remove(&id);
            state.polls += 1;
            let now = state.clock.now();
            state.trace = Rng::new(state.trace ^ id ^ now.as_nanos() as u64).next_u64();
            let busy = state.polls > BUSY;
            let Some((name, work)) = state.tasks.get_mut(&id) else {
                continue;
            };
            assert!(!busy, "{name} goes on for ever at {now:?}");
            let Some(mut work) = work.take() else {
                continue;
            };
            drop(state);
            let waker = Waker::from(Arc::new(Alarm {
                sim: self.clone(),
                id,
            }));
            let done = work
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready();
            let mut state = self.state();
            if done {
                state.tasks.remove(&id);
            } else if let Some((_, place)) = state.tasks.get_mut(&id) {
                *place = Some(work);
                continue;
            }
            // What a future holds may want this lock when it goes.
            drop(state);
            drop(work);
        }
    }

    /// Runs, and lets time pass, for so long.
    pub fn run_for(&self, time: Duration) {
        let end = self.now() + time;
        loop {
            self.run_ready();
            match self.next_timer().filter(|next| *next <= end) {
                Some(next) => self.advance_to(next),
                None => return self.advance_to(end),
            }
        }
    }

    /// When the next timer ends.
    pub fn next_timer(&self) -> Option<Duration> {
        self.state().timers.keys().next().map(|(at, _)| *at)
    }

    /// Drops all that is running, in the order in which it began.
    pub fn stop(&self) {
        loop {
            let first = self.state().tasks.pop_first();
            // What a future holds may want this lock when it goes.
            let Some(first) = first else { return };
            drop(first);
        }
    }

    /// Lets time pass, and wakes whoever waited for it.
    pub fn advance_to(&self, then: Duration) {
        let mut state = self.state();
        state.clock.advance_to(then);
        let later = state.timers.split_off(&(then, u64::MAX));
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Completes when so much time has passed.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep {
            deadline: self.now().saturating_add(duration),
            sim: self.clone(),
            timer: None,
        }
    }

    /// Wakes somebody at a time, unless the timer is cancelled.
    pub fn wake_at(&self, at: Duration, waker: Waker) -> Timer {
        let mut state = self.state();
        let id = state.next();
        state.timers.insert((at, id), waker);
        Timer(at, id)
    }

    /// Wakes nobody any more.
    pub fn cancel_timer(&self, timer: Timer) {
        let waker = self.state().timers.remove(&(timer.0, timer.1));
        drop(waker);
    }

    /// The names of the tasks that haven't ended.
    pub fn tasks(&self) -> Vec<String> {
        let state = self.state();
        state.tasks.values().map(|(name, _)| name.clone()).collect()
    }

    /// A number that two runs share only if they did the same things at the same times.
    pub fn trace(&self) -> u64 {
        self.state().trace
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sim").field(&self.now()).finish()
    }
}

/// The lock of a mutex, even if somebody panicked while holding it: then the test has failed already.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A timer that can be cancelled.
#[derive(Clone, Copy, Debug)]
pub struct Timer(Duration, u64);

struct Alarm {
    sim: Sim,
    id: u64,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let mut state = self.sim.state();
        if state.tasks.contains_key(&self.id) {
            state.ready.insert(self.id);
        }
    }
}

/// A spawned future. It goes on when this is dropped.
pub struct Task<T> {
    sim: Sim,
    id: u64,
    result: Arc<Mutex<Option<T>>>,
}

impl<T> Task<T> {
    /// Whether it has ended or was cancelled.
    pub fn is_done(&self) -> bool {
        !self.sim.state().tasks.contains_key(&self.id)
    }

    /// What came of it; none if it goes on, or was cancelled.
    pub fn take(&self) -> Option<T> {
        lock(&self.result).take()
    }

    /// Drops the future where it stands.
    pub fn cancel(&self) {
        let work = self.sim.state().tasks.remove(&self.id);
        drop(work);
    }
}

/// Completes at a time.
pub struct Sleep {
    sim: Sim,
    deadline: Duration,
    timer: Option<Timer>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = self.timer.take() {
            self.sim.cancel_timer(timer);
        }
        if self.sim.now() >= self.deadline {
            return Poll::Ready(());
        }
        self.timer = Some(self.sim.wake_at(self.deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.sim.cancel_timer(timer);
        }
    }
}
