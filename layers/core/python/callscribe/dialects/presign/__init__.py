"""INVOX Medical's batch transcription: presigned upload, signed callback. Rows P-01 … of the contract."""

from callscribe.dialects import Dialect

CREATED_AT_STRING = "created-at-string"
NO_FAILURE_CALLBACK = "no-failure-callback"

DIALECT = Dialect(
    name="presign",
    title="Presigned upload and callback",
    user_agent="Invox-Medical-Webhook/1.0",
    needs=("store", "uploads", "results", "webhooks", "keyring"),
    builder="callscribe.dialects.presign.routes:build",
    callback_renderer="callscribe.dialects.presign.mapping:render_callback",
    options={
        CREATED_AT_STRING: "createdAt in callbacks is a string of digits, not a number",
        NO_FAILURE_CALLBACK: "no callback is sent for a recording that could not be transcribed",
    },
)
