//! The process's own metrics, by their usual names. Where the system has no `/proc`, they are left
//! out.

use std::fmt;
use std::fs;

use jiff::Timestamp;

use super::encoder::{Encoder, unlabelled};

/// Linux's unit of memory here; the same on all machines that Debian runs on with few exceptions.
const PAGE_BYTES: u64 = 4096;

/// Linux's unit of processor time, per second (`USER_HZ`), on all machines.
const TICKS_PER_SECOND: u64 = 100;

pub(super) fn write(encoder: &mut Encoder<'_>, started: Timestamp) -> fmt::Result {
    unlabelled! { encoder;
        /// When labwatch started, in seconds of Unix time
        gauge process_start_time_seconds: started.as_second();
    }
    if let Some(pages) = resident_pages() {
        unlabelled! { encoder;
            /// Memory in use, in bytes
            gauge process_resident_memory_bytes: pages.saturating_mul(PAGE_BYTES);
        }
    }
    if let Some(ticks) = processor_ticks() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "exact for as long as any machine runs"
        )]
        let seconds = ticks as f64 / TICKS_PER_SECOND as f64;
        unlabelled! { encoder;
            /// Processor time spent, in seconds
            count process_cpu_seconds: seconds;
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        unlabelled! { encoder;
            /// Open file descriptors
            gauge process_open_fds: super::lab::count(open.count());
        }
    }
    Ok(())
}

fn resident_pages() -> Option<u64> {
    fs::read_to_string("/proc/self/statm")
        .ok()?
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Ticks in user and system mode. The program's name, which may hold blanks, ends with the last
/// bracket.
fn processor_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user.saturating_add(system))
}
