//! Passes maintainers' commands to the engine, and the answers back.

use engine::{Command, Order, Receipt, Record, Refusal};
use tokio::sync::{mpsc, oneshot};

/// How many orders of maintainers may wait. Further ones are refused: try again.
pub const ORDER_QUEUE: usize = 32;

/// An order that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    pub(super) order: Order,
    pub(super) answer: oneshot::Sender<Result<Receipt, Refusal>>,
}

/// Sends orders of maintainers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CommandSender(mpsc::Sender<Asked>);

/// The sender of orders, and its queue for a driver.
#[must_use]
pub fn orders() -> (CommandSender, mpsc::Receiver<Asked>) {
    let (sender, queue) = mpsc::channel(ORDER_QUEUE);
    (CommandSender(sender), queue)
}

impl CommandSender {
    /// Gives a command. Returns once the command is carried out and its record is on disk, or after
    /// a bounded wait for a disk that accepts nothing.
    ///
    /// # Errors
    /// [`Refusal`] when it is not carried out: then nothing was changed. [`Refusal::Stopping`] also
    /// when labwatch ends before it answers.
    pub async fn give(&self, command: Command, by: String) -> Result<Receipt, Refusal> {
        let (answer, receipt) = oneshot::channel();
        self.0
            .try_send(Asked {
                order: Order { command, by },
                answer,
            })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => Refusal::Busy,
                mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
            })?;
        receipt.await.unwrap_or(Err(Refusal::Stopping))
    }
}

/// The receipt in a record, for the caller that waits for its command.
pub(super) fn receipt(record: &Record) -> Option<Receipt> {
    if let Record::Commanded { receipt, .. } = record {
        Some((**receipt).clone())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn orders_that_wait_are_bounded() {
        let (orders, queue) = orders();
        let mut waiting = tokio::task::JoinSet::new();
        let acknowledge = || Command::Unacknowledge {
            scope: engine::Scope::Installation,
        };
        for _ in 0..ORDER_QUEUE {
            let orders = orders.clone();
            waiting.spawn(async move { orders.give(acknowledge(), "ann".into()).await });
        }
        while orders.0.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            orders.give(acknowledge(), "ann".into()).await,
            Err(Refusal::Busy)
        );
        drop(queue);
        assert!(
            waiting
                .join_all()
                .await
                .iter()
                .all(|answer| *answer == Err(Refusal::Stopping))
        );
    }
}
