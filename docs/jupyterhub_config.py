"""JupyterHub with CloutAgent for each of its users. Tried by `tests/deploy/test_hub.py`.

    pip install jupyterhub jupyterhub-idle-culler cloutagent-ext
    npm install -g configurable-http-proxy
    jupyterhub -f jupyterhub_config.py

Each user has a server, a data folder and a key file of their own in their home folder. Where to
put other ways to log in and to start servers (OAuth, Kubernetes, Docker), JupyterHub's own pages
say; nothing below depends on them.
"""

import os
import sys

c = get_config()  # noqa: F821 - JupyterHub hands it to the file it loads

# Who may come in: here everybody who has an account on this machine (PAM, JupyterHub's default).
c.Authenticator.allow_all = True

# Users of one host share its origin, and what a page of one may do in the browser of another is
# then only a cookie's matter. A host name for each user ends that; it needs a wildcard DNS record.
# c.JupyterHub.subdomain_host = "https://hub.example.org"

c.Spawner.default_url = "/lab"

# The cap of what one user's server runs at once, and commands in the sandbox or not at all.
# (`auto`, the default, runs them without where there is no bubblewrap, and says so in each run.)
c.Spawner.args = ["--CloutAgent.max_running=4"]
# c.Spawner.args += ["--CloutAgent.isolation=require"]

# A model for everybody. Whoever has a terminal can read what their own server was given: better
# the address of a gateway that counts per user than a key; or give nothing, then each user has
# their own as a project's secret, and the simulated model plays until then.
c.Spawner.environment = {
    name: os.environ[name] for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY") if name in os.environ
}

# Servers that nobody uses are stopped. An execution that runs counts as use, though nobody looks
# at it: CloutAgent reports it every 30 s, and each server tells the hub every 5 minutes
# (JUPYTERHUB_ACTIVITY_INTERVAL). Keep the time-out well above both.
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600", "--cull-every=300"],
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
