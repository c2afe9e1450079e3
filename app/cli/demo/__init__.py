"""`ostiary demo`: a practice organization with a campus around it, on loopback, until stopped."""

from __future__ import annotations

from app.cli.demo.command import demo

COMMANDS = [demo]
