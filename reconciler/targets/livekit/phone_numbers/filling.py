"""CORE. Documents that ask for a number, with the number that each stands for, so that all else is planned upon it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from reconciler.model.sources import FileSources, Source
from reconciler.model.standing import Declared
from reconciler.targets.livekit.phone_numbers.standing import Standing
from schemas.resources.phone_number import PhoneNumber
from schemas.tables.rows import Kind


def with_numbers(declared: Declared, standing: Standing) -> Declared:
    """The same documents, where one that asks for a number and has none names it. What is written stays unwritten."""
    asking = {
        name: number
        for name, one in standing.declarations.items()
        if not one.number and name not in standing.limits and (number := standing.number_of(name))
    }
    if not asking:
        return declared
    files = {
        name: _filled(file, asking) if any(_asks(source, asking) for source in file.sources) else file
        for name, file in declared.files.items()
    }
    return replace(declared, files=files)


def unwritten(declared: Declared, standing: Standing) -> list[tuple[Source, str]]:
    """The documents as they were read, and the numbers that are ours and still have to be written into them."""
    live = standing.live()
    sources = [source for file in declared.files.values() for source in file.sources]
    return [
        (source, live[source.key[1]].number)
        for source in sources
        if _asks(source, live) and source.key is not None and source.key[1] not in standing.limits
    ]


def _asks(source: Source, names: Container[str]) -> bool:
    document = source.document
    if not isinstance(document, PhoneNumber) or document.spec.number is not None or source.key is None:
        return False
    return source.key[1] in names


def _filled(file: FileSources, numbers: dict[str, str]) -> FileSources:
    return replace(file, sources=tuple(_named(s, numbers) if _asks(s, numbers) else s for s in file.sources))


def _named(source: Source, numbers: dict[str, str]) -> Source:
    document = source.document
    assert isinstance(document, PhoneNumber)
    assert source.key is not None
    assert source.key[0] is Kind.NUMBER
    number = numbers[source.key[1]]
    named = document.model_copy(update={"spec": document.spec.model_copy(update={"number": number})})
    return replace(source, document=named, data={**source.data, "spec": {**source.data["spec"], "number": number}})
