"""How much of what all transactions may keep is one address's: nobody can fill it for the others.

Whoever forges the address of one trunk could otherwise close the bridge to all. There is no fixed share, for then
either one large carrier could not use the bridge, or a few forged addresses could still fill it. An address may keep
as much as is still free: alone one half of everything, two a third each, and there is always room for one more.
"""

from __future__ import annotations


class Shares:
    """What the requests of each address keep, in number and in bytes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, address: str, count: int, size: int) -> None:
        """So many more (or fewer) of this address."""
        number, kept = self.of(address)
        number, kept = number + count, kept + size
        assert min(number, kept) >= 0, "nothing is given back twice"
        if number:
            self._kept[address] = number, kept
        else:
            assert kept == 0, "what keeps nothing weighs nothing"
            del self._kept[address]

    def of(self, address: str) -> tuple[int, int]:
        """How many, and how many bytes."""
        return self._kept.get(address, (0, 0))
