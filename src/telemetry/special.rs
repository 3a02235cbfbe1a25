//! A log to a device, a pipe or a socket: written to as it is, never renamed, emptied or replaced.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

/// Opens the path for writing, if it exists and is not a regular file.
///
/// # Errors
/// When it cannot be opened for writing, or is a folder.
pub(super) fn open(path: &Path) -> io::Result<Option<Box<dyn Write + Send>>> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(None);
    };
    let kind = metadata.file_type();
    if kind.is_file() {
        Ok(None)
    } else if kind.is_fifo() {
        open_pipe(path).map(Some)
    } else if kind.is_socket() {
        connect(path).map(Some)
    } else {
        let device = OpenOptions::new().write(true).open(path)?;
        Ok(Some(Box::new(device)))
    }
}

/// A pipe without a reader would block the opening: then labwatch holds it open for reading itself,
/// so that it fills, and lines that do not fit are dropped and counted until a reader comes.
fn open_pipe(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    let is_read = OpenOptions::new()
        .write(true)
        .custom_flags(NON_BLOCKING)
        .open(path)
        .is_ok();
    let pipe = OpenOptions::new().read(!is_read).write(true).open(path)?;
    Ok(Box::new(pipe))
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
const NON_BLOCKING: i32 = libc::O_NONBLOCK;

/// The value of Linux on the architectures that labwatch is built for.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const NON_BLOCKING: i32 = 0o4000;

fn connect(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    if let Ok(stream) = UnixStream::connect(path) {
        return Ok(Box::new(stream));
    }
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(Box::new(Datagrams(socket)))
}

/// A socket to which each line is a datagram.
struct Datagrams(UnixDatagram);

impl Write for Datagrams {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_written_to_and_stays_what_it_is() {
        let mut null = open(Path::new("/dev/null"))
            .expect("opens")
            .expect("is special");
        null.write_all(b"a line\n").expect("writes");
        let kind = fs::metadata("/dev/null").expect("is there").file_type();
        assert!(kind.is_char_device());
    }

    #[test]
    fn a_file_a_folder_and_nothing_are_distinguished() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("log");
        assert!(open(&file).expect("is not there").is_none());
        fs::write(&file, "").expect("writes");
        assert!(open(&file).expect("a file").is_none());
        assert!(open(folder.path()).is_err());
    }

    #[test]
    fn sockets_of_both_kinds_are_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("datagrams");
        let receiver = UnixDatagram::bind(&path).expect("binds");
        let mut log = open(&path).expect("opens").expect("is special");
        log.write_all(b"a line\n").expect("writes");
        let mut line = [0; 16];
        let length = receiver.recv(&mut line).expect("receives");
        assert_eq!(&line[..length], b"a line\n");

        let path = folder.path().join("stream");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("binds");
        let mut log = open(&path).expect("opens").expect("is special");
        log.write_all(b"a line\n").expect("writes");
        drop(log);
        let (mut stream, _) = listener.accept().expect("accepts");
        let mut text = String::new();
        io::Read::read_to_string(&mut stream, &mut text).expect("reads");
        assert_eq!(text, "a line\n");
    }
}
