#include "server/project.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "server/try.h"
#include "wire/link.h"
#include "wire/order.h"
#include "wire/trust.h"

#define STATEMENT_KEPT_MS 86400000ll
enum { PATH_ROOM = 4096 };

struct project {
    struct settings settings;
    struct trust trust;
    struct private_key *work;
    struct buf roots; /* the envelopes, as a JSON list */
    pthread_mutex_t lock;
    char pin[PIN_TEXT_BYTES];
    struct buf statement;
    int64_t signed_ms;
};

/* --- making --- */

static enum err new_key(const char *folder, const char *name, struct private_key **ret,
                        struct public_key *ret_public)
{
    char path[PATH_ROOM];
    TRY(file_join(path, sizeof path, folder, name));
    TRY(sign_key_new(ret));
    TRY(sign_key_save(*ret, path));
    return sign_key_public(*ret, ret_public);
}

static void add_key(struct key_set *set, const struct public_key *key)
{
    set->keys[set->count++] = *key;
}

static enum err make_release_keys(const char *offline, const struct project_keys *keys, struct key_set *set)
{
    char name[32];
    struct public_key public;
    set->threshold = keys->release_threshold;
    for (uint32_t i = 0; i < keys->release_keys; i++) {
        struct private_key *key = NULL;
        if (i == 0)
            snprintf(name, sizeof name, "release.pem");
        else
            snprintf(name, sizeof name, "release-%u.pem", i + 1);
        enum err e = new_key(offline, name, &key, &public);
        sign_key_free(key);
        TRY(e);
        add_key(set, &public);
    }
    return ERR_OK;
}

static enum err write_root(const char *data, const struct root_statement *root, const struct private_key *key)
{
    char folder[PATH_ROOM], path[PATH_ROOM + 16];
    BUF_AUTO struct buf text = {0}, envelope = {0};
    const struct private_key *keys[] = {key};
    TRY(root_print(root, &text));
    TRY(envelope_make(ENVELOPE_TYPE_ROOT, text.data, text.len, keys, 1, &envelope));
    TRY(file_join(folder, sizeof folder, data, "root"));
    TRY(file_make_folders(folder, 0755));
    snprintf(path, sizeof path, "%s/%u.json", folder, root->version);
    return file_create_atomic(path, envelope.data, envelope.len, 0644);
}

static enum err make_work_key(const char *data, struct key_set *set)
{
    char folder[PATH_ROOM];
    struct private_key *work = NULL;
    struct public_key public;
    TRY(file_join(folder, sizeof folder, data, "keys"));
    TRY(file_make_folders(folder, 0700));
    enum err e = new_key(folder, "work.pem", &work, &public);
    sign_key_free(work);
    if (e == ERR_OK)
        add_key(set, &public);
    return e;
}

enum err project_make(const char *data, const char *offline, const char *name,
                      const struct project_keys *keys, int64_t now_ms, struct digest *ret_project_key)
{
    struct root_statement root = {.version = 1,
                                  .issued_ms = now_ms,
                                  .expires_ms = now_ms + PROJECT_ROOT_VALID_MS,
                                  .root.threshold = 1,
                                  .work.threshold = 1};
    struct private_key *key = NULL;
    struct public_key public;
    if (keys->release_keys < 1 || keys->release_keys > SIGNATURES_MAX || keys->release_threshold < 1 ||
        keys->release_threshold > keys->release_keys)
        return err_set(ERR_INVALID,
                       "there must be 1 to %d release keys, and a release must be signed by 1 to all of them",
                       SIGNATURES_MAX);
    snprintf(root.project, sizeof root.project, "%s", name);
    TRY(file_make_folders(offline, 0700));
    enum err e = new_key(offline, "root.pem", &key, &public);
    if (e == ERR_OK) {
        add_key(&root.root, &public);
        e = make_release_keys(offline, keys, &root.release);
    }
    if (e == ERR_OK)
        e = make_work_key(data, &root.work);
    if (e == ERR_OK)
        e = write_root(data, &root, key);
    sign_key_free(key);
    if (e == ERR_OK)
        *ret_project_key = sign_key_id(&public);
    return e;
}

/* --- opening --- */

/* The first root key of version 1 is the project key; from there on everything is proved. */
static enum err first_key(const char *envelope, size_t len, struct digest *ret)
{
    BUF_AUTO struct buf text = {0};
    struct root_statement root;
    TRY(envelope_peek(envelope, len, ENVELOPE_TYPE_ROOT, &text));
    TRY(root_parse(text.data, text.len, &root));
    if (root.version != 1 || root.root.count == 0)
        return err_set(ERR_UNTRUSTED, "root/1.json is not version 1 of a root statement");
    *ret = sign_key_id(&root.root.keys[0]);
    return ERR_OK;
}

static enum err load_roots(struct project *p, const char *data)
{
    char path[PATH_ROOM];
    for (uint32_t version = 1; version <= ROOT_VERSIONS_MAX; version++) {
        BUF_AUTO struct buf envelope = {0};
        struct digest key;
        snprintf(path, sizeof path, "%s/root/%u.json", data, version);
        enum err e = file_read(path, ENVELOPE_BYTES_MAX, &envelope);
        if (e == ERR_MISSING && version > 1)
            break;
        TRY(e);
        if (version == 1) {
            TRY(first_key(envelope.data, envelope.len, &key));
            trust_init(&p->trust, &key);
        }
        e = trust_add_root(&p->trust, envelope.data, envelope.len);
        if (e != ERR_OK)
            return err_prefix(e, "%s", path);
        TRY(buf_add_text(&p->roots, version == 1 ? "[" : ","));
        TRY(buf_add(&p->roots, envelope.data, envelope.len));
    }
    return buf_add_text(&p->roots, "]");
}

static enum err load_work_key(struct project *p, const char *data)
{
    char path[PATH_ROOM];
    struct public_key public;
    TRY(file_join(path, sizeof path, data, "keys/work.pem"));
    TRY(sign_key_load(path, &p->work));
    TRY(sign_key_public(p->work, &public));
    for (uint32_t i = 0; i < p->trust.root.work.count; i++)
        if (memcmp(&p->trust.root.work.keys[i], &public, sizeof public) == 0)
            return ERR_OK;
    return err_set(ERR_UNTRUSTED,
                   "%s is not a work key of the newest root statement: no PC would take work from it", path);
}

enum err project_open(const char *data, const struct settings *settings, const char *pin, int64_t now_ms,
                      struct project **ret_project)
{
    struct project *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(ERR_NOMEM, "no memory for the project");
    pthread_mutex_init(&p->lock, NULL);
    p->settings = *settings;
    snprintf(p->pin, sizeof p->pin, "%s", pin);
    enum err e = load_roots(p, data);
    if (e == ERR_OK)
        e = trust_check(&p->trust, now_ms);
    if (e == ERR_OK)
        e = load_work_key(p, data);
    if (e != ERR_OK) {
        project_close(p);
        return e;
    }
    *ret_project = p;
    return ERR_OK;
}

void project_close(struct project *p)
{
    if (!p)
        return;
    sign_key_free(p->work);
    buf_done(&p->roots);
    buf_done(&p->statement);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

const struct digest *project_key(const struct project *p)
{
    return &p->trust.project_key;
}

const char *project_name(const struct project *p)
{
    return p->settings.name;
}

const struct key_set *project_release_keys(const struct project *p)
{
    return &p->trust.root.release;
}

int64_t project_root_expires_ms(const struct project *p)
{
    return p->trust.root.expires_ms;
}

/* --- saying what it is --- */

enum err project_sign(const struct project *p, const char *type, const struct buf *text, struct buf *out)
{
    const struct private_key *keys[] = {p->work};
    return envelope_make(type, text->data, text->len, keys, 1, out);
}

/* Under the lock. */
static enum err sign_server(struct project *p, int64_t now_ms)
{
    BUF_AUTO struct buf text = {0};
    struct server_statement s = {.project_key = p->trust.project_key,
                                 .issued_ms = now_ms,
                                 .expires_ms = now_ms + PROJECT_SERVER_VALID_MS,
                                 .url_count = 1,
                                 .pin_count = 1};
    snprintf(s.urls[0], sizeof s.urls[0], "%s", p->settings.url);
    snprintf(s.pins[0], sizeof s.pins[0], "%s", p->pin);
    TRY(server_statement_print(&s, &text));
    buf_clear(&p->statement);
    TRY(project_sign(p, ENVELOPE_TYPE_SERVER, &text, &p->statement));
    p->signed_ms = now_ms;
    return ERR_OK;
}

static enum err write_locked(struct project *p, int64_t now_ms, struct buf *out)
{
    struct json_out o;
    if (!p->statement.len || now_ms - p->signed_ms >= STATEMENT_KEPT_MS || now_ms < p->signed_ms)
        TRY(sign_server(p, now_ms));
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "name", p->settings.name);
    json_out_string(&o, "summary", p->settings.summary);
    digest_write(&o, "project_key", &p->trust.project_key);
    json_out_string(&o, "server", DUGNAD_VERSION);
    json_out_object(&o, "protocol");
    json_out_i64(&o, "min", 1);
    json_out_i64(&o, "max", PROTOCOL_VERSION);
    json_out_close(&o);
    json_out_bool(&o, "invitation_needed", p->settings.invitation_needed);
    json_out_raw(&o, "root", p->roots.data, p->roots.len);
    json_out_raw(&o, "server_statement", p->statement.data, p->statement.len);
    json_out_i64(&o, "time_ms", now_ms);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err project_write(struct project *p, int64_t now_ms, struct buf *out)
{
    pthread_mutex_lock(&p->lock);
    enum err e = write_locked(p, now_ms, out);
    pthread_mutex_unlock(&p->lock);
    return e;
}

void project_set_pin(struct project *p, const char *pin)
{
    pthread_mutex_lock(&p->lock);
    snprintf(p->pin, sizeof p->pin, "%s", pin);
    buf_clear(&p->statement);
    pthread_mutex_unlock(&p->lock);
}

enum err project_join_link(const struct project *p, const char *invitation, struct buf *out)
{
    struct link link = {.project_key = p->trust.project_key};
    snprintf(link.url, sizeof link.url, "%s", p->settings.url);
    snprintf(link.invitation, sizeof link.invitation, "%s", invitation ? invitation : "");
    return link_print(&link, out);
}

/* A secret of the project's for one purpose; servers that share its work key share it. */
static enum err derive(const struct project *p, const char *purpose, struct digest *ret)
{
    struct signature signature;
    TRY(sign_make(p->work, purpose, strlen(purpose) + 1, &signature));
    *ret = hash_bytes(signature.bytes, sizeof signature.bytes);
    return ERR_OK;
}

enum err project_audit_key(const struct project *p, struct digest *ret)
{
    return derive(p, "dugnad: the key that draws audits", ret);
}

enum err project_challenge_key(const struct project *p, struct digest *ret)
{
    return derive(p, "dugnad: the key that proves challenges", ret);
}

enum err project_sign_units(void *ctx, uint32_t batch, const struct digest *order, uint32_t first,
                            uint32_t count, const struct digest *root, struct buf *out)
{
    const struct project *p = ctx;
    BUF_AUTO struct buf text = {0};
    struct units_statement s = {.project_key = p->trust.project_key,
                                .batch = batch,
                                .order = *order,
                                .first = first,
                                .count = count,
                                .root = *root};
    TRY(units_statement_print(&s, &text));
    return project_sign(p, ENVELOPE_TYPE_UNITS, &text, out);
}
