"""One dialect's HTTP API; the environment names the dialect."""

from callscribe import dialects, wiring

wiring.configure_logging()
handler = dialects.load(wiring.dialect_name()).build(
    wiring.aws_deps("store", "uploads", "results", "webhooks", "keyring")
)
