/* results.c - see results.h */
#include "client/cli/results.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/blob.h"
#include "client/cli/units.h"
#include "wire/order.h"

enum { PATH_ROOM = 4096 };

static enum err in_folder(const struct results *r, const char *name, char ret[PATH_ROOM])
{
    return file_join(ret, PATH_ROOM, r->folder, name);
}

static enum err sync_all(const struct results *r)
{
    int fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = fd >= 0 && syncfs(fd) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot sync %s", r->folder);
    if (fd >= 0)
        close(fd);
    return e;
}

enum err results_save(const struct results *r)
{
    BUF_AUTO struct buf text = {0};
    char path[PATH_ROOM];
    struct json_out o;
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_string(&o, "batch", r->batch);
    json_out_string(&o, "pattern", r->pattern);
    json_out_i64(&o, "after", r->after);
    json_out_u64(&o, "list_bytes", r->list_bytes);
    json_out_u64(&o, "accepted", r->accepted);
    json_out_u64(&o, "failed", r->failed);
    json_out_u64(&o, "bytes", r->bytes);
    json_out_close(&o);
    enum err e = json_out_end(&o);
    if (e == ERR_OK)
        e = sync_all(r);
    if (e == ERR_OK)
        e = in_folder(r, RESULTS_STATE_FILE, path);
    return e == ERR_OK ? file_write_atomic(path, text.data, text.len, 0644) : e;
}

static enum err read_state(struct results *r, const struct json *root)
{
    const char *batch, *pattern;
    int64_t list, accepted, failed, bytes;
    enum err e;
    if ((e = json_get_string(root, "", "batch", ID_TEXT_BYTES, &batch)) != ERR_OK ||
        (e = json_get_string(root, "", "pattern", PATH_BYTES_MAX, &pattern)) != ERR_OK ||
        (e = json_get_i64(root, "", "after", 0, INT64_MAX, &r->after)) != ERR_OK ||
        (e = json_get_i64(root, "", "list_bytes", 0, INT64_MAX, &list)) != ERR_OK ||
        (e = json_get_i64(root, "", "accepted", 0, INT64_MAX, &accepted)) != ERR_OK ||
        (e = json_get_i64(root, "", "failed", 0, INT64_MAX, &failed)) != ERR_OK ||
        (e = json_get_i64(root, "", "bytes", 0, INT64_MAX, &bytes)) != ERR_OK)
        return e;
    if (!str_eq(batch, r->batch))
        return err_set(ERR_CONFLICT, "%s holds the results of batch %s: choose another folder with --out",
                       r->folder, batch);
    if (!str_eq(pattern, r->pattern))
        return err_set(ERR_CONFLICT, "%s was begun with --name '%s': go on so, or choose another folder",
                       r->folder, pattern);
    r->list_bytes = (uint64_t)list;
    r->accepted = (uint64_t)accepted;
    r->failed = (uint64_t)failed;
    r->bytes = (uint64_t)bytes;
    return ERR_OK;
}

/* Lines after the last saved answer are of a call that was cut off: they come again. */
static enum err cut_list(const struct results *r)
{
    char path[PATH_ROOM];
    struct stat st;
    enum err e = in_folder(r, RESULTS_LIST_FILE, path);
    if (e == ERR_OK && stat(path, &st) == 0 && (uint64_t)st.st_size > r->list_bytes &&
        truncate(path, (off_t)r->list_bytes) != 0)
        e = err_set_errno(ERR_IO, "cannot cut %s", path);
    return e;
}

enum err results_open(struct results *r)
{
    BUF_AUTO struct buf text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    char path[PATH_ROOM];
    enum err e = file_make_folders(r->folder, 0755);
    if (e == ERR_OK)
        e = in_folder(r, RESULTS_STATE_FILE, path);
    if (e != ERR_OK)
        return e;
    e = file_read(path, JSON_BODY_SMALL_BYTES_MAX, &text);
    if (e == ERR_OK && (e = json_parse(buf_text(&text), text.len, JSON_BODY_SMALL_BYTES_MAX, &doc)) == ERR_OK)
        e = read_state(r, json_root(doc));
    if (e != ERR_OK && e != ERR_MISSING && e != ERR_CONFLICT)
        err_prefix(e, "%s (remove it to begin anew)", path);
    return e == ERR_OK || e == ERR_MISSING ? cut_list(r) : e;
}

static enum err check_name(const char *pattern, const struct buf *name)
{
    if (!str_is_safe_path(buf_text(name)))
        return err_set(ERR_INVALID, "--name '%s' gives '%.200s', which is no path below a folder", pattern,
                       buf_text(name));
    return ERR_OK;
}

/* As if each name in braces were an x. */
enum err results_pattern_check(const char *pattern)
{
    BUF_AUTO struct buf name = {0};
    enum err e = ERR_OK;
    for (const char *at = pattern; *at && e == ERR_OK; at++) {
        const char *end = *at == '{' && at[1] != '{' ? strchr(at, '}') : NULL;
        e = buf_add_char(&name, end ? 'x' : *at);
        at = end ? end : at;
    }
    return e == ERR_OK ? check_name(pattern, &name) : e;
}

enum err results_name(const char *pattern, const struct json *item, const char *path, struct buf *out)
{
    ARENA_AUTO struct arena arena = {0};
    struct variable list[VARIABLES_MAX + 5];
    uint32_t count = 0;
    const char *unit = json_text(json_field(item, "unit")), *name;
    const struct json *vars = json_field(item, "vars"), *value;
    if (!unit)
        return err_set(ERR_CORRUPT, "the server sent a result without its unit");
    const char *dot = strchr(unit, '.');
    list[count++] = (struct variable){"unit", unit};
    list[count++] = (struct variable){"index", dot ? dot + 1 : unit};
    list[count++] = (struct variable){"path", path};
    for (size_t i = 0; vars && json_each(vars, i, &name, &value) && count < VARIABLES_MAX + 3; i++)
        if (json_text(value))
            list[count++] = (struct variable){name, json_text(value)};
    const char *plain = json_text(json_field(vars, ""));
    enum err e = ERR_OK;
    if (plain) { /* a file's name and stem are stored with the unit only where its command uses them */
        e = units_file_vars(plain, &arena, &list[count]);
        count += 2;
    }
    if (e == ERR_OK)
        e = template_fill(pattern, list, count, out);
    return e == ERR_OK ? check_name(pattern, out) : e;
}

static enum err make_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return ERR_OK;
    *slash = 0;
    enum err e = file_make_folders(path, 0755);
    *slash = '/';
    return e;
}

static bool same_file(const char *path, const struct digest *digest, uint64_t bytes)
{
    struct digest have;
    uint64_t size;
    return file_size(path, &size) == ERR_OK && size == bytes && hash_file(path, &have, &size) == ERR_OK &&
           digest_eq(&have, digest);
}

/* Whole or not at all, but not synced one by one: results_save() syncs all before it says that they are here.
 */
static enum err write_file(const char *path, const void *bytes, size_t len)
{
    char part[PATH_ROOM];
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return err_set(ERR_LIMIT, "the path %.200s... is too long", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot create %s", part);
    enum err e = file_write_all(fd, bytes, len);
    close(fd);
    if (e == ERR_OK && rename(part, path) != 0)
        e = err_set_errno(ERR_IO, "cannot rename %s", part);
    return e;
}

static enum err put_inline(const char *path, const char *data, const struct digest *digest, uint64_t bytes)
{
    BUF_AUTO struct buf content = {.bytes_max = JSON_BODY_BYTES_MAX};
    enum err e = str_unbase64(data, strlen(data), &content);
    struct digest got = hash_bytes(buf_text(&content), content.len);
    if (e == ERR_OK && (content.len != bytes || !digest_eq(&got, digest)))
        e = err_set(ERR_UNTRUSTED, "what the server sent for %s is not what its digest names", path);
    return e == ERR_OK ? write_file(path, buf_text(&content), content.len) : e;
}

/* What the server says of one output, and where it goes. */
struct place {
    struct digest digest;
    int64_t bytes;
    const char *data; /* NULL: it is a blob */
    char path[PATH_ROOM];
};

static enum err place_output(const struct results *r, const struct json *item, const struct json *output,
                             struct place *ret)
{
    BUF_AUTO struct buf name = {0};
    const char *path, *hex;
    enum err e;
    if ((e = json_get_string(output, "outputs", "path", PATH_BYTES_MAX, &path)) != ERR_OK ||
        (e = json_get_string(output, "outputs", "sha256", DIGEST_TEXT_BYTES, &hex)) != ERR_OK ||
        (e = digest_parse(hex, &ret->digest)) != ERR_OK ||
        (e = json_get_i64(output, "outputs", "bytes", 0, (int64_t)BLOB_BYTES_MAX, &ret->bytes)) != ERR_OK ||
        (e = json_opt_string(output, "outputs", "data", JSON_BODY_BYTES_MAX, NULL, &ret->data)) != ERR_OK ||
        (e = results_name(r->pattern, item, path, &name)) != ERR_OK ||
        (e = in_folder(r, buf_text(&name), ret->path)) != ERR_OK)
        return e;
    return make_parent(ret->path);
}

static bool is_wanted(const struct results *r, const struct json *output)
{
    for (uint32_t i = 0; i < r->only_count; i++)
        if (str_eq(json_text(json_field(output, "path")), r->only[i]))
            return true;
    return r->only_count == 0;
}

static enum err take_output(struct results *r, const struct json *item, const struct json *output)
{
    struct place p;
    if (!is_wanted(r, output))
        return ERR_OK;
    enum err e = place_output(r, item, output, &p);
    if (e != ERR_OK)
        return e;
    uint64_t bytes = (uint64_t)p.bytes;
    r->bytes += bytes;
    if (file_exists(p.path))
        return same_file(p.path, &p.digest, bytes)
                   ? ERR_OK
                   : err_set(ERR_CONFLICT,
                             "%s is there and is something else: use a --name in which units differ, or "
                             "another folder",
                             p.path);
    return p.data ? put_inline(p.path, p.data, &p.digest, bytes) : blob_get(r->cli, &p.digest, bytes, p.path);
}

enum err results_prefetch(struct results *r, const struct json *items)
{
    ARENA_AUTO struct arena a = {.bytes_max = 256u << 20};
    struct blob_want *wants = NULL;
    size_t count = 0, room = 0;
    for (size_t i = 0; i < json_count(items); i++)
        room += json_count(json_field(json_at(items, i), "outputs"));
    if (room < 2) /* nothing to gain */
        return ERR_OK;
    if (!(wants = arena_array(&a, room, sizeof *wants)))
        return ERR_NOMEM;
    for (size_t i = 0; i < json_count(items); i++) {
        const struct json *outputs = json_field(json_at(items, i), "outputs");
        for (size_t n = 0; n < json_count(outputs); n++) {
            struct place p;
            if (!is_wanted(r, json_at(outputs, n)))
                continue;
            enum err e = place_output(r, json_at(items, i), json_at(outputs, n), &p);
            if (e != ERR_OK)
                return e;
            if (p.data)
                continue;
            wants[count] = (struct blob_want){p.digest, (uint64_t)p.bytes, arena_text(&a, p.path)};
            if (!wants[count++].path)
                return ERR_NOMEM;
        }
    }
    return blob_get_many(r->cli, wants, count);
}

/* The item without the bytes of its outputs, which are files now. */
static enum err list_line(const struct json *item, struct buf *out)
{
    struct json_out o;
    const char *key;
    const struct json *value;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    for (size_t i = 0; json_each(item, i, &key, &value); i++) {
        if (!str_eq(key, "outputs") || json_kind(value) != JSON_IS_ARRAY) {
            json_out_value(&o, key, value);
            continue;
        }
        json_out_array(&o, key);
        for (size_t n = 0; n < json_count(value); n++) {
            const struct json *v;
            json_out_object(&o, NULL);
            for (size_t k = 0; json_each(json_at(value, n), k, &key, &v); k++)
                if (!str_eq(key, "data"))
                    json_out_value(&o, key, v);
            json_out_close(&o);
        }
        json_out_close(&o);
    }
    json_out_close(&o);
    enum err e = json_out_end(&o);
    return e == ERR_OK ? buf_add_char(out, '\n') : e;
}

static enum err add_line(struct results *r, const struct json *item)
{
    BUF_AUTO struct buf line = {0};
    char path[PATH_ROOM];
    enum err e = list_line(item, &line);
    if (e == ERR_OK)
        e = in_folder(r, RESULTS_LIST_FILE, path);
    if (e != ERR_OK)
        return e;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    e = file_write_all(fd, line.data, line.len);
    close(fd);
    if (e == ERR_OK)
        r->list_bytes += line.len;
    return e;
}

enum err results_take(struct results *r, const struct json *item)
{
    const struct json *outputs = json_field(item, "outputs");
    int64_t seq;
    enum err e = json_get_i64(item, "items", "seq", 0, INT64_MAX, &seq);
    for (size_t i = 0; e == ERR_OK && outputs && i < json_count(outputs); i++)
        e = take_output(r, item, json_at(outputs, i));
    if (e == ERR_OK)
        e = add_line(r, item);
    if (e != ERR_OK)
        return e;
    if (str_eq(json_text(json_field(item, "state")), "failed"))
        r->failed++;
    else
        r->accepted++;
    r->after = seq;
    return ERR_OK;
}
