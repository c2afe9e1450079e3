"""`ostiary demo`: a practice organization with a campus around it, on loopback, until stopped."""

from app.cli.demo.command import demo

COMMANDS = [demo]
