"""`python -m guestpass` is the command `guestpass`."""

from guestpass.cli import main

main()
