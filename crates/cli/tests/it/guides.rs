//! Every command line that a README or a guide shows is run.
//!
//! The blocks of a page that are marked `sh` are one session, in one empty directory, line by line. What a line can't say of
//! the place where it will be typed is filled in:
//!
//! | in the page | here |
//! | --- | --- |
//! | `hypercore serve …` | stays in the background, at free ports of this machine |
//! | `hyper://KEY?peer=HOST:PORT`, `KEY` | what the last `serve` printed |
//! | `http://127.0.0.1:8080` | the same |
//! | `ssh host hypercore …` | without `ssh host`, once nothing else serves the feed |
//! | `cargo …` | left out: it built what is tested, and `xtask` has tests of its own |
//! | `map.png` | some file |

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::program::{Place, wait_until};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn what_the_readme_shows_runs() {
    Session::play("README.md");
}

#[test]
fn what_the_readme_of_the_program_shows_runs() {
    Session::play("crates/cli/README.md");
}

#[test]
fn what_the_guides_show_runs() {
    let mut shown = 0;
    for entry in fs::read_dir(root().join("docs/guides")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        shown += Session::play(&format!("docs/guides/{name}"));
    }
    assert!(shown > 20, "only {shown} lines");
}

/// One page, being typed.
struct Session {
    place: Place,
    serving: Vec<Child>,
    /// What the last one that serves has printed: `hyper://` and `http://`.
    link: Option<String>,
    url: Option<String>,
}

impl Session {
    /// Runs all of a page, and says how many lines that was.
    fn play(page: &str) -> usize {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let mut session = Session {
            place: Place::new(),
            serving: Vec::new(),
            link: None,
            url: None,
        };
        fs::create_dir(session.desk()).unwrap();
        fs::write(session.desk().join("map.png"), vec![7; 100_000]).unwrap();
        let lines = commands(&text);
        for (number, line) in &lines {
            session.enter(line, &format!("{page}:{number}: {line}"));
        }
        lines.len()
    }

    /// Where the lines are typed.
    fn desk(&self) -> PathBuf {
        self.place.at("desk")
    }

    fn enter(&mut self, line: &str, place: &str) {
        let line = self.fill_in(line);
        if line.starts_with("hypercore serve") {
            return self.serve(&local(&line), place);
        }
        let mut child = self.shell(&line).stdin(Stdio::null()).spawn().unwrap();
        let status = wait_until(place, || child.try_wait().unwrap());
        assert!(status.success(), "{place}\n{line}: {status}");
    }

    /// Starts what goes on, and waits until it has printed where it is.
    fn serve(&mut self, line: &str, place: &str) {
        let (out, err) = (self.place.path("served.out"), self.place.path("served.err"));
        let mut child = self
            .shell(&format!("exec {line}"))
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let http = line.contains("--http");
        let (link, url) = wait_until(place, || {
            let printed = [&out, &err].map(|path| fs::read_to_string(path).unwrap());
            let printed = printed.concat();
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{place}\n{line}: {printed}");
            let link = word_with(&printed, "hyper://", |word| word.contains("?peer="))?;
            let url = word_with(&printed, "http://", |_| true);
            (url.is_some() || !http).then_some((link, url))
        });
        self.link = Some(link);
        self.url = url;
        self.serving.push(child);
    }

    fn shell(&self, line: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_hypercore"));
        let mut path = vec![program.parent().unwrap().to_path_buf()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap()));
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", line])
            .env("PATH", env::join_paths(path).unwrap())
            .current_dir(self.desk())
            .stdout(Stdio::null());
        shell
    }

    fn fill_in(&mut self, line: &str) -> String {
        let mut line = line.replace("ssh host ", "");
        if line.contains("--stdio") {
            self.hang_up();
        }
        if let Some(link) = &self.link {
            let key = link.trim_start_matches("hyper://");
            let key = key.split('?').next().unwrap();
            line = line.replace("hyper://KEY?peer=HOST:PORT", link);
            line = line.replace("KEY", key);
        }
        if let Some(url) = &self.url {
            line = line.replace("http://127.0.0.1:8080", url.trim_end_matches('/'));
        }
        line
    }

    fn hang_up(&mut self) {
        for mut child in self.serving.drain(..) {
            // Gone already, if it has failed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// The lines of the blocks that are commands, with their numbers. What ends with a backslash goes on in the next one.
fn commands(page: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```sh";
            continue;
        }
        if !inside || line.trim().is_empty() || line.starts_with("cargo ") {
            continue;
        }
        let text = line.trim_end_matches('\\');
        match (goes_on, commands.last_mut()) {
            (true, Some((_, last))) => last.push_str(text),
            _ => commands.push((number + 1, text.to_owned())),
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// What serves, at ports that are free here.
fn local(line: &str) -> String {
    let line = line.split(" #").next().unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    for option in ["--tcp", "--http"] {
        if let Some(at) = words.iter().position(|word| word == option) {
            words[at + 1] = "127.0.0.1:0".to_owned();
        }
    }
    if !words.iter().any(|word| word == "--tcp") {
        words.extend(["--tcp".to_owned(), "127.0.0.1:0".to_owned()]);
    }
    words.join(" ")
}

/// The last word of what was printed that begins so, without the quotes around it. Only of lines that are whole.
fn word_with(printed: &str, start: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    let whole = &printed[..=printed.rfind('\n')?];
    let mut words = whole
        .split(|letter: char| letter.is_whitespace() || letter == '\'')
        .filter(|word| word.starts_with(start) && fits(word));
    words.next_back().map(str::to_owned)
}
