//! Many at a time: honest ones are served, and who is too many is turned away.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::program::{Place, Served, run, start};

#[test]
fn twenty_five_clones_are_served_beside_as_many_strangers_who_stay() {
    let place = Place::new();
    place.file("file", 300_000);
    let dir = place.feed("feed", &[]);
    run(["append", &place.path("feed"), "--file", &place.path("file")]).ok();
    let served = Served::start(&dir, &[]);
    let address = served.listening["address"].as_str().unwrap();
    let strangers: Vec<TcpStream> = (0..25_u8)
        .map(|n| {
            let mut stranger = TcpStream::connect(address).unwrap();
            // Nothing, or a first message of which half is missing.
            stranger
                .write_all(&[58; 30][..usize::from(n % 2) * 30])
                .unwrap();
            stranger
        })
        .collect();
    let clones: Vec<_> = (0..25)
        .map(|n| start(["clone", &served.link(), &place.path(&format!("copy {n}"))]))
        .collect();
    for clone in clones {
        clone.wait().ok();
    }
    drop(strangers);
    let ours = run(["cat", &place.path("feed")]).exits(7);
    assert!(ours.stdout.is_empty(), "it is still being served");
    for n in [0, 24] {
        let copy = run(["cat", &place.path(&format!("copy {n}"))]).ok();
        assert!(copy.stdout == std::fs::read(place.at("file")).unwrap());
    }
}

#[test]
fn whoever_is_too_many_is_turned_away() {
    let place = Place::new();
    let dir = place.feed("feed", &["one"]);
    let served = Served::start(&dir, &["--connections", "2"]);
    let address = served.listening["address"].as_str().unwrap();
    let (_first, second) = (
        TcpStream::connect(address).unwrap(),
        TcpStream::connect(address).unwrap(),
    );
    let mut third = TcpStream::connect(address).unwrap();
    assert!(matches!(third.read(&mut [0; 1]), Ok(0) | Err(_)));
    // As soon as one has gone there is room again.
    drop(second);
    run(["clone", &served.link(), &place.path("copy")]).ok();
}
