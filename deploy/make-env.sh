#!/bin/sh
# Writes .env, the secrets of `docker compose up`: a random value for each one that is missing.
# What is there is kept, so it may run again at any time, for instance when a service was added.
set -eu
cd "$(dirname "$0")/.."
umask 077

touch .env
chmod 600 .env
# A last line without its end would swallow the next one.
[ -z "$(tail -c 1 .env)" ] || echo >> .env

# 32 bytes as 64 hexadecimal digits: they need no quoting in URLs.
secret() {
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'
}

add() {
    if ! grep -q "^$1=." .env; then
        value=$(secret)
        printf '%s=%s\n' "$1" "$value" >> .env
        echo "made $1"
    fi
}

add WARREN_JWT_SECRET
add WARREN_SERVICE_TOKEN
# The broker's users: its administrator and one for each service.
add BROKER_PASSWORD_ADMIN
for folder in services/*/; do
    add "BROKER_PASSWORD_$(basename "$folder" | tr 'a-z-' 'A-Z_')"
done
echo "The secrets are in $(pwd)/.env (mode 600)."
