//! The page of `hypercore inspect` in a real browser: what is drawn, what a click shows, what comes while it is looked at.

mod devtools;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use self::devtools::Browser;
use crate::{Result, process::Running, workspace};

pub(crate) const MISSING: &str = "no Chromium in PATH";

/// How long each program may take.
const TIME: Duration = Duration::from_secs(180);

/// So many blocks has the feed that is looked at.
const BLOCKS: u64 = 100_000;

pub(crate) fn is_here() -> bool {
    devtools::find().is_some()
}

/// Runs all cases. With `--pictures FOLDER` it leaves pictures of the page there.
pub(crate) fn run(arguments: &[&str]) -> Result {
    let pictures = match arguments {
        [] => None,
        ["--pictures", folder] => Some(PathBuf::from(folder)),
        _ => return Err("browser takes nothing, or --pictures FOLDER".into()),
    };
    let browser = devtools::find().ok_or(MISSING)?;
    workspace::run(workspace::cargo("build").arg("--package=hypercore-cli"))?;
    let name = format!("hypercore{}", std::env::consts::EXE_SUFFIX);
    let program = workspace::target()?.join("debug").join(name);
    let folder = workspace::target()?.join(format!("browser/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let scene = Scene {
        program,
        folder: folder.clone(),
        pictures,
    };
    let result = scene.play(&browser);
    fs::remove_dir_all(&folder)?;
    result
}

struct Scene {
    program: PathBuf,
    folder: PathBuf,
    pictures: Option<PathBuf>,
}

impl Scene {
    fn play(&self, browser: &Path) -> Result {
        workspace::run(&mut self.hypercore(&["create", "feed"]))?;
        let lines =
            (0..BLOCKS).map(|nth| format!("reading {nth}: 21.5 degrees, wind from the west"));
        fs::write(
            self.folder.join("lines"),
            lines.collect::<Vec<_>>().join("\n"),
        )?;
        let mut append = self.hypercore(&["append", "feed", "--lines"]);
        workspace::run(append.stdin(fs::File::open(self.folder.join("lines"))?))?;
        let words = ["serve", "feed", "--tcp", "127.0.0.1:0", "--json"];
        let mut serving = Running::start("serve", &mut self.hypercore(&words), TIME)?;
        let listening = serving.wait_for("listening")?;
        let link = listening["link"].as_str().unwrap_or_default();

        let mut clone = vec!["clone", link, "copy"];
        for range in [
            "0..9000",
            "20000..24000",
            "31234..31240",
            "50000..71000",
            "90000..90400",
            "-300..",
        ] {
            clone.extend(["--blocks", range]);
        }
        workspace::run(&mut self.hypercore(&clone))?;
        let mut browser = Browser::start(browser, &self.folder.join("profile"))?;
        self.looks_into_a_sparse_copy(&mut browser)?;
        self.watches_blocks_come(&mut browser, link)?;
        let elsewhere = |url: &&String| {
            !url.starts_with("http://127.0.0.1:")
                && !url.starts_with("data:")
                && *url != "about:blank"
        };
        if let Some(url) = browser.requests.iter().find(elsewhere) {
            return Err(format!("the page asked for {url}").into());
        }
        match browser.complaints.first() {
            Some(complaint) => Err(format!("the page complains: {complaint}").into()),
            None => Ok(()),
        }
    }

    /// Everything that is drawn of a copy that has a third of the blocks, and of a block that it hasn't.
    fn looks_into_a_sparse_copy(&self, browser: &mut Browser) -> Result {
        let mut inspecting = self.inspect(&["copy"])?;
        let url = inspecting.wait_for("inspect")?;
        let url = url["url"].as_str().unwrap_or_default();
        browser.look(1240, 1360, false)?;
        browser.go(&format!("{url}#block=51234"))?;
        browser.wait_for("document.body.dataset.ready === 'yes'")?;
        browser.wait_for("document.querySelectorAll('#peers tr').length === 2")?;
        let drawn = browser.evaluate("Number(document.body.dataset.drawn)")?;
        println!("{BLOCKS} blocks drawn in {drawn} ms");
        for (what, expression, expected) in [
            (
                "roots",
                "document.querySelectorAll('#tree .peak').length",
                Value::from(6),
            ),
            (
                "the way up",
                "document.querySelectorAll('#tree .step').length",
                17.into(),
            ),
            (
                "the proof",
                "document.querySelector('#proof .good').textContent",
                "it holds".into(),
            ),
            (
                "the signature",
                "document.querySelector('#signed .good').textContent",
                "signed by the author".into(),
            ),
            (
                "the block",
                "document.querySelector('#content').textContent",
                "reading 51234: 21.5 degrees, wind from the west".into(),
            ),
            (
                "what is here",
                "document.querySelectorAll('#cards b')[2].textContent",
                "34.7 %".into(),
            ),
            (
                "a stored block",
                "has(20000) && has(99999) && has(31239)",
                true.into(),
            ),
            (
                "a missing block",
                "has(19999) || has(24000) || has(31233)",
                false.into(),
            ),
            ("the count", "counted(0, feed.length)", 34_706.into()),
        ] {
            self.expect(browser, what, expression, &expected)?;
        }
        self.picture(browser, "inspect")?;
        browser.look(1240, 1360, true)?;
        self.picture(browser, "inspect-dark")?;
        browser.look(420, 1900, false)?;
        browser.wait_for("document.querySelector('#map').width <= 420")?;
        self.picture(browser, "inspect-narrow")?;
        browser.look(1240, 1360, false)?;

        // A click on a cell shows its blocks; one on a block that isn't here fetches it.
        browser.wait_for("document.querySelector('#map').width > 1000")?;
        browser.click("#map", 3.0, 130.0)?;
        browser.wait_for("!document.querySelector('#out').hidden")?;
        self.expect(browser, "cells of a block each", "cells.per", &1.into())?;
        self.picture(browser, "inspect-zoom")?;
        browser.evaluate("$('pick').value = '40000', $('pick').onchange()")?;
        browser.wait_for("document.body.dataset.chosen === '40000'")?;
        let text = "document.querySelector('#content').textContent.startsWith('reading 40000:')";
        self.expect(browser, "a block that was fetched", text, &true.into())?;
        self.expect(browser, "its bit", "has(40000)", &true.into())?;
        browser.click("#ashex", 5.0, 5.0)?;
        let hex =
            "document.querySelector('#content').textContent.startsWith('000000  72 65 61 64')";
        self.expect(browser, "hex", hex, &true.into())?;
        browser.leave()
    }

    /// A copy that begins empty, and fetches everything while it is looked at.
    fn watches_blocks_come(&self, browser: &mut Browser, link: &str) -> Result {
        workspace::run(&mut self.hypercore(&["clone", link, "late", "--sparse"]))?;
        let mut inspecting = self.inspect(&["late", "--fetch"])?;
        let url = inspecting.wait_for("inspect")?;
        browser.go(url["url"].as_str().unwrap_or_default())?;
        browser.wait_for("document.body.dataset.ready === 'yes'")?;
        browser.wait_for("feed.have > 0")?;
        self.picture(browser, "inspect-live")?;
        browser.wait_for(&format!("feed.have === {BLOCKS}"))?;
        browser.wait_for(&format!("counted(0, feed.length) === {BLOCKS}"))?;
        browser.leave()
    }

    fn inspect(&self, words: &[&str]) -> Result<Running> {
        let words = [&["--json", "inspect"], words].concat();
        Running::start("inspect", &mut self.hypercore(&words), TIME)
    }

    fn hypercore(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(words);
        command
    }

    fn expect(
        &self,
        browser: &mut Browser,
        what: &str,
        expression: &str,
        expected: &Value,
    ) -> Result {
        let found = browser.evaluate(expression)?;
        // Numbers of JavaScript have no kinds.
        let same = match (found.as_f64(), expected.as_f64()) {
            (Some(found), Some(expected)) => found == expected,
            _ => found == *expected,
        };
        match same {
            true => Ok(()),
            false => Err(format!("{what}: {expected} expected, {found} found").into()),
        }
    }

    fn picture(&self, browser: &mut Browser, name: &str) -> Result {
        let picture = browser.picture()?;
        match &self.pictures {
            Some(folder) => Ok(fs::write(folder.join(name).with_extension("png"), picture)?),
            None => Ok(()),
        }
    }
}
