"""Corrections to the emulator, each asserted before it is made; a module for every service.

Runs inside `.venv-cloud` with the standard library and the emulator only. Every patch is one function: its docstring
says what the emulator does wrong and what AWS does; its body first checks that the code it changes still looks as it
did in the pinned version, so that a new version fails at start-up, loudly and by the patch's name.
"""

# Importing a module registers its patches; they are applied in this order, and some look at what others replace.
# isort: off
from . import lambdas as lambdas
from . import gateway as gateway
from . import streams as streams
from . import queues as queues
from . import objects as objects
from . import roles as roles
from . import states as states
from . import cloudformation as cloudformation

# isort: on
from .registry import PATCHES, PatchDoesNotFit, apply_all

__all__ = ["PATCHES", "PatchDoesNotFit", "apply_all"]
