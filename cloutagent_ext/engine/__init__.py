"""The agent runtime: pure, it receives `ports` and knows no server. `loop.run` is the way in."""
