"""The document's own samples, sent as they stand; SUBSTITUTIONS replaces what a document cannot know."""

import json

from tests.dialects.conftest import Client, http_event, read_answer
from tests.dialects.presign.world import TRANSCRIPT, World, parsed

HEADERS = """{
  "Content-Type": "application/json",
  "Authorization": "Bearer <accessToken>"
}"""

PAYLOAD = """{ 
  "mimeType": " audio/mpeg",
  "callbackUrl": "https://mock-callback.mydomain.com"
}"""  # noqa: W291 - as in the document

ANSWER = """{
  "presignedUrl": "https://mock-presigned-url",
  "requestId": "mock-request-id"
}"""

# As in the document, but for the comma after the last field of a segment, which is not JSON (P-A6).
CALLBACK = """{
  "requestId": "mock-request-id", 
  "transcription": [
    {
      "text": "mock transcription text",
      "start": 0.05,
      "end": 2.26,
      "speaker": "0"
    }
  ],
  "signature": "requestSignature",
  "createdAt": 222222222
}"""  # noqa: W291 - as in the document


def substituted(text: str, client: Client, **known: str) -> str:
    table = {"<accessToken>": str(client.token), **known}
    for sample, real in table.items():
        text = text.replace(sample, real)
    return text


def send_sample(client: Client) -> dict[str, str]:
    headers = json.loads(substituted(HEADERS, client))
    event = http_event("POST", "/api/v1/generate-presigned-url", headers=headers, body=PAYLOAD.encode())
    answer = read_answer(client.handler(event, None))
    assert answer.status == 200
    fields: dict[str, str] = answer.json
    return fields


def test_P_01_the_sample_request_gives_the_sample_answer(client: Client) -> None:
    fields = send_sample(client)
    known = {"https://mock-presigned-url": fields["presignedUrl"], "mock-request-id": fields["requestId"]}
    assert fields == json.loads(substituted(ANSWER, client, **known))


def test_P_06_the_sample_request_ends_in_the_sample_callback(world: World, client: Client) -> None:
    request_id = send_sample(client)["requestId"]
    assert world.job(request_id).callback_url == "https://mock-callback.mydomain.com"
    world.complete(request_id)
    body, sample = parsed(world.callback_body(request_id)), json.loads(CALLBACK)
    assert list(body) == list(sample)
    assert {name: type(value) for name, value in body.items()} == {name: type(value) for name, value in sample.items()}
    assert body["transcription"][0] == sample["transcription"][0]
    assert len(body["transcription"]) == len(TRANSCRIPT.segments)


def test_P_12_the_sister_pages_request_is_answered_as_it_shows(world: World, client: Client) -> None:
    request_id = send_sample(client)["requestId"]
    world.complete(request_id)
    answer = world.poll(client, request_id).json
    assert {"transcription", "vttTranscription", "processingStatus", "transcriptionStatus"} <= set(answer)
