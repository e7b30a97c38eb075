"""Speed and memory, printed as tables with ratios to a baseline of the same run: `make bench`.

Machines are shared and noisy, so ratios and medians count, never single times. Nothing
here is a test, and no test asserts on time.
"""
