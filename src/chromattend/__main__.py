"""`python -m chromattend`: the same as the command `chromattend`."""

from chromattend.cli import main

main()
