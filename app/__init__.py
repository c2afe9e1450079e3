"""The gateway: everything that touches a clock, a database or a network."""
