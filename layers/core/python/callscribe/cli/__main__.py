"""`python -m callscribe.cli`, the same as `callscribe`."""

from callscribe.cli import main

main()
