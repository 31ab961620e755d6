//! The datagrams of one tick, sent together: `runtime/net/outbox.py`.
#![allow(unsafe_code)]

use std::net::IpAddr;
use std::ptr;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::address::Raw;

const WAITING_MAX: usize = 32;

enum To {
    /// Whom the socket is connected to.
    Peer,
    Address(Box<Raw>),
    /// What only Python can read: an address with the name of a link.
    Other(Py<PyAny>),
}

struct Waiting {
    socket: Py<PyAny>,
    data: Py<PyBytes>,
    to: To,
}

/// What is to be sent. Sockets are asked for their descriptors when it is, for one may have been closed meanwhile.
#[pyclass(module = "runtime.media.native.compiled")]
pub struct Outbox {
    waiting: Vec<Waiting>,
}

#[pymethods]
impl Outbox {
    #[new]
    fn new() -> Self {
        Outbox { waiting: Vec::new() }
    }

    /// Send this soon; without an address to the peer that the socket is connected to. What cannot be sent is lost.
    #[pyo3(signature = (socket, data, address = None))]
    fn add(
        &mut self,
        py: Python<'_>,
        socket: Py<PyAny>,
        data: Py<PyBytes>,
        address: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let to = address.map_or(To::Peer, |address| match address.extract::<(PyBackedStr, u16)>() {
            Ok((host, port)) => match host.parse::<IpAddr>() {
                Ok(host) => To::Address(Box::new(Raw::of(host, port))),
                Err(_) => To::Other(address.unbind()),
            },
            Err(_) => To::Other(address.unbind()),
        });
        self.waiting.push(Waiting { socket, data, to });
        if self.waiting.len() >= WAITING_MAX {
            self.flush(py)?;
        }
        Ok(())
    }

    /// Send what waits.
    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        for Waiting { socket, data, to } in self.waiting.drain(..) {
            let (address, size) = match &to {
                To::Peer => (ptr::null(), 0),
                To::Address(raw) => ((&raw const raw.storage).cast(), raw.size),
                To::Other(address) => {
                    let _ = socket.call_method1(py, intern!(py, "sendto"), (data, address)); // lost, as any packet may be
                    continue;
                }
            };
            let descriptor: i32 = socket.call_method0(py, intern!(py, "fileno"))?.extract(py)?;
            let bytes = data.as_bytes(py);
            // SAFETY: data and address live until the call returns, with these sizes.
            unsafe {
                libc::sendto(descriptor, bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT, address, size);
            }
        }
        Ok(())
    }
}
