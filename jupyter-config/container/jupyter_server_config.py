"""How JupyterLab listens inside the container; each line gives way to an option on the command line."""

import os

c = get_config()  # noqa: F821 - Jupyter hands it to the file it loads

# The container's own network; who reaches it from outside is decided where its port is published.
c.ServerApp.ip = "0.0.0.0"  # noqa: S104
c.ServerApp.port = int(os.environ["PORT"])
c.ServerApp.port_retries = 0  # another port would be one that nobody has published
c.ServerApp.base_url = os.environ.get("BASE_URL") or "/"
c.ServerApp.open_browser = False
c.ServerApp.root_dir = os.environ["NOTEBOOK_DIR"]
