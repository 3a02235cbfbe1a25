#!/usr/bin/env bash
# Runs all tests. Installs with apt-get what they need and what is missing, asking nothing: as root, or with `sudo -n`.
# Where it cannot install, it says what is missing. Arguments are handed on to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
if ! command -v cargo >/dev/null; then
    echo "test.sh: cargo is missing. Install Rust 1.89 or later from https://rustup.rs and run this again." >&2
    exit 1
fi

# Installs packages; fails where there is no apt-get, or no right to use it.
root=()
install() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq)
    "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"
}

# A C compiler builds the cryptography. Nothing goes without it.
if ! command -v cc >/dev/null && ! install gcc libc6-dev; then
    echo "test.sh: a C compiler is missing and cannot be installed from here. Install one (on Debian: gcc libc6-dev) and run this again." >&2
    exit 1
fi

# systemd-analyze checks the unit file.
if ! command -v systemd-analyze >/dev/null && ! install systemd; then
    echo "test.sh: systemd-analyze is missing and cannot be installed from here (on Debian: systemd). The test of the unit file needs it." >&2
fi

# A browser looks at the page.
if ! command -v chromium >/dev/null && ! install chromium; then
    echo "test.sh: chromium is missing and cannot be installed from here (on Debian: chromium). Looking at the page needs it." >&2
fi

# exim is the real mail server of the end-to-end tests. Nothing is removed for it, so it is not installed beside another mail server; and
# where it is installed now it is stopped again, for the tests start their own.
if ! [ -x /usr/sbin/exim4 ]; then
    if install --no-remove exim4-daemon-light; then
        if [ -d /run/systemd/system ]; then
            "${root[@]}" systemctl disable --now exim4 >/dev/null 2>&1 || true
        fi
    else
        echo "test.sh: exim4 is missing and cannot be installed from here (on Debian: exim4-daemon-light). The tests that send real mail need it." >&2
    fi
fi

# Prometheus and carbon read our figures.
if ! { command -v prometheus && command -v carbon-cache; } >/dev/null && ! install prometheus graphite-carbon; then
    echo "test.sh: prometheus and carbon-cache are missing and cannot be installed from here (on Debian: prometheus graphite-carbon)." >&2
fi

# The tools of tests/tools/requirements.txt, and of alone.txt without what they ask for, in one virtual environment. The copy beside them says
# that all of them are there.
tools="${CARGO_TARGET_DIR:-target}/test-tools"
wanted=tests/tools/requirements.txt
alone=tests/tools/alone.txt
make_tools() {
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        install python3 python3-venv || return 1
    fi
    rm -rf "$tools"
    python3 -m venv "$tools" &&
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" &&
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$alone" &&
        cat "$wanted" "$alone" >"$tools/requirements.txt"
}
if ! cat "$wanted" "$alone" | cmp --silent - "$tools/requirements.txt" && ! make_tools; then
    echo "test.sh: the Python tools of $wanted and $alone are missing and cannot be installed from here (on Debian: python3-venv; and pip needs a package index). The tests that use them fail." >&2
fi

# The same commit gets the same answer: properties are tried on the same random cases every time, unless another seed is given.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-1}"

exec cargo test --locked "$@"
