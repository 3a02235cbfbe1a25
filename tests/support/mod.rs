//! What the tests of the engine share: a simulated laboratory around it, in virtual time.

#[allow(dead_code, reason = "not every test uses all of it")]
pub mod lab;
