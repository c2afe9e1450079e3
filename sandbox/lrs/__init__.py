"""The campus's learning record store: the statements part of xAPI 1.0.3 and 2.0."""
