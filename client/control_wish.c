/* control_wish.c - see control_wish.h */
#include "client/control_wish.h"

#include <stdio.h>

#include "base/json.h"
#include "base/str.h"

#define PAUSE_MS_MAX (366ll * 86400 * 1000)

const char *control_command_name(enum control_command c)
{
    static const char *const names[CONTROL_COMMANDS] = {"status", "pause", "resume", "finish",
                                                        "leave",  "page",  "joined"};
    return names[c];
}

static enum err find_command(const char *word, enum control_command *ret)
{
    for (int c = 0; c < CONTROL_COMMANDS; c++) {
        if (str_eq(word, control_command_name((enum control_command)c))) {
            *ret = (enum control_command)c;
            return ERR_OK;
        }
    }
    return err_set(ERR_INVALID, "'%.30s' is no command: status, pause, resume, finish, leave, page, joined",
                   word);
}

enum err control_wish_parse(const char *line, size_t len, struct control_wish *ret)
{
    static const char *const fields[] = {"command", "for_ms", "project"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct control_wish w = {0};
    const char *word, *project;
    enum err e;
    if ((e = json_parse(line, len, CONTROL_LINE_BYTES, &doc)) != ERR_OK ||
        (e = json_only(json_root(doc), "", fields, 3)) != ERR_OK ||
        (e = json_get_string(json_root(doc), "", "command", 32, &word)) != ERR_OK ||
        (e = find_command(word, &w.command)) != ERR_OK ||
        (e = json_opt_i64(json_root(doc), "", "for_ms", 0, PAUSE_MS_MAX, 0, &w.for_ms)) != ERR_OK ||
        (e = json_opt_string(json_root(doc), "", "project", NAME_BYTES_MAX, "", &project)) != ERR_OK)
        return e;
    snprintf(w.project, sizeof w.project, "%s", project);
    *ret = w;
    return ERR_OK;
}
