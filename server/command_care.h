/* command_care.h - backup, restore, dump, load, migrate, audit: the commands over a whole project. */
#ifndef SERVER_COMMAND_CARE_H
#define SERVER_COMMAND_CARE_H

#include <stddef.h>

#include "base/err.h"

enum err command_backup(const char *data, int argc, char **argv, int *ret_status) NODISCARD;
enum err command_restore(const char *data, int argc, char **argv, int *ret_status) NODISCARD;
enum err command_dump(const char *data, int argc, char **argv, int *ret_status) NODISCARD;
enum err command_load(const char *data, int argc, char **argv, int *ret_status) NODISCARD;
enum err command_migrate(const char *data, int argc, char **argv, int *ret_status) NODISCARD;
enum err command_audit(const char *data, int argc, char **argv, int *ret_status) NODISCARD;

/* For store_dump() and store_load(); ctx is a FILE. */
enum err care_write(void *ctx, const char *bytes, size_t len) NODISCARD;
enum err care_read(void *ctx, char *to, size_t room, size_t *ret_len) NODISCARD;

#endif
