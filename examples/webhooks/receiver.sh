#!/usr/bin/env bash
# A receiver of webhooks: answers the one HTTP request on its standard input. It needs bash and openssl.
#
# WEBHOOK_SECRET=whsec_... socat TCP-LISTEN:9000,bind=127.0.0.1,reuseaddr,fork EXEC:./receiver.sh
#
# inetd and systemd's sockets (Accept=yes, StandardInput=socket) start it as well. Handled events are files in $EVENTS.
set -euo pipefail
export LC_ALL=C # Lengths are bytes.
umask 077

TOLERANCE_SECONDS=300
BODY_BYTES_MAX=1000000
TMOUT=10 # Seconds that `read` waits.
EVENTS=${EVENTS:-events}

answer() {
  printf 'HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1"
  exit 0
}

fail() { # Nothing can be verified: the gateway sends the event again later.
  printf '%s\n' "$1" >&2
  answer '503 Service Unavailable'
}

mac() { # Of standard input, with a key in hexadecimal digits, as Base64. Users of this machine can see the key in `ps`.
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary | openssl base64 -A
}

is_genuine() { # 0: the gateway has sent the bytes in the file $1, at most five minutes ago. 1: it has not. 2: unknown.
  local age expected given signature once
  [[ $timestamp =~ ^[0-9]{1,12}$ && $id =~ ^[A-Za-z0-9_]{1,100}$ ]] || return 1
  age=$(($(date +%s) - 10#$timestamp))
  ((age <= TOLERANCE_SECONDS && age >= -TOLERANCE_SECONDS)) || return 1
  expected=$({ printf '%s.%s.' "$id" "$timestamp"; cat "$1"; } | mac "$key") && [[ ${#expected} == 44 ]] || return 2
  once=$(openssl rand -hex 32) && [[ ${#once} == 64 ]] || return 2
  # MACs are compared, not signatures: how long that takes tells nothing of a signature.
  expected=$(printf 'v1,%s' "$expected" | mac "$once") && [[ ${#expected} == 44 ]] || return 2
  for signature in $signatures; do # One for each secret.
    given=$(printf '%s' "$signature" | mac "$once") || return 2
    [[ $given == "$expected" ]] && return 0
  done
  return 1
}

[[ ${WEBHOOK_SECRET:-} =~ ^whsec_[A-Za-z0-9+/]{32,}={0,2}$ ]] || fail 'WEBHOOK_SECRET is not the secret of an endpoint: whsec_…'
key=$(printf '%s' "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
[[ ${#key} -ge 48 ]] || fail 'openssl does not decode WEBHOOK_SECRET.'

read -r method _
length=0 id='' timestamp='' signatures=''
while IFS= read -r line && line=${line%$'\r'} && [[ -n $line ]]; do
  value=${line#*:}
  value=${value# }
  name=${line%%:*}
  case ${name,,} in
    content-length) length=$value ;;
    webhook-id) id=$value ;;
    webhook-timestamp) timestamp=$value ;;
    webhook-signature) signatures=$value ;;
  esac
done
[[ $method == POST && $length =~ ^[0-9]{1,7}$ ]] || answer '400 Bad Request'
((10#$length <= BODY_BYTES_MAX)) || answer '413 Content Too Large'

mkdir -p "$EVENTS"
body=$(mktemp "$EVENTS/.body.XXXXXX")
trap 'rm -f "$body"' EXIT
head -c "$length" >"$body"
set -f # A signature is no pattern of file names.
status=0
is_genuine "$body" || status=$? # Within `||`, a command that fails does not end the script: each one is checked.
[[ $status != 1 ]] || answer '400 Bad Request'
[[ $status == 0 ]] || fail 'openssl does not work.'

if ln "$body" "$EVENTS/$id.json" 2>/dev/null; then # Of several deliveries of an event, one makes the file.
  sed -nE 's/.*"type":"([a-z_.]+)".*"data":\{"object":\{"id":"([A-Za-z0-9_]+)".*/\1 \2/p' "$body" >&2
fi
answer '204 No Content'
