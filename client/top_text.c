/* top_text.c - see top_text.h */
#include "client/top_text.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { BAR = 20, LINE_ROOM = 1024, MESSAGES_SHOWN = 5 };

static const char *text(const struct json *obj, const char *key)
{
    return json_text(json_field(obj, key));
}

static int64_t number(const struct json *obj, const char *key)
{
    return json_int(json_field(obj, key), 0);
}

/* How much of it fits: up to the last blank where there is one. */
static size_t cut(const char *line, uint32_t width)
{
    size_t len = strlen(line), at = 0, blank = 0;
    uint32_t shown = 0;
    while (at < len && shown < width) {
        size_t n = str_utf8_len(line + at, len - at);
        if (line[at] == ' ')
            blank = at;
        at += n ? n : 1;
        shown++;
    }
    return at == len || line[at] == ' ' || blank == 0 ? at : blank;
}

/* Wrapped, all lines but the first indented by two more. What a project says must not move the cursor. */
static enum err add(struct buf *out, uint32_t width, uint32_t indent, const char *from)
{
    char line[LINE_ROOM];
    enum err e = ERR_OK;
    snprintf(line, sizeof line, "%s", from);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    for (const char *at = line; e == ERR_OK && (*at || at == line);) {
        uint32_t by = indent + (at == line ? 0 : 2);
        size_t n = cut(at, width - by);
        e = buf_printf(out, "%*s%.*s\n", (int)by, "", (int)n, at);
        at += n;
        while (*at == ' ')
            at++;
        if (n == 0)
            break;
    }
    return e;
}

static void bar(double share, char ret[BAR + 1])
{
    int full = (int)(share * BAR);
    for (int i = 0; i < BAR; i++)
        ret[i] = i < full ? '#' : '.';
    ret[BAR] = 0;
}

static enum err add_run(const struct json *r, uint32_t width, struct buf *out)
{
    char line[LINE_ROOM], filled[BAR + 1] = "", left[32] = "?", cpu[32], memory[32], done[48] = "";
    double progress = json_number(json_field(r, "progress"), -1);
    if (json_field(r, "left_ms"))
        str_from_duration_ms(number(r, "left_ms") / 1000 * 1000, left, sizeof left);
    str_from_duration_ms(number(r, "cpu_ms") / 1000 * 1000, cpu, sizeof cpu);
    str_from_bytes((uint64_t)number(r, "memory_bytes"), memory, sizeof memory);
    if (progress >= 0) {
        bar(progress > 1 ? 1 : progress, filled);
        snprintf(done, sizeof done, "[%s] %3.0f %% ", filled, progress * 100);
    }
    snprintf(line, sizeof line, "%s%s  %s%s left, %s of CPU, %s", text(r, "app"),
             json_is_set(json_field(r, "paused")) ? "  (stands still)" : "", done, left, cpu, memory);
    enum err e = add(out, width, 2, line);
    snprintf(line, sizeof line, "for %s, unit %s; signed by %s", text(r, "project"), text(r, "attempt"),
             *text(r, "signers") ? text(r, "signers") : "?");
    return e == ERR_OK ? add(out, width, 4, line) : e;
}

static enum err add_project(const struct json *p, uint32_t width, int64_t now_ms, struct buf *out)
{
    char line[LINE_ROOM], when[48] = "as soon as there is something to say";
    int64_t next = number(p, "next_contact_ms");
    if (next > now_ms)
        str_from_duration_ms((next - now_ms) / 1000 * 1000, when, sizeof when);
    snprintf(line, sizeof line, "%s: %s", text(p, "project"), text(p, "sentence"));
    enum err e = add(out, width, 2, line);
    snprintf(line, sizeof line, "%lld well, %lld not, %lld wait, %lld to report; next contact: %s",
             (long long)number(p, "ended_ok"), (long long)number(p, "ended_bad"),
             (long long)number(p, "waiting") + (long long)number(p, "fetching"),
             (long long)number(p, "to_report"), when);
    if (e == ERR_OK)
        e = add(out, width, 4, line);
    if (e == ERR_OK && *text(p, "problem")) {
        snprintf(line, sizeof line, "problem: %s", text(p, "problem"));
        e = add(out, width, 4, line);
    }
    const struct json *messages = json_field(p, "messages");
    for (size_t i = 0; e == ERR_OK && i < json_count(messages) && i < MESSAGES_SHOWN; i++) {
        snprintf(line, sizeof line, "it says: %s", text(json_at(messages, i), "text"));
        e = add(out, width, 4, line);
    }
    return e;
}

enum err top_text(const struct json *s, uint32_t width, int64_t now_ms, struct buf *out)
{
    char line[LINE_ROOM], memory[32];
    const struct json *running = json_field(s, "running"), *projects = json_field(s, "projects");
    width = width < TOP_WIDTH_MIN ? TOP_WIDTH_MIN : width > LINE_ROOM ? LINE_ROOM : width;
    str_from_bytes((uint64_t)number(s, "memory_bytes"), memory, sizeof memory);
    enum err e = add(out, width, 0, text(s, "sentence"));
    snprintf(line, sizeof line, "%lld of %lld cores may work now%s%s; %s of memory at most",
             (long long)number(s, "cores_now"), (long long)number(s, "cores"),
             str_eq(text(s, "stopped_by"), "none") ? "" : ", stopped by: ",
             str_eq(text(s, "stopped_by"), "none") ? "" : text(s, "stopped_by"), memory);
    if (e == ERR_OK)
        e = add(out, width, 0, line);
    if (e == ERR_OK)
        e = buf_add_text(out, json_count(running) ? "\nWhat runs\n" : "\nNothing runs.\n");
    for (size_t i = 0; e == ERR_OK && i < json_count(running); i++)
        e = add_run(json_at(running, i), width, out);
    if (e == ERR_OK)
        e = buf_add_text(out, "\nProjects\n");
    for (size_t i = 0; e == ERR_OK && i < json_count(projects); i++)
        e = add_project(json_at(projects, i), width, now_ms, out);
    return e;
}
