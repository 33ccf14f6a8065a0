"""Benches: what Offload costs, beside others. README.md says how to run them."""
