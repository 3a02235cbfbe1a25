#!/usr/bin/env bash
# Writes openapi/labwatch-v1.json and openapi/labwatch-v2.json from the code. Run it after a change of the API, and look at the difference before you commit it.
set -euo pipefail
cd "$(dirname "$0")/.."

UPDATE=1 cargo test --quiet --locked --test openapi the_documents_are_those_of_the_code
git --no-pager diff --stat -- openapi 2>/dev/null || true
