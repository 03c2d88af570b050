"""Fetches the sound of one video, or on a laptop drains the queue of them. It has no rights but those an order gives.

As a container it is told its one order by arguments, which a pipe fills in from the message. It ends with status 0 once
the sound, or why there is none, lies where it was ordered to; else with 1, and is asked again.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time

from callscribe import names, wiring
from callscribe.errors import OutboundFailed, Unavailable
from callscribe.services import videos
from callscribe.services.videos import Order

log = logging.getLogger("callscribe.fetch_video")

READY_LINE = "video fetcher ready"
_PARENT_CHECK_S = 0.5
_WAIT_S = 20
_PAUSE_S = 5.0  # after the queue did not answer


def end_with_parent(parent_pid: int) -> None:
    """Once `parent_pid` is no longer the parent, end at once; what is in hand is asked for again."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    os.kill(os.getpid(), signal.SIGKILL)


def fetch(order: Order) -> bool:
    """Whether the sound, or why there is none, could be put where it belongs. Logs neither link nor URL."""
    started_s = time.monotonic()
    try:
        reason = videos.fetch(wiring.video_site(), order, wiring.put_file)
    except OutboundFailed as error:
        log.error("job=%s not stored: %s", order.job_id, error)
        return False
    log.info("job=%s %s in %.1f s", order.job_id, reason or "fetched", time.monotonic() - started_s)
    return True


def drain() -> None:
    """Fetch what is ordered, one after the other, for good.

    As with a pipe, an order is gone once it is begun: who waits for it in vain asks again.
    """
    orders = wiring.video_orders()
    log.info(READY_LINE)
    while True:
        try:
            found = orders.receive(wait_s=_WAIT_S)
            if found is not None:
                order = Order.of(found[1])
                orders.delete(found[0])
                fetch(order)
        except (KeyError, ValueError):
            log.exception("a message is no order; left to become a dead letter")
        except Unavailable as error:
            log.warning("the queue does not answer: %s", error)
            time.sleep(_PAUSE_S)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in names.VIDEO_ORDER:
        parser.add_argument(f"--{field.replace('_', '-')}", help=f"`{field}` of the order")
    parser.add_argument("--drain", action="store_true", help="take orders from the queue, for good")
    parser.add_argument("--parent-pid", type=int, default=None, help="leave once this process is not the parent")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says; the exit status."""
    told = arguments()
    if told.parent_pid is not None:
        threading.Thread(target=end_with_parent, args=(told.parent_pid,), daemon=True).start()
    wiring.configure_logging()
    if told.drain:
        drain()
    try:
        order = Order.of({name: value for name, value in vars(told).items() if value is not None})
    except (KeyError, ValueError) as error:
        log.error("no whole order: %s", error)
        return 1
    # Whatever hangs ends here: a container that nobody waits for would be paid for good.
    signal.alarm(round(order.total_s) + names.FETCH_STORE_S + names.FETCH_MARGIN_S)
    return 0 if fetch(order) else 1


if __name__ == "__main__":
    sys.exit(main())
