"""Each step of the action, run as GitHub's runner would, on a real repository and a stand-in of the API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from reconciler.plan.markdown import MARK
from schemas.stores import SqliteStore
from tests.action.runner import Job, run_action
from tests.github_api import READS, WRITES, Fault, github
from tests.reconciler.declaring import broken, document, number, ref, rule, text, trunk

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CALL = {"to": "+14155550100", "from": "+14155550199", "address": "10.1.0.1", "expect": {"rule": "support"}}
ROUTES = [trunk(), rule(), number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support"))]
TESTED = [*ROUTES, document("RoutingTest", "calls", {"calls": [CALL]})]
UNROUTED = [trunk(), number(trunkRef=ref("carrier"))]


def git(folder: Path, *arguments: str) -> str:
    names = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-c", "init.defaultBranch=main", "-C", str(folder), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **names}
    ).stdout.strip()


@dataclass
class Forge:
    """A repository, the API beside it, and jobs on both."""

    folder: Path
    hub: object
    jobs: int = 0
    given: dict[str, str] = field(default_factory=dict)
    """What the job's `env` says."""

    @property
    def origin(self) -> Path:
        return self.folder / "origin"

    def commit(self, *documents: dict, said: str = "change", file: str = "routes.yaml") -> str:
        home = self.origin / "manifests"
        home.mkdir(exist_ok=True)
        (home / file).write_bytes(text(documents))
        git(self.origin, "add", "-A")
        git(self.origin, "commit", "-q", "-m", said, "--allow-empty")
        return git(self.origin, "rev-parse", "HEAD")

    def push(self, *documents: dict, branch: str = "main") -> str:
        git(self.origin, "checkout", "-q", "-B", branch)
        return self.commit(*documents)

    def pull(self, *documents: dict, file: str = "routes.yaml") -> tuple[str, str]:
        """A pull request with these manifests, on a branch that is behind main; head and merge."""
        git(self.origin, "checkout", "-q", "-B", "edit", "main")
        head = self.commit(*documents, file=file)
        git(self.origin, "checkout", "-q", "main")
        (self.origin / "README").write_text("newer")
        git(self.origin, "add", "-A")
        git(self.origin, "commit", "-q", "--allow-empty", "-m", "newer")
        git(self.origin, "checkout", "-q", "--detach")
        git(self.origin, "merge", "-q", "--no-ff", "-m", "merge", head)
        return head, git(self.origin, "rev-parse", "HEAD")

    def on_pull(self, head: str, merge: str, *, fork: bool = False, checkout: str = "", **inputs: str) -> Job:
        repository = "mallory/telephony" if fork else "acme/telephony"
        pull = {
            "number": 7,
            "head": {"sha": head, "repo": {"full_name": repository}},
            "base": {"repo": {"full_name": "acme/telephony"}},
        }
        inputs.setdefault("token", READS if fork else WRITES)
        event = {"pull_request": pull, "repository": {"default_branch": "main"}}
        return self.job("pull_request", "refs/pull/7/merge", merge, event, checkout or merge, inputs)

    def on_push(self, commit: str, branch: str = "main", **inputs: str) -> Job:
        event = {"repository": {"default_branch": "main"}}
        return self.job("push", f"refs/heads/{branch}", commit, event, commit, inputs)

    def job(self, name: str, where: str, commit: str, event: dict, checkout: str, inputs: dict[str, str]) -> Job:
        self.jobs += 1
        place = self.folder / f"job-{self.jobs}"
        workspace, temp = place / "workspace", place / "temp"
        for made in (workspace, temp / "dialplane"):
            made.mkdir(parents=True)
        (temp / "dialplane/venv").symlink_to(BIN.parent)
        git(workspace, "init", "-q")  # as actions/checkout does: one commit, and no other
        git(workspace, "remote", "add", "origin", f"file://{self.origin}")
        git(workspace, "fetch", "-q", "--no-tags", "--depth=1", "origin", checkout)
        git(workspace, "checkout", "-q", "--detach", checkout)
        (place / "event.json").write_text(json.dumps(event))
        environ = {
            "PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8", "RUNNER_TEMP": str(temp),
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": self.hub.url, "GITHUB_EVENT_NAME": name, "GITHUB_REF": where,
            "GITHUB_SHA": commit, "GITHUB_EVENT_PATH": str(place / "event.json"), "GITHUB_RUN_ID": "42",
            "GITHUB_REPOSITORY": "acme/telephony", "GITHUB_SERVER_URL": "https://github.example",
            "DIALPLANE_STATE": str(self.folder / "state"), **self.given,
        }  # fmt: skip
        context = {"event": event, "token": WRITES, "action_path": str(ROOT)}
        inputs.setdefault("python", sys.executable)
        return run_action(ROOT / "action.yml", inputs, context, environ, workspace)


@pytest.fixture
def forge(tmp_path: Path):
    with github() as hub:
        made = Forge(tmp_path, hub)
        made.origin.mkdir()
        git(made.origin, "init", "-q")
        git(made.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        made.push(*TESTED)
        yield made


def test_a_pull_request_is_checked_and_has_one_comment_that_follows_it(forge):
    job = forge.on_pull(*forge.pull(trunk(), rule(room="hall"), *TESTED[2:]))
    assert job.is_good, job.told
    assert job["validate"].commands == []
    assert job["test"].commands == ["::notice title=RoutingTest::1 of 1 hold"]
    assert (job.outputs["plan-exit-code"], job["apply"].outcome) == ("2", "skipped")
    [comment] = forge.hub.comments
    assert comment["body"].startswith(f"{MARK}\n### Plan: 0 to create, 1 to change, 0 to delete")
    assert "support/hall" in comment["body"]
    job = forge.on_pull(*forge.pull(*TESTED))
    assert job.is_good
    assert job.outputs["plan-exit-code"] == "0"
    assert forge.hub.comments == [comment]
    assert "No changes&#58; calls go as by git&#58;HEAD^1." in comment["body"]


def test_a_route_that_disappears_stops_the_merge_until_somebody_allows_it(forge):
    head, merge = forge.pull(*UNROUTED)
    job = forge.on_pull(head, merge)
    assert not job.is_good
    assert job["plan"].code == 3
    assert job["plan"].commands == ["::error title=Refused as unsafe::The plan says why, and what would allow it."]
    assert job["comment"].outcome == "success"
    [comment] = forge.hub.comments
    assert "| <code>+14155550100</code> | <code>support/lobby</code> | **nobody answers** |" in comment["body"]
    allowed = comment["body"].partition("to allow it: <code>")[2].partition("</code>")[0]
    assert allowed == "--allow-unrouted PhoneNumber/default/main"
    job = forge.on_pull(head, merge, options=f"\n{allowed}\n")
    assert (job.is_good, job.outputs["plan-exit-code"]) == (True, "2")
    assert "Refused" not in comment["body"]
    job = forge.on_pull(head, merge, **{"fail-on-unsafe": "false", "comment": "false"})
    assert (job.is_good, job.outputs["plan-exit-code"]) == (True, "3")
    assert "Refused as unsafe" in job.summary
    assert len(forge.hub.comments) == 1


def test_a_broken_manifest_shows_at_its_line_and_in_the_comment(forge):
    job = forge.on_pull(*forge.pull(broken(rule("other", priority=1)), file="other.yaml"))
    assert not job.is_good
    [told] = job["validate"].commands
    assert told.startswith("::error file=manifests/other.yaml,line=")
    assert (job["validate"].code, job["test"].outcome, job["plan"].code) == (1, "skipped", 1)
    [comment] = forge.hub.comments
    assert "- error <code>manifests/other.yaml&#58;1&#58;" in comment["body"]


def test_without_a_plan_an_old_one_does_not_stay(forge):
    head, merge = forge.pull(*TESTED)
    assert forge.on_pull(head, merge).is_good
    job = forge.on_pull(head, merge, folder="nowhere")
    assert job["plan"].code == 1
    assert "### No plan could be made" in forge.hub.comments[0]["body"]


def test_a_fork_has_its_plan_in_the_summary(forge):
    job = forge.on_pull(*forge.pull(trunk(), rule(room="hall"), *TESTED[2:]), fork=True)
    assert job.is_good
    assert "support/hall" in job.summary
    assert forge.hub.comments == []
    assert "from a fork may not comment" in job["comment"].out


@pytest.mark.parametrize(
    ("fault", "good"),
    [(Fault("GET", 500), True), (Fault("POST", 403, {"Retry-After": "3600"}), False)],
    ids=["a bad moment", "limited for long"],
)
def test_what_github_answers_is_told_by_the_exit_code(forge, fault, good):
    forge.hub.faults = [fault]
    job = forge.on_pull(*forge.pull(trunk(), rule(room="hall"), *TESTED[2:]))
    assert job.is_good == good
    assert (job["comment"].outcome, job["plan"].outcome) == ("success" if good else "failure", "success")
    assert len(forge.hub.comments) == good
    assert ("support/hall" in job.summary) != good


def test_what_is_merged_is_applied_and_the_exit_code_passed_on(forge):
    job = forge.on_push(forge.push(*TESTED))
    assert (job.is_good, job.outputs["apply-exit-code"], job["plan"].outcome) == (True, "0", "skipped")
    assert "Applied: revision 1 is published." in job["apply"].out
    job = forge.on_push(forge.push(*UNROUTED))
    assert (job["apply"].code, job.outputs["apply-exit-code"]) == (3, "3")
    store = SqliteStore(forge.folder / "state" / "tables.db")
    assert store.head().revision == 1
    store.close()
    job = forge.on_push(git(forge.origin, "rev-parse", "main"), options="--allow-unrouted +14155550100")
    assert (job.is_good, job.outputs["apply-exit-code"]) == (True, "0")
    job = forge.on_push(forge.push(trunk(), broken(rule("other", priority=1))))
    assert (job["validate"].code, job["apply"].outcome) == (1, "skipped")


def test_another_branch_is_checked_and_nothing_more(forge):
    job = forge.on_push(forge.push(*TESTED, branch="edit"), branch="edit")
    assert (job.is_good, job["plan"].outcome, job["apply"].outcome) == (True, "skipped", "skipped")
    assert not (forge.folder / "state").exists()
    assert not forge.on_push(git(forge.origin, "rev-parse", "edit"), do="everything").is_good


def test_a_checkout_of_something_else_is_not_compared_with_a_wrong_parent(forge):
    head, merge = forge.pull(*TESTED)
    job = forge.on_pull(head, merge, checkout=head)
    assert (job["plan"].code, job["comment"].outcome) == (1, "skipped")
    assert "set the input against" in job["plan"].commands[0]
    assert forge.on_pull(head, merge, checkout=head, against="git:HEAD").is_good
    job = forge.on_pull(head, merge, against="tables")
    assert "3 to create" in forge.hub.comments[0]["body"]
    assert job.is_good


def test_settings_and_state_of_the_checkout_are_not_read(forge):
    (forge.origin / ".env").write_text("DIALPLANE_OWNER=mallory\nDIALPLANE_TABLES=sqlite:///evil.db\n")
    (forge.origin / ".dialplane").mkdir()
    (forge.origin / ".dialplane/tables.db").symlink_to("/dev/zero")
    merge = forge.commit(*TESTED)
    forge.given = {"DIALPLANE_STATE": ""}
    job = forge.on_push(merge, do="apply")
    assert job.is_good, job.told
    place = forge.folder / f"job-{forge.jobs}"
    assert not (place / "workspace/evil.db").exists()
    with SqliteStore(str(place / "temp/dialplane/state/tables.db")) as store:
        assert {entry.owner for entry in store.history()} == {"default"}
    (place / "settings").write_text("DIALPLANE_OWNER=us\n")
    forge.given = {"DIALPLANE_ENV_FILE": str(place / "settings")}
    assert forge.on_push(merge, do="apply").is_good
    with SqliteStore(str(forge.folder / "state/tables.db")) as store:
        assert {entry.owner for entry in store.history()} == {"us"}


def test_nothing_that_is_given_becomes_a_command(forge):
    pwned = forge.folder / "pwned"
    odd = f'"; touch {pwned}; $(touch {pwned}) `touch {pwned}` #'
    head, merge = forge.pull(trunk(metadata=f"a\n::error::{odd}"), *TESTED[1:])
    nasty = forge.origin / "manifests" / "a\n::error::b.yaml"
    nasty.write_text("a: [")
    git(forge.origin, "add", "-A")
    git(forge.origin, "commit", "-q", "-m", odd)
    merge = git(forge.origin, "rev-parse", "HEAD")
    given = [{"folder": odd}, {"name": odd, "token": odd}, {"against": odd}, {"do": odd}, {"options": odd}]
    jobs = [forge.on_pull(head, merge, **{"against": "git:HEAD", **inputs}) for inputs in given]
    jobs += [forge.on_push(merge, do="apply", **inputs) for inputs in ({"folder": odd}, {"options": odd}, {})]
    for job in jobs:
        for line in (line for ran in job.steps.values() for line in ran.commands):
            assert line.startswith(("::error title=", "::error file=", "::warning ", "::notice title=")), line
    assert not pwned.exists()


def test_the_action_installs_itself_and_runs_nothing_of_the_checkout(forge):
    """Really, but for the network: what it depends on is there already. The checkout has modules of those names."""
    temp, workspace, pwned = forge.folder / "temp", forge.folder / "workspace", forge.folder / "pwned"
    for name in ("pip", "venv", "ensurepip", "site", "sitecustomize", "setuptools", "click", "reconciler/__init__"):
        file = workspace / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(pwned)!r}, 'a').write({name!r})\n")
    (workspace / ".env").write_text(f"PYTHONPATH={workspace}\nPYTHONSTARTUP={workspace}/pip.py\n")
    paths = sysconfig.get_paths()
    beside = temp / "dialplane/venv" / Path(paths["purelib"]).relative_to(sys.prefix)
    beside.mkdir(parents=True)
    (beside / "dependencies.pth").write_text(paths["purelib"])
    copy = forge.folder / "copy"
    shutil.copytree(ROOT, copy, ignore=lambda _, names: [one for one in names if one.startswith(".") or one == "tests"])
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(temp), "RUNNER_TEMP": str(temp),
        "PYTHONPATH": f"{workspace}:.", "PYTHONSTARTUP": str(workspace / "pip.py"),
        "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0",
        "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/edit",
    }  # fmt: skip
    context = {"event": {"repository": {"default_branch": "main"}}, "token": "", "action_path": str(copy)}
    given = {"python": sys.executable, "folder": str(ROOT / "examples/manifests/07-tests")}
    job = run_action(ROOT / "action.yml", given, context, environ, workspace)
    assert job.is_good, job.told
    assert (temp / "dialplane/venv/bin/reconcile").is_file()
    assert "5 of 5 hold" in job["test"].out
    assert not pwned.exists(), pwned.read_text()


def test_the_workflow_in_the_docs_gives_inputs_that_there_are():
    page = (ROOT / "reconciler" / "docs.md").read_text()
    workflow = yaml.safe_load(page.partition("```yaml\nname: telephony\n")[2].partition("```")[0])
    given = [step["with"] for job in workflow["jobs"].values() for step in job["steps"] if "with" in step]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    assert {name for one in given for name in one} <= set(inputs)
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert all(f"id: {hook['id']}" in page for hook in hooks)
