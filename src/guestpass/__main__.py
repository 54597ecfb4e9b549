"""`python -m guestpass` is the command `guestpass`."""

from guestpass.cli.main import main

main()
