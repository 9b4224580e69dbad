"""Channel plugins, one a folder, found through the entry-point group `clarion.channels` like any stranger's.

Plugins import `channels.contract` and `render_ext` and nothing else of the project. To add one, write
`channels/<name>/channel.py`, name it in `pyproject.toml` and run it through `channels.contract.conformance`.
"""
