"""SCIM 2.0, the service provider's side (RFC 7643, RFC 7644): values in, values out, no I/O."""
