"""Keeping a live broadcast's lease, for as long as it lasts."""

import asyncio
import logging

from origin.cluster.leases import RENEW_SECONDS
from origin.cluster.registry import LeaseLostError, RegistryUnavailableError, StreamRegistry
from origin.metrics import LEASE_FAILURES, Metrics
from origin.packaging.stream import Stream

_LOG = logging.getLogger(__name__)


async def keep(registry: StreamRegistry, stream: Stream, session: str, metrics: Metrics) -> None:
    """Renew every second; return when the stream is another task's. A table that does not answer ends nothing."""
    failing = False
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await registry.renew(stream.playback_id, session, stream.position)
        except LeaseLostError:
            _LOG.error("lease lost: another task has this stream now", extra={"stream": stream.label})
            return
        except RegistryUnavailableError as error:
            metrics.emit({LEASE_FAILURES: 1}, properties={"stream": stream.label})
            if not failing:
                _LOG.error("lease not renewed, the broadcast goes on: %s", error, extra={"stream": stream.label})
            failing = True
        else:
            if failing:
                _LOG.warning("lease renewed again", extra={"stream": stream.label})
            failing = False
