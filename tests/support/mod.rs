//! What the tests of the engine share: a simulated laboratory around it, in virtual time.

pub mod lab;
