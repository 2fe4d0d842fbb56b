/* cmd_stream.c - `dugnad streams|publish|tail` and `dugnad stream ...`: looking at streams and steering them
 */
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"
#include "client/cli/stream.h"

#define COUNT(list) (sizeof list / sizeof *list)

enum {
    READ_BYTES = 256 << 10,
    SEND_BYTES_MAX = 1 << 20,
    TAIL_PAGE = 500,
    TAIL_WAIT_S = 25,
    TAIL_DEFAULT = 10
};

/* --- streams --- */

static const struct show_column stream_columns[] = {
    {"stream", "Stream", SHOW_TEXT},
    {"cursor", "Cursor", SHOW_TEXT},
    {"paused", "Paused", SHOW_TEXT},
    {"records", "Records", SHOW_COUNT},
    {"depth", "Waiting", SHOW_COUNT},
    {"in_flight", "In flight", SHOW_COUNT},
    {"redelivered", "Redelivered", SHOW_COUNT},
    {"age_ms", "Oldest waits", SHOW_DURATION},
};

static const struct cli_option no_options[] = {{NULL, 0, NULL, NULL, NULL, false}};

static enum err run_cmd_streams(struct cli *c, const struct args *a)
{
    (void)a;
    return show_list(c, "/v1/streams?cursors=true", stream_columns, COUNT(stream_columns), 0,
                     "no stream: dugnad submit --stream NAME or dugnad publish NAME makes one");
}

const struct cli_command cmd_streams = {
    .words = "streams",
    .usage = "",
    .summary = "list streams and the cursors that read them",
    .details = "Waiting: records that a cursor has not acknowledged; in flight: those of them that a "
               "consumer has now;\n"
               "redelivered: handed out again because nobody acknowledged them in time.",
    .options = no_options,
    .option_count = 0,
    .run = run_cmd_streams};

/* --- publish --- */

static const struct cli_option publish_options[] = {
    {"group", 'g', "NAME",
     "these records belong together: one consumer of a cursor gets neighbours of a group", NULL, false},
    {"group-by-word", 0, NULL, "the first word of each line is its group", NULL, false},
    {"whole", 0, NULL, "all that comes is one record, instead of a record for each line", NULL, false},
};

struct publishing {
    struct cli *c;
    const char *path;
    bool by_word; /* lines of one first word go in one request */
    uint64_t count;
};

static enum err send_lines(struct publishing *p, const char *bytes, size_t len, const char *type)
{
    char key[33];
    struct net_reply reply = {0};
    api_key(key);
    struct net_request request = {.method = "POST",
                                  .url = p->path,
                                  .idempotency_key = key,
                                  .content_type = type,
                                  .body = bytes,
                                  .body_bytes = len,
                                  .timeout_s = 120};
    enum err e = api_do(p->c, &request, &reply);
    net_reply_done(&reply);
    return e;
}

static bool same_word(const char *a, const char *b)
{
    size_t len = strcspn(a, " \t\n");
    return len == strcspn(b, " \t\n") && memcmp(a, b, len) == 0;
}

/* Whole lines only; *ret_used bytes of them. last: nothing comes after these bytes. */
static enum err send_some(struct publishing *p, const char *bytes, size_t len, bool last, size_t *ret_used)
{
    size_t end = 0, before = 0, group = 0; /* where the last line and the last group begin */
    uint32_t lines = 0, group_lines = 0;
    bool full = false;
    while (!full) {
        const char *newline = memchr(bytes + end, '\n', len - end);
        size_t line = newline ? (size_t)(newline - bytes) + 1 - end : 0;
        if (line > 0 && end > 0 && !same_word(bytes + before, bytes + end)) {
            group = end;
            group_lines = lines;
        }
        full = line > 0 && (lines == RECORDS_PER_REQUEST_MAX || (end > 0 && end + line > SEND_BYTES_MAX));
        if (full || line == 0)
            break;
        before = end;
        lines += line > 1;
        end += line;
    }
    /* The last group may go on beyond what is here, or beyond what a request takes. */
    if (p->by_word && group < end && (!last || full) && (group > 0 || !full)) {
        end = group;
        lines = group_lines;
    }
    *ret_used = end;
    enum err e = lines ? send_lines(p, bytes, end, "application/x-ndjson") : ERR_OK;
    if (e == ERR_OK)
        p->count += lines;
    return e;
}

static enum err publish_lines(struct publishing *p, struct buf *in, bool last)
{
    size_t used = 1, done = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && used > 0) {
        e = send_some(p, buf_text(in) + done, in->len - done, last, &used);
        done += e == ERR_OK ? used : 0;
    }
    if (done > 0)
        memmove(in->data, in->data + done, in->len - done);
    in->len -= done;
    if (e == ERR_OK && in->len > RECORD_BYTES_MAX && !memchr(in->data, '\n', in->len))
        return err_set(ERR_LIMIT, "a line is longer than %u bytes: a record takes no more", RECORD_BYTES_MAX);
    return e;
}

static enum err publish_all(struct publishing *p, bool whole)
{
    BUF_AUTO struct buf in = {.bytes_max = READ_BYTES + SEND_BYTES_MAX};
    for (;;) {
        enum err e = buf_reserve(&in, READ_BYTES);
        ssize_t n = e == ERR_OK ? read(STDIN_FILENO, in.data + in.len, READ_BYTES) : 0;
        if (e != ERR_OK)
            return e;
        if (n < 0)
            return err_set_errno(ERR_IO, "cannot read standard input");
        in.len += (size_t)n;
        if (n == 0 && !whole && in.len > 0)
            e = buf_add_char(&in, '\n');
        if (e == ERR_OK && !whole)
            e = publish_lines(p, &in, n == 0);
        if (e == ERR_OK && whole && (n == 0 || in.len > RECORD_BYTES_MAX + 1)) {
            e = send_lines(p, buf_text(&in), in.len, "text/plain");
            p->count++;
            n = 0;
        }
        if (e != ERR_OK || n == 0)
            return e;
    }
}

static enum err run_cmd_publish(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    const char *group = args_text(a, "group", NULL);
    enum err e = stream_path(&path, a->words[0], "");
    if (e == ERR_OK && group && (e = buf_add_text(&path, "?group=")) == ERR_OK)
        e = api_escape(group, &path);
    bool by_word = args_flag(a, "group-by-word");
    if (e == ERR_OK && by_word)
        e = buf_add_text(&path, group ? "&group_by=word" : "?group_by=word");
    struct publishing p = {.c = c, .path = buf_text(&path), .by_word = by_word};
    if (e == ERR_OK)
        e = publish_all(&p, args_flag(a, "whole"));
    if (p.count > 0)
        cli_say(c, "%llu records published to %s", (unsigned long long)p.count, a->words[0]);
    return e;
}

CLI_COMMAND(cmd_publish, "publish", "STREAM", "put records into a stream, a line of standard input each",
            "The stream is made when there is none of that name. Any program can do the same:\n\n"
            "  curl --oauth2-bearer TOKEN --data-binary 'a record' https://SERVER/v1/streams/STREAM\n"
            "  seq 1000 | dugnad publish numbers",
            publish_options, 1, 1, false);

/* --- tail --- */

static const struct cli_option tail_options[] = {
    {"lines", 'n', "N", "the last N records; default: 10", NULL, false},
    {"after", 0, "SEQ", "all records after this number instead", NULL, false},
    {"follow", 'f', NULL, "wait for more, until it is stopped", NULL, false},
};

static enum err tail_from(struct cli *c, const struct args *a, int64_t *ret)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    int64_t lines = TAIL_DEFAULT;
    enum err e = args_i64(a, "lines", 0, INT32_MAX, TAIL_DEFAULT, &lines);
    if (e == ERR_OK)
        e = stream_path(&path, a->words[0], "");
    if (e == ERR_OK)
        e = api_get(c, buf_text(&path), &doc); /* says so when there is no such stream */
    if (e != ERR_OK)
        return e;
    int64_t last = json_int(json_field(json_root(doc), "last"), 0);
    return args_i64(a, "after", 0, INT64_MAX, last > lines ? last - lines : 0, ret);
}

static enum err print_record(struct cli *c, const struct json *item)
{
    const char *body = json_text(json_field(item, "body"));
    BUF_AUTO struct buf safe = {0};
    if (c->json || !body)
        return show_json(c, item);
    enum err e = ERR_OK;
    if (isatty(fileno(c->out)))
        e = show_safe(body, strlen(body), true, &safe);
    if (e == ERR_OK)
        fprintf(c->out, "%s\n", safe.data ? safe.data : body);
    return e;
}

static enum err run_cmd_tail(struct cli *c, const struct args *a)
{
    int64_t after = 0;
    bool follow = args_flag(a, "follow");
    size_t count = 0;
    enum err e = tail_from(c, a, &after);
    while (e == ERR_OK) {
        BUF_AUTO struct buf path = {0};
        JSON_AUTO struct json_doc *doc = NULL;
        const struct json *items = NULL;
        if ((e = stream_path(&path, a->words[0], "/records")) == ERR_OK &&
            (e = buf_printf(&path, "?after=%lld&limit=%d&wait=%d", (long long)after, TAIL_PAGE,
                            follow ? TAIL_WAIT_S : 0)) == ERR_OK &&
            (e = api_get(c, buf_text(&path), &doc)) == ERR_OK)
            e = json_get_array(json_root(doc), "reply", "items", JSON_VALUES_MAX, &items);
        count = e == ERR_OK ? json_count(items) : 0;
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            after = json_int(json_field(json_at(items, i), "seq"), after);
            e = print_record(c, json_at(items, i));
        }
        fflush(c->out);
        if ((count == 0 && !follow) || ferror(c->out))
            break;
    }
    return e;
}

CLI_COMMAND(
    cmd_tail, "tail", "STREAM", "print the records of a stream",
    "A published record is printed as it is, an answer as a line of JSON; --json prints JSON of both.\n"
    "Nobody else is given less because of it: see consume for sharing the work.",
    tail_options, 1, 1, false);

/* --- steering --- */

static enum err do_stream(struct cli *c, const struct args *a, const char *method, const char *after,
                          const char *said)
{
    BUF_AUTO struct buf path = {0}, body = {0};
    enum err e = stream_path(&path, a->words[0], after);
    if (e == ERR_OK && strcmp(method, "POST") == 0)
        e = buf_add_text(&body, "{}");
    if (e == ERR_OK)
        e = api_send(c, method, buf_text(&path), body.len ? &body : NULL, NULL, NULL);
    if (e == ERR_OK)
        cli_say(c, "%s %s", a->words[0], said);
    return e;
}

static enum err run_cmd_stream_pause(struct cli *c, const struct args *a)
{
    return do_stream(c, a, "POST", "/pause", "is paused: it takes records and hands none to consumers");
}

static enum err run_cmd_stream_resume(struct cli *c, const struct args *a)
{
    return do_stream(c, a, "POST", "/resume", "goes on");
}

static enum err run_cmd_stream_rm(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf after = {0};
    enum err e = ERR_OK;
    if (a->word_count == 1)
        return do_stream(c, a, "DELETE", "", "is deleted");
    if ((e = buf_add_text(&after, "/cursors/")) == ERR_OK && (e = api_escape(a->words[1], &after)) == ERR_OK)
        e = do_stream(c, a, "DELETE", buf_text(&after), "has lost the cursor");
    return e;
}

static const struct cli_option rewind_options[] = {
    {"to", 0, "SEQ", "go on after this record; default: 0, from the first", NULL, false},
};

static enum err run_cmd_stream_rewind(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0}, body = {0};
    int64_t seq = 0;
    enum err e = args_i64(a, "to", 0, INT64_MAX, 0, &seq);
    if (e == ERR_OK && (e = stream_path(&path, a->words[0], "/cursors/")) == ERR_OK &&
        (e = api_escape(a->words[1], &path)) == ERR_OK && (e = buf_add_text(&path, "/rewind")) == ERR_OK &&
        (e = buf_printf(&body, "{\"seq\":%lld}", (long long)seq)) == ERR_OK)
        e = api_send(c, "POST", buf_text(&path), &body, NULL, NULL);
    if (e == ERR_OK)
        cli_say(c, "%s goes on after record %lld of %s", a->words[1], (long long)seq, a->words[0]);
    return e;
}

#define STEER(name, call, use, text, max)                                                                    \
    const struct cli_command name = {.words = call,                                                          \
                                     .usage = use,                                                           \
                                     .summary = text,                                                        \
                                     .options = no_options,                                                  \
                                     .option_count = 0,                                                      \
                                     .words_min = 1,                                                         \
                                     .words_max = max,                                                       \
                                     .run = run_##name}
STEER(cmd_stream_pause, "stream pause", "STREAM", "hand nothing of a stream to consumers for a while", 1);
STEER(cmd_stream_resume, "stream resume", "STREAM", "let a paused stream go on", 1);
STEER(cmd_stream_rm, "stream rm", "STREAM [CURSOR]", "delete a stream with all its records, or one cursor",
      2);
CLI_COMMAND(cmd_stream_rewind, "stream rewind", "STREAM CURSOR", "let a cursor read a stream again", NULL,
            rewind_options, 2, 2, false);
