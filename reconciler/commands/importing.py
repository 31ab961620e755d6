"""`reconcile import --from livekit`: manifests of what a LiveKit server holds, which change nothing there.

Files are written whole, and none that is there is written over unless that is asked for; all of them are looked for
before the first is written. Secrets are written nowhere but into the file that `--secrets-file` names.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import click

from reconciler.commands.common import key_of, opened_if_there, show_json, show_lines
from reconciler.commands.options import Given, output_option, settings_options_but_tables
from reconciler.commands.progress import patience
from reconciler.commands.target import LIVEKIT, remembered_at
from reconciler.errors import EXIT_ERROR, ReconcileError
from reconciler.manifests.files import STDIN, is_manifest
from reconciler.manifests.yaml_text import SCHEMA_FILE, Remarked, yaml_text
from reconciler.plan.render import Line
from reconciler.settings import Settings, livekit_from
from reconciler.targets.livekit.importing.proof import Imported
from reconciler.targets.livekit.importing.report import remarks_of, report_of, text_of
from reconciler.targets.livekit.target import LiveKitTarget
from schemas import ids
from schemas.environment import parse_env
from schemas.resources.base import DEFAULT_NAMESPACE
from schemas.seal import KEY_BYTES, Sealer
from schemas.tables.rows import Kind
from schemas.whole_file import OWNER_ALONE, write_whole

STDOUT = STDIN
DOCUMENTS_PER_FILE = 10_000
ADOPTIONS_FILE = "adopt.txt"
ADOPTIONS_ON_A_LINE_MAX = 10
"""More adoptions than a person copies from a terminal go into a file."""
_FILES = {Kind.TRUNK: "trunks", Kind.RULE: "dispatch-rules", Kind.NUMBER: "phone-numbers"}


@click.command("import")
@click.option("--from", "origin", type=click.Choice((LIVEKIT,)), required=True, help="Where from.")
@click.option("--out", metavar="DIR", default="manifests", show_default=True, help="Where to; `-` is standard output.")
@click.option(
    "--namespace", metavar="NAME", default=DEFAULT_NAMESPACE, show_default=True, help="Of objects without a mark."
)
@click.option("--overwrite", is_flag=True, help="Write over manifests of these names that are there.")
@click.option("--secrets-file", metavar="FILE", help="Write the secrets there, as .env has them, for you alone (0600).")
@output_option("text", "json")
@settings_options_but_tables
@click.pass_context
def command(
    ctx: click.Context,
    origin: str,
    out: str,
    namespace: str,
    overwrite: bool,
    secrets_file: str | None,
    form: str,
    given: Given,
) -> None:
    """Write manifests of the trunks, rules and numbers of a LiveKit server. Changes nothing there.

    The manifests are proved first: `plan` with the adoptions that are printed changes nothing but whose the objects
    are. What has no form in a manifest is named with the reason, and left alone. No secret is written; the report
    names the variables to be set. Exit code 1 when an object that is marked as yours could not be imported.

    \b
    Example:
      reconcile import --from livekit --out manifests
      reconcile import --from livekit --out - -o json 2> report.json > all.yaml
      reconcile import --from livekit --secrets-file .env.imported
    """
    settings = given.settings()
    if not ids.is_namespace(namespace):
        raise ReconcileError(f"--namespace {namespace} is no namespace", "use lower-case letters, digits and -")
    done, report = _read(settings, namespace)
    documents = _documents(done)
    if out == STDOUT:
        written: list[str] = []
        if secrets_file is not None:
            written += _write_secrets(secrets_file, done)
        click.echo(yaml_text([one for some in documents.values() for one in some]), nl=False)
    else:
        adoptions = "".join(f"{one}\n" for one in report["adopt"])
        written = _write(out, _texts(documents), secrets_file, done, adoptions, overwrite=overwrite)
    report |= {"written": written, "next": _next(out, settings, report["adopt"])}
    _show(report, form, to_stderr=out == STDOUT, beside=_beside(out, written))
    ctx.exit(EXIT_ERROR if done.endangered else 0)


def _read(settings: Settings, namespace: str) -> tuple[Imported, dict[str, Any]]:
    access = livekit_from(os.environ)
    key = key_of(settings)
    with opened_if_there(remembered_at(settings, access)) as store, patience("reading what LiveKit holds"):
        hand = LiveKitTarget(access, store, settings.owner)
        done = hand.imported(namespace, Sealer(key or os.urandom(KEY_BYTES)))
    return done, report_of(done)


def _documents(done: Imported) -> dict[Kind, list[Remarked]]:
    remarks = remarks_of(done)
    documents: dict[Kind, list[Remarked]] = {kind: [] for kind in _FILES}
    for key, data in done.documents.items():
        documents[key[0]].append(Remarked(data, remarks.get(key, "")))
    return documents


def _texts(documents: Mapping[Kind, Sequence[Remarked]]) -> dict[str, str]:
    """Each file's name and text."""
    out: dict[str, str] = {}
    for kind, stem in _FILES.items():
        for start in range(0, len(documents[kind]), DOCUMENTS_PER_FILE):
            number = start // DOCUMENTS_PER_FILE
            name = f"{stem}-{number + 1}.yaml" if number else f"{stem}.yaml"
            out[name] = yaml_text(documents[kind][start : start + DOCUMENTS_PER_FILE])
    return out


def _write(
    folder: str, texts: dict[str, str], secrets_file: str | None, done: Imported, adoptions: str, *, overwrite: bool
) -> list[str]:
    """Write everything or, where something is in the way, nothing; the paths."""
    schema = files("schemas").joinpath("published", "json-schema", SCHEMA_FILE).read_text(encoding="utf-8")
    everything = {**texts, SCHEMA_FILE: schema, ADOPTIONS_FILE: adoptions} if texts else {}
    paths = {os.path.join(folder, name): text for name, text in everything.items() if text}
    there = [] if overwrite else [path for path in paths if os.path.lexists(path)]
    if there:
        raise ReconcileError(
            f"{', '.join(there)}: already there, nothing was written", "name another --out, or add --overwrite"
        )
    written = _write_secrets(secrets_file, done) if secrets_file is not None else []
    try:
        os.makedirs(folder, exist_ok=True)
        for path, text in paths.items():
            write_whole(path, text.encode(), OWNER_ALONE, replace=overwrite)
    except OSError as error:
        raise ReconcileError(
            f"{error.filename or folder} cannot be written: {error.strerror}", "name another --out"
        ) from error
    return [*paths, *written]


def _write_secrets(path: str, done: Imported) -> list[str]:
    """The secrets as `.env` has them. A file that is there is never written over: it may hold other secrets."""
    lines = []
    for name, value in sorted(done.variables.values.items()):
        line = f'{name}="{_escaped(value)}"'
        if parse_env(line) != {name: value}:
            raise ReconcileError(
                f"{path} cannot hold the secret of {name}", "leave --secrets-file out, and set it by hand"
            )
        lines.append(f"{line}\n")
    try:
        write_whole(path, "".join(lines).encode(errors="surrogateescape"), OWNER_ALONE, replace=False)
    except OSError as error:
        hint = "name a file that is not there yet with --secrets-file"
        raise ReconcileError(f"{path} cannot be written: {error.strerror}", hint) from error
    return [path]


def _escaped(value: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(char, escape)
    return value


def _next(out: str, settings: Settings, adopt: Sequence[str]) -> list[str]:
    """The commands that take the objects over."""
    source = "manifests.yaml" if out == STDOUT else out
    owner = ["--owner", settings.owner] if settings.owner != Settings().owner else []
    claims = [word for one in adopt for word in ("--adopt", one)]
    if out != STDOUT and len(adopt) > ADOPTIONS_ON_A_LINE_MAX:
        claims = ["--adopt", "@" + os.path.join(out, ADOPTIONS_FILE)]
    return [shlex.join(["reconcile", verb, source, "--target", LIVEKIT, *owner, *claims]) for verb in ("plan", "apply")]


def _beside(out: str, written: Sequence[str]) -> list[str]:
    """Manifests in the folder that were there before."""
    if out == STDOUT or not os.path.isdir(out):
        return []
    mine = {os.path.basename(path) for path in written}
    return sorted(name for name in os.listdir(out) if is_manifest(name) and name not in mine)


def _show(report: dict[str, Any], form: str, *, to_stderr: bool, beside: Sequence[str]) -> None:
    if form == "json":
        show_json(report | {"beside": [*beside]}, err=to_stderr)
        return
    lines = [Line(text, style) for style, text in (*text_of(report), *_ending(report, beside))]
    show_lines(lines, err=to_stderr)


def _ending(report: dict[str, Any], beside: Sequence[str]) -> Iterator[tuple[str, str]]:
    objects = report["objects"]
    if report["written"]:
        yield "", "Written:"
        yield from (("", f"  {path}") for path in report["written"])
        yield "", ""
    if beside:
        yield "update", f"There are other manifests beside them, which `plan` reads as well: {', '.join(beside)}"
    if not objects:
        yield "", "Nothing at LiveKit can be managed." if report["left"] else "There is nothing at LiveKit."
        return
    yield "", "Next, and it changes nothing there but whose the objects are:"
    yield from (("create", f"  {line}") for line in report["next"])
