"""Manifests for tests: small documents, and a folder that tells what it holds."""

from __future__ import annotations

from pathlib import Path

from reconciler.manifests.folder import Folder, Reading


def number(name: str, digits: int = 4155550100, **spec: str) -> str:
    """A PhoneNumber document."""
    lines = "".join(f"  {key}: {value}\n" for key, value in spec.items())
    return (
        "apiVersion: dialplane.dev/v1alpha1\nkind: PhoneNumber\n"
        f'metadata: {{name: {name}}}\nspec:\n  number: "+1{digits}"\n  deletionPolicy: Retain\n{lines}'
    )


def write(folder: Path, **files: str | bytes) -> None:
    """Write `name="text"` as `name.yaml`, `__` standing for a slash."""
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def names(reading: Reading) -> list[str]:
    """The names of the objects that a reading declares, in order."""
    sources = [source for file in reading.sources.values() for source in file.sources]
    return [source.key[1].partition("/")[2] for source in sources if source.key and source.document]


def problems(folder: Path) -> list[str]:
    """Every problem in a folder as `file:line:column code`, files relative to it."""
    reading = Folder(str(folder)).refresh()
    return [f"{str(p.where).removeprefix(f'{folder}/')} {p.code}" for p in reading.problems]
