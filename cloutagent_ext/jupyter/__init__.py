"""The engine's ports, bound to Jupyter's own services.

`kernels` runs the `python` tool in kernels of the Jupyter server (or of jupyter_client,
where there is no server). Not here: the tools themselves (`engine.tools`).
"""
