/* serve.h - puts the parts of a server together and runs them until SIGTERM. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include <stddef.h>

#include "server/settings.h"

/* The settings of DATA/server.conf; ERR_MISSING says how to make a project. */
enum err serve_settings(const char *data, struct settings *ret) NODISCARD;
/* For store_open(): the database setting, a relative SQLite path made absolute below the data folder. */
enum err serve_database(const char *data, const struct settings *s, char *ret, size_t room) NODISCARD;
/* Serves until SIGTERM or SIGINT; then ends what is under way and returns ERR_OK. */
enum err serve(const char *data, const struct settings *settings) NODISCARD;

#endif
