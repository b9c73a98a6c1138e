//! The terminal: lines scroll by above what is drawn again and again at the bottom.
//!
//! Nothing is drawn where standard error is no terminal, unless `--progress always` asks for it, and it is drawn at most ten times
//! a second.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{LazyLock, OnceLock},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::arguments::When;

/// How often what is drawn is looked at.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);

static WHEN: OnceLock<When> = OnceLock::new();
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(|| {
    MultiProgress::with_draw_target(match when() {
        When::Never => ProgressDrawTarget::hidden(),
        When::Always if !io::stderr().is_terminal() => {
            ProgressDrawTarget::term_like_with_hz(Box::new(Pipe), 10)
        }
        When::Always | When::Auto => ProgressDrawTarget::stderr(),
    })
});

/// Says when to draw. Without it: on a terminal only.
pub(crate) fn show(when: When) {
    // The first word counts, and there is but one.
    let _ = WHEN.set(when);
}

fn when() -> When {
    WHEN.get().copied().unwrap_or(When::Auto)
}

/// Whether anything that is drawn is seen.
pub(crate) fn is_there() -> bool {
    match when() {
        When::Always => true,
        When::Auto => io::stderr().is_terminal(),
        When::Never => false,
    }
}

/// Writes a line for people, above what is drawn.
pub(crate) fn line(text: impl fmt::Display) {
    // Nobody can be told that standard error is gone.
    SCREEN.suspend(|| drop(writeln!(anstream::stderr(), "{text}")));
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

/// Standard error that is no terminal and shall be treated as one, 80 columns wide.
#[derive(Debug)]
struct Pipe;

impl Pipe {
    /// A control sequence of ANSI: a number and a letter.
    fn control(n: usize, letter: char) -> io::Result<()> {
        match n {
            0 => Ok(()),
            n => write!(io::stderr(), "\x1b[{n}{letter}"),
        }
    }
}

impl TermLike for Pipe {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        Pipe::control(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        Pipe::control(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        Pipe::control(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        Pipe::control(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{text}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        write!(io::stderr(), "{text}")
    }

    fn clear_line(&self) -> io::Result<()> {
        write!(io::stderr(), "\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
