//! Plays a script on the running laboratory.

use tokio::time::sleep;

use super::{Lab, LabError};
use crate::script::{Script, Step};

impl Lab {
    /// Plays a script again and again, showing each step as it is done; returns at once for an empty one.
    ///
    /// # Errors
    /// That of the first step that fails; the script stops there.
    pub async fn play(&self, script: &Script, show: impl Fn(&Step)) -> Result<(), LabError> {
        while !script.steps.is_empty() {
            self.play_once(script, &show).await?;
        }
        Ok(())
    }

    /// Plays it once.
    ///
    /// # Errors
    /// That of the first step that fails; the script stops there.
    pub async fn play_once(&self, script: &Script, show: impl Fn(&Step)) -> Result<(), LabError> {
        for step in &script.steps {
            sleep(step.after).await;
            show(step);
            self.cause(&step.fault).await?;
        }
        Ok(())
    }
}
