"""local/signals.py: what ends a runner, and what does not disturb its clearing up."""

import signal
import subprocess
import sys

import pytest

from local.emulator import ROOT

RUNNER = """
import signal, sys, time
from local.signals import interrupt_when_told_to_end
if "nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
interrupt_when_told_to_end()
try:
    print("runs", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("clears up", flush=True)
    time.sleep(0.5)
    print("cleared up", flush=True)
"""
UNLUCKY = """
import signal
from local.signals import end_if_told, interrupt_when_told_to_end

class Unlucky:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

interrupt_when_told_to_end()
end_if_told()
Unlucky()
print("went on", flush=True)
try:
    end_if_told()
except KeyboardInterrupt:
    print("ends", flush=True)
end_if_told()
"""


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", RUNNER, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_runner_clears_up_whichever_way_it_is_told_to_end_and_however_often(number: signal.Signals) -> None:
    with start() as runner:
        assert runner.stdout
        assert runner.stdout.readline() == "runs\n"
        runner.send_signal(number)
        assert runner.stdout.readline() == "clears up\n"
        for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            runner.send_signal(again)
        assert runner.stdout.readline() == "cleared up\n"
        assert runner.wait(30) == 0


def test_a_runner_under_nohup_outlives_its_terminal() -> None:
    with start("nohup") as runner:
        assert runner.stdout
        assert runner.stdout.readline() == "runs\n"
        runner.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            runner.wait(0.5)
        runner.kill()


def test_a_signal_that_came_while_a_destructor_ran_is_not_lost() -> None:
    done = subprocess.run([sys.executable, "-c", UNLUCKY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "went on\nends\n"
