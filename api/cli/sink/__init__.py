"""The development mail sink: a catch-all SMTP server that keeps what it got as files.

Fast enough not to be the bottleneck of a demonstration, and able to misbehave on demand (`Behaviour`), so it
also serves the tests as the bad servers of this world. `read_sink` reads the messages back.
"""

from api.cli.sink.behaviour import RULES, Behaviour, Rule, Stage
from api.cli.sink.segments import SinkMessage, read_sink
from api.cli.sink.server import Sink, run_sink

__all__ = ["RULES", "Behaviour", "Rule", "Sink", "SinkMessage", "Stage", "read_sink", "run_sink"]
