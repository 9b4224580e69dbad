"""The second door: turns what happened into what is done next.

`wiring.py` is the whole flow on one page. The relay (`relay.py`) carries announcements from the outbox to the broker and runs
the sweeps; worker processes (`process.py`) take messages from the broker and run jobs. A message only says "look": losing
the whole broker loses nothing, because the sweeps find the work in Postgres and announce it again.
"""
