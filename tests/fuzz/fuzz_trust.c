/* The chain of trust. Statements alone ('1' root, '2' server) read back; a project's answer that was edited
 * is believed as it was meant or not at all, and what is not believed changes nothing. */
#include "fuzz/again.h"
#include "fuzz/edits.h"
#include "wire/trust.h"

enum { NOW_MS = 1000000 };

struct project {
    struct digest key;
    struct buf body; /* of GET /v1/project: two roots, one server statement */
    struct trust believed;
};

static enum err read_root(const char *text, size_t len, struct arena *a, struct root_statement *ret)
{
    (void)a;
    return root_parse(text, len, ret);
}

static enum err read_server(const char *text, size_t len, struct arena *a, struct server_statement *ret)
{
    (void)a;
    return server_statement_parse(text, len, ret);
}

static void add_envelope(const char *type, const struct buf *text, const struct private_key *key,
                         struct buf *body)
{
    again_must(envelope_make(type, text->data, text->len, &key, 1, body), "envelope_make");
}

static void make_body(struct project *p, const struct private_key *root_key,
                      const struct private_key *work_key)
{
    struct root_statement root = {.project = "test", .expires_ms = 2 * NOW_MS};
    struct server_statement server = {.expires_ms = 2 * NOW_MS, .url_count = 1, .pin_count = 1};
    BUF_AUTO struct buf text = {0};
    root.root = root.release = root.work = (struct key_set){.count = 1, .threshold = 1};
    again_must(sign_key_public(root_key, &root.root.keys[0]), "sign_key_public");
    again_must(sign_key_public(work_key, &root.work.keys[0]), "sign_key_public");
    root.release = root.work;
    p->key = server.project_key = sign_key_id(&root.root.keys[0]);
    snprintf(server.urls[0], URL_BYTES_MAX, "https://127.0.0.1:8443");
    snprintf(server.pins[0], PIN_TEXT_BYTES, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    again_must(buf_add_text(&p->body, "{\"root\":["), "buf");
    for (root.version = 1; root.version <= 2; root.version++) {
        buf_clear(&text);
        again_must(root_print(&root, &text), "root_print");
        add_envelope(ENVELOPE_TYPE_ROOT, &text, root_key, &p->body);
        again_must(buf_add_text(&p->body, root.version == 1 ? "," : "],\"server_statement\":"), "buf");
    }
    buf_clear(&text);
    again_must(server_statement_print(&server, &text), "server_statement_print");
    add_envelope(ENVELOPE_TYPE_SERVER, &text, work_key, &p->body);
    again_must(buf_add_text(&p->body, "}"), "buf");
}

static const struct project *make_project(void)
{
    static struct project p;
    struct private_key *root_key, *work_key;
    if (p.body.len)
        return &p;
    again_must(sign_key_new(&root_key), "sign_key_new");
    again_must(sign_key_new(&work_key), "sign_key_new");
    make_body(&p, root_key, work_key);
    sign_key_free(root_key);
    sign_key_free(work_key);
    trust_init(&p.believed, &p.key);
    again_must(trust_add_project(&p.believed, p.body.data, p.body.len, NOW_MS), "trust_add_project");
    return &p;
}

static void believe_edited(const struct project *p, const uint8_t *edits, size_t len)
{
    struct trust t, before;
    BUF_AUTO struct buf body = {0};
    memset(&t, 0, sizeof t);
    trust_init(&t, &p->key);
    before = t;
    again_must(buf_add(&body, p->body.data, p->body.len), "buf_add");
    edits_apply(&body, edits, len);
    if (trust_add_project(&t, body.data, body.len, NOW_MS) != ERR_OK) {
        assert(memcmp(&t, &before, sizeof t) == 0);
        return;
    }
    assert(t.root.version >= 1 && t.root.version <= 2);
    assert(strcmp(t.root.project, p->believed.root.project) == 0);
    assert(memcmp(&t.root.work, &p->believed.root.work, sizeof t.root.work) == 0);
    assert(strcmp(t.server.urls[0], p->believed.server.urls[0]) == 0 && t.server.url_count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct project *p = make_project();
    if (len < 1)
        return 0;
    if (bytes[0] == '1')
        AGAIN(struct root_statement, read_root, root_print, bytes + 1, len - 1);
    else if (bytes[0] == '2')
        AGAIN(struct server_statement, read_server, server_statement_print, bytes + 1, len - 1);
    else
        believe_edited(p, bytes + 1, len - 1);
    return 0;
}
