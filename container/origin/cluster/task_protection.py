"""ECS task protection: while anyone is live, neither scaling in nor a deploy stops this task.

Source: Amazon ECS developer guide, "Amazon ECS task scale-in protection endpoint".
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from origin.cluster.identity import MetadataError, json_object
from origin.metrics import PROTECTION_FAILURES, Metrics

_LOG = logging.getLogger(__name__)

_PATH = "task-protection/v1/state"
_ANSWER_BYTES = 1 << 16
_DETAIL_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long what takes, in seconds.

    Protection is asked for once for longer than any show, and given back explicitly: ECS refuses to prolong it while
    the service wants fewer tasks than are protected (DEPLOYMENT_BLOCKED), and what was granted lasts. Prolonging it is
    for shows of days. A task whose origin hangs is the container health check's business, which no protection stops.
    """

    lease_minutes: int = 2880  # the most that ECS takes
    renew_seconds: float = 6 * 3600
    # After the last playlist got its EXT-X-ENDLIST: for viewers to ask once more, and see it.
    linger_seconds: float = 10
    look_seconds: float = 0.5
    request_seconds: float = 10  # the agent itself gives up on ECS sooner, and then says so
    first_retry_seconds: float = 1
    longest_retry_seconds: float = 30  # at least one failure in every minute: the alarm counts on it
    # A request that failed may still take effect, even after the next one: that one is then repeated, this much later.
    settle_seconds: float = 30


class ProtectionRefusedError(Exception):
    """The agent or ECS says no, or says nothing that makes sense."""


class TaskProtection:
    """Makes the task's protection follow a wish; failures are retried, and never get in anyone's way."""

    def __init__(
        self,
        agent_uri: str,
        http: aiohttp.ClientSession,
        metrics: Metrics,
        needed: Callable[[], bool],
        timing: Timing | None = None,
    ) -> None:
        """`needed` says whether stopping the task now would cut something off; it is asked often."""
        self.protected = False  # as far as we know
        self._url = f"{agent_uri}/{_PATH}"
        self._http = http
        self._metrics = metrics
        self._needed = needed
        self._timing = timing or Timing()
        self._wish = False
        self._needed_at = -math.inf
        self._due = math.inf
        self._retry_seconds = 0.0
        self._in_doubt = False
        self._problem: str | None = None

    async def run(self) -> None:
        """Look after the protection until cancelled."""
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 # an unprotected task is bad; nobody looking after it any more is worse
                _LOG.exception("task protection failed in a way that nobody thought of")
                self._failed("unexpected")
            await asyncio.sleep(self._timing.look_seconds)

    async def _look(self) -> None:
        now = time.monotonic()
        if self._needed():
            self._needed_at = now
        wish = now - self._needed_at <= self._timing.linger_seconds
        if wish is not self._wish:
            self._wish, self._due, self._retry_seconds = wish, now, 0
        if now >= self._due:
            await self._ask(enabled=wish)

    async def _ask(self, *, enabled: bool) -> None:
        try:
            await self._put(enabled=enabled)
        except ProtectionRefusedError as error:
            self._failed(str(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._failed(type(error).__name__)
        else:
            self._succeeded(enabled=enabled)

    async def _put(self, *, enabled: bool) -> None:
        wanted: dict[str, Any] = {"ProtectionEnabled": enabled}
        if enabled:
            wanted["ExpiresInMinutes"] = self._timing.lease_minutes
        timeout = aiohttp.ClientTimeout(total=self._timing.request_seconds)
        async with self._http.put(self._url, json=wanted, timeout=timeout, allow_redirects=False) as response:
            try:
                answer = await json_object(response, _ANSWER_BYTES)
            except MetadataError as error:
                raise ProtectionRefusedError(f"status {response.status}, {error}") from None
            reason = refusal(response.status, answer, enabled=enabled)
            if reason is not None:
                raise ProtectionRefusedError(reason)

    def _succeeded(self, *, enabled: bool) -> None:
        if self._problem is not None:
            _LOG.info("task protection can be set again")
        if enabled is not self.protected:
            _LOG.info("task protected" if enabled else "task protection released")
        self.protected, self._problem, self._retry_seconds = enabled, None, 0
        later = self._timing.renew_seconds if enabled else math.inf
        self._due = time.monotonic() + (min(later, self._timing.settle_seconds) if self._in_doubt else later)
        self._in_doubt = False

    def _failed(self, problem: str) -> None:
        self._metrics.emit({PROTECTION_FAILURES: 1})
        if problem != self._problem:
            _LOG.warning("task protection cannot be set", extra={"wanted": self._wish, "problem": problem})
        self._problem, self._in_doubt = problem, True
        longest = self._timing.longest_retry_seconds
        self._retry_seconds = min(max(2 * self._retry_seconds, self._timing.first_retry_seconds), longest)
        # Tasks that failed together shall not come back together: that is what throttling is made of.
        self._due = time.monotonic() + self._retry_seconds * random.uniform(0.5, 1)


def refusal(status: int, answer: dict[str, Any], *, enabled: bool) -> str | None:
    """Why this answer does not mean that the protection is as wanted; None if it does.

    A failure of ECS comes with status 200 and a `failure`, an exception with the status of the exception and an
    `error`, a success with status 200 and the `protection` as it is now.
    """
    match answer:
        case {"failure": {"Reason": reason, **failure}}:
            said = f"{reason}: {failure.get('Detail')}" if failure.get("Detail") else f"{reason}"
        case {"error": {"Code": code, **error}}:
            said = f"{code}: {error.get('Message')}"
        case {"protection": {"ProtectionEnabled": bool(state)}} if status == 200:
            return None if state is enabled else f"ProtectionEnabled is {state}"
        case _:
            said = "neither protection nor failure nor error"
    return f"status {status}, {said}"[:_DETAIL_CHARACTERS]
