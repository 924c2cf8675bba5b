"""`python -m origin`: the container's main process."""

import asyncio
import logging
import sys

import uvloop

from origin import logs
from origin.app import Origin
from origin.broadcast import confine
from origin.settings import ConfigurationError, load


def main() -> int:
    """The exit code: 0 after an orderly stop, 1 when something died, 2 for a wrong setting."""
    try:
        settings = load()
        concealer = logs.Concealer()
        logs.configure(settings.log_level, concealer)
        confine.keep_memory_private()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Origin(settings, concealer).run())
    except ConfigurationError as error:
        sys.stderr.write(f"origin: {error}\n")
        return 2
    except Exception:  # past the log's own form, a traceback might show what no log may
        logging.getLogger(__name__).exception("origin failed")
        return 1


if __name__ == "__main__":
    sys.exit(main())
