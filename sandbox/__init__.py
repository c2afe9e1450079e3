"""The practice campus: an LMS, an identity provider and an LRS small enough to read.

It stands across the street from the gateway and knows it only by its URLs: nothing here imports
the gateway's code, so that both sides have to agree through the standards alone.
"""
