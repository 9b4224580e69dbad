"""The folders beside this file are distributions of their own; their tests run where they are installed."""

collect_ignore_glob = ["*/tests/*", "*/build/*"]
