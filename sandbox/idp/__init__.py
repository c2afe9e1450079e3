"""The campus's identity provider: OpenID Connect for sign-in, and a SCIM client that pushes people."""
