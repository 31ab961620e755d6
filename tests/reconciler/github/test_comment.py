"""The one comment of a pull request, against a stand-in of GitHub's API over HTTP."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from reconciler.cli import run
from reconciler.commands import comment as comment_command
from reconciler.github.api import Api
from reconciler.github.sticky import Sticky
from reconciler.plan.markdown import MARK
from tests.github_api import ALICE, BOT, MALLORY, NOBODY, PERSON, READS, WRITES, Fault, github

HEAD = "c0ffee" + "0" * 34


@pytest.fixture
def hub():
    with github() as running:
        yield running


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(comment_command, "Api", partial(Api, sleep=waited.append))
    return waited


@pytest.fixture
def job(hub, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    event(tmp_path, "acme/telephony")
    for name, value in {
        "GITHUB_API_URL": hub.url, "GITHUB_TOKEN": WRITES, "GITHUB_REPOSITORY": "acme/telephony",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_SERVER_URL": "https://github.example", "GITHUB_RUN_ID": "42",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "plan.md").write_text(f"{MARK}\n### Plan: 1 to create\n")
    return tmp_path


def event(folder: Path, head: str) -> None:
    pull = {
        "number": 7,
        "head": {"sha": HEAD, "repo": {"full_name": head}},
        "base": {"repo": {"full_name": "acme/telephony"}},
    }
    (folder / "event.json").write_text(json.dumps({"pull_request": pull}))


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(["comment", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_comment_is_made_once_and_then_updated_in_place(hub, job, capsys):
    hub.comment(ALICE, "looks good")
    code, out, err = said(capsys, "plan.md")
    assert (code, err) == (0, "")
    [_, made] = hub.comments
    assert out == f"comment created: {made['html_url']}\n"
    assert made["body"] == (
        f"{MARK}\n### Plan: 1 to create\n\n"
        "<sub>commit c0ffee0000, [run](https://github.example/acme/telephony/actions/runs/42)</sub>\n"
    )
    (job / "plan.md").write_text(f"{MARK}\n### Plan: 2 to create\n")
    hub.comment(ALICE, "and now?")
    assert said(capsys, "plan.md")[1].startswith("comment updated: ")
    assert said(capsys, "plan.md")[1].startswith("comment unchanged: ")
    assert [MARK in one["body"] for one in hub.comments] == [False, True, False]
    assert "2 to create" in made["body"]
    assert [method for method, _ in hub.asked] == ["GET", "POST", "GET", "PATCH", "GET"]
    assert not (job / "summary.md").exists()


def test_it_is_found_behind_two_pages_of_others(hub, job, capsys):
    for _ in range(230):
        hub.comment(ALICE, "hm")
    own = hub.comment(BOT, f"{MARK}\nold")
    assert said(capsys, "plan.md")[0] == 0
    assert "1 to create" in own["body"]
    assert [target[-6:] for method, target in hub.asked if method == "GET"] == ["page=1", "page=2", "page=3"]


def test_each_name_has_a_comment_of_its_own(hub, job, capsys):
    for name in ("prod", "prod-2", "prod"):
        assert said(capsys, "plan.md", "--name", name)[0] == 0
    assert [one["body"].partition("\n")[0] for one in hub.comments] == [
        "<!-- dialplane plan prod -->", "<!-- dialplane plan prod-2 -->",
    ]  # fmt: skip
    assert said(capsys, "plan.md", "--name", "a--> @everyone")[0] == 1


def test_whoever_writes_the_mark_does_not_get_our_plan_to_edit(hub, job, capsys, monkeypatch):
    theirs = hub.comment(MALLORY, f"{MARK}\nno changes, merge it")
    quoted = hub.comment(BOT, f"> {MARK}\nquoted")
    assert said(capsys, "plan.md")[1].startswith("comment created")
    assert theirs["body"].endswith("merge it")
    assert quoted["body"].endswith("quoted")
    monkeypatch.setenv("GITHUB_TOKEN", PERSON)
    hub.comments[:] = [theirs, hub.comment(ALICE, f"{MARK}\nmine")]
    assert said(capsys, "plan.md")[1].startswith("comment updated")
    assert "1 to create" in hub.comments[1]["body"]


def test_one_that_two_jobs_made_at_a_time_is_left_once(hub, job, capsys):
    first, _ = hub.comment(BOT, f"{MARK}\na"), hub.comment(BOT, f"{MARK}\nb")
    assert said(capsys, "plan.md")[0] == 0
    assert hub.comments == [first]


def test_on_a_fork_the_plan_goes_into_the_summary(hub, job, capsys, monkeypatch):
    event(job, "mallory/telephony")
    monkeypatch.setenv("GITHUB_TOKEN", READS)
    code, out, err = said(capsys, "plan.md")
    assert (code, err) == (0, "")
    assert "from a fork may not comment" in out
    assert "1 to create" in (job / "summary.md").read_text()
    assert hub.comments == []


def test_a_job_without_the_permission_is_warned(hub, job, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", READS)
    code, out, err = said(capsys, "plan.md", "-o", "json")
    assert (code, json.loads(out)["done"]) == (0, "summary")
    assert err.startswith("::warning::the token may not comment")
    assert "pull-requests: write" in err


def test_a_push_has_no_pull_request(hub, job, capsys, monkeypatch):
    (job / "event.json").write_text("{}")
    assert "about no pull request" in said(capsys, "plan.md")[1]
    assert "1 to create" in (job / "summary.md").read_text()
    assert hub.asked == []
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    code, _, err = said(capsys, "plan.md")
    assert (code, "--pull-request N" in err) == (1, True)
    assert said(capsys, "plan.md", "--pull-request", "7")[1].startswith("comment created")


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (NOBODY, "GitHub knows no pull request 7 of acme/telephony"),
        ("wrong", "does not take the token"),
        ("", "there is no token"),
        ("a b\r\nc", "is no token"),
    ],
)
def test_what_cannot_be_mended_by_waiting_is_one_sentence(hub, job, capsys, monkeypatch, token, words):
    monkeypatch.setenv("GITHUB_TOKEN", token)
    code, out, err = said(capsys, "plan.md")
    assert (code, out) == (1, "")
    assert words in err
    assert not token or token not in err


def test_a_comment_that_fails_leaves_its_text_in_the_summary(hub, job, capsys, pauses):
    hub.faults = [Fault("GET", 500) for _ in range(9)]
    code, _, err = said(capsys, "plan.md")
    assert code == 1
    assert "GitHub cannot be had: status 500, run the job again later" in err
    assert "1 to create" in (job / "summary.md").read_text()
    assert pauses == [1, 2, 4]


def test_bad_moments_are_waited_out(hub, job, capsys, pauses):
    limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    hub.faults = [Fault("GET", 502), Fault("GET", 403, {"Retry-After": "7"}), Fault("GET", 429, limited)]
    assert said(capsys, "plan.md")[0] == 0
    assert pauses == [1, 7, 1]
    hub.faults = [Fault("GET", 403, message="You have exceeded a secondary rate limit")]
    assert said(capsys, "plan.md")[0] == 0
    assert pauses[3:] == [60]


def test_a_limit_that_lasts_is_not_sat_out(hub, job, capsys, pauses):
    hub.faults = [Fault("POST", 403, {"Retry-After": "3600"})]
    code, _, err = said(capsys, "plan.md")
    assert code == 1
    assert "rate limit is used up" in err
    assert pauses == []


@pytest.mark.parametrize("done", [True, False])
def test_a_create_whose_answer_is_lost_makes_no_second_comment(hub, job, capsys, pauses, done):
    hub.faults = [Fault("POST", 502, done=done)]
    code, out, _ = said(capsys, "plan.md")
    assert (code, out.split(":")[0]) == (0, "comment unchanged" if done else "comment created")
    assert len(hub.comments) == 1


def test_the_token_goes_nowhere_else(hub, job, capsys, monkeypatch):
    hub.faults = [Fault("GET", 301, {"Location": f"{hub.url}/elsewhere"})]
    code, _, err = said(capsys, "plan.md")
    assert (code, "elsewhere (301)" in err) == (1, True)
    assert len(hub.asked) == 1
    monkeypatch.setenv("GITHUB_API_URL", "http://api.example")
    assert "begins with https://" in said(capsys, "plan.md")[2]


def test_nobody_there_is_said(job, capsys, monkeypatch, pauses):
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    code, _, err = said(capsys, "plan.md")
    assert (code, "GitHub cannot be had: " in err) == (1, True)


def test_a_text_that_no_comment_holds_goes_into_the_summary_and_the_old_plan_goes(hub, job, capsys, monkeypatch):
    old = hub.comment(BOT, f"{MARK}\nno changes, merge it")
    (job / "plan.md").write_text("x" * 70_000)
    code, out, err = said(capsys, "plan.md")
    assert (code, out) == (0, f"comment updated: {old['html_url']}\n")
    assert "a comment holds 65,536 characters" in err
    assert "do not approve by it" in old["body"]
    assert "x" * 70_000 in (job / "summary.md").read_text()
    (job / "plan.md").write_text("x" * 2_000_000)
    assert said(capsys, "plan.md")[0] == 0
    assert "The rest is NOT shown" in (job / "summary.md").read_text()
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert said(capsys, "plan.md")[0] == 1
    assert said(capsys, "nowhere.md")[0] == 1


def test_no_token_is_in_what_is_printed_of_a_hand_on_the_api():
    assert "ghs_writes" not in repr(Sticky(Api("https://api.example", WRITES), "a/b", 1, MARK))
