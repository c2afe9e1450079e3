"""`python -m app` is `ostiary`."""

from app.cli import main

main()
