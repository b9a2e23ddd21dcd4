#!/bin/sh
# Runs the end-to-end tests in the lab: makes the operator's image, starts a second PostgreSQL for the database migration, and
# stops that again. The lab must be up (its README says how); it is left up.
#
# Environment: LAB       the folder with the lab's scripts
#              LAB_DATA  the lab's working data, as for its up.sh
#              LAB_RUN   the lab's run-time folder; default /run/odoo-lab
#              any E2E_* of tests/e2e/settings.ts, to use something else than what the lab has
# Arguments: of tools/run_tests.ts, such as --filter
# Result: the exit code of the tests; their summary is on stdout
set -eu

: "${LAB:?the folder of the lab}" "${LAB_DATA:?the working data of the lab}"
run=${LAB_RUN:-/run/odoo-lab}
node=198.18.0.1
port=5433
cd "$(dirname "$0")/.."

image=docker.io/library/odoo-operator:e2e-$(date +%s) # a tag of its own: pods of the last one would stay
images() { "$LAB_DATA/bin/ctr" -a "$run/containerd.sock" -n k8s.io images "$@"; }
work=$(mktemp -d)
postgres=''
finish() {
  if [ -n "$postgres" ]; then
    "$LAB/in" runuser -u postgres -- "$postgres/pg_ctl" -D "$work/pg" -m immediate -s stop || true
  fi
  [ "${E2E_KEEP:-}" = true ] || images rm "$image" >"$work/rm.log" || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

deno run -A dev/lab/operator_image.ts "$image" "$work/operator.tar"
images import --local "$work/operator.tar" >"$work/import.log"
rm "$work/operator.tar"

chmod 711 "$work"
for folder in /usr/lib/postgresql/*/bin; do binaries=$folder; done
install -d -o postgres -g postgres -m 700 "$work/pg"
printf 'postgres\n' >"$work/password"
chmod 644 "$work/password"
runuser -u postgres -- "$binaries/initdb" -D "$work/pg" -U postgres -A scram-sha-256 --no-sync --locale=C.UTF-8 \
  --pwfile="$work/password" >"$work/initdb.log"
echo 'host all all 198.18.0.0/15 scram-sha-256' >>"$work/pg/pg_hba.conf"
postgres=$binaries
"$LAB/in" runuser -u postgres -- "$binaries/pg_ctl" -D "$work/pg" -l "$work/pg/log" -s -w start \
  -o "-c listen_addresses=$node -c port=$port -c unix_socket_directories= -c fsync=off"

export E2E_OPERATOR_IMAGE="$image"
export E2E_ODOO_IMAGE="${E2E_ODOO_IMAGE:-docker.io/library/odoo:19.0}"
export E2E_POSTGRES_HOST="${E2E_POSTGRES_HOST:-$node}" E2E_POSTGRES_PORT="${E2E_POSTGRES_PORT:-5432}"
export E2E_POSTGRES_USER="${E2E_POSTGRES_USER:-postgres}" E2E_POSTGRES_PASSWORD="${E2E_POSTGRES_PASSWORD:-postgres}"
export E2E_POSTGRES2_HOST="$node" E2E_POSTGRES2_PORT="$port" E2E_POSTGRES2_USER=postgres E2E_POSTGRES2_PASSWORD=postgres
export E2E_S3_ENDPOINT="${E2E_S3_ENDPOINT:-http://$node:9000}" E2E_S3_BUCKET="${E2E_S3_BUCKET:-e2e}"
export E2E_S3_ACCESS_KEY="${E2E_S3_ACCESS_KEY:-labadmin}" E2E_S3_SECRET_KEY="${E2E_S3_SECRET_KEY:-labsecret}"
export E2E_STORAGE_CLASS="${E2E_STORAGE_CLASS:-standard}" E2E_STORAGE_CLASS2="${E2E_STORAGE_CLASS2:-local}"

"$LAB/in" deno run -A --cached-only dev/lab/make_bucket.ts
"$LAB/in" deno run -A --cached-only tools/run_tests.ts "$@" tests/e2e
