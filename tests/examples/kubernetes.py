"""What examples/kubernetes holds, as values: what is applied, its documents, and the commands of the README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.peers import ROOT

FOLDER = ROOT / "examples" / "kubernetes"
OVERLAYS = ("redis", "single-pod")
Document = dict[str, Any]


def kustomization(folder: Path) -> Document:
    return dict(yaml.safe_load((folder / "kustomization.yaml").read_text()))


def documents(overlay: str) -> list[Document]:
    """Everything that applying an overlay makes, but for what kustomize generates."""
    return [document for folder in (FOLDER / "base", FOLDER / overlay) for document in _of_folder(folder)]


def _of_folder(folder: Path) -> Iterator[Document]:
    for name in kustomization(folder)["resources"]:
        if (folder / name).is_file():
            yield from yaml.safe_load_all((folder / name).read_text())


def of_kind(kind: str, among: list[Document]) -> list[Document]:
    return [document for document in among if document["kind"] == kind]


def templates(among: list[Document]) -> Iterator[tuple[str, Document]]:
    """The Pod templates, by the name of what has them."""
    for document in among:
        if "template" in document.get("spec", {}):
            yield document["metadata"]["name"], document["spec"]["template"]


def commands() -> list[str]:
    """The lines of the README's fenced blocks, in order."""
    blocks = re.findall(r"^```\n(.*?)^```", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def secrets() -> dict[str, set[str]]:
    """The Secrets that the README has one make, and their keys."""
    found: dict[str, set[str]] = {}
    for line in commands():
        if match := re.search(r"create secret generic (\S+)", line):
            found[match[1]] = set(re.findall(r"--from-literal=([\w.-]+)=", line))
    return found
