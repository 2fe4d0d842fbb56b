/* backup.h - a whole project in another folder, and back. A backup is a data folder: with the database of one
 * moment (while the server serves), every file that this moment names, settings and keys; without offline
 * keys, which do not belong on the server, and without uploads that are not whole. BACKUP.json is written
 * last: a folder without it is no backup. */
#ifndef SERVER_BACKUP_H
#define SERVER_BACKUP_H

#include "base/buf.h"
#include "base/err.h"

/* to: must not be there yet. On the same file system the answers' files are hard links, which costs no room:
 * copy the folder to another disk. A few lines for people go to out. */
enum err backup_make(const char *data, const char *to, struct buf *out) NODISCARD;
/* from: a backup, which is checked and left as it is; data: must not be there yet. Where the project is in
 * PostgreSQL, its database must be empty. */
enum err backup_restore(const char *from, const char *data, struct buf *out) NODISCARD;

#endif
