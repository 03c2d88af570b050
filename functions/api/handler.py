"""One dialect's HTTP API; the environment names the dialect, which says what it needs."""

import gc

gc.disable()  # whatever a start makes is there to stay: to look for garbage in it takes a seventh of the start

from callscribe import dialects, wiring  # noqa: E402 - after the line above, which is for them

wiring.configure_logging()
dialect = dialects.load(wiring.dialect_name())
handler = dialect.build(wiring.aws_deps(*dialect.needs))
gc.freeze()  # nor does any request look through it
gc.enable()
