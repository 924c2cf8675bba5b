"""Keeping a live broadcast's lease, for as long as it lasts."""

import asyncio
import logging

from origin.leases import RENEW_SECONDS
from origin.metrics import LEASE_FAILURES, Metrics
from origin.registry import LeaseLostError, RegistryUnavailableError, StreamRegistry
from origin.session import Session

_LOG = logging.getLogger(__name__)


async def keep(registry: StreamRegistry, session: Session, metrics: Metrics) -> None:
    """Renew every second; return when the stream is another task's. A table that does not answer ends nothing."""
    stream = session.stream
    failing = False
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await registry.renew(stream.playback_id, session.name, stream.position)
        except LeaseLostError:
            _LOG.error("lease lost: another task has this stream now", extra={"stream": session.label})
            return
        except RegistryUnavailableError as error:
            metrics.emit({LEASE_FAILURES: 1}, properties={"stream": session.label})
            if not failing:
                _LOG.error("lease not renewed, the broadcast goes on: %s", error, extra={"stream": session.label})
            failing = True
        else:
            if failing:
                _LOG.warning("lease renewed again", extra={"stream": session.label})
            failing = False
