"""What Offload survives: each row of the fault matrix with real processes (`make faults` prints it, see matrix.py).

Faults are injected from outside (signals, a proxy, servers stopped and wiped), and effects are counted outside the code
under test, by the ledger (ledger.py). This folder is also the Django app of the kinds that write into the ledger.
"""
