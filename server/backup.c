/* backup.c - see backup.h */
#include "server/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "server/command_care.h"
#include "server/serve.h"
#include "server/store_care.h"
#include "server/try.h"

enum { PATH_ROOM = 4096, HEAD_BYTES_MAX = 65536 };

#define HEAD_NAME     "BACKUP.json"
#define DATABASE_NAME "project.db"   /* of a project in SQLite */
#define DUMP_NAME     "project.dump" /* of one that is elsewhere */

struct copying {
    const char *from, *to;
    bool link; /* the files of answers may be links to those of `from` */
    uint64_t files, bytes;
};

/* --- files --- */

static bool is_left_out(const char *path)
{
    static const char *const names[] = {
        "lock", "judge", "offline-keys", "blobs/uploads", "blobs/holds/.lock", HEAD_NAME, DUMP_NAME};
    if (str_starts(path, DATABASE_NAME)) /* with its -wal and -shm */
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(path, names[i], len) == 0 && (path[len] == 0 || path[len] == '/'))
            return true;
    }
    return false;
}

/* A holder's file is another name of the blob's own: blobs/ab/DIGEST for blobs/holds/HOLDER/DIGEST. */
static bool own_name(const char *path, char ret[PATH_ROOM])
{
    const char *digest = strrchr(path, '/');
    if (!str_starts(path, "blobs/holds/") || !digest || strlen(digest + 1) < 3)
        return false;
    snprintf(ret, PATH_ROOM, "blobs/%.2s/%.200s", digest + 1, digest + 1);
    return true;
}

static enum err copy_file(struct copying *c, const struct file_entry *entry, const char *from, const char *to)
{
    char own[PATH_ROOM], own_there[PATH_ROOM];
    bool blob = str_starts(entry->path, "blobs/");
    if (file_exists(to)) /* the second round over blobs */
        return ERR_OK;
    if (c->link && blob && link(from, to) == 0)
        return ERR_OK;
    if (own_name(entry->path, own)) {
        TRY(file_join(own_there, sizeof own_there, c->to, own));
        if (link(own_there, to) == 0)
            return ERR_OK;
    }
    enum err e = file_copy(from, to, entry->mode & 0777);
    if (e != ERR_OK && blob && !file_exists(from)) /* its last holder has just let go of it */
        return ERR_OK;
    c->files += e == ERR_OK;
    c->bytes += e == ERR_OK ? entry->bytes : 0;
    return e;
}

static enum err copy_entry(void *ctx, const struct file_entry *entry)
{
    struct copying *c = ctx;
    char from[PATH_ROOM], to[PATH_ROOM];
    if (is_left_out(entry->path))
        return ERR_OK;
    TRY(file_join(from, sizeof from, c->from, entry->path));
    TRY(file_join(to, sizeof to, c->to, entry->path));
    if (S_ISDIR(entry->mode))
        return mkdir(to, entry->mode & 0777) == 0 || errno == EEXIST
                   ? ERR_OK
                   : err_set_errno(ERR_IO, "cannot make %s", to);
    return S_ISREG(entry->mode) ? copy_file(c, entry, from, to) : ERR_OK;
}

static enum err make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return ERR_OK;
    return errno == EEXIST ? err_set(ERR_CONFLICT, "%s is there already: name a new folder", path)
                           : err_set_errno(ERR_IO, "cannot make %s", path);
}

/* --- the database --- */

static enum err dump_to(struct store *store, const char *path)
{
    struct store_sums sums;
    FILE *f = fopen(path, "wxe");
    if (!f)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    enum err e = store_dump(store, clock_wall_ms(), care_write, f, &sums);
    if (fclose(f) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", path);
    return e;
}

/* Either a file of SQLite or lines that any store can read. */
static enum err copy_database(const char *where, const char *to, const char **ret_name)
{
    char path[PATH_ROOM];
    struct store *store;
    TRY(store_open_existing(where, &store));
    *ret_name = str_starts(where, "sqlite:") ? DATABASE_NAME : DUMP_NAME;
    enum err e = file_join(path, sizeof path, to, *ret_name);
    if (e == ERR_OK)
        e = str_starts(where, "sqlite:") ? store_backup(store, path) : dump_to(store, path);
    store_close(store);
    return e;
}

static enum err write_head(const char *to, const char *name)
{
    char path[PATH_ROOM], hex[DIGEST_TEXT_BYTES];
    struct digest digest;
    uint64_t bytes;
    struct json_out o;
    BUF_AUTO struct buf text = {0};
    TRY(file_join(path, sizeof path, to, name));
    TRY(hash_file(path, &digest, &bytes));
    digest_text(&digest, hex);
    json_out_init(&o, &text);
    o.pretty = true;
    json_out_object(&o, NULL);
    json_out_string(&o, "server", DUGNAD_VERSION);
    json_out_i64(&o, "made_ms", clock_wall_ms());
    json_out_string(&o, "database", name);
    json_out_u64(&o, "bytes", bytes);
    json_out_string(&o, "sha256", hex);
    json_out_close(&o);
    TRY(json_out_end(&o));
    TRY(buf_add_char(&text, '\n'));
    sync(); /* all of it before the word that it is whole */
    TRY(file_join(path, sizeof path, to, HEAD_NAME));
    return file_write_atomic(path, text.data, text.len, 0600);
}

static enum err fill(const char *data, const char *to, struct copying *c, const char **ret_name)
{
    char where[PATH_ROOM];
    struct settings settings;
    TRY(serve_settings(data, &settings));
    TRY(serve_database(data, &settings, where, sizeof where));
    TRY(file_walk(data, copy_entry, c));
    TRY(copy_database(where, to, ret_name));
    /* Files that came between the first round and the database's moment. */
    TRY(file_walk(data, copy_entry, c));
    return write_head(to, *ret_name);
}

enum err backup_make(const char *data, const char *to, struct buf *out)
{
    struct copying c = {.from = data, .to = to, .link = true};
    const char *name = "";
    char text[ERR_TEXT_BYTES_MAX];
    TRY(make_folder(to));
    enum err e = fill(data, to, &c, &name);
    if (e != ERR_OK) {
        snprintf(text, sizeof text, "%s", err_text());
        if (file_remove_tree(to) != ERR_OK)
            return err_set(e, "%s; %s is left behind", text, to);
        return err_set(e, "%s", text);
    }
    return buf_printf(
        out,
        "%s holds the project as it was at this moment: settings, keys, database (%s) and files.\n"
        "It holds secrets. Copy it to another disk; dugnad-server --data NEW restore %s brings it back.\n",
        to, name, to);
}

/* --- back --- */

static enum err read_head(const char *from, char name[32])
{
    char path[PATH_ROOM];
    BUF_AUTO struct buf text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct digest digest, wanted;
    uint64_t bytes;
    TRY(file_join(path, sizeof path, from, HEAD_NAME));
    if (file_read(path, HEAD_BYTES_MAX, &text) != ERR_OK)
        return err_set(ERR_MISSING, "%s is no whole backup: there is no %s in it", from, HEAD_NAME);
    TRY(json_parse(buf_text(&text), text.len, HEAD_BYTES_MAX, &doc));
    const char *database = json_text(json_field(json_root(doc), "database"));
    const char *hex = json_text(json_field(json_root(doc), "sha256"));
    if (!database || !hex || digest_parse(hex, &wanted) != ERR_OK ||
        (!str_eq(database, DATABASE_NAME) && !str_eq(database, DUMP_NAME)))
        return err_set(ERR_CORRUPT, "%s does not say what the backup holds", path);
    snprintf(name, 32, "%s", database);
    TRY(file_join(path, sizeof path, from, name));
    TRY(hash_file(path, &digest, &bytes));
    return digest_eq(&digest, &wanted)
               ? ERR_OK
               : err_set(ERR_CORRUPT, "%s is not as it was written: take another backup", path);
}

static enum err load_from(const char *path, const char *where)
{
    struct store *store;
    struct store_sums sums;
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set_errno(ERR_IO, "cannot read %s", path);
    enum err e = store_open(where, &store);
    if (e == ERR_OK) {
        e = store_load(store, care_read, f, &sums);
        store_close(store);
    }
    fclose(f);
    return e;
}

static enum err bring_database(const char *from, const char *data, const char *name)
{
    char path[PATH_ROOM], to[PATH_ROOM], where[PATH_ROOM];
    struct settings settings;
    TRY(file_join(path, sizeof path, from, name));
    TRY(serve_settings(data, &settings));
    TRY(serve_database(data, &settings, where, sizeof where));
    if (str_eq(name, DUMP_NAME))
        return load_from(path, where);
    TRY(file_join(to, sizeof to, data, DATABASE_NAME));
    TRY(file_copy(path, to, 0600));
    BUF_AUTO struct buf wrong = {0};
    TRY(store_check(where, &wrong));
    return wrong.len == 0
               ? ERR_OK
               : err_set(ERR_CORRUPT, "the database in the backup is damaged: %.300s", buf_text(&wrong));
}

enum err backup_restore(const char *from, const char *data, struct buf *out)
{
    struct copying c = {.from = from, .to = data};
    char name[32], text[ERR_TEXT_BYTES_MAX];
    TRY(read_head(from, name));
    TRY(make_folder(data));
    enum err e = file_walk(from, copy_entry, &c);
    if (e == ERR_OK)
        e = bring_database(from, data, name);
    if (e != ERR_OK) {
        snprintf(text, sizeof text, "%s", err_text());
        if (file_remove_tree(data) != ERR_OK)
            return err_set(e, "%s; %s is left behind", text, data);
        return err_set(e, "%s", text);
    }
    sync();
    return buf_printf(out,
                      "%s is the project of %s: %" PRIu64 " files. Start it: dugnad-server --data %s serve\n",
                      data, from, c.files, data);
}
