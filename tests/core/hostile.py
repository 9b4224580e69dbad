"""Texts that would do harm if they were ever taken for SQL, JSON, a format, a path or a pattern."""

HOSTILE = [
    "' OR '1'='1", "'; DROP TABLE profile; --", "') UNION SELECT 1 --", "\\'; SELECT pg_sleep(9); --", "$1", "$$", "%s",
    "%(a)s", ":x", "{}", "{0}", "a.b", "/a/b", "a~b", '"', '"; --', "*", "$.**", "@", "\\", "\\u0000", "null;", "\r\n",
    "\u2028", "𝒳", "ß", "\0", "a\0b", "\ud800", "x" * 70, "x" * 5_000,
]  # fmt: skip
