"""Runs a handler as Lambda does, in a fresh process: `python -m invoke SCENE`; the last line on stdout is its report.

The handler is the module `handler` on the path. SCENE is a JSON file: `event`, `status` and `fields` (of the answer's
body), `items` and `secret` (see `wire`; without items there is no AWS), `warm_ups` and `requests`. With 0 requests the
first one is measured, with everything that comes before it; else the mean of so many, after it and the `warm_ups`.
"""

import json
import logging
import os
import sys
import time


def main(path: str) -> None:
    """Load, invoke, report."""
    with open(path) as file:  # noqa: PTH123 - pathlib would be one more import in what is measured
        scene = json.load(file)
    # Lambda's runtime has set a handler before it loads any code; what becomes of the lines is not ours to measure.
    logging.getLogger().addHandler(logging.StreamHandler(open(os.devnull, "w")))  # noqa: PTH123, SIM115 - see above; stays open
    started_s = time.process_time()
    asked = _answer_for_aws(scene) if scene["items"] else {}
    from handler import handler  # type: ignore[import-not-found]  # it lies beside this file when it runs

    loaded_s = time.process_time()
    _check(handler(_event(scene["event"]), Context()), scene)
    answered_s = time.process_time()
    report = {"cpu_s": answered_s - started_s, "load_s": loaded_s - started_s, "first_s": answered_s - loaded_s}
    if scene["requests"]:
        report["cpu_s"] = _mean_s(handler, scene)
    report["modules"] = len(sys.modules)
    print("\n" + json.dumps({**report, "asked": asked}))


def _answer_for_aws(scene: dict) -> dict:  # type: ignore[type-arg]  # `typing` would be one more import in what is measured
    from wire import Wire  # type: ignore[import-not-found]  # beside this file, too; it loads a part of botocore

    wire = Wire(scene["items"], scene["secret"])
    wire.install()
    return wire.requests  # type: ignore[no-any-return]  # as above


class Context:
    """Lambda's context."""

    function_name = "presign"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:presign"
    memory_limit_in_mb = 512
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"
    log_group_name = "/aws/lambda/presign"
    log_stream_name = "2026/01/01/[$LATEST]0123456789abcdef"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """So little that no route waits for anything."""
        return 3_000


def _event(event: dict) -> dict:  # type: ignore[type-arg]  # as above
    return {**event, "headers": dict(event["headers"]), "requestContext": {**event["requestContext"]}}


def _mean_s(handler, scene) -> float:  # type: ignore[no-untyped-def]  # as above
    events = [_event(scene["event"]) for _ in range(scene["warm_ups"] + scene["requests"])]
    context = Context()
    for event in events[: scene["warm_ups"]]:
        handler(event, context)
    started_s = time.process_time()
    for event in events[scene["warm_ups"] :]:
        answer = handler(event, context)
    took_s = time.process_time() - started_s
    _check(answer, scene)
    return took_s / int(scene["requests"])


def _check(answer, scene) -> None:  # type: ignore[no-untyped-def]  # as above
    status = int(answer["statusCode"])
    if status != scene["status"] or not set(scene["fields"]) <= set(
        json.loads(answer["body"] if scene["fields"] else "{}")
    ):
        raise SystemExit(f"not the answer that was wanted, but {status}: {answer}")


if __name__ == "__main__":
    main(sys.argv[1])
