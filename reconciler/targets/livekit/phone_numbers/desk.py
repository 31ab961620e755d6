"""EDGE. One owner's numbers at one server, as the target sees them: looks, and has numbers chosen; buys nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from reconciler.targets.livekit.phone_numbers.carrying import NumberCarrying
from reconciler.targets.livekit.phone_numbers.holdings import Numbers
from reconciler.targets.livekit.phone_numbers.ledger_file import LedgerFile
from reconciler.targets.livekit.phone_numbers.service import NoPhoneNumbers, PhoneNumbers
from reconciler.targets.livekit.phone_numbers.standing import Standing, Word, declarations_of, stand
from reconciler.targets.livekit.server import TRIES_MAX, Server
from schemas.resources.documents import Document


class Desk:
    """See the module. `file` is the ledger; a server is asked only where there is anything to ask it about."""

    def __init__(self, owner: str, file: LedgerFile) -> None:
        self._owner = owner
        self._file = file

    @contextmanager
    def held(self, documents: Sequence[Document]) -> Iterator[None]:
        """Keep every other apply from these numbers, if there are any. Raises ReconcileError."""
        if not self._concerns(documents):
            yield
            return
        with self._file.locked():
            yield

    async def look(
        self,
        server: Server,
        documents: Sequence[Document],
        rule_names: Mapping[str, str],
        word: Word,
        tries: int = TRIES_MAX,
    ) -> Standing:
        """How things stand. Raises CallFailed, ReconcileError."""
        held: Numbers | None = {}
        if self._concerns(documents) or word.claims or word.not_mine:
            try:
                held = await PhoneNumbers(server).listed(tries)
            except NoPhoneNumbers:
                held = None
        return stand(self._owner, documents, self._file.read(), held, word, rule_names)

    def carrying(self, server: Server) -> NumberCarrying:
        """The hand that buys, assigns and releases."""
        return NumberCarrying(server, PhoneNumbers(server), self._file, self._file.read())

    async def chosen(
        self, standing: Standing, documents: Sequence[Document], rule_names: Mapping[str, str], numbers: NumberCarrying
    ) -> Standing:
        """The same look, in which each document that asks for a number knows which one is to be bought for it."""
        without = await numbers.choose(standing)
        after = stand(self._owner, documents, numbers.ledger, standing.held, Word(), rule_names)
        after.limits.update(without)
        after.adopted, after.policies = standing.adopted, standing.policies
        return after

    def _concerns(self, documents: Sequence[Document]) -> bool:
        return bool(declarations_of(documents)[0]) or bool(self._file.read().active(self._owner))
