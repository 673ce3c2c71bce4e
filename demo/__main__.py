"""`python -m demo`: the server as a process of its own."""

from __future__ import annotations

from demo.command import main

main()
