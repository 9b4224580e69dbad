"""Imports into more than profiles, and exports of more than their fields.

The runners of both are those of `core.profiles`, which know neither consent nor questions: who runs them hands in what there
is to import into (`destinations.py`) and how a composed export is asked for (`composing.py`). A destination says which columns
a file may have and by what its rows find something; its target stores one chunk at a time, in the transaction that counts it.

It stands behind targeting, because columns are expressions and lists are audiences, and before everything that sends. Owns
`import_list_member`.
"""
