"""Kolmisoft MOR's Transcriptions AI: jobs, usage, downloads; Basic and JWT. Rows M-01 … of the contract."""

from callscribe.dialects import Dialect

DIALECT = Dialect(
    name="mor",
    title="Transcriptions AI",
    user_agent="callscribe-mor/1",
    needs=("store", "uploads", "results", "webhooks", "downloader", "fetch_queue", "keyring"),
    builder="callscribe.dialects.mor.routes:build",
    callback_renderer="callscribe.dialects.mor.mapping:render_callback",
)
