#!/usr/bin/env bash
# Brings the peers that `make test-interop` needs: Debian's Chromium, and packages from npm.
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
