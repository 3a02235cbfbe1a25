//! How the real servers cut a websocket message into frames. Pure.
//!
//! Their writer has a buffer of a fixed size. A piece that is more than twice as large is sent at once, with what the buffer holds, as one frame that is
//! not the final one; the final one then carries what came later, often nothing. Smaller pieces fill the buffer, and each full one becomes a frame.

use tokio_tungstenite::tungstenite::Bytes;

/// Cuts the pieces of one message into the payloads of its frames; the last one is the final frame.
pub(super) fn cut(pieces: &[Bytes], buffer: usize) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut held: Vec<u8> = Vec::new();
    for piece in pieces {
        if piece.len() > 2 * buffer {
            frames.push(join(&mut held, piece));
            continue;
        }
        let mut rest = &piece[..];
        while held.len() + rest.len() > buffer {
            let (now, later) = rest.split_at(buffer - held.len());
            held.extend_from_slice(now);
            frames.push(std::mem::take(&mut held).into());
            rest = later;
        }
        held.extend_from_slice(rest);
    }
    frames.push(held.into());
    frames
}

/// The buffered bytes and the piece, without copying the piece where nothing is buffered.
fn join(held: &mut Vec<u8>, piece: &Bytes) -> Bytes {
    if held.is_empty() {
        return piece.clone();
    }
    held.extend_from_slice(piece);
    std::mem::take(held).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_sizes_of_the_real_ones() {
        let rows: [(&[usize], &[usize]); 8] = [
            (&[10], &[10]),
            (&[4096], &[4096]),
            (&[4097], &[4096, 1]),
            (&[8192], &[4096, 4096]),
            (&[13_734], &[13_734, 0]),
            (&[16, 16, 7], &[39]),
            (&[7, 8, 13_734], &[13_749, 0]),
            (&[13_734, 16], &[13_734, 16]),
        ];
        for (pieces, frames) in rows {
            let pieces: Vec<Bytes> = pieces.iter().map(|&size| vec![b'x'; size].into()).collect();
            let sizes: Vec<usize> = cut(&pieces, 4096).iter().map(Bytes::len).collect();
            assert_eq!(sizes, frames);
        }
    }
}
