//! Commands and replies over one connection, each with a time limit. Knows no meaning of either.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::error::{Problem, SmtpError, Step};
use super::reply::{Parser, Reply};
use super::tls;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 4 << 10;

/// How much of a mail is written at once, in bytes.
const BLOCK_BYTES: usize = 32 << 10;

/// How long the final reply of a server that has closed the connection is waited for.
const FINAL_REPLY: Duration = Duration::from_secs(1);

/// The reply with which a server may end the connection at any time.
const CLOSING: u16 = 421;

/// The byte stream below a connection.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// A connection.
pub struct Connection {
    stream: Box<dyn Transport>,
    parser: Parser,
}

impl Connection {
    pub fn over(stream: impl Transport + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            parser: Parser::default(),
        }
    }

    /// The next reply, which comes without a command.
    pub async fn reply(&mut self, step: Step, limit: Duration) -> Result<Reply, SmtpError> {
        timeout(limit, self.read(step))
            .await
            .unwrap_or(Err(SmtpError::new(step, Problem::TimedOut(limit))))
    }

    /// The reply to a command. A reply that came before it is dropped, unless it says that the
    /// server closes.
    pub async fn command(
        &mut self,
        step: Step,
        command: &str,
        limit: Duration,
    ) -> Result<Reply, SmtpError> {
        if let Some(early) = self.early(step)? {
            return Ok(early);
        }
        let work = async {
            let line = format!("{command}\r\n");
            match self.put(line.as_bytes()).await {
                Ok(()) => self.read(step).await,
                Err(error) => self.final_reply(step, &error).await,
            }
        };
        timeout(limit, work)
            .await
            .unwrap_or(Err(SmtpError::new(step, Problem::TimedOut(limit))))
    }

    /// Writes a mail, each block within `limit`.
    pub async fn content(&mut self, bytes: &[u8], limit: Duration) -> Result<(), SmtpError> {
        let step = Step::Content;
        for block in bytes.chunks(BLOCK_BYTES) {
            match timeout(limit, self.put(block)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let said = self.final_reply(step, &error).await?;
                    return Err(SmtpError::answered(step, said, ""));
                }
                Err(_) => return Err(SmtpError::new(step, Problem::TimedOut(limit))),
            }
        }
        Ok(())
    }

    /// The byte stream below, for TLS on top of it.
    ///
    /// # Errors
    /// [`Problem::Injected`] when anything followed the last reply: it came unencrypted and must
    /// not count as protected (RFC 3207).
    pub fn into_clear_stream(self) -> Result<Box<dyn Transport>, SmtpError> {
        if self.parser.is_empty() {
            Ok(self.stream)
        } else {
            Err(SmtpError::new(Step::StartTls, Problem::Injected))
        }
    }

    fn early(&mut self, step: Step) -> Result<Option<Reply>, SmtpError> {
        let early = self
            .parser
            .next()
            .map_err(|wrong| SmtpError::new(step, Problem::Malformed(wrong)))?;
        match early {
            Some(reply) if reply.code == CLOSING => Ok(Some(reply)),
            None if self.parser.is_empty() => Ok(None),
            _ => Err(SmtpError::new(step, Problem::Unasked)),
        }
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn read(&mut self, step: Step) -> Result<Reply, SmtpError> {
        loop {
            let next = self.parser.next();
            if let Some(reply) =
                next.map_err(|wrong| SmtpError::new(step, Problem::Malformed(wrong)))?
            {
                return Ok(reply);
            }
            let mut bytes = [0; READ_BYTES];
            match self.stream.read(&mut bytes).await {
                Ok(0) => return Err(SmtpError::new(step, Problem::Dropped)),
                Ok(read) => self.parser.feed(&bytes[..read]),
                Err(error) => return Err(failure(step, &error)),
            }
        }
    }

    /// The reply in which a server that closes the connection often gives the reason.
    async fn final_reply(&mut self, step: Step, error: &io::Error) -> Result<Reply, SmtpError> {
        match timeout(FINAL_REPLY, self.read(step)).await {
            Ok(Ok(reply)) => Ok(reply),
            _ => Err(failure(step, error)),
        }
    }
}

/// Whether a reply ends the connection.
pub fn closes(reply: &Reply) -> bool {
    reply.code == CLOSING
}

fn failure(step: Step, error: &io::Error) -> SmtpError {
    SmtpError::new(
        step,
        tls::rustls_error(error).map_or(Problem::Dropped, |error| Problem::Tls(error.to_string())),
    )
}
