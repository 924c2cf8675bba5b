"""May this key publish? The backend's word, asked for so that strangers' wrong keys do not keep a right one out.

Wrong keys cost a question each, and a backend may take seconds for one. So the number of questions at once is bounded
(`turns`), the same question is asked once at a time, a no is remembered for a moment, and keys that were let in before
go ahead. Nothing is remembered in clear, and a yes is never remembered: a key may be revoked.
"""

import hashlib
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

from origin.collapse import Collapsed
from origin.ingest.turns import NoTurnError, Standing, Turns
from origin.ingest.verdict import BackendUnavailableError, UnauthorizedError

T = TypeVar("T")

# From when it was asked for: a key that becomes valid right after that is refused for no longer.
_NO_SECONDS = 3.0
_REMEMBERED = 4096
_SUBNET_PREFIX = 64  # of IPv6, where one customer has at least that (RFC 6177)


class Authority(Protocol):
    """Whoever knows the keys."""

    async def authorize(self, *, name: str, app: str, addr: str) -> str:
        """The playback id of a key; UnauthorizedError or BackendUnavailableError."""


class Authorization:
    """Asks the authority, in turns."""

    def __init__(
        self, authority: Authority, *, turns: Turns | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._authority = authority
        self._turns = turns or Turns()
        self._clock = clock
        self._asking: Collapsed[str] = Collapsed()
        self._noes: OrderedDict[str, float] = OrderedDict()  # when it was asked
        self._known: OrderedDict[str, None] = OrderedDict()
        self._turned_away: OrderedDict[str, None] = OrderedDict()

    async def authorize(self, *, name: str, app: str, addr: str) -> str:
        """The playback id of a key.

        Raises:
            UnauthorizedError: the backend says no, or said so moments ago.
            BackendUnavailableError: it says nothing, or too many are asking.
        """
        # The backend is told the address, and may go by it.
        question = _digest(name, app, addr)
        if self._clock() - self._noes.get(question, -_NO_SECONDS) < _NO_SECONDS:
            raise UnauthorizedError(f"the backend said no within the last {_NO_SECONDS:g} s")
        return await self._asking.get(question, lambda: self._ask(question, name, app, addr))

    async def _ask(self, question: str, name: str, app: str, addr: str) -> str:
        key = _digest(name)
        try:
            async with self._turns.turn(self._standing(key), _customer(addr)):
                self._turned_away.pop(key, None)
                asked = self._clock()
                try:
                    playback_id = await self._authority.authorize(name=name, app=app, addr=addr)
                except UnauthorizedError:
                    self._known.pop(key, None)
                    _remember(self._noes, question, asked)
                    raise
        except NoTurnError as error:
            _remember(self._turned_away, key, None)
            raise BackendUnavailableError(f"not asked: {error}") from None
        _remember(self._known, key, None)
        return playback_id

    def _standing(self, key: str) -> Standing:
        if key in self._known:
            return Standing.KNOWN
        return Standing.TURNED_AWAY if key in self._turned_away else Standing.NEW


def _remember(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _customer(addr: str) -> str:
    """Whose address it is, as far as an address tells."""
    try:
        address = ipaddress.ip_address(addr)
    except ValueError:
        return ""
    if address.version == 4:
        return addr
    return str(ipaddress.IPv6Network((int(address) >> _SUBNET_PREFIX << _SUBNET_PREFIX, _SUBNET_PREFIX)))
