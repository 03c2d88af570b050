"""What no dialect does to the process it runs in: load what it does not need, or print what it is told."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from callscribe import names
from tests.dialects.mor import world as mor
from tests.dialects.presign import world as presign
from tests.dialects.transcripto import world as transcripto


@pytest.mark.parametrize("dialect", names.DIALECTS)
def test_a_process_that_renders_a_callback_loads_neither_the_http_framework_nor_pydantic(dialect: str) -> None:
    program = (
        "import sys; from callscribe import dialects; dialects.load(sys.argv[1]).renderer();"
        "print([name for name in sys.modules if name.split('.')[0] in ('aws_lambda_powertools', 'pydantic', 'jwt')])"
    )
    done = subprocess.run([sys.executable, "-c", program, dialect], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "make",
    [
        lambda: send(mor.World(), mor.World.create),
        lambda: send(presign.World(), presign.World.request),
        lambda: send(transcripto.World(), transcripto.World.add_chat),
    ],
    ids=["mor", "presign", "transcripto"],
)
def test_the_librarys_debug_mode_cannot_be_switched_on_from_outside(
    make: Callable[[], str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_DEV", "true")
    token = make()
    printed = "".join(capfd.readouterr())
    assert token not in printed
    assert "good morning" not in printed  # what the chat says


def send(world: Any, request: Callable[[Any, Any], object]) -> str:
    """Send a request that succeeds; the token that it carried."""
    client = world.client()
    request(world, client)
    return str(client.token)
