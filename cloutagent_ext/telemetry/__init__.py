"""What operators see of a server: structured logs, metrics, OpenTelemetry, audit lines.

Everything here is beside the work: nothing of it holds up the event loop, and nothing of it can make an
execution or a request fail. Rooms: `facade` (what others use), `context` (whose work a line is about),
`logs` and `logfiles`, `audit`, `meters` (the table of metrics) with `prometheus`, and `otlp`, the only
one that knows OpenTelemetry. Not here: the trace route (`executions.traces`), which needs none of this.
"""
