//! The terminal: lines scroll by above what is drawn again and again at the bottom.
//!
//! Nothing is drawn where standard error is no terminal, and it is drawn at most ten times a second.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::LazyLock,
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often what is drawn is looked at.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);

static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Whether anything that is drawn is seen.
pub(crate) fn is_there() -> bool {
    io::stderr().is_terminal()
}

/// Writes a line for people, above what is drawn.
pub(crate) fn line(text: impl fmt::Display) {
    // Nobody can be told that standard error is gone.
    SCREEN.suspend(|| drop(writeln!(io::stderr(), "{text}")));
}

/// Adds something at the bottom. It is gone once it is dropped.
pub(crate) fn draw(template: &str) -> Drawn {
    let bar = SCREEN.add(ProgressBar::new(0));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
    }
    Drawn(bar)
}

/// Something at the bottom of the terminal.
pub(crate) struct Drawn(ProgressBar);

impl Drawn {
    pub(crate) fn set(&self, position: u64, length: u64, message: String) {
        self.0.set_length(length);
        self.0.set_position(position);
        self.0.set_message(message);
        self.0.tick();
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        SCREEN.remove(&self.0);
    }
}
