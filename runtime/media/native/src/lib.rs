//! The native media core: what happens to every packet of every call, behind the interfaces of the Python that it
//! stands for, which stays the reference. Nothing here decides what Python does not decide in the same way.

mod address;
mod delay;
mod inlet;
mod keys;
mod opus;
mod outbox;
mod playout;
mod reception;
mod rtp;
mod sockets;
mod srtp;

use pyo3::prelude::*;

/// The fingerprint of what this is built from, as `make native` says it: a module of other sources is not used.
const SOURCES: &str = match option_env!("DIALPLANE_SOURCES") {
    Some(fingerprint) => fingerprint,
    None => "",
};

#[pymodule]
mod compiled {
    use super::*;

    #[pymodule_export]
    use super::inlet::{Inlet, Stream};
    #[pymodule_export]
    use super::outbox::Outbox;
    #[pymodule_export]
    use super::playout::JitterBuffer;
    #[pymodule_export]
    use super::reception::Reception;
    #[pymodule_export]
    use super::sockets::Sockets;
    #[pymodule_export]
    use super::srtp::{Opener, Sealer};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("SOURCES", SOURCES)
    }
}
