"""Transcripto: accounts with tariffs, tasks, filters and what an integrator manages. Rows T-01 … of the contract.

Its routes are split by area; each area has a module `routes`, and `schemas` and `mapping` where it needs them.
"""

from callscribe.dialects import Dialect

DIALECT = Dialect(
    name="transcripto",
    title="Transcripto",
    user_agent="callscribe-transcripto/1",
    needs=(
        *("store", "uploads", "results", "keyring", "downloader", "fetch_queue", "task_index"),
        *("inspector", "captcha"),
    ),
    builder="callscribe.dialects.transcripto.routes:build",
    callback_renderer="callscribe.dialects.transcripto.callbacks:render_callback",
)
