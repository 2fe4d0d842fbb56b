/* command_care.c - see command_care.h */
#include "server/command_care.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "server/backup.h"
#include "server/blob_move.h"
#include "server/blob_place.h"
#include "server/serve.h"
#include "server/store_care.h"
#include "server/try.h"

enum { PATH_ROOM = 4096, CONF_BYTES_MAX = 1 << 20 };

enum err care_write(void *ctx, const char *bytes, size_t len)
{
    return fwrite(bytes, 1, len, ctx) == len ? ERR_OK : err_set_errno(ERR_IO, "cannot write the dump");
}

enum err care_read(void *ctx, char *to, size_t room, size_t *ret_len)
{
    *ret_len = fread(to, 1, room, ctx);
    return ferror((FILE *)ctx) ? err_set_errno(ERR_IO, "cannot read the dump") : ERR_OK;
}

static enum err one_word(int argc, char **argv, const char *usage, const char **ret)
{
    if (argc != 1 || argv[0][0] == '-')
        return err_set(ERR_INVALID, "usage: dugnad-server --data D %s", usage);
    *ret = argv[0];
    return ERR_OK;
}

static enum err say(enum err e, struct buf *text)
{
    fputs(buf_text(text), stdout);
    return e;
}

enum err command_backup(const char *data, int argc, char **argv, int *ret_status)
{
    const char *to = "";
    BUF_AUTO struct buf text = {0};
    *ret_status = 0;
    TRY(one_word(argc, argv, "backup FOLDER", &to));
    return say(backup_make(data, to, &text), &text);
}

enum err command_restore(const char *data, int argc, char **argv, int *ret_status)
{
    const char *from = "";
    BUF_AUTO struct buf text = {0};
    *ret_status = 0;
    TRY(one_word(argc, argv, "restore FOLDER", &from));
    return say(backup_restore(from, data, &text), &text);
}

/* --- dump and load --- */

static enum err where_is(const char *data, struct settings *ret_settings, char ret[PATH_ROOM])
{
    TRY(serve_settings(data, ret_settings));
    return serve_database(data, ret_settings, ret, PATH_ROOM);
}

static void print_sums(FILE *to, const struct store_sums *sums)
{
    char hex[DIGEST_TEXT_BYTES];
    for (uint32_t i = 0; i < sums->count; i++) {
        digest_text(&sums->tables[i].digest, hex);
        fprintf(to, "%-14s %10" PRIu64 " rows  %.16s\n", sums->tables[i].table, sums->tables[i].rows, hex);
    }
}

enum err command_dump(const char *data, int argc, char **argv, int *ret_status)
{
    char where[PATH_ROOM];
    struct settings settings;
    struct store *store;
    struct store_sums sums;
    const char *path = argc == 1 ? argv[0] : NULL;
    *ret_status = 0;
    if (argc > 1)
        return err_set(ERR_INVALID, "usage: dugnad-server --data D dump [FILE]");
    TRY(where_is(data, &settings, where));
    TRY(store_open_existing(where, &store));
    FILE *f = path ? fopen(path, "wxe") : stdout;
    enum err e = f ? store_dump(store, clock_wall_ms(), care_write, f, &sums)
                   : err_set_errno(errno == EEXIST ? ERR_CONFLICT : ERR_IO, "cannot write %s", path);
    if (f && (fflush(f) != 0 || (path && fsync(fileno(f)) != 0)) && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write the dump");
    if (path && f)
        fclose(f);
    store_close(store);
    if (e == ERR_OK && path)
        print_sums(stdout, &sums);
    return e;
}

/* Nobody serves the project meanwhile. */
static enum err lock(const char *data, int *ret_fd)
{
    char path[PATH_ROOM];
    TRY(file_join(path, sizeof path, data, "lock"));
    enum err e = file_lock(path, ret_fd);
    return e == ERR_CONFLICT ? err_set(e, "dugnad-server runs on %s: stop it first", data) : e;
}

enum err command_load(const char *data, int argc, char **argv, int *ret_status)
{
    char where[PATH_ROOM];
    struct settings settings;
    struct store *store = NULL;
    struct store_sums sums;
    const char *path = "";
    int fd;
    *ret_status = 0;
    TRY(one_word(argc, argv, "load FILE  (- is standard input)", &path));
    TRY(where_is(data, &settings, where));
    FILE *f = str_eq(path, "-") ? stdin : fopen(path, "re");
    if (!f)
        return err_set_errno(errno == ENOENT ? ERR_MISSING : ERR_IO, "cannot read %s", path);
    enum err e = lock(data, &fd);
    if (e == ERR_OK) {
        e = store_open(where, &store);
        if (e == ERR_OK)
            e = store_load(store, care_read, f, &sums);
        store_close(store);
        close(fd);
    }
    if (f != stdin)
        fclose(f);
    if (e == ERR_OK)
        print_sums(stdout, &sums);
    return e;
}

/* --- migrate --- */

/* server.conf with one option changed; everything else in it stays as it is. */
static enum err set_option(const char *data, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    char path[PATH_ROOM];
    BUF_AUTO struct buf text = {0}, changed = {0};
    bool set = false;
    TRY(file_join(path, sizeof path, data, "server.conf"));
    TRY(file_read(path, CONF_BYTES_MAX, &text));
    for (const char *at = buf_text(&text); *at;) {
        size_t len = strcspn(at, "\n");
        const char *key = at + (*at == '#');
        if (!set && str_starts(key, name) && strchr(" =", key[name_len])) {
            TRY(buf_printf(&changed, "%s = %s\n", name, value));
            set = true;
        } else {
            TRY(buf_printf(&changed, "%.*s\n", (int)len, at));
        }
        at += len + (at[len] == '\n');
    }
    if (!set)
        TRY(buf_printf(&changed, "%s = %s\n", name, value));
    return file_write_atomic(path, changed.data, changed.len, 0600);
}

static enum err sums_of(struct store *store, struct store_sums *ret)
{
    return store_dump(store, 0, NULL, NULL, ret);
}

static enum err copy_and_compare(const char *from, const char *to, struct store_sums *ret_sums)
{
    struct store *source, *target;
    struct store_sums there;
    TRY(store_open_existing(from, &source));
    enum err e = store_open(to, &target);
    if (e == ERR_OK) {
        e = store_copy(source, target);
        if (e == ERR_OK && (e = sums_of(source, ret_sums)) == ERR_OK &&
            (e = sums_of(target, &there)) == ERR_OK)
            e = store_sums_compare(ret_sums, &there);
        store_close(target);
    }
    store_close(source);
    return e;
}

/* What was left must not be taken for the project any more, and its name is wanted when the project comes
 * back. */
static enum err put_away(const char *where)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char from[PATH_ROOM + 8], to[PATH_ROOM + 64];
    const char *path = where + strlen("sqlite:");
    long long at = (long long)(clock_wall_ms() / 1000);
    if (!str_starts(where, "sqlite:"))
        return ERR_OK;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(from, sizeof from, "%s%s", path, endings[i]);
        snprintf(to, sizeof to, "%s.moved-%lld%s", path, at, endings[i]);
        if (file_exists(from) && rename(from, to) != 0)
            return err_set_errno(ERR_IO, "cannot rename %s", from);
    }
    printf("%s is %s.moved-%lld now: remove it when you are content\n", path, path, at);
    return ERR_OK;
}

static enum err migrate(const char *data, const char *database)
{
    char from[PATH_ROOM], to[PATH_ROOM];
    struct settings settings;
    struct store_sums sums;
    int64_t began_ms = clock_mono_ms();
    TRY(where_is(data, &settings, from));
    if ((size_t)snprintf(settings.database, sizeof settings.database, "%s", database) >=
        sizeof settings.database)
        return err_set(ERR_LIMIT, "the database's name is too long");
    TRY(serve_database(data, &settings, to, sizeof to));
    if (str_eq(from, to))
        return err_set(ERR_INVALID, "the project is in %s already", database);
    TRY(copy_and_compare(from, to, &sums));
    TRY(set_option(data, "database", database));
    print_sums(stdout, &sums);
    printf("moved in %.1f s, and compared: every table has the same rows and digest there\n",
           (double)(clock_mono_ms() - began_ms) / 1000);
    return put_away(from);
}

/* --- files --- */

/* A folder that was left is not taken for the project's any more; of a bucket all is let go of. */
static enum err leave_files(const char *data, const struct settings *was, struct blobs *from)
{
    char path[PATH_ROOM], to[PATH_ROOM + 64];
    if (blob_place_is_far(was))
        return blob_move_leave(from);
    TRY(blob_place_folder(data, was, path, sizeof path));
    snprintf(to, sizeof to, "%s.moved-%lld", path, (long long)(clock_wall_ms() / 1000));
    if (rename(path, to) != 0)
        return err_set_errno(ERR_IO, "cannot rename %s", path);
    printf("%s is %s now: remove it when you are content\n", path, to);
    return ERR_OK;
}

static enum err move_files(const char *data, const char *place)
{
    char where[PATH_ROOM], size[32];
    struct settings was, next;
    struct blobs *from = NULL, *to = NULL;
    struct blob_moved moved;
    int64_t began_ms = clock_mono_ms();
    TRY(where_is(data, &was, where));
    next = was;
    if ((size_t)snprintf(next.blobs, sizeof next.blobs, "%s", place) >= sizeof next.blobs)
        return err_set(ERR_LIMIT, "the place's name is too long");
    if (blob_place_is_far(&was) == blob_place_is_far(&next))
        return err_set(ERR_INVALID, "the files are in %s: they move from a folder to an object store or back",
                       was.blobs);
    TRY(blob_place_open(data, &was, where, &from));
    enum err e = blob_place_open(data, &next, where, &to);
    if (e == ERR_OK)
        e = blob_move(from, to, &moved);
    blobs_close(to);
    if (e == ERR_OK)
        e = set_option(data, "blobs", place);
    if (e == ERR_OK) {
        str_from_bytes(moved.bytes, size, sizeof size);
        printf("%" PRIu64 " files, %s, with %" PRIu64
               " holds moved in %.1f s; each was read again there and has its "
               "digest\n",
               moved.files, size, moved.holds, (double)(clock_mono_ms() - began_ms) / 1000);
        e = leave_files(data, &was, from);
    }
    blobs_close(from);
    return e;
}

/* The schema as an older program knows it, so that an upgrade can be taken back. What only newer programs
 * keep is dropped: the file is copied aside before by `backup`, not here. */
static enum err migrate_schema(const char *data, uint32_t version)
{
    char where[PATH_ROOM];
    struct settings settings;
    struct store_about before, after;
    TRY(where_is(data, &settings, where));
    TRY(store_about(where, &before));
    TRY(store_migrate(where, version));
    TRY(store_about(where, &after));
    printf("the schema was version %u and is %u now%s\n", before.version, after.version,
           after.version < STORE_SCHEMA_VERSION
               ? ": start the program that knows this version; this one migrates it up again when it starts"
               : "");
    return ERR_OK;
}

enum err command_migrate(const char *data, int argc, char **argv, int *ret_status)
{
    const char *database = argc == 2 && str_eq(argv[0], "--to") ? argv[1] : NULL;
    const char *files = argc == 2 && str_eq(argv[0], "--blobs") ? argv[1] : NULL;
    uint64_t version = 0;
    bool schema = argc == 2 && str_eq(argv[0], "--schema");
    int fd;
    *ret_status = 0;
    if (schema) {
        if (str_to_u64(argv[1], STORE_SCHEMA_VERSION, &version) != ERR_OK || version == 0)
            return err_set(ERR_INVALID, "the schema has versions from 1 to %d here, not %.20s",
                           STORE_SCHEMA_VERSION, argv[1]);
        TRY(lock(data, &fd));
        enum err e = migrate_schema(data, (uint32_t)version);
        close(fd);
        return e;
    }
    if (!files && (!database || !(str_starts(database, "sqlite:") || str_starts(database, "postgres"))))
        return err_set(ERR_INVALID, "usage: dugnad-server --data D migrate --to "
                                    "sqlite:project.db|postgres://USER@HOST/NAME, or --blobs "
                                    "s3://BUCKET/PREFIX|blobs, or --schema N");
    TRY(lock(data, &fd));
    enum err e = files ? move_files(data, files) : migrate(data, database);
    close(fd);
    return e;
}

/* --- audit --- */

enum err command_audit(const char *data, int argc, char **argv, int *ret_status)
{
    char where[PATH_ROOM], hex[DIGEST_TEXT_BYTES];
    struct settings settings;
    struct store *store;
    struct digest wanted, last;
    uint64_t seq = 0, count;
    const char *has = argc == 2 && str_eq(argv[0], "--has") ? argv[1] : NULL,
               *colon = has ? strchr(has, ':') : NULL;
    *ret_status = 0;
    if (has && colon)
        snprintf(hex, sizeof hex, "%.*s", (int)(colon - has), has);
    if ((argc > 0 && !has) || (has && (!colon || str_to_u64(hex, UINT64_MAX, &seq) != ERR_OK ||
                                       digest_parse(colon + 1, &wanted) != ERR_OK)))
        return err_set(ERR_INVALID, "usage: dugnad-server --data D audit [--has ENTRY:HASH]");
    TRY(where_is(data, &settings, where));
    TRY(store_open_existing(where, &store));
    enum err e = store_audit_verify(store, seq, has ? &wanted : NULL, &count, &last);
    store_close(store);
    TRY(e);
    digest_text(&last, hex);
    printf("the audit log is whole: %" PRIu64 " entries; note the last one elsewhere: %" PRIu64 ":%s\n",
           count, count, hex);
    return ERR_OK;
}
