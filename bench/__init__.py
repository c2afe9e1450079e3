"""Side-by-side benchmarks of the gateway, a peer and the floor, all on this machine: `python -m bench`."""
