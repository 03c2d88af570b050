"""One dialect's HTTP API; the environment names the dialect, which says what it needs."""

from callscribe import dialects, wiring

wiring.configure_logging()
dialect = dialects.load(wiring.dialect_name())
handler = dialect.build(wiring.aws_deps(*dialect.needs))
