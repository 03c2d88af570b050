"""S3: reading a version of an object."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

from typing import Any

from ministack.services import s3

from .registry import Json, expect, expect_source, patch, replace

_CHECKSUM = "x-amz-checksum-"


@patch
def a_version_is_read_as_its_object_is() -> None:
    """A part of a version is what a client gets who asks for a part, by the headers that its URL names.

    Emulator: whoever names a version gets all of it (200), whatever range he asked for, so that every part of a
    parallel download holds the whole file; and `response-content-disposition` and the like are not heeded. AWS: as
    for the newest version.
    """
    expect_source(s3._get_object, 'version_id = _qp(query_params, "versionId", "")', "return 200, resp_headers, body")
    expect(s3._get_object.__code__.co_varnames[:4] == ("bucket_name", "key", "headers", "query_params"), "four inputs")

    def make(original: Any) -> Any:
        def get(bucket_name: str, key: str, headers: Json, query_params: Json | None = None) -> Any:
            status, answered, body = original(bucket_name, key, headers, query_params)
            if status != 200 or not (query_params or {}).get("versionId"):
                return status, answered, body
            s3._apply_response_overrides(answered, query_params)
            wanted = headers.get("range", "")
            return _part(bucket_name, key, wanted, answered, body) if wanted else (status, answered, body)

        return get

    replace(s3, "_get_object", make)


def _part(bucket_name: str, key: str, wanted: str, answered: Json, body: bytes) -> tuple[int, Json, bytes]:
    """The range of the body that is wanted; a checksum holds for the whole only."""
    found = s3._parse_range(wanted, len(body))
    if found is None:
        error = s3._xml_body(s3._range_error_xml(bucket_name, key))
        return 416, {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}, error
    first, last = found
    kept = {name: value for name, value in answered.items() if not name.lower().startswith(_CHECKSUM)}
    size = {"Content-Length": str(last - first + 1), "Content-Range": f"bytes {first}-{last}/{len(body)}"}
    return 206, kept | size, body[first : last + 1]
