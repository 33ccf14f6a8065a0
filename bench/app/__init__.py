"""The app that brings Offload the kinds of the benches."""
