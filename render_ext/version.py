"""The version of everything that decides which bytes a program and its values become.

It changes whenever a rendering of an older program could come out differently; stored programs carry the
version they were prepared with.
"""

ENGINE_VERSION = 3
