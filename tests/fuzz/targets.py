"""The table of everything that is fuzzed: one line for each door that bytes of a stranger or a person come in by.

A new parser belongs here the day it is written: a function `fuzz_…(data)` that asserts the laws, seeds to begin from,
and words that a fuzzer would hardly guess. `make fuzz` runs each under Atheris, `make test` on its seeds, on seeded
mutants and on what Hypothesis makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz import (
    bodies,
    codecs,
    dialling,
    digest,
    locating,
    manifests,
    media,
    registering,
    securing,
    sessions,
    signalling,
    stir,
    streams,
    stun,
    websockets,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One door. `fuzz_one` raises for a broken law; `bytes_max` is the longest input that a fuzzer tries."""

    fuzz_one: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    bytes_max: int = 4096


TARGETS: dict[str, Target] = {
    # SIP
    "message": Target(signalling.fuzz_message, signalling.message_seeds, signalling.WORDS),
    "stream": Target(streams.fuzz_stream, streams.stream_seeds, streams.WORDS),
    "websocket": Target(websockets.fuzz_websocket, websockets.websocket_seeds, websockets.WORDS),
    "websocket-server": Target(websockets.fuzz_server, websockets.server_seeds, websockets.SERVER_WORDS),
    "dns": Target(locating.fuzz_dns, locating.dns_seeds, locating.WORDS),
    "call": Target(signalling.fuzz_call, signalling.call_seeds, signalling.WORDS),
    "session": Target(sessions.fuzz_session, sessions.session_seeds, sessions.WORDS),
    "dialled": Target(dialling.fuzz_dialled, dialling.dialled_seeds, dialling.WORDS),
    "registered": Target(registering.fuzz_registered, registering.registered_seeds, registering.WORDS),
    "sdp": Target(signalling.fuzz_sdp, signalling.sdp_seeds, signalling.WORDS),
    "address": Target(signalling.fuzz_address, signalling.address_seeds, signalling.WORDS, 512),
    "digest": Target(digest.fuzz_digest, digest.digest_seeds, digest.WORDS, 2048),
    "stun": Target(stun.fuzz_stun, stun.stun_seeds, stun.WORDS, 512),
    "identity": Target(bodies.fuzz_identity, bodies.identity_seeds, bodies.IDENTITY_WORDS, 2048),
    "stir": Target(stir.fuzz_stir, stir.stir_seeds, stir.WORDS, 8192),
    "refer": Target(bodies.fuzz_refer, bodies.refer_seeds, bodies.REFER_WORDS, 1024),
    "key": Target(bodies.fuzz_key, bodies.key_seeds, bodies.WORDS, 512),
    # media
    "rtp": Target(media.fuzz_rtp, media.rtp_seeds, media.RTP_WORDS, 2048),
    "opus": Target(codecs.fuzz_opus, codecs.opus_seeds, codecs.OPUS_WORDS, 2048),
    "g722": Target(codecs.fuzz_g722, codecs.g722_seeds, (), 1024),
    "rtcp": Target(media.fuzz_rtcp, media.rtcp_seeds, media.RTCP_WORDS, 2048),
    "srtp": Target(securing.fuzz_srtp, securing.srtp_seeds, securing.SRTP_WORDS),
    "crypto": Target(securing.fuzz_crypto, securing.crypto_seeds, securing.CRYPTO_WORDS, 1024),
    "dtls": Target(securing.fuzz_dtls, securing.dtls_seeds, securing.DTLS_WORDS),
    "ice": Target(securing.fuzz_ice, securing.ice_seeds, securing.ICE_WORDS, 1024),
    "wav": Target(media.fuzz_wav, media.wav_seeds, media.WAV_WORDS),
    # what people write
    "manifest": Target(manifests.fuzz_manifest, manifests.manifest_seeds, manifests.WORDS),
}
