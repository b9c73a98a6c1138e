//! A browser without a window, told what to do over the two pipes of its debugging protocol.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::Result;

/// The names that the browser goes by.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// How long any one thing may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, if one is installed.
pub(super) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let files = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// A browser that is running, with one page.
pub(super) struct Browser {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    session: Value,
    next: u64,
    /// What the page has complained about.
    pub(super) complaints: Vec<String>,
    /// Where the page has sent requests to.
    pub(super) requests: Vec<String>,
}

impl Browser {
    /// Starts it. What it keeps goes into a folder.
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self> {
        // It reads from its descriptor 3 and writes to 4; standard output gets out of the way.
        let script = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null"#;
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", folder.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the browser has no pipes".into());
        };
        let (sender, answers) = channel();
        thread::spawn(move || {
            let messages = BufReader::new(output)
                .split(0)
                .map_while(std::io::Result::ok);
            for message in messages {
                let Ok(message) = serde_json::from_slice(&message) else {
                    break;
                };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser {
            child,
            input,
            answers,
            session: Value::Null,
            next: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
        };
        browser.open_page()?;
        Ok(browser)
    }

    fn open_page(&mut self) -> Result {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        self.session = self.call("Target.attachToTarget", target)?["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    /// How large the page is, and whether its reader likes it dark.
    pub(super) fn look(&mut self, width: u32, height: u32, dark: bool) -> Result {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let scheme = if dark { "dark" } else { "light" };
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", scheme).map(drop)
    }

    pub(super) fn go(&mut self, url: &str) -> Result {
        self.call("Page.navigate", json!({ "url": url })).map(drop)
    }

    /// Leaves the page, before who serves it goes.
    pub(super) fn leave(&mut self) -> Result {
        self.go("about:blank")
    }

    /// What an expression is worth on the page.
    pub(super) fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let wanted =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", wanted)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("{expression}: {details}").into()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true on the page. While that is loading, much doesn't exist yet.
    pub(super) fn wait_for(&mut self, expression: &str) -> Result {
        let start = Instant::now();
        loop {
            let found = self.evaluate(expression);
            if matches!(found, Ok(Value::Bool(true))) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                let seen = self.evaluate("document.body.innerText");
                return Err(format!("waited in vain: {expression}: {found:?}\n{seen:?}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks at a place in an element.
    pub(super) fn click(&mut self, selector: &str, x: f64, y: f64) -> Result {
        let place = format!(
            "(() => {{ const r = document.querySelector('{selector}').getBoundingClientRect(); return [r.left, r.top] }})()"
        );
        let corner = self.evaluate(&place)?;
        let at = |nth: usize, by: f64| corner[nth].as_f64().unwrap_or_default() + by;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": at(0, x), "y": at(1, y), "button": "left", "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", event)?;
        }
        Ok(())
    }

    /// A picture of what is seen.
    pub(super) fn picture(&mut self) -> Result<Vec<u8>> {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }))?;
        let data = answer["data"].as_str().unwrap_or_default();
        Ok(BASE64.decode(data.as_bytes())?)
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes)?;
        self.input.flush()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.answers.recv_timeout(left);
            let answer = answer.map_err(|_| format!("the browser doesn't answer {method}"))?;
            if answer["id"] != self.next {
                self.hear(&answer);
                continue;
            }
            return match answer.get("error") {
                Some(error) => Err(format!("{method}: {error}").into()),
                None => Ok(answer["result"].clone()),
            };
        }
    }

    /// Something that the browser tells by itself.
    fn hear(&mut self, message: &Value) {
        let told: HashMap<&str, &Value> = [
            (
                "Runtime.exceptionThrown",
                &message["params"]["exceptionDetails"],
            ),
            ("Log.entryAdded", &message["params"]["entry"]),
        ]
        .into();
        let method = message["method"].as_str().unwrap_or_default();
        if let Some(what) = told.get(method) {
            self.complaints.push(what.to_string());
        }
        if method == "Network.requestWillBeSent" {
            let url = &message["params"]["request"]["url"];
            self.requests.extend(url.as_str().map(str::to_owned));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
