"""What a Binder opens on: the Sales analyst with one recorded run, beside a notebook.

`postBuild` runs it once; run again, it changes nothing. The address to share ends with
`?urlpath=lab/workspaces/demo`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
PROJECT = "Sales analyst"
NOTEBOOK = "notebooks/01_first_agent.ipynb"


def cloutagent(*arguments: str) -> str:
    """What `jupyter cloutagent …` printed; in this process's data folder, without a server."""
    command = [sys.executable, "-m", "cloutagent_ext", *arguments, "--in-process"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path.home()).stdout


def project_id() -> str:
    """The id of the project, which is made if it is not there."""
    for row in json.loads(cloutagent("projects", "list", "--json")):
        if row["name"] == PROJECT:
            return str(row["id"])
    made = cloutagent("projects", "create", PROJECT, "--template", "sales-analyst", "--json")
    return str(json.loads(made)["id"])


def main() -> None:
    from demo import layout, quiet
    from jupyter_core.paths import jupyter_config_dir
    from jupyterlab.commands import get_workspaces_dir
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    project = project_id()
    if not json.loads(cloutagent("cassette", "list", PROJECT, "--json")):
        run = json.loads(cloutagent("run", PROJECT, "--json"))
        if run["status"] != "completed":
            raise SystemExit(f"The example run did not complete: {run.get('error')}")
        cloutagent("cassette", "save", run["execution_id"], "--tools")
    folder = Path(get_workspaces_dir())
    folder.mkdir(parents=True, exist_ok=True)
    WorkspacesManager(str(folder)).save("demo", json.dumps(layout(project, NOTEBOOK)))
    quiet(Path(jupyter_config_dir()))
    print(f"{PROJECT}: {project}, with one recorded run")


if __name__ == "__main__":
    main()
