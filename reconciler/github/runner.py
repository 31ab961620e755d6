"""EDGE. What GitHub's runner tells a job: which pull request it is about, where its API is, and the job's summary.

https://docs.github.com/actions/reference/variables-reference. Everything in the event was written by whoever opened
the pull request; of it only numbers, hashes and names of a known form are used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import ReconcileError

API_DEFAULT = "https://api.github.com"
EVENT_BYTES_MAX = 32 * 1024 * 1024
NUMBER_DIGITS_MAX = 12

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(?:/[A-Za-z0-9._/-]{0,255})?")


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a workflow. `number` is the pull request's, 0 = it is about none; `commit` is its newest."""

    api: str
    token: str = field(repr=False)
    repository: str
    number: int
    commit: str
    is_fork: bool
    run_url: str
    summary: str


def job_of(environ: Mapping[str, str], repository: str = "", number: int = 0) -> Job:
    """The job that this process is a step of; what the command line names comes first. Raises ReconcileError."""
    repository = repository or environ.get("GITHUB_REPOSITORY", "")
    if repository and not _REPOSITORY.fullmatch(repository):
        raise ReconcileError(f"{repository!r} is no repository", "write OWNER/NAME")
    pull = _pull_of(environ.get("GITHUB_EVENT_PATH", ""))
    head, base = _within(pull, "head", "repo", "full_name"), _within(pull, "base", "repo", "full_name")
    commit = _within(pull, "head", "sha")
    about_it = not number or number == pull.get("number")
    return Job(
        _api(environ.get("GITHUB_API_URL") or API_DEFAULT),
        _token(environ.get("GITHUB_TOKEN", "")),
        repository,
        number or _number(pull.get("number")),
        commit if about_it and isinstance(commit, str) and _COMMIT.fullmatch(commit) else "",
        is_fork=about_it and bool(pull) and head != base,
        run_url=_run_url(environ),
        summary=environ.get("GITHUB_STEP_SUMMARY", ""),
    )


def summarize(job: Job, text: str) -> bool:
    """Add a text to the job's summary; False where there is none."""
    if not job.summary:
        return False
    try:
        with open(job.summary, "a", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
    except OSError as error:
        what = f"the job's summary cannot be written: {error.strerror}"
        raise ReconcileError(what, "look at GITHUB_STEP_SUMMARY") from error
    return True


def _api(url: str) -> str:
    """The API's address. A token goes over a network only under TLS."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ReconcileError(f"{url!r} is no address of GitHub's API", "GITHUB_API_URL begins with https://")
    return url.rstrip("/")


def _token(given: str) -> str:
    token = given.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ReconcileError("GITHUB_TOKEN is no token", "it is one word of letters, digits and _")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pull_of(path: str) -> dict[str, Any]:
    """The pull request of the event at `path`, {} where it is about none."""
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            data = file.read(EVENT_BYTES_MAX + 1)
        event = json.loads(data) if len(data) <= EVENT_BYTES_MAX else None
    except (OSError, ValueError, RecursionError) as error:
        raise ReconcileError(f"{path} cannot be read: {error}", "look at GITHUB_EVENT_PATH") from error
    pull = event.get("pull_request") if isinstance(event, dict) else None
    return pull if isinstance(pull, dict) else {}


def _within(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value < 10**NUMBER_DIGITS_MAX else 0


def _run_url(environ: Mapping[str, str]) -> str:
    server, run = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_RUN_ID", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    sound = _URL.fullmatch(server) and _REPOSITORY.fullmatch(repository) and run.isascii() and run.isdigit()
    return f"{server}/{repository}/actions/runs/{run}" if sound else ""
