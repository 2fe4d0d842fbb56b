/* profile.c - see profile.h */
#include "client/cli/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

enum err profiles_path(char *ret, size_t room)
{
    const char *whole = getenv("DUGNAD_CONFIG"), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n;
    if (whole && *whole)
        n = snprintf(ret, room, "%s", whole);
    else if (config && *config)
        n = snprintf(ret, room, "%s/dugnad/login.json", config);
    else if (home && *home)
        n = snprintf(ret, room, "%s/.config/dugnad/login.json", home);
    else
        return err_set(ERR_INVALID, "neither HOME nor DUGNAD_CONFIG is set: say where the login file is");
    return n > 0 && (size_t)n < room ? ERR_OK : err_set(ERR_LIMIT, "the path of the login file is too long");
}

static enum err copy_text(const struct json *obj, const char *where, const char *key, bool needed, char *ret,
                          size_t room)
{
    const char *text = "";
    enum err e = needed ? json_get_string(obj, where, key, room - 1, &text)
                        : json_opt_string(obj, where, key, room - 1, "", &text);
    if (e == ERR_OK)
        memcpy(ret, text, strlen(text) + 1);
    return e;
}

static enum err read_pins(const struct json *obj, const char *where, struct profile *p)
{
    const struct json *list;
    enum err e = json_opt_array(obj, where, "pins", SERVER_PINS_MAX, &list);
    for (size_t i = 0; e == ERR_OK && list && i < json_count(list); i++) {
        const char *pin = json_text(json_at(list, i));
        if (!pin || strlen(pin) >= PIN_TEXT_BYTES)
            return err_set(ERR_INVALID, "%s.pins holds something that is no pin", where);
        memcpy(p->pins[p->pin_count++], pin, strlen(pin) + 1);
    }
    return e;
}

static enum err read_profile(const char *name, const struct json *obj, struct profile *ret)
{
    struct profile p = {0};
    const char *key = NULL;
    int64_t version = 0;
    enum err e;
    if (strlen(name) > NAME_BYTES_MAX)
        return err_set(ERR_LIMIT, "the profile's name '%.80s' is too long", name);
    memcpy(p.name, name, strlen(name) + 1);
    if ((e = copy_text(obj, name, "url", true, p.url, sizeof p.url)) != ERR_OK ||
        (e = copy_text(obj, name, "project", false, p.project, sizeof p.project)) != ERR_OK ||
        (e = copy_text(obj, name, "token", false, p.token, sizeof p.token)) != ERR_OK ||
        (e = json_get_string(obj, name, "project_key", DIGEST_TEXT_BYTES, &key)) != ERR_OK ||
        (e = digest_parse(key, &p.project_key)) != ERR_OK ||
        (e = json_opt_i64(obj, name, "root_version", 0, INT32_MAX, 0, &version)) != ERR_OK ||
        (e = json_opt_i64(obj, name, "server_issued_ms", 0, INT64_MAX, 0, &p.server_issued_ms)) != ERR_OK ||
        (e = read_pins(obj, name, &p)) != ERR_OK)
        return e;
    p.root_version = (uint32_t)version;
    *ret = p;
    return ERR_OK;
}

static enum err read_all(const struct json *root, struct profiles *ret)
{
    const struct json *list, *obj;
    const char *name;
    struct profiles *p = ret;
    enum err e = copy_text(root, "", "current", false, p->current, sizeof p->current);
    if (e == ERR_OK)
        e = json_get_object(root, "", "profiles", &list);
    for (size_t i = 0; e == ERR_OK && json_each(list, i, &name, &obj); i++) {
        if (p->count == PROFILES_MAX)
            return err_set(ERR_LIMIT, "more than %d profiles", PROFILES_MAX);
        e = read_profile(name, obj, &p->list[p->count++]);
    }
    return e;
}

enum err profiles_load(const char *path, struct profiles *ret)
{
    BUF_AUTO struct buf text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct stat st;
    *ret = (struct profiles){0};
    if (stat(path, &st) != 0)
        return ERR_OK;
    if (st.st_mode & 077)
        return err_set(ERR_DENIED, "%s holds tokens but others may read it: chmod 600 %s", path, path);
    enum err e = file_read(path, CONFIG_BYTES_MAX, &text);
    if (e == ERR_OK)
        e = json_parse(buf_text(&text), text.len, CONFIG_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = read_all(json_root(doc), ret);
    return e == ERR_OK ? e : err_prefix(e, "%s (remove it and log in again)", path);
}

static void write_profile(struct json_out *o, const struct profile *p)
{
    char key[DIGEST_TEXT_BYTES];
    digest_text(&p->project_key, key);
    json_out_object(o, p->name);
    json_out_string(o, "url", p->url);
    json_out_string(o, "project", p->project);
    json_out_string(o, "project_key", key);
    if (*p->token)
        json_out_string(o, "token", p->token);
    json_out_u64(o, "root_version", p->root_version);
    json_out_i64(o, "server_issued_ms", p->server_issued_ms);
    json_out_array(o, "pins");
    for (uint32_t i = 0; i < p->pin_count; i++)
        json_out_string(o, NULL, p->pins[i]);
    json_out_close(o);
    json_out_close(o);
}

enum err profiles_save(const char *path, const struct profiles *p)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    char folder[4096];
    json_out_init(&o, &text);
    o.pretty = true;
    json_out_object(&o, NULL);
    json_out_string(&o, "current", p->current);
    json_out_object(&o, "profiles");
    for (uint32_t i = 0; i < p->count; i++)
        write_profile(&o, &p->list[i]);
    json_out_close(&o);
    json_out_close(&o);
    enum err e = json_out_end(&o);
    const char *slash = strrchr(path, '/');
    if (e == ERR_OK && slash && slash > path && (size_t)(slash - path) < sizeof folder) {
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = 0;
        e = file_make_folders(folder, 0700);
    }
    if (e == ERR_OK)
        e = buf_add_char(&text, '\n');
    return e == ERR_OK ? file_write_atomic(path, text.data, text.len, 0600) : e;
}

struct profile *profiles_find(struct profiles *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (str_eq(p->list[i].name, name ? name : p->current))
            return &p->list[i];
    return NULL;
}

enum err profiles_put(struct profiles *p, const struct profile *profile)
{
    struct profile *old = profiles_find(p, profile->name);
    if (!old && p->count == PROFILES_MAX)
        return err_set(ERR_LIMIT, "there are %d profiles already: dugnad logout --profile NAME removes one",
                       PROFILES_MAX);
    *(old ? old : &p->list[p->count++]) = *profile;
    return ERR_OK;
}

void profiles_drop(struct profiles *p, const char *name)
{
    struct profile *gone = profiles_find(p, name);
    if (!gone)
        return;
    if (str_eq(p->current, gone->name))
        p->current[0] = 0;
    *gone = p->list[--p->count];
    if (!*p->current && p->count == 1)
        memcpy(p->current, p->list[0].name, sizeof p->current);
}
