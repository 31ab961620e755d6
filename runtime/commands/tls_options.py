"""The options of TLS, which the bridge and the test phone share, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from runtime.commands.options import F
from runtime.errors import BridgeError
from runtime.limits import TLS_PAIRS_MAX
from runtime.settings import Listen, TlsPair, TlsSettings
from runtime.sip.path import SECURE_TRANSPORTS

ALPN_NONE = "off"
SELF_SIGNED = (
    "give it --tls-cert FILE and --tls-key FILE; a pair to try it with:\n"
    "  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \\\n"
    "    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
)

_file = click.Path(path_type=Path, dir_okay=False)


def listening_options(command: F) -> F:
    """TLS of who is connected to, and connects."""
    return _with(
        command,
        click.option("--tls-cert", type=_file, multiple=True, envvar="DIALPLANE_TLS_CERT",
                     help="The certificate of tls:// and wss:// (PEM, with its chain); followed when it changes."
                     " Repeatable: peers are shown the one for the name that they ask for (SNI), else the first."),
        click.option("--tls-key", type=_file, multiple=True, envvar="DIALPLANE_TLS_KEY",
                     help="Its key (PEM), one for each in the same order.  [default: in the files of --tls-cert]"),
        click.option("--tls-client-ca", type=_file, default=None, envvar="DIALPLANE_TLS_CLIENT_CA",
                     help="Take TLS only from who shows a certificate of these authorities (PEM)."),
        *_both_ways(),
    )  # fmt: skip


def calling_options(command: F) -> F:
    """TLS of who only connects."""
    return _with(
        command,
        click.option("--tls-cert", type=_file, default=None, help="The client certificate to show (PEM)."),
        click.option("--tls-key", type=_file, default=None, help="Its key.  [default: in the file of --tls-cert]"),
        *_both_ways(),
    )


def _both_ways() -> list[Callable[[F], F]]:
    return [
        click.option("--tls-ca", type=_file, default=None, envvar="DIALPLANE_TLS_CA",
                     help="Whose certificates those who are called must show (PEM).  [default: the machine's list]"),
        click.option("--tls-min", type=click.Choice(["1.2", "1.3"]), default="1.2", show_default=True,
                     envvar="DIALPLANE_TLS_MIN", help="The oldest version of TLS that is spoken."),
        click.option("--tls-ciphers", default="", envvar="DIALPLANE_TLS_CIPHERS",
                     help="Ciphers of TLS 1.2, as OpenSSL lists them.  [default: OpenSSL's choice]"),
        click.option("--tls-alpn", default=ALPN_NONE, show_default=True, envvar="DIALPLANE_TLS_ALPN",
                     help="Application protocols to name (ALPN), e.g. sip; some carriers refuse that."),
    ]  # fmt: skip


def tls_settings(options: Mapping[str, Any], listens: Sequence[Listen] = ()) -> TlsSettings:
    """What the options say. BridgeError where TLS is listened for without a certificate, or keys are missing."""
    pairs = _pairs(_several(options["tls_cert"]), _several(options["tls_key"]))
    first = next((listen for listen in listens if listen.transport in SECURE_TRANSPORTS), None)
    if first is not None and not pairs:
        raise BridgeError(f"--listen {first} needs a certificate", SELF_SIGNED)
    return TlsSettings(
        pairs=pairs,
        client_authorities=options.get("tls_client_ca"),
        authorities=options["tls_ca"],
        version_min=options["tls_min"],
        ciphers=options["tls_ciphers"],
        alpn=_alpn(options["tls_alpn"]),
    )


def _several(given: Path | tuple[Path, ...] | None) -> tuple[Path, ...]:
    """Who only connects has one certificate at most."""
    return given if isinstance(given, tuple) else (given,) if given is not None else ()


def _pairs(certificates: Sequence[Path], keys: Sequence[Path]) -> tuple[TlsPair, ...]:
    if not certificates and keys:
        raise BridgeError("--tls-key needs --tls-cert", "name the certificate of this key")
    if keys and len(keys) != len(certificates):
        raise BridgeError(
            f"{len(certificates)} of --tls-cert and {len(keys)} of --tls-key",
            "name a key for each certificate, in the same order; or none, where each file holds both",
        )
    if len(certificates) > TLS_PAIRS_MAX:
        hint = "one certificate may be for many names: name fewer"
        raise BridgeError(f"{len(certificates)} of --tls-cert, and {TLS_PAIRS_MAX} may be at most", hint)
    return tuple(map(TlsPair, certificates, keys or certificates))


def _alpn(text: str) -> tuple[str, ...]:
    if text == ALPN_NONE:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(name.isascii() and name.isprintable() and 0 < len(name) < 256 for name in names):
        raise BridgeError(f"--tls-alpn {text}: not names of protocols", "write it like --tls-alpn sip, or off")
    return names


def _with(command: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        command = option(command)
    return command
