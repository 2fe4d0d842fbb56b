/* serve.h - puts the parts of a server together and runs them until SIGTERM. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/http.h"
#include "server/settings.h"

/* The settings of DATA/server.conf; ERR_MISSING says how to make a project. */
enum err serve_settings(const char *data, struct settings *ret) NODISCARD;
/* For store_open(): the database setting, a relative SQLite path made absolute below the data folder. */
enum err serve_database(const char *data, const struct settings *s, char *ret, size_t room) NODISCARD;
/* A PEM file of the settings, which may be relative to the data folder. */
enum err serve_pem(const char *data, const char *setting, struct buf *ret) NODISCARD;
/* What seals the TLS sessions that hosts keep: DATA/tls/tickets.key, made when it is missing or a month old.
 */
enum err serve_ticket_key(const char *data, uint8_t ret[HTTP_TICKET_KEY_BYTES]) NODISCARD;
/* How this machine reaches the server: "https://127.0.0.1:8443" and the certificate to check it against. */
enum err serve_local(const char *data, const struct settings *s, char *ret_url, size_t url_room,
                     char *ret_certificate, size_t certificate_room) NODISCARD;
/* Open files that the settings may need. */
uint64_t serve_files_wanted(const struct settings *s);
uint64_t serve_files_may_help(const struct settings *s); /* beyond them, for newcomers of a crowd */
/* Newcomers who may wait for their handshake, with the files that are allowed now. */
uint32_t serve_waiting_max(const struct settings *s);
/* Serves until SIGTERM or SIGINT; then ends what is under way and returns ERR_OK. */
enum err serve(const char *data, const struct settings *settings) NODISCARD;

#endif
