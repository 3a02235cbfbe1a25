//! The program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    give_large_memory_back();
    leave_no_core();
    labwatch::cli::main(std::env::args_os())
}

/// Reports of megabytes come and go every second. By default glibc keeps their memory: each freed
/// block raises the size from which on blocks are returned to the system. A fixed size, and one
/// arena, keep the process as small as what it holds.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(
    unsafe_code,
    reason = "mallopt is only reached through C; it is called before any thread is started, with constants"
)]
fn give_large_memory_back() {
    const LARGE_BYTES: libc::c_int = 64 << 10;
    const ARENAS: libc::c_int = 1;
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_large_memory_back() {}

/// Memory holds secrets: a crash must not write it into a file, and other programs of the same user
/// must not read it.
#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "both are only reached through C; they are called before any thread is started, with constants"
)]
fn leave_no_core() {
    const NOT_DUMPABLE: libc::c_ulong = 0;
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // Neither fails for a process that lowers its own bounds.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::prctl(libc::PR_SET_DUMPABLE, NOT_DUMPABLE);
    }
}

#[cfg(not(target_os = "linux"))]
fn leave_no_core() {}
