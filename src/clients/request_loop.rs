//! The loop of a client that answers requests of the engine: a bounded number of them concurrently,
//! and each once.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use engine::Input;

/// Limits of the loop.
pub(super) struct Bounds {
    /// The most requests that are answered at the same time. One more is refused.
    pub(super) at_once: usize,
    /// How many answers may wait for the engine before requests have to wait too.
    pub(super) answers: usize,
}

/// Answers requests until `stop`, or until `inputs` is closed. Every request gets one answer.
pub(super) async fn run<R, F: Future<Output = Input>>(
    (mut requests, inputs): (mpsc::Receiver<R>, mpsc::Sender<Input>),
    bounds: Bounds,
    answer: impl Fn(R) -> F,
    refuse: impl Fn(R) -> Input,
    stop: CancellationToken,
) {
    let mut under_way = FuturesUnordered::new();
    let mut answers = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            place = inputs.reserve(), if !answers.is_empty() => {
                let Ok(place) = place else { return };
                if let Some(answer) = answers.pop_front() {
                    place.send(answer);
                }
            }
            Some(answer) = under_way.next() => answers.push_back(answer),
            Some(request) = requests.recv(), if answers.len() < bounds.answers => {
                if under_way.len() < bounds.at_once {
                    under_way.push(answer(request));
                } else {
                    answers.push_back(refuse(request));
                }
            }
        }
    }
}
