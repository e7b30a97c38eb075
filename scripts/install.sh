#!/bin/sh
# install.sh VENV EXTRA: the package and EXTRA into VENV, editable.
#
# A panel that is linked into the environment is unlinked first and linked again afterwards: pip
# would write its copies, and later delete them, through the link, in the source tree.
set -eu
venv=$1
extra=$2
linked=$venv/share/jupyter/labextensions/cloutagent
if [ -L "$linked" ]; then rm "$linked"; fi
rm -f cloutagent_ext/labextension/install.json
HATCH_JUPYTER_BUILDER_SKIP_NPM=1 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extra]"
if [ -f cloutagent_ext/labextension/package.json ]; then
  "$venv/bin/jupyter-builder" develop --overwrite . >"$venv/develop.log" 2>&1 || { cat "$venv/develop.log"; exit 1; }
fi
