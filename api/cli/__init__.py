"""The command line: commands, embedded servers, the supervisor, the development sink and the demo."""
