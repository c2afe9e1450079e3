#!/usr/bin/env bash
# Brings the peers that `make test-interop` needs: Debian's Chromium, packages from npm, and Canaille.
# Safe to run again; what is there already stays.
set -euo pipefail
cd "$(dirname "$0")"

say() { echo "test-interop: $*" >&2; }

if [ ! -x /usr/bin/chromium ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    say "the browser tests need /usr/bin/chromium; install Debian's package chromium as root, then try again."
    exit 1
  fi
  say "installing chromium"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends chromium fonts-liberation > /dev/null
fi

for program in node npm; do
  if ! command -v "$program" > /dev/null; then
    say "the peers need Node.js 20 or newer with npm; $program is not there."
    exit 1
  fi
done
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || {
  say "the peers need Node.js 20 or newer; this is $(node --version)."
  exit 1
}

# npm ci empties the folder first, so it runs only when the lock file is newer than what it installed.
stamp=peers/node_modules/.installed-from
if ! cmp -s peers/package-lock.json "$stamp"; then
  (cd peers && npm ci --loglevel=error)
  cp peers/package-lock.json "$stamp"
fi

# Canaille in a virtual environment of its own: its libraries are not ours. The lock names them all, and one
# is later than another asks for (see test_canaille.py), hence --no-deps.
stamp=peers/.venv/.installed-from
if ! cmp -s peers/canaille.lock "$stamp"; then
  "${PYTHON:-python3}" -m venv --clear peers/.venv
  peers/.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r peers/canaille.lock
  cp peers/canaille.lock "$stamp"
fi
