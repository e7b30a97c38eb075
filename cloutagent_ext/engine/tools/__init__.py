"""What a model may call inside one execution: commands, files, a Jupyter kernel.

One module per noun (`shell`, `files`, `search`, `kernel`); `registry` lists them,
`toolbox` binds them to one execution and ends everything they started. Each tool's
module opens with its trust model. Not here: who may call what, and when
(`engine.loop`), and Jupyter itself (`jupyter.kernels`).
"""
