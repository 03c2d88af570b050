"""AIvoco's synchronous `/transcribe`: audio in, labelled text out, nothing kept. Rows A-01 … of the contract."""

from callscribe.dialects import Dialect

DIALECT = Dialect(
    name="aivoco",
    title="Transcription API",
    user_agent="callscribe-aivoco/1",
    needs=("store", "uploads", "results", "downloader", "fetch_queue", "keyring"),
    builder="callscribe.dialects.aivoco.routes:build",
    callback_renderer="callscribe.dialects.aivoco.mapping:render_callback",
)
