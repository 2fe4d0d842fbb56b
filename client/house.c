/* house.c - see house.h */
#include "client/house.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "client/house_in.h"

enum { ID_CHARS = PROJECT_ID_BYTES - 1 };

/* --- where projects are */

static bool is_id(const char *name)
{
    return strlen(name) == ID_CHARS && strspn(name, "0123456789abcdef") == ID_CHARS;
}

/* Calls visit for each folder that may hold a project, until it says no. */
static void each_folder(const char *folder, bool (*visit)(void *ctx, const char *path), void *ctx)
{
    char path[HOUSE_FOLDER_BYTES + 64];
    struct dirent *d;
    if (!visit(ctx, folder))
        return;
    snprintf(path, sizeof path, "%s/projects", folder);
    DIR *dir = opendir(path);
    while (dir && (d = readdir(dir))) {
        snprintf(path, sizeof path, "%s/projects/%.*s", folder, ID_CHARS, d->d_name);
        if (is_id(d->d_name) && !visit(ctx, path))
            break;
    }
    if (dir)
        closedir(dir);
}

static enum err load(const char *folder, struct project **ret)
{
    char path[HOUSE_FOLDER_BYTES + 80];
    struct project *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(ERR_NOMEM, "out of memory");
    snprintf(path, sizeof path, "%s/project.json", folder);
    enum err e = project_load(path, p);
    if (e != ERR_OK)
        free(p);
    else
        *ret = p;
    return e;
}

struct place {
    const struct digest *key;
    uint32_t count;
    bool same, first; /* there is one in the data folder itself */
    const char *folder;
    char name[128];
};

static bool look(void *ctx, const char *path)
{
    struct place *p = ctx;
    struct project *project = NULL;
    if (load(path, &project) != ERR_OK)
        return true;
    p->count++;
    p->first = p->first || str_eq(path, p->folder);
    if (digest_eq(&project->trust.project_key, p->key)) {
        p->same = true;
        snprintf(p->name, sizeof p->name, "%s", project->trust.root.project);
    }
    project_done(project);
    free(project);
    return !p->same;
}

enum err house_place(const char *folder, const struct digest *key, char ret[HOUSE_FOLDER_BYTES])
{
    struct place p = {.key = key, .folder = folder};
    char hex[DIGEST_TEXT_BYTES];
    each_folder(folder, look, &p);
    if (p.same)
        return err_set(ERR_CONFLICT, "this computer has joined %s already: dugnad-client status", p.name);
    if (p.count >= HOUSE_PROJECTS_MAX)
        return err_set(ERR_LIMIT,
                       "this computer works for %d projects, which is as many as it can: leave one",
                       HOUSE_PROJECTS_MAX);
    digest_text(key, hex);
    int n = p.first ? snprintf(ret, HOUSE_FOLDER_BYTES, "%s/projects/%.*s", folder, ID_CHARS, hex)
                    : snprintf(ret, HOUSE_FOLDER_BYTES, "%s", folder);
    return n < 0 || n >= HOUSE_FOLDER_BYTES ? err_set(ERR_LIMIT, "the path of the data folder is too long")
                                            : ERR_OK;
}

/* By its name or its id. */
static bool is_called(const struct project *p, const char *text)
{
    char id[PROJECT_ID_BYTES];
    project_id(p, id);
    return str_eq(p->trust.root.project, text) || str_eq(id, text);
}

/* --- members */

struct opening {
    struct house *house;
    const char *only;
    enum err err; /* of the last that could not be opened */
    char problem[ERR_TEXT_BYTES_MAX];
};

static bool has(const struct house *h, const char *folder)
{
    for (uint32_t i = 0; i < h->member_count; i++)
        if (str_eq(h->members[i].folder, folder))
            return true;
    return false;
}

static enum err take_up(struct house *h, const char *folder, const char *only)
{
    struct project *p = NULL;
    struct member *m = &h->members[h->member_count];
    enum err e = load(folder, &p);
    if (e == ERR_MISSING || (e == ERR_OK && only && !is_called(p, only))) {
        if (e == ERR_OK) {
            project_done(p);
            free(p);
        }
        return ERR_OK;
    }
    if (e == ERR_OK && h->member_count == HOUSE_PROJECTS_MAX)
        e = err_set(ERR_LIMIT, "more than %d projects", HOUSE_PROJECTS_MAX);
    if (e == ERR_OK)
        e = act_open(folder, &h->common, p, &m->act);
    if (e != ERR_OK) {
        if (p)
            project_done(p);
        free(p);
        return e;
    }
    snprintf(m->folder, sizeof m->folder, "%s", folder);
    m->project = p;
    m->weight = settings_share(&h->common.settings, p->trust.root.project);
    h->member_count++;
    log_event(LOG_INFO, "begin", "version", DUGNAD_VERSION, "project", p->trust.root.project, "url", p->url,
              "host", p->host, NULL);
    return ERR_OK;
}

static bool open_one(void *ctx, const char *path)
{
    struct opening *o = ctx;
    enum err e = has(o->house, path) ? ERR_OK : take_up(o->house, path, o->only);
    if (e != ERR_OK) { /* what is wrong with one project stops no other */
        log_event(LOG_ERROR, "project", "folder", path, "error", err_text(), NULL);
        o->err = e;
        snprintf(o->problem, sizeof o->problem, "%s", err_text());
    }
    return true;
}

enum err house_look_for_projects(struct house *h)
{
    struct opening o = {.house = h};
    each_folder(h->folder, open_one, &o);
    house_share(h);
    return o.err == ERR_OK ? ERR_OK : err_set(o.err, "%s", o.problem);
}

static enum err open_common(struct house *h)
{
    char path[HOUSE_FOLDER_BYTES + 16];
    const struct settings *s = &h->common.settings;
    enum err e = host_read(s, h->folder, &h->common.host);
    if (e == ERR_OK)
        e = net_new("dugnad-client/" DUGNAD_VERSION, &h->common.net);
    if (e == ERR_OK)
        e = settings_use(s, h->common.net);
    if (run_groups_open(h->common.groups) != ERR_OK) {
        log_event(LOG_INFO, "control_groups", "none", err_text(), NULL);
        h->common.groups[0] = 0;
    }
    snprintf(path, sizeof path, "%s/history.json", h->folder);
    if (e == ERR_OK)
        e = tally_open(path, &h->tally);
    return e == ERR_OK ? house_policy_init(h) : e;
}

enum err house_open(const char *folder, const struct settings *settings, const char *only, struct house **ret)
{
    struct house *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(ERR_NOMEM, "out of memory");
    struct opening o = {.house = h, .only = only};
    snprintf(h->folder, sizeof h->folder, "%s", folder);
    snprintf(h->conf, sizeof h->conf, "%s/client.conf", folder);
    h->common.settings = *settings;
    enum err e = open_common(h);
    if (e == ERR_OK) {
        each_folder(folder, open_one, &o);
        if (h->member_count == 0 && o.err != ERR_OK)
            e = err_set(o.err, "%s", o.problem);
    }
    if (e == ERR_OK && h->member_count == 0)
        e = only ? err_set(ERR_MISSING, "this computer has not joined a project called %s", only)
                 : err_set(ERR_MISSING, "this computer has not joined a project: dugnad-client join LINK");
    if (e != ERR_OK) {
        house_close(h);
        return e;
    }
    house_share(h);
    *ret = h;
    return ERR_OK;
}

static void count_up(struct house *h, struct member *m)
{
    struct act_tally t = act_take_tally(m->act);
    tally_add(h->tally, clock_wall_ms(), t.ok, t.bad, t.cpu_ms);
}

static void close_member(struct house *h, uint32_t i)
{
    struct member *m = &h->members[i];
    count_up(h, m);
    h->gone_cpu_ms += act_cpu_ms(m->act);
    act_close(m->act);
    project_done(m->project);
    free(m->project);
    *m = h->members[--h->member_count];
    h->members[h->member_count] = (struct member){0};
}

void house_close(struct house *h)
{
    if (!h)
        return;
    while (h->member_count > 0)
        close_member(h, h->member_count - 1);
    if (*h->common.groups)
        run_groups_close(h->common.groups);
    tally_close(h->tally);
    sense_free(h->sense);
    net_free(h->common.net);
    free(h);
}

/* The server knows that this host has left: nothing of the project stays but, of the first, what all share.
 */
static void drop_member(struct house *h, uint32_t i)
{
    char folder[HOUSE_FOLDER_BYTES], path[HOUSE_FOLDER_BYTES + 16];
    enum err e = ERR_OK;
    snprintf(folder, sizeof folder, "%s", h->members[i].folder);
    log_event(LOG_INFO, "left", "project", act_project_name(h->members[i].act), NULL);
    close_member(h, i);
    if (!str_eq(folder, h->folder)) {
        e = file_remove_tree(folder);
    } else {
        snprintf(path, sizeof path, "%s/left", folder); /* DUGNAD_JOIN does not join again */
        e = file_write_atomic(path, "", 0, 0600);
        snprintf(path, sizeof path, "%s/project.json", folder);
        if (e == ERR_OK && unlink(path) != 0)
            e = err_set_errno(ERR_IO, "cannot remove %s", path);
    }
    if (e != ERR_OK)
        log_event(LOG_ERROR, "left", "error", err_text(), NULL);
}

/* --- the loop's */

/* An idle volunteer's PC should not notice us. Once: what the few turns of an idle daemon need comes back. */
static void trim(struct house *h)
{
    if (h->trimmed)
        return;
    host_trim();
    h->trimmed = true;
}

void house_turn(struct house *h)
{
    bool idle = true;
    house_policy_look(h);
    house_share(h);
    for (uint32_t i = 0; i < h->member_count; i++) {
        act_turn(h->members[i].act);
        count_up(h, &h->members[i]);
        idle = idle && act_is_idle(h->members[i].act);
    }
    for (uint32_t i = h->member_count; i-- > 0;)
        if (act_has_left(h->members[i].act))
            drop_member(h, i);
    house_share(h); /* what an end has made free */
    tally_save(h->tally, clock_mono_ms());
    if (idle && net_is_quiet(h->common.net))
        trim(h);
    else
        h->trimmed = false;
}

int house_wait_ms(const struct house *h)
{
    int64_t left = h->sense_due_ms - clock_mono_ms();
    int wait = left > 0 ? (int)left : 0;
    for (uint32_t i = 0; i < h->member_count; i++) {
        int own = act_wait_ms(h->members[i].act);
        wait = own >= 0 && own < wait ? own : wait;
    }
    return wait;
}

uint32_t house_fds(const struct house *h, int ret[ACT_FDS_MAX])
{
    int own[ACT_FDS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->member_count; i++) {
        uint32_t count = act_fds(h->members[i].act, own);
        for (uint32_t k = 0; k < count && n < ACT_FDS_MAX; k++)
            ret[n++] = own[k];
    }
    return n;
}

struct net *house_net(struct house *h)
{
    return h->common.net;
}

uint32_t house_projects(const struct house *h)
{
    return h->member_count;
}

bool house_wants_exit(const struct house *h)
{
    for (uint32_t i = 0; i < h->member_count; i++)
        if (!act_wants_exit(h->members[i].act))
            return false;
    return true;
}

/* --- the owner's */

static void wish_one(struct act *a, enum house_wish wish, int64_t for_ms)
{
    if (wish == HOUSE_PAUSE)
        act_pause(a, for_ms);
    else if (wish == HOUSE_RESUME)
        act_resume(a);
    else if (wish == HOUSE_FINISH)
        act_finish(a);
    else
        act_leave(a);
}

enum err house_wish(struct house *h, enum house_wish wish, int64_t for_ms, const char *project)
{
    uint32_t meant = 0, last = 0;
    for (uint32_t i = 0; project && i < h->member_count; i++) {
        if (is_called(h->members[i].project, project)) {
            meant++;
            last = i;
        }
    }
    if (project && meant == 0)
        return err_set(ERR_MISSING, "this computer works for no project called %s: dugnad-client status",
                       project);
    if (meant > 1)
        return err_set(ERR_CONFLICT,
                       "%u projects are called %s: say the id instead, which status --json shows", meant,
                       project);
    for (uint32_t i = 0; i < h->member_count; i++)
        if (!project || i == last)
            wish_one(h->members[i].act, wish, for_ms);
    house_share(h);
    return ERR_OK;
}

void house_halt(struct house *h)
{
    h->halting = true;
    for (uint32_t i = 0; i < h->member_count; i++)
        act_halt(h->members[i].act);
}

const struct settings *house_settings(const struct house *h)
{
    return &h->common.settings;
}

enum err house_set(struct house *h, const struct settings_change *changes, size_t count)
{
    struct settings before = h->common.settings;
    enum err e = settings_change(h->conf, changes, count, &h->common.settings);
    if (e != ERR_OK)
        return e;
    e = host_limits(&h->common.settings, h->folder, &h->common.host);
    if (e == ERR_OK)
        e = house_policy_init(h);
    if (e == ERR_OK)
        e = settings_use(&h->common.settings, h->common.net);
    if (e != ERR_OK) {
        h->common.settings = before;
        return e;
    }
    log_event(LOG_INFO, "settings", "changed", log_i64((long long)count), NULL);
    for (uint32_t i = 0; i < h->member_count; i++)
        act_settings_changed(h->members[i].act);
    house_policy_look(h);
    house_share(h);
    return ERR_OK;
}

enum err house_history(const struct house *h, struct buf *out)
{
    return tally_write(h->tally, out);
}
