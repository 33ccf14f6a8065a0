"""Offload's core: jobs as rows, their lifecycle, their delivery through RQ, and the pages that tell about them."""
