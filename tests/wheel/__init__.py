"""A site that is not ours: tests/test_wheel.py copies it elsewhere and installs the wheel beside it.

It has what Offload must get along with: an app and package named `jobs`, people who have a UUID and sign in with their
e-mail address, and a base page of its own.
"""
