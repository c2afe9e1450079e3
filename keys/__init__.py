"""Keys: sealing of secrets, signing keys and their rotation, JWT signing and verification."""
