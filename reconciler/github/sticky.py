"""EDGE. One comment on a pull request, made once and brought up to date from then on.

It is found by its first line, a mark that nobody sees, and only among comments of our own: anybody can write the mark,
and whoever wrote a comment can edit it after us. One that was made twice, by two jobs at a time, is left once.
https://docs.github.com/rest/issues/comments
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.github.api import TRIES_MAX, Answer, Api

PER_PAGE = 100
PAGES_MAX = 50
"""Five thousand comments; a mark further down is not found, and the command says so instead of adding another."""
URL_CHARS_MAX = 500


class ReadOnlyError(Exception):
    """The token may not comment: that of a pull request from a fork, or of a job without the permission."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the comment: created, updated or unchanged; `url` is where people see it."""

    done: str
    url: str


@dataclass(slots=True)
class Sticky:
    """The comment under `mark` of pull request `number`."""

    api: Api
    repository: str
    number: int
    mark: str
    _login: str | None = None

    def keep(self, body: str) -> Kept:
        """Make the comment say `body`, which begins with the mark. Raises ReadOnlyError and ReconcileError."""
        for tries in range(1, TRIES_MAX + 1):
            found = self._own()
            if found:
                return self._update(found, body)
            answer = self.api.ask("POST", f"{self._issue}/comments", {"body": body})
            # Whether one was made is not known when the answer is lost: the next round looks.
            if not answer.is_passing or tries == TRIES_MAX or not self.api.pause(answer, tries):
                break
        return Kept("created", _url(self._good(answer)))

    def _update(self, found: list[dict[str, Any]], body: str) -> Kept:
        first, *others = found
        for other in others:
            self._good(self.api.ask("DELETE", self._comment(other)), gone=True)
        if first.get("body") == body:
            return Kept("unchanged", _url(first))
        return Kept("updated", _url(self._good(self.api.ask("PATCH", self._comment(first), {"body": body}))))

    def _own(self) -> list[dict[str, Any]]:
        """Our comments under the mark, the oldest first."""
        out: list[dict[str, Any]] = []
        for page in range(1, PAGES_MAX + 1):
            answer = self.api.ask("GET", f"{self._issue}/comments?per_page={PER_PAGE}&page={page}")
            comments = self._good(answer)
            if not isinstance(comments, list):
                raise ReconcileError("GitHub's answer is no list of comments", "look at GITHUB_API_URL")
            out += [one for one in comments if isinstance(one, dict) and self._is_own(one)]
            if 'rel="next"' not in answer.headers.get("link", ""):
                return out
        if not out:
            hint = "comment on another pull request"
            raise ReconcileError(f"there are more than {PER_PAGE * PAGES_MAX:,} comments", hint)
        return out

    def _is_own(self, comment: dict[str, Any]) -> bool:
        body, user = comment.get("body"), comment.get("user")
        if not (isinstance(comment.get("id"), int) and isinstance(body, str) and body.startswith(self.mark)):
            return False
        if not isinstance(user, dict):
            return False
        return user.get("type") == "Bot" or (bool(self._own_login()) and user.get("login") == self._own_login())

    def _own_login(self) -> str:
        """Who a person's token belongs to; "" for a job's own, which is a bot's and may not ask."""
        if self._login is None:
            answer = self.api.ask("GET", "/user")
            self._login = str(answer.data.get("login", "")) if answer.is_good and isinstance(answer.data, dict) else ""
        return self._login

    @property
    def _issue(self) -> str:
        return f"/repos/{self.repository}/issues/{self.number}"

    def _comment(self, comment: dict[str, Any]) -> str:
        return f"/repos/{self.repository}/issues/comments/{comment['id']}"

    def _good(self, answer: Answer, *, gone: bool = False) -> Any:
        """What a good answer holds; every other one is an exception that says what to do."""
        if answer.is_good or (gone and answer.status == 404):
            return answer.data
        about = f"pull request {self.number} of {self.repository}"
        if answer.is_limited:
            raise ReconcileError("GitHub's rate limit is used up for now", "run the job again later")
        if answer.status == 403:
            raise ReadOnlyError(answer.message)
        if answer.status == 401:
            raise ReconcileError("GitHub does not take the token", "give a valid one in GITHUB_TOKEN")
        if answer.status in (404, 410):
            hint = "look at its number, and at what the token may see"
            raise ReconcileError(f"GitHub knows no {about}, or hides it from this token", hint)
        if 300 <= answer.status < 400:
            hint = "was the repository renamed? Give its name now with --repository"
            raise ReconcileError(f"GitHub has {about} elsewhere ({answer.status})", hint)
        if answer.is_passing:
            why = answer.message if answer.status == 0 else f"status {answer.status}"
            raise ReconcileError(f"GitHub cannot be had: {why}", "run the job again later")
        raise ReconcileError(f"GitHub refuses the comment ({answer.status}): {answer.message}", f"look at {about}")


def _url(comment: Any) -> str:
    url = comment.get("html_url") if isinstance(comment, dict) else None
    sound = isinstance(url, str) and len(url) <= URL_CHARS_MAX and url.startswith("http") and url.isprintable()
    return str(url) if sound else ""
