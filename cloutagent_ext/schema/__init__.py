"""The contract as pydantic models: the only description of data.

`project` the definition · `execution` requests and state · `events` the log ·
`admin` everything around · `base` what they share. No I/O, no Jupyter, no SDK.
"""
