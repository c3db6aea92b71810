#!/bin/sh
# Makes .venv with the newest Python that we know to work, and installs exactly what the lock names.
set -eu

usable='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info)'

if ! .venv/bin/python -c "$usable" 2>/dev/null; then
    python=
    # A name may be there and still not run (a version manager's shim), so each is tried.
    for name in python3.13 python3.12 python3.11 python3 python; do
        if "$name" -c "$usable" >/dev/null 2>&1; then python=$name; break; fi
    done
    if [ -z "$python" ]; then
        echo "Voltbazaar needs Python 3.11 or newer with its venv module: install it (Debian: apt install python3-venv) and try again." >&2
        exit 1
    fi
    echo "Making .venv with $("$python" --version) …"
    rm -rf .venv
    "$python" -m venv .venv
fi

echo "Installing the locked packages (once; a minute or two) …"
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
    --require-hashes -r requirements.lock; then
    echo "The packages could not be installed: see above. Is there a connection, and room on the disk?" >&2
    exit 1
fi
cp requirements.lock .venv/installed.lock
