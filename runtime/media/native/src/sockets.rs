//! Media sockets, read together: what `runtime/net/polled.py` does in one round, with what goes on with its stream
//! (`inlet`) taken where it comes in.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::address::{Raw, text};
use crate::inlet::Inlet;
use crate::srtp::Opener;

const DATAGRAM_BYTES_MAX: usize = 2049;
const READY_MAX: usize = 512;
const NS_PER_S: f64 = 1e9;

/// Where packets of a socket go that are media, before anybody is asked. `opened` takes those that no stream did.
struct Route {
    inlet: Py<Inlet>,
    opener: Option<(Py<Opener>, Py<PyAny>)>,
}

struct Entry {
    take: Py<PyAny>,
    route: Mutex<Option<Arc<Route>>>,
}

/// The sockets of one owner.
#[pyclass(frozen, module = "runtime.media.native.compiled")]
pub struct Sockets {
    epoll: OwnedFd,
    entries: Mutex<HashMap<i32, Arc<Entry>>>,
}

struct Datagram<'a> {
    bytes: &'a [u8],
    from: Raw,
    arrived: Option<f64>,
}

#[pymethods]
impl Sockets {
    #[new]
    fn new() -> PyResult<Self> {
        // SAFETY: a system call without memory of ours.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error().into());
        }
        // SAFETY: it was just made, and nobody else has it.
        Ok(Sockets { epoll: unsafe { OwnedFd::from_raw_fd(descriptor) }, entries: Mutex::default() })
    }

    /// Read this descriptor from now on; `take(data, (host, port), now, wall)` gets what no inlet takes.
    fn add(&self, descriptor: i32, take: Py<PyAny>) -> PyResult<()> {
        let entry = Arc::new(Entry { take, route: Mutex::default() });
        if locked(&self.entries).insert(descriptor, entry).is_none() {
            self.control(libc::EPOLL_CTL_ADD, descriptor).inspect_err(|_| {
                locked(&self.entries).remove(&descriptor);
            })?;
        }
        Ok(())
    }

    fn remove(&self, descriptor: i32) {
        if locked(&self.entries).remove(&descriptor).is_some() {
            let _ = self.control(libc::EPOLL_CTL_DEL, descriptor); // closed already: the kernel has forgotten it
        }
    }

    /// What comes there goes to this inlet first; `opener`: once it was opened, and what is then left to `opened`.
    #[pyo3(signature = (descriptor, inlet, opener = None, opened = None))]
    fn route(&self, descriptor: i32, inlet: Option<Py<Inlet>>, opener: Option<Py<Opener>>, opened: Option<Py<PyAny>>) {
        let entry = locked(&self.entries).get(&descriptor).cloned();
        if let Some(entry) = entry {
            *locked(&entry.route) = inlet.map(|inlet| Arc::new(Route { inlet, opener: opener.zip(opened) }));
        }
    }

    /// One datagram of each socket that has any; False when none had. `now` is monotonic seconds, `wall` Unix time.
    fn read(&self, py: Python<'_>, now: f64, wall: f64) -> PyResult<bool> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut ready: [libc::epoll_event; READY_MAX] = unsafe { mem::zeroed() };
        // SAFETY: the kernel writes at most as many as it is told there is room for.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), ready.as_mut_ptr(), READY_MAX as i32, 0) };
        let mut buffer = [0u8; DATAGRAM_BYTES_MAX];
        for event in ready.iter().take(usize::try_from(count).unwrap_or(0)) {
            let descriptor = event.u64 as i32;
            let entry = locked(&self.entries).get(&descriptor).cloned();
            let Some(entry) = entry else { continue }; // it was closed because of what another one brought
            if let Some(datagram) = received(descriptor, &mut buffer) {
                entry.hand_on(py, &datagram, now, wall)?;
            }
        }
        Ok(count > 0)
    }
}

impl Sockets {
    fn control(&self, operation: i32, descriptor: i32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: descriptor as u64 };
        // SAFETY: the event lives for as long as the call lasts.
        let failed = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, descriptor, &raw mut event) };
        if failed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Entry {
    fn hand_on(&self, py: Python<'_>, datagram: &Datagram<'_>, now: f64, wall: f64) -> PyResult<()> {
        let at = datagram.arrived.map_or(now, |stamp| now.min(now - (wall - stamp)));
        let from = datagram.from.read();
        let route = locked(&self.route).clone();
        if let Some(route) = route {
            let near = from.filter(|(_, _, link)| *link == 0).map(|(address, port, _)| (address, port));
            let inlet = route.inlet.borrow(py);
            match &route.opener {
                None => {
                    if inlet.take(py, datagram.bytes, near, at)? {
                        return Ok(());
                    }
                }
                Some((opener, opened)) if is_media(datagram.bytes) => {
                    let mut opener = opener.borrow_mut(py);
                    let Some(packet) = opener.open(datagram.bytes) else { return Ok(()) };
                    if !inlet.take(py, packet, None, at)? {
                        let packet = PyBytes::new(py, packet);
                        drop((opener, inlet));
                        opened.call1(py, (packet,))?;
                    }
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        let (host, port) = from.map_or((String::new(), 0), |(address, port, link)| (text(address, link), port));
        self.take.call1(py, (PyBytes::new(py, datagram.bytes), (host, port), at, wall))?;
        Ok(())
    }
}

/// By the first bytes (RFC 7983, RFC 5761): RTP, and no RTCP.
fn is_media(data: &[u8]) -> bool {
    matches!(data, [128..=191, second, ..] if !(192..=223).contains(second))
}

/// One datagram, with the kernel's time of its arrival where it says that.
fn received(descriptor: i32, buffer: &mut [u8]) -> Option<Datagram<'_>> {
    let mut from = Raw::new();
    let mut ancillary = [0u64; 16];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: plain numbers and pointers, for which zero is a value; the fields that count are set below.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = (&raw mut from.storage).cast();
    message.msg_namelen = from.size;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&ancillary) as _;
    // SAFETY: everything that the message points to lives here, with the sizes that it says.
    let size = unsafe { libc::recvmsg(descriptor, &raw mut message, libc::MSG_DONTWAIT) };
    let size = usize::try_from(size).ok()?; // else an ICMP error of an earlier packet, or nothing there after all
    let arrived = stamp(&message);
    Some(Datagram { bytes: buffer.get(..size)?, from, arrived })
}

/// Unix time.
fn stamp(message: &libc::msghdr) -> Option<f64> {
    // SAFETY: the kernel has filled in the message and the room for what is beside it.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let beside = ptr::read_unaligned(header);
            let whole = libc::CMSG_LEN(mem::size_of::<libc::timespec>() as u32) as usize;
            if beside.cmsg_level == libc::SOL_SOCKET
                && beside.cmsg_type == libc::SCM_TIMESTAMPNS
                && beside.cmsg_len as usize >= whole
            {
                let at = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<libc::timespec>());
                return Some(at.tv_sec as f64 + at.tv_nsec as f64 / NS_PER_S);
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}

/// A lock that nobody holds while Python runs; what a panic left behind is still whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
