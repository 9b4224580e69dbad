"""What the API counts about itself; `/metrics` shows it together with what the rooms count."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

OPERATIONS = Counter(
    "clarion_graphql_operations_total", "GraphQL operations answered, by kind and outcome.", ["kind", "outcome"]
)
OPERATION_SECONDS = Histogram(
    "clarion_graphql_operation_seconds",
    "Time from a complete request to its answer.",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SOCKETS = Gauge("clarion_graphql_sockets", "Open GraphQL WebSocket connections.", multiprocess_mode="livesum")
SUBSCRIPTIONS = Gauge("clarion_graphql_subscriptions", "Running GraphQL subscriptions.", multiprocess_mode="livesum")
SLOW_CLIENTS = Counter("clarion_graphql_slow_clients_total", "WebSocket clients cut off because they did not read.")
EVENTS = Counter("clarion_business_events_total", "Business events told over HTTP, by what became of them.", ["status"])
TRANSFERRED = Counter("clarion_file_bytes_total", "Bytes of files received and sent.", ["direction"])
