//! The keys of one protocol (RTP or RTCP) of one direction, and what is done by them (RFC 3711, RFC 6188, RFC 7714).

use aes::cipher::{Array, BlockCipherEncrypt};
use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;

pub const PACKET_BYTES_MAX: usize = 1_500;
pub const GCM_TAG_BYTES: usize = 16;
pub const SALT_BYTES: usize = 14;
const AUTH_KEY_BYTES: usize = 20;
const BLOCK: usize = 16;
const BLOCKS_MAX: usize = PACKET_BYTES_MAX.div_ceil(BLOCK);

type Block = aes::Block;
pub type Authentication = Hmac<Sha1>;

/// AES of either length of key, encrypting alone: counter mode never decrypts.
pub enum Aes {
    Short(Box<Aes128Enc>),
    Long(Box<Aes256Enc>),
}

impl Aes {
    fn new(key: &[u8]) -> Option<Self> {
        if let Ok(made) = Aes128Enc::new_from_slice(key) {
            return Some(Aes::Short(Box::new(made)));
        }
        Aes256Enc::new_from_slice(key).ok().map(|made| Aes::Long(Box::new(made)))
    }

    /// Add the key stream that begins at this counter block (section 4.1.1), whose last two bytes are zero.
    fn crypt(&self, first: u128, text: &mut [u8]) -> bool {
        let mut blocks = [Block::default(); BLOCKS_MAX];
        let Some(used) = blocks.get_mut(..text.len().div_ceil(BLOCK)) else { return false };
        for (number, block) in used.iter_mut().enumerate() {
            *block = Array((first + number as u128).to_be_bytes());
        }
        match self {
            Aes::Short(aes) => aes.encrypt_blocks(used),
            Aes::Long(aes) => aes.encrypt_blocks(used),
        }
        for (bytes, block) in text.chunks_mut(BLOCK).zip(used.iter()) {
            for (byte, stream) in bytes.iter_mut().zip(block.iter()) {
                *byte ^= stream;
            }
        }
        true
    }
}

/// How packets are hidden, and by what it is known that they are the peer's.
pub enum Way {
    Counter { aes: Aes, authentication: Box<Authentication>, salt: u128 },
    Short { gcm: Box<Aes128Gcm>, salt: u128 },
    Long { gcm: Box<Aes256Gcm>, salt: u128 },
}

/// A session key from the master key (section 4.3.1). A salt of 12 bytes has two of zero behind it (RFC 7714 section 11).
fn derive(key: &[u8], salt: &[u8], label: u8, to: &mut [u8]) -> Option<()> {
    let aes = Aes::new(key)?;
    let mut whole = [0u8; 16];
    whole.get_mut(..salt.len())?.copy_from_slice(salt);
    *whole.get_mut(7)? ^= label;
    to.fill(0);
    aes.crypt(u128::from_be_bytes(whole), to).then_some(())
}

/// The keys of one protocol: `first_label` is 0 for RTP, 3 for RTCP (section 4.3.2). None: the lengths are no profile's.
pub fn way(gcm: bool, key_bytes: usize, master: &[u8], first_label: u8) -> Option<Way> {
    let salt_bytes = if gcm { 12 } else { SALT_BYTES };
    if master.len() != key_bytes + salt_bytes || !(key_bytes == 16 || key_bytes == 32) {
        return None;
    }
    let (key, salt) = master.split_at_checked(key_bytes)?;
    let mut session = [0u8; 32];
    let session = session.get_mut(..key_bytes)?;
    derive(key, salt, first_label, session)?;
    let mut hidden = [0u8; 16];
    derive(key, salt, first_label + 2, hidden.get_mut(..salt_bytes)?)?;
    let salt_whole = u128::from_be_bytes(hidden);
    if gcm {
        return match key_bytes {
            16 => Some(Way::Short { gcm: Box::new(Aes128Gcm::new_from_slice(session).ok()?), salt: salt_whole >> 32 }),
            _ => Some(Way::Long { gcm: Box::new(Aes256Gcm::new_from_slice(session).ok()?), salt: salt_whole >> 32 }),
        };
    }
    let mut auth = [0u8; AUTH_KEY_BYTES];
    derive(key, salt, first_label + 1, &mut auth)?;
    let aes = Aes::new(session)?;
    Some(Way::Counter {
        aes,
        authentication: Box::new(<Authentication as KeyInit>::new_from_slice(&auth).ok()?),
        salt: salt_whole,
    })
}

/// Where a packet's text begins, and what it is hidden by. `rtcp`: the index's word, which RTCP carries.
#[derive(Clone, Copy)]
pub struct At {
    pub begins: usize,
    pub ssrc: u32,
    pub index: u64,
    pub rtcp: Option<u32>,
}

impl At {
    /// Section 4.1.1: salt, SSRC and index, each at its place, and room for the counter.
    fn counter(self, salt: u128) -> u128 {
        salt ^ u128::from(self.ssrc) << 64 ^ u128::from(self.index) << 16
    }

    /// RFC 7714 sections 8.1 and 9.1: likewise in 12 bytes.
    fn nonce(self, salt: u128) -> [u8; 12] {
        let whole = (salt ^ u128::from(self.ssrc) << 48 ^ u128::from(self.index)).to_be_bytes();
        let mut made = [0u8; 12];
        for (to, from) in made.iter_mut().zip(whole.iter().skip(4)) {
            *to = *from;
        }
        made
    }

    /// What media is authenticated with besides, because it does not carry it (section 4.2).
    fn roll_over(self) -> Option<u32> {
        self.rtcp.is_none().then_some((self.index >> 16) as u32)
    }
}

impl Way {
    /// Hide what stands behind the header; behind it comes what tells whose it is.
    pub fn seal(&self, wire: &mut Vec<u8>, tag: usize, at: At) -> Option<()> {
        match self {
            Way::Counter { aes, authentication, salt } => {
                if !aes.crypt(at.counter(*salt), wire.get_mut(at.begins..)?) {
                    return None;
                }
                if let Some(word) = at.rtcp {
                    wire.extend_from_slice(&word.to_be_bytes());
                }
                let found = tag_of(authentication, wire, at.roll_over()).finalize().into_bytes();
                wire.extend_from_slice(found.get(..tag)?);
                Some(())
            }
            Way::Short { gcm, salt } => seal_gcm(gcm.as_ref(), *salt, wire, at),
            Way::Long { gcm, salt } => seal_gcm(gcm.as_ref(), *salt, wire, at),
        }
    }

    /// Show what stands behind the header, if it is authentic; None, and rubbish in `wire`, where not.
    pub fn open(&self, wire: &mut Vec<u8>, tag: usize, at: At) -> Option<()> {
        match self {
            Way::Counter { aes, authentication, salt } => {
                let ends = wire.len().checked_sub(tag)?;
                let (text, shown) = wire.split_at_checked(ends)?;
                let known = tag_of(authentication, text, at.roll_over());
                known.verify_truncated_left(shown).ok()?;
                wire.truncate(ends - if at.rtcp.is_some() { 4 } else { 0 });
                aes.crypt(at.counter(*salt), wire.get_mut(at.begins..)?).then_some(())
            }
            Way::Short { gcm, salt } => open_gcm(gcm.as_ref(), *salt, wire, at),
            Way::Long { gcm, salt } => open_gcm(gcm.as_ref(), *salt, wire, at),
        }
    }
}

fn tag_of(authentication: &Authentication, text: &[u8], roll_over: Option<u32>) -> Authentication {
    let mut made = authentication.clone();
    made.update(text);
    if let Some(number) = roll_over {
        made.update(&number.to_be_bytes());
    }
    made
}

/// What is authentic and not hidden: the header, and of RTCP the index's word (RFC 7714 section 9.2).
fn shown(head: &[u8], rtcp: Option<u32>) -> ([u8; 12], bool) {
    let mut both = [0u8; 12];
    if let Some(word) = rtcp {
        for (to, from) in both.iter_mut().zip(head.iter().chain(word.to_be_bytes().iter())) {
            *to = *from;
        }
    }
    (both, rtcp.is_some())
}

fn seal_gcm<G>(gcm: &G, salt: u128, wire: &mut Vec<u8>, at: At) -> Option<()>
where
    G: AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    let (head, text) = wire.split_at_mut_checked(at.begins)?;
    let (both, is_rtcp) = shown(head, at.rtcp);
    let named: &[u8] = if is_rtcp { &both } else { head };
    let tag = gcm.encrypt_inout_detached(&Array(at.nonce(salt)), named, text.into()).ok()?;
    wire.extend_from_slice(&tag);
    if let Some(word) = at.rtcp {
        wire.extend_from_slice(&word.to_be_bytes());
    }
    Some(())
}

fn open_gcm<G>(gcm: &G, salt: u128, wire: &mut Vec<u8>, at: At) -> Option<()>
where
    G: AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    if at.rtcp.is_some() {
        wire.truncate(wire.len().checked_sub(4)?);
    }
    let ends = wire.len().checked_sub(GCM_TAG_BYTES)?;
    let (rest, tag) = wire.split_at_mut_checked(ends)?;
    let tag: [u8; GCM_TAG_BYTES] = (&*tag).try_into().ok()?;
    let (head, text) = rest.split_at_mut_checked(at.begins)?;
    let (both, is_rtcp) = shown(head, at.rtcp);
    let named: &[u8] = if is_rtcp { &both } else { head };
    gcm.decrypt_inout_detached(&Array(at.nonce(salt)), named, text.into(), &Array(tag)).ok()?;
    wire.truncate(ends);
    Some(())
}
