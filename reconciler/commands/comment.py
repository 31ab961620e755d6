"""`reconcile comment FILE`: a plan in Markdown as the one comment of a pull request that is kept up to date."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

import click

from reconciler.commands.common import show_json
from reconciler.commands.options import output_option
from reconciler.errors import ReconcileError
from reconciler.github.api import Api
from reconciler.github.runner import Job, job_of, summarize
from reconciler.github.sticky import Kept, ReadOnlyError, Sticky
from reconciler.plan.annotations import annotation
from reconciler.plan.markdown import MARK

FORMAT_VERSION = 1
COMMENT_CHARS_MAX = 65_536
"""GitHub's limit of a comment."""
TEXT_CHARS_MAX = 500_000
"""A job's summary holds a mebibyte."""
STDIN = "-"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/]|-(?!-)){0,63}")


@click.command("comment")
@click.argument("file", metavar="FILE")
@click.option("--name", metavar="NAME", default="", help="Tells this comment from others, of another folder say.")
@click.option("--pull-request", "number", metavar="N", type=click.IntRange(1), help="Its number (that of the event).")
@click.option("--repository", metavar="OWNER/NAME", default="", help="Where it is (GITHUB_REPOSITORY).")
@output_option("text", "json")
def command(file: str, name: str, number: int | None, repository: str, form: str) -> None:
    """Put a plan on a pull request, as one comment: created once, then updated in place.

    For a job on GitHub: reads GITHUB_TOKEN and what the runner says. Where the token may not comment, as on a pull
    request from a fork, or where there is no pull request, the text goes into the job's summary.

    \b
    Example:
      reconcile plan manifests/ --against git:origin/main -o markdown > plan.md
      reconcile comment plan.md
      reconcile comment plan.md --name staging --pull-request 7 --repository acme/telephony
    """
    if name and not _NAME.fullmatch(name):
        raise ReconcileError(f"{name!r} is no name of a comment", "use letters, digits, and . _ / - between them")
    job = job_of(os.environ, repository, number or 0)
    mark = f"{MARK.removesuffix(' -->')} {name} -->" if name else MARK
    body = _body(_text(file), mark, job)
    if len(body) > COMMENT_CHARS_MAX:
        kept, note = _too_long(job, mark, body)
    else:
        kept, note = _kept(job, mark, body)
    if form == "json":
        show_json({"formatVersion": FORMAT_VERSION, "done": kept.done, "url": kept.url, "note": note})
        return
    click.echo(f"comment {kept.done}{f': {kept.url}' if kept.url else ''}" if kept.done != "summary" else note)


def _kept(job: Job, mark: str, body: str) -> tuple[Kept, str]:
    """What became of it, and why not what was asked for. A comment that failed leaves its text in the summary."""
    if not job.number:
        note = "this job is about no pull request: the plan is in its summary"
    elif not job.token:
        raise ReconcileError("there is no token", "set GITHUB_TOKEN, in a workflow to ${{ github.token }}")
    elif not job.repository:
        raise ReconcileError("there is no repository", "name it: --repository OWNER/NAME")
    else:
        try:
            return Sticky(Api(job.api, job.token), job.repository, job.number, mark).keep(body), ""
        except ReadOnlyError as refused:
            note = _read_only(job, str(refused))
        except ReconcileError:
            summarize(job, body)
            raise
    if not summarize(job, body):
        raise ReconcileError(note.partition(":")[0], "name it: --pull-request N --repository OWNER/NAME")
    return Kept("summary", ""), note


def _too_long(job: Job, mark: str, body: str) -> tuple[Kept, str]:
    """The text goes into the summary; the comment must not go on showing an older plan."""
    what = f"a comment holds {COMMENT_CHARS_MAX:,} characters, this one has {len(body):,}"
    if not summarize(job, body):
        raise ReconcileError(what, "write it with `reconcile plan -o markdown`, which keeps within that")
    note = f"{what}: the plan is in the job's summary"
    click.echo(annotation("warning", note), err=True)
    if not job.number:
        return Kept("summary", ""), note
    instead = _body(
        "**This plan is too long for a comment, do not approve by it: it is in the job's summary.**\n", mark, job
    )
    return _kept(job, mark, instead)[0], note


def _read_only(job: Job, message: str) -> str:
    """Why there is no comment. Of a fork that is as it should be; elsewhere somebody forgot a permission."""
    if job.is_fork:
        return "the token of a pull request from a fork may not comment: the plan is in the job's summary"
    note = f"the token may not comment ({message}): the plan is in the job's summary"
    click.echo(annotation("warning", f"{note}; give the job `permissions: pull-requests: write`"), err=True)
    return note


def _body(text: str, mark: str, job: Job) -> str:
    """The comment: mark, text, and which commit and run it is of."""
    said = [f"commit {job.commit[:10]}"] if job.commit else []
    said += [f"[run]({job.run_url})"] if job.run_url else []
    foot = f"\n<sub>{', '.join(said)}</sub>\n" if said else ""
    return f"{mark}\n{text.removeprefix(MARK).lstrip()}{foot}"


def _text(file: str) -> str:
    try:
        if file == STDIN:
            return _bounded(sys.stdin)
        with open(file, encoding="utf-8") as opened:
            return _bounded(opened)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        hint = "make it with: reconcile plan DIR -o markdown > FILE"
        raise ReconcileError(f"{file} cannot be read: {reason}", hint) from error


def _bounded(opened: TextIO) -> str:
    text = opened.read(TEXT_CHARS_MAX + 1)
    cut = "\n\n**The rest is NOT shown: do not approve by this text.**\n"
    return text if len(text) <= TEXT_CHARS_MAX else text[:TEXT_CHARS_MAX] + cut
