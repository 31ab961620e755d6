//! Addresses as the kernel writes them, and back.
#![allow(unsafe_code)]

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Room for an address of any family that we speak.
#[derive(Clone, Copy)]
pub struct Raw {
    pub storage: libc::sockaddr_storage,
    pub size: libc::socklen_t,
}

impl Raw {
    pub fn new() -> Self {
        // SAFETY: plain numbers, for which zero is a value.
        Raw { storage: unsafe { mem::zeroed() }, size: mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    pub fn of(address: IpAddr, port: u16) -> Self {
        let mut made = Raw::new();
        match address {
            IpAddr::V4(v4) => {
                // SAFETY: sockaddr_storage has room and alignment for every sockaddr.
                let to = unsafe { &mut *(&raw mut made.storage).cast::<libc::sockaddr_in>() };
                to.sin_family = libc::AF_INET as libc::sa_family_t;
                to.sin_port = port.to_be();
                to.sin_addr.s_addr = u32::from_ne_bytes(v4.octets());
                made.size = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            IpAddr::V6(v6) => {
                // SAFETY: likewise.
                let to = unsafe { &mut *(&raw mut made.storage).cast::<libc::sockaddr_in6>() };
                to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                to.sin6_port = port.to_be();
                to.sin6_addr.s6_addr = v6.octets();
                made.size = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        made
    }

    /// Address and port; the number of the link where the address is only known on one.
    pub fn read(&self) -> Option<(IpAddr, u16, u32)> {
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that the kernel wrote one.
                let from = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in>() };
                let address = Ipv4Addr::from(from.sin_addr.s_addr.to_ne_bytes());
                Some((IpAddr::V4(address), u16::from_be(from.sin_port), 0))
            }
            libc::AF_INET6 => {
                // SAFETY: likewise.
                let from = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in6>() };
                let address = Ipv6Addr::from(from.sin6_addr.s6_addr);
                Some((IpAddr::V6(address), u16::from_be(from.sin6_port), from.sin6_scope_id))
            }
            _ => None,
        }
    }
}

/// As Python writes it: with the link's name where there is one.
pub fn text(address: IpAddr, link: u32) -> String {
    if link == 0 {
        return address.to_string();
    }
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer is as long as the function asks for.
    let found = unsafe { libc::if_indextoname(link, name.as_mut_ptr().cast()) };
    let shown = name.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect::<String>();
    if found.is_null() { format!("{address}%{link}") } else { format!("{address}%{shown}") }
}
