//! A full disk: a clear error, nothing lost, and the run goes on once there is room.

use std::process::Command;

use super::drill::{Drill, Running};
use super::evidence::{Evidence, has_passed};

fn mount(arguments: &[&str]) {
    let status = Command::new("mount").args(arguments).status().unwrap();
    assert!(status.success(), "mount {arguments:?}");
}

struct SmallDisk<'a>(&'a str);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a str, size: &str) -> Self {
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", path]);
        Self(path)
    }

    fn grow(&self, size: &str) {
        mount(&["-o", &format!("remount,size={size}"), self.0]);
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", self.0]).status();
    }
}

#[test]
#[cfg_attr(without_tmpfs, ignore = "a small tmpfs cannot be mounted here: needs root and mount")]
fn the_run_stops_and_goes_on_when_there_is_room() {
    let drill = Drill::new();
    let out = drill.out();
    std::fs::create_dir(&out).unwrap();
    let disk = SmallDisk::mount(out.to_str().unwrap(), "3m");
    drill.begin(&[]).with(3).saying(&["error: ", &drill.resume_line()]);
    disk.grow("200m");
    let full = Evidence::of(&out);
    drill.resume(&[]).with(0);
    full.lives_on_in(&Evidence::of(&out));
    has_passed(&out);
    drop(disk);
}

#[test]
fn a_file_that_may_not_grow_stops_the_run_and_loses_nothing() {
    let drill = Drill::new();
    // 1.5 MB a file: stores are created and then cannot grow. Without the trap the signal kills.
    let mut limited = Command::new("sh");
    limited.arg("-c").arg("trap '' XFSZ; ulimit -f 3000; exec \"$@\"").arg("sh");
    let inner = drill.command(Drill::fresh(&[]));
    limited.arg(inner.get_program()).args(inner.get_args());
    Running::start(limited).end().with(3).saying(&["error: ", &drill.resume_line()]);
    let full = Evidence::of(&drill.out());
    drill.resume(&[]).with(0);
    full.lives_on_in(&Evidence::of(&drill.out()));
    has_passed(&drill.out());
}
