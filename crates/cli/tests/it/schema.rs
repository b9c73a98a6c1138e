//! `--json` of every command, against the table in docs/cli.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use crate::program::{Place, Ran, Served, run, run_with, start};

/// A field of a line, as the table tells.
struct Field {
    kind: String,
    optional: bool,
}

/// The fields of each type.
type Schema = BTreeMap<String, BTreeMap<String, Field>>;

fn schema() -> Schema {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## JSON\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .skip(1);
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let fields = cells[3].split(", ").map(field).collect();
        (cells[1].trim_matches('`').to_owned(), fields)
    })
    .collect()
}

/// Reads "`name` kind" or "`name` kind?".
fn field(text: &str) -> (String, Field) {
    let (name, kind) = text.split_once(' ').unwrap();
    let field = Field {
        kind: kind.trim_end_matches('?').to_owned(),
        optional: kind.ends_with('?'),
    };
    (name.trim_matches('`').to_owned(), field)
}

/// Complaints about a line.
fn check(schema: &Schema, line: &Value) -> Vec<String> {
    let mut object = line.as_object().unwrap().clone();
    assert_eq!(object.remove("v"), Some(1.into()), "{line}");
    let Some(Value::String(kind)) = object.remove("type") else {
        return vec!["no type".to_owned()];
    };
    let Some(fields) = schema.get(&kind) else {
        return vec![format!("{kind} isn't documented")];
    };
    let mut complaints = Vec::new();
    for (name, field) in fields {
        let found = match object.remove(name) {
            None | Some(Value::Null) if field.optional => continue,
            None => "nothing",
            Some(Value::Null) => "null",
            Some(Value::String(_)) => "text",
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(number)) if number.is_u64() => "number",
            Some(Value::Number(_)) => "a number that is no natural one",
            Some(Value::Array(_)) => "list",
            Some(Value::Object(_)) => "object",
        };
        if found != field.kind {
            complaints.push(format!("{kind}: {name} is {found}, not {}", field.kind));
        }
    }
    complaints.extend(
        object
            .keys()
            .map(|name| format!("{kind}: {name} isn't documented")),
    );
    complaints
}

/// Collects what every command says.
struct Seen {
    schema: Schema,
    kinds: BTreeSet<String>,
    commands: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, command: &str, ran: &Ran) {
        self.commands.insert(command.to_owned());
        for line in ran.lines() {
            assert_eq!(check(&self.schema, &line), [""; 0], "{command}: {line}");
            self.kinds.insert(line["type"].as_str().unwrap().to_owned());
        }
    }

    /// Runs a command with --json, to its end.
    fn run(&mut self, arguments: &[&str]) {
        self.run_with(b"", arguments);
    }

    fn run_with(&mut self, input: &[u8], arguments: &[&str]) {
        let ran = run_with(input, [arguments, &["--json"]].concat());
        assert!(
            ran.lines().len() + usize::from(ran.code == Some(0)) > 0,
            "{arguments:?}"
        );
        self.take(arguments[0], &ran);
    }
}

/// The commands that the help lists.
fn commands() -> BTreeSet<String> {
    let help = run(["--help"]).ok();
    let groups = help.text().split("\n\nOptions:").next().unwrap().to_owned();
    let names = groups.lines().filter_map(|line| line.strip_prefix("  "));
    names
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn all_that_is_printed_is_documented_and_all_that_is_documented_is_printed() {
    let place = Place::new();
    let at = |name: &str| place.path(name);
    let (dir, fork) = (at("feed"), at("fork"));
    let mut seen = Seen {
        schema: schema(),
        kinds: BTreeSet::new(),
        commands: BTreeSet::new(),
    };

    seen.run(&["create", &dir]);
    seen.run(&["create", &dir]);
    seen.run(&["create", &fork, "--from-secret", &at("feed/secret_key")]);
    seen.run(&["append", &fork, "another history"]);
    seen.run_with(b"one\ntwo\nthree", &["append", &dir, "--lines"]);
    seen.run_with(&[0xff], &["append", &dir, "--dialect", "9"]);
    following(&place, &dir, &mut seen);

    seen.run(&["get", &dir, "0", "3", "--utf8"]);
    seen.run(&["get", &dir, "9000"]);
    seen.run(&["cat", &dir]);
    seen.run(&["cat", &dir, "--bytes", "1..5"]);
    seen.run(&["tail", &dir, "-n", "2"]);
    seen.run(&["ls", &dir]);
    seen.run(&["seek", &dir, "4"]);
    seen.run(&["info", &dir]);
    seen.run(&["info", &at("none")]);

    seen.run(&["audit", &dir, "--deep"]);
    seen.run(&["verify", &dir]);
    seen.run(&["proof", "export", &dir, "1", "-o", &at("proof")]);
    seen.run(&["proof", "export", &dir, "1", "-o", "-"]);
    let key = run(["key", "export", &dir]).ok().text().trim().to_owned();
    seen.run(&["proof", "check", &at("proof"), "--key", &key]);
    seen.run(&["diff", &dir, &fork, "--evidence", &at("evidence")]);
    seen.run(&["diff", &dir, &dir]);
    seen.run(&["proof", "check", &at("evidence"), "--key", &key]);

    seen.run(&["key", "show", &dir]);
    seen.run(&["key", "show", &dir, "--secret"]);
    seen.run(&["key", "export", &dir]);
    seen.run(&["key", "export", &dir, "--secret"]);
    seen.run(&["key", "export", &dir, "-o", &at("key")]);
    seen.run(&["key", "backup", &dir, "-o", &at("backup")]);

    seen.run(&["bench", "create", "clone", "--scale", "1"]);
    seen.run(&["completions", "bash"]);
    seen.run(&["man"]);
    seen.run(&["man", &at("pages")]);
    seen.run(&["info"]);

    let copy = network(&place, &mut seen);
    seen.run(&["ls", &copy]);
    seen.run(&["ls", &copy, "--missing"]);
    seen.run(&["info", &copy]);
    seen.run(&["key", "import", &copy, &at("feed/secret_key")]);
    damaged(&place, &dir, &mut seen);

    let documented: BTreeSet<_> = seen.schema.keys().cloned().collect();
    assert_eq!(seen.kinds, documented);
    assert_eq!(seen.commands, commands());
}

/// A file that is followed through a truncation.
fn following(place: &Place, dir: &str, seen: &mut Seen) {
    fs::write(place.at("log"), "longer\n").unwrap();
    let following = start(["--json", "append", dir, "--follow", &place.path("log")]);
    following.nth_line_of("added", 0);
    fs::write(place.at("log"), "short\n").unwrap();
    following.nth_line_of("followed", 0);
    following.nth_line_of("added", 1);
    following.interrupt();
    seen.take("append", &following.wait().exits(130));
}

/// Serves the feed to a clone, to a stranger, and to one too many.
fn network(place: &Place, seen: &mut Seen) -> String {
    let http = ["--connections", "1", "--http", "127.0.0.1:0"];
    let served = Served::start(&place.at("feed"), &http);
    let (copy, link) = (place.path("copy"), served.link());
    seen.run(&["clone", &link, &copy, "--sparse", "--blocks", "1..2"]);
    served.running.nth_line_of("disconnected", 0);
    seen.run(&["clone", "hyper://12", &copy]);
    seen.run(&["peers", &link, "--peer", "127.0.0.1:1"]);
    served.running.nth_line_of("disconnected", 1);
    seen.run(&["doctor", &link]);
    served.running.nth_line_of("disconnected", 2);
    seen.run(&["sync", &copy, "--sparse"]);
    served.running.nth_line_of("disconnected", 3);

    let address = served.listening["address"].as_str().unwrap();
    let mut stranger = TcpStream::connect(address).unwrap();
    served.running.nth_line_of("connected", 4);
    let mut second = TcpStream::connect(address).unwrap();
    assert!(matches!(second.read(&mut [0; 1]), Ok(0) | Err(_)));
    served.running.nth_line_of("turned_away", 0);
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    drop(stranger);
    served.running.nth_line_of("disconnected", 4);

    let inspecting = start(["--json", "inspect", &copy]);
    inspecting.first_output_line();
    inspecting.interrupt();
    seen.take("inspect", &inspecting.wait().exits(130));

    served.running.interrupt();
    let ran = served.running.wait();
    assert!(
        check(&seen.schema, &served.listening).is_empty(),
        "{}",
        served.listening
    );
    seen.kinds.insert("listening".to_owned());
    seen.take("serve", &ran);
    seen.run(&["serve", &place.path("none")]);
    copy
}

/// A feed of which something is lost.
fn damaged(place: &Place, dir: &str, seen: &mut Seen) {
    let mut data = fs::read(place.at("feed/data")).unwrap();
    data[0] ^= 1;
    fs::write(place.at("feed/data"), data).unwrap();
    fs::write(place.at("feed/bitfield"), []).unwrap();
    seen.run(&["audit", dir, "--deep"]);
    seen.run(&["audit", dir, "--deep", "--repair"]);
    seen.run(&["get", dir, "0"]);
}

#[test]
fn a_line_that_is_not_as_documented_is_found() {
    let schema = schema();
    let complaints = |line: Value| check(&schema, &line).len();
    let block =
        serde_json::json!({ "v": 1, "type": "block", "index": 0, "len": 1, "data": "/w==" });
    assert_eq!(complaints(block.clone()), 0);
    for (name, value) in [
        ("index", Value::Null),
        ("index", "0".into()),
        ("index", Value::from(-1)),
        ("data", 1.into()),
        ("more", 1.into()),
        ("type", "blocks".into()),
    ] {
        let mut changed = block.clone();
        changed[name] = value;
        assert_eq!(complaints(changed), 1, "{name}");
    }
}
