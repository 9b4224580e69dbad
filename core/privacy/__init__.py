"""Privacy requests: people get what is kept of them in one file, or are erased from everything (feature map 2.66-2.72).

Owns `privacy_namespace` and `privacy_request`. What there is of a person is not written here: each room declares it in its
`personal.py`, and `perimeter.py` lists them all. Requests are rows with a state; one worker at a time carries them out
(`work.py`), in steps that do no harm when they are done again, so a crash only costs time. It finds whom a request is about
(`finding.py`), writes the file (`gathering.py`) or erases (`erasing.py`, and files by `searching.py`), and proves it
(`proofs.py`).
"""
