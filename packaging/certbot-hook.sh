#!/bin/sh
# certbot-hook.sh: hands a renewed certificate of certbot to dugnad-server, which shows it from then on without a restart. As root:
#   certbot certonly --standalone -d grid.example.org --deploy-hook /usr/share/doc/dugnad-server/examples/certbot-hook.sh
# The service may not read below /etc/letsencrypt, so it gets copies. Another renewer does the same: two files, then a reload.
# DUGNAD_DATA=/var/lib/dugnad-server, DUGNAD_USER=dugnad-server; certificate and key in server.conf as they are made.
set -eu
tls=${DUGNAD_DATA:-/var/lib/dugnad-server}/tls user=${DUGNAD_USER:-dugnad-server}
install -o "$user" -m 0600 "$RENEWED_LINEAGE/fullchain.pem" "$tls/certificate.pem.new"
install -o "$user" -m 0600 "$RENEWED_LINEAGE/privkey.pem" "$tls/key.pem.new"
mv "$tls/certificate.pem.new" "$tls/certificate.pem"
mv "$tls/key.pem.new" "$tls/key.pem"
systemctl reload dugnad-server
