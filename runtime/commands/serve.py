"""`bridge up` and `bridge run`: answer calls until told to stop."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import uvloop

from runtime.commands.options import F, make_log, state_option
from runtime.commands.tls_options import listening_options, tls_settings
from runtime.commands.welcome import welcome, without_tables
from runtime.errors import BridgeError
from runtime.rooms.prompts import prompts_folder
from runtime.settings import (
    API_DEFAULT,
    LISTEN_DEFAULT,
    METRICS_EXAMPLE,
    RTP_PORTS_DEFAULT,
    BridgeSettings,
    LiveKitApi,
    LiveKitServer,
    StirSettings,
    parse_dns,
    parse_host_port,
    parse_listens,
    parse_livekit,
    parse_livekit_api,
    parse_networks,
    parse_origins,
    parse_outside,
    parse_ports,
    parse_region,
)
from runtime.workers.bridge import Bridge, serve
from schemas.stores import default_url

FIRST_EXAMPLE = "01-one-number"


def _serving_options(command: F) -> F:
    file = click.Path(path_type=Path, dir_okay=False)
    folder = click.Path(path_type=Path, file_okay=False)
    for option in reversed(
        [
            click.option("--listen", multiple=True, default=LISTEN_DEFAULT, show_default=True,
                         envvar="DIALPLANE_LISTEN",
                         help="Where SIP is heard, udp://, tcp://, tls://, ws:// or wss://; repeatable."),
            click.option("--ws-origin", multiple=True, envvar="DIALPLANE_WS_ORIGIN", metavar="ORIGIN",
                         help="Web pages that may connect by ws:// and wss://, e.g. https://phone.example.com;"
                         " '*' for any.  [default: none]"),
            click.option("--external-address", multiple=True, envvar="DIALPLANE_EXTERNAL_ADDRESS",
                         metavar="IP|stun:HOST",
                         help="Behind NAT: the address that the world sees this bridge at; one of each version of IP."),
            click.option("--external-media-address", multiple=True, envvar="DIALPLANE_EXTERNAL_MEDIA_ADDRESS",
                         metavar="IP", help="The same for media, where it is another one."),
            click.option("--local-network", multiple=True, envvar="DIALPLANE_LOCAL_NETWORK", metavar="CIDR",
                         help="Peers that are told this bridge's own address all the same.  [default: private ones]"),
            click.option("--stir-authorities", type=file, default=None, envvar="DIALPLANE_STIR_AUTHORITIES",
                         help="Whom callers' carriers must have their certificates from (PEM), for trunks that verify"
                         " callers (STIR/SHAKEN); followed when it changes."),
            click.option("--stir-network", multiple=True, envvar="DIALPLANE_STIR_NETWORK", metavar="CIDR",
                         help="Private networks that such certificates may be fetched in.  [default: none]"),
            click.option("--rtp-ports", default=RTP_PORTS_DEFAULT, show_default=True, envvar="DIALPLANE_RTP_PORTS",
                         help="UDP ports for media, two per call."),
            click.option("--tables", default=None, envvar="DIALPLANE_TABLES",
                         help="The live tables, sqlite:// or redis://.  [default: sqlite:///STATE/tables.db]"),
            click.option("--region", default="", envvar="DIALPLANE_REGION",
                         help="The region of this bridge; none serves only unpinned trunks."),
            click.option("--api", default=API_DEFAULT, show_default=True, envvar="DIALPLANE_API",
                         help="Where the HTTP API listens; `off` for none."),
            click.option("--metrics", default="off", show_default=True, envvar="DIALPLANE_METRICS",
                         help="Where /metrics (Prometheus), /livez and /readyz are answered, IP:PORT; without a key."),
            click.option("--dns", default="", envvar="DIALPLANE_DNS",
                         help="The DNS server to ask, IP[:PORT].  [default: those of this machine]"),
            click.option("--dial-anywhere", is_flag=True, envvar="DIALPLANE_DIAL_ANYWHERE",
                         help="Let requests to call name trunks and hosts that no manifest declares."),
            click.option("--drain", type=click.FloatRange(0, 86_400), default=0.0, show_default=True,
                         envvar="DIALPLANE_DRAIN", help="Seconds that a stopping bridge lets live calls go on."),
            click.option("--records", type=file, default=None, envvar="DIALPLANE_RECORDS",
                         help="JSON lines of ended calls.  [default: STATE/records.jsonl]"),
            click.option("--recordings", type=folder, default=None, envvar="DIALPLANE_RECORDINGS",
                         help="Folder of recordings of calls.  [default: STATE/recordings]"),
            click.option("--prompts", type=folder, default=None, envvar="DIALPLANE_PROMPTS",
                         help="Folder of your own prompts.  [default: DIR/prompts, or STATE/prompts]"),
            click.option("--rooms", type=click.Choice(["embedded", "livekit"]), default="embedded", show_default=True,
                         envvar="DIALPLANE_ROOMS", help="Where rooms are: in the bridge, or on a LiveKit server."),
            click.option("--livekit-url", default="", envvar="LIVEKIT_URL",
                         help="The LiveKit server, ws:// or wss://; its key: LIVEKIT_API_KEY, LIVEKIT_API_SECRET."),
            click.option("--livekit-api", default="off", show_default=True, envvar="DIALPLANE_LIVEKIT_API",
                         help="Where the LiveKit-compatible API listens, IP:PORT."),
            click.option("--play", type=file, default=None, help="A WAV file that every caller hears first."),
            click.option("--record", type=folder, default=None, help="Record every room into this folder."),
            click.option("--log", "log_form", type=click.Choice(["text", "json"]), default="text", show_default=True,
                         envvar="DIALPLANE_LOG", help="Form of the log."),
        ]
    ):  # fmt: skip
        command = option(command)
    return state_option(listening_options(command))


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@_serving_options
def up(folder: Path | None, **options: Any) -> None:
    """Run a reconciler on DIR and a bridge, together on this machine.

    Without DIR, the first example is used: a good place to begin.

    \b
    Example:
      bridge up my-manifests/ --listen udp://127.0.0.1:5070 --listen tcp://127.0.0.1:5070
      bridge up my-manifests/ --rooms livekit --livekit-url ws://127.0.0.1:7880
    """
    chosen = first_example() if folder is None else folder
    if not chosen.exists():
        raise BridgeError(f"{chosen} is not there", "name a folder of manifests, or none for the first example")
    _serve(options, chosen)


@click.command()
@_serving_options
def run(**options: Any) -> None:
    """Answer calls from the live tables, which a reconciler keeps elsewhere.

    \b
    Example:
      reconcile --watch my-manifests/ &
      bridge run --listen udp://0.0.0.0:5060 --listen tcp://0.0.0.0:5060
      bridge run --listen tls://0.0.0.0:5061 --tls-cert cert.pem --tls-key key.pem
      bridge run --listen wss://0.0.0.0:8443 --tls-cert cert.pem --ws-origin https://phone.example.com
    """
    _serve(options, None)


def first_example() -> Path:
    """The first example: in a checkout the folder itself, in an installation the copy that was shipped."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "first_example"
    return shipped if shipped.is_dir() else _nearest(package.parent / "examples" / "manifests" / FIRST_EXAMPLE)


def _nearest(path: Path) -> Path:
    """The shorter of the absolute and the relative form, for messages that people read."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _serve(options: dict[str, Any], folder: Path | None) -> None:
    settings = _settings(options, folder)
    os.umask(0o077)  # recordings and call records are this user's alone
    log = make_log(options["log_form"])

    def ready(bridge: Bridge, has_tables: bool) -> None:
        if options["log_form"] == "text":
            told = (
                welcome(bridge.listening, bridge.tables, settings, folder)
                if has_tables
                else without_tables(bridge.listening, settings, folder, options["tables"])
            )
            click.echo(told, err=True)
        else:
            log("the bridge answers calls", listen=[str(listen) for listen in bridge.listening], api=bridge.api_url)
            if not has_tables:
                log("there are no tables yet: every call is refused until `reconcile apply DIR` publishes some")
        log(bridge.capacity)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, folder, log, version("dialplane"), ready))


def _settings(options: dict[str, Any], folder: Path | None) -> BridgeSettings:
    first, last = parse_ports(options["rtp_ports"])
    listens = parse_listens(options["listen"])
    state: Path = options["state"]
    return BridgeSettings(
        state=state,
        tables=options["tables"] or default_url(str(state)),
        prompts=prompts_folder(options["prompts"], folder, state),
        listen=listens,
        tls=tls_settings(options, listens),
        ws_origins=parse_origins(options["ws_origin"]),
        outside=parse_outside(options["external_address"], options["external_media_address"], options["local_network"]),
        stir=StirSettings(options["stir_authorities"], parse_networks(options["stir_network"], "--stir-network")),
        rtp_first=first,
        rtp_last=last,
        region=parse_region(options["region"]),
        api=_listener(options["api"], "--api", API_DEFAULT),
        api_chosen=options["api"] != API_DEFAULT,
        metrics=_listener(options["metrics"], "--metrics", METRICS_EXAMPLE),
        drain_s=options["drain"],
        livekit=_livekit(options),
        livekit_api=_livekit_api(options),
        dial_anywhere=options["dial_anywhere"],
        dns=parse_dns(options["dns"]),
        records=options["records"],
        recordings=options["recordings"],
        play=options["play"],
        record=options["record"],
    )


def _listener(given: str, option: str, example: str) -> tuple[str, int] | None:
    return None if given == "off" else parse_host_port(given, option, example)


def _livekit(options: dict[str, Any]) -> LiveKitServer | None:
    if options["rooms"] == "embedded":
        return None
    for option in ("play", "record"):
        if options[option] is not None:
            hint = "leave it out, or use --rooms embedded; LiveKit records with its egress"
            raise BridgeError(f"--{option} is for embedded rooms, not for LiveKit's", hint)
    return parse_livekit(options["livekit_url"], *_livekit_keys())


def _livekit_api(options: dict[str, Any]) -> LiveKitApi | None:
    if options["livekit_api"] == "off":
        return None
    return parse_livekit_api(options["livekit_api"], options["livekit_url"], *_livekit_keys())


def _livekit_keys() -> tuple[str, str]:
    return os.environ.get("LIVEKIT_API_KEY", ""), os.environ.get("LIVEKIT_API_SECRET", "")
