//! Who is let in, and who has to go.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::BoxFuture;

const KIB: usize = 1024;

fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, n).into()
}

fn gate(limits: GateLimits) -> Gate {
    Gate::new(limits)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn there_are_no_more_connections_than_allowed() {
    let gate = gate(GateLimits {
        connections: 2,
        ..GateLimits::default()
    });
    let _first = gate.admit(address(1)).unwrap();
    let second = gate.admit(address(2)).unwrap();
    let full = TurnedAway::Full { max: 2 };
    assert_eq!(gate.admit(address(3)).unwrap_err(), full);
    drop(second);
    let _third = gate.admit(address(3)).unwrap();
    assert_eq!(gate.occupancy().connections, 2);
}

#[test]
fn one_address_has_its_share() {
    let gate = gate(GateLimits {
        per_address: 2,
        ..GateLimits::default()
    });
    let too_many = TurnedAway::Address { max: 2 };
    let mut passes = vec![
        gate.admit(address(1)).unwrap(),
        gate.admit(address(1)).unwrap(),
    ];
    assert_eq!(gate.admit(address(1)).unwrap_err(), too_many);
    // The same address in the form of IPv6.
    let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().into();
    assert_eq!(gate.admit(mapped).unwrap_err(), too_many);
    // Others, and this machine itself, as often as they like.
    passes.push(gate.admit(address(2)).unwrap());
    for _ in 0..5 {
        passes.push(gate.admit(Ipv4Addr::LOCALHOST.into()).unwrap());
        passes.push(gate.admit(Ipv6Addr::LOCALHOST.into()).unwrap());
    }
    // What shares the first half of an IPv6 address is one network.
    let of = |last| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, last, 0, 0, last));
    passes.extend([gate.admit(of(1)).unwrap(), gate.admit(of(2)).unwrap()]);
    assert_eq!(gate.admit(of(3)).unwrap_err(), too_many);
    passes.clear();
    assert_eq!(gate.occupancy(), Occupancy::default());
    assert!(gate.inside().addresses.is_empty());
}

#[test]
fn the_oldest_stranger_has_to_go_for_one_more() {
    let gate = gate(GateLimits {
        strangers: 2,
        ..GateLimits::default()
    });
    let mut known = gate.admit(address(1)).unwrap();
    known.introduce();
    let mut strangers: Vec<Pass> = (2..5).map(|n| gate.admit(address(n)).unwrap()).collect();
    assert_eq!(gate.occupancy().strangers, 2);
    let gone = |pass: &mut Pass| pass.hold(0, seconds(1)).is_err();
    assert!(!gone(&mut known));
    let gone: Vec<bool> = strangers.iter_mut().map(gone).collect();
    assert_eq!(gone, [true, false, false]);
    drop(strangers);
    assert_eq!(gate.occupancy().strangers, 0);
}

#[test]
fn whoever_has_held_much_for_long_has_to_go_first() {
    let gate = gate(GateLimits {
        held: 1000 * KIB,
        ..GateLimits::default()
    });
    let mut passes: Vec<Pass> = (0..4).map(|n| gate.admit(address(n)).unwrap()).collect();
    // Much for a moment, less for long, and little for ever.
    passes[0].hold(60 * KIB, seconds(0)).unwrap();
    passes[1].hold(300 * KIB, seconds(10)).unwrap();
    passes[2].hold(500 * KIB, seconds(99)).unwrap();
    assert_eq!(gate.occupancy().held, 860 * KIB);
    assert!(passes[3].hold(200 * KIB, seconds(100)).is_ok());
    let gone: Vec<bool> = passes
        .iter_mut()
        .map(|pass| pass.hold(pass.held, seconds(100)).is_err())
        .collect();
    assert_eq!(gone, [false, true, false, false]);
    assert_eq!(gate.occupancy().held, 760 * KIB);
    // What it does on its way out doesn't count.
    assert!(passes[1].hold(900 * KIB, seconds(101)).is_err());
    assert_eq!(gate.occupancy().held, 760 * KIB);
    // One who alone is too much goes himself.
    assert!(passes[3].hold(5000 * KIB, seconds(102)).is_err());
    drop(passes);
    assert_eq!(gate.occupancy(), Occupancy::default());
}

#[test]
fn the_time_begins_anew_when_a_connection_is_done_with_what_it_held() {
    let gate = gate(GateLimits {
        held: 1000 * KIB,
        ..GateLimits::default()
    });
    let mut busy = gate.admit(address(1)).unwrap();
    let mut stuck = gate.admit(address(2)).unwrap();
    stuck.hold(100 * KIB, seconds(50)).unwrap();
    for second in 0..100 {
        busy.hold(800 * KIB, seconds(second)).unwrap();
        busy.hold(0, seconds(second)).unwrap();
    }
    busy.hold(800 * KIB, seconds(100)).unwrap();
    stuck.hold(300 * KIB, seconds(101)).unwrap_err();
    busy.hold(900 * KIB, seconds(101)).unwrap();
}

#[test]
fn a_connection_is_woken_to_go() {
    let gate = gate(GateLimits {
        strangers: 1,
        ..GateLimits::default()
    });
    let first = gate.admit(address(1)).unwrap();
    let ready = Arc::new(Ready::default());
    first.begin(&ready);
    assert!(ready.is_quiet());
    let _second = gate.admit(address(2)).unwrap();
    assert!(!ready.is_quiet());
}

/// A clock that stands where it is put.
#[derive(Debug, Default)]
struct Clock(Mutex<Duration>);

impl Clock {
    fn put(&self, to: Duration) {
        *self.0.lock().unwrap() = to;
    }
}

impl Runtime for Clock {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<()> {
        unreachable!("a gate doesn't wait")
    }

    fn unblock(&self, _: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        unreachable!("nor does it block")
    }
}

#[test]
fn from_where_something_came_that_does_not_verify_nobody_comes_for_a_while() {
    let clock = Arc::new(Clock::default());
    let gate = gate(GateLimits::default()).runtime(Arc::clone(&clock) as Arc<dyn Runtime>);
    for from in [address(1), Ipv4Addr::LOCALHOST.into()] {
        gate.admit(from).unwrap().bar();
    }
    assert_eq!(gate.admit(address(1)).unwrap_err(), TurnedAway::Barred);
    // Others aren't meant, and this machine itself isn't.
    for from in [address(2), Ipv4Addr::LOCALHOST.into()] {
        assert!(gate.admit(from).is_ok());
    }
    clock.put(seconds(599));
    assert!(gate.admit(address(1)).is_err());
    clock.put(seconds(600));
    assert!(gate.admit(address(1)).is_ok());
}

#[test]
fn nobody_is_barred_where_that_is_not_wished_for() {
    let gate = gate(GateLimits {
        bar: Duration::ZERO,
        ..GateLimits::default()
    });
    gate.admit(address(1)).unwrap().bar();
    assert!(gate.admit(address(1)).is_ok());
}
