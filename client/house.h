/* house.h - this computer and the projects it works for: one network, one look at what the owner lets it do,
 * and the cores shared among the projects (plan/share.h). The first project's files lie in the data folder
 * itself, each other's in projects/ID/ below it, ID being the start of its key. */
#ifndef CLIENT_HOUSE_H
#define CLIENT_HOUSE_H

#include "client/act.h"

#define HOUSE_PROJECTS_MAX SHARE_PROJECTS_MAX
#define HOUSE_FOLDER_BYTES 4096

struct house;

/* Opens all that have been joined, or only the one of that name; ERR_MISSING when there is none. */
enum err house_open(const char *folder, const struct settings *settings, const char *only,
                    struct house **ret) NODISCARD;
void house_close(struct house *h); /* keeps what must not be lost */
void house_turn(struct house *h);
int house_wait_ms(const struct house *h);
uint32_t house_fds(const struct house *h, int ret[ACT_FDS_MAX]);
struct net *house_net(struct house *h);
bool house_wants_exit(const struct house *h);
uint32_t house_projects(const struct house *h);

/* The owner's wishes; project, a name or an id, NULL: for all. ERR_MISSING when there is none, ERR_CONFLICT
 * when there are several. */
enum house_wish { HOUSE_PAUSE, HOUSE_RESUME, HOUSE_FINISH, HOUSE_LEAVE };
enum err house_wish(struct house *h, enum house_wish wish, int64_t for_ms, const char *project) NODISCARD;
void house_halt(struct house *h);
/* Takes up what was joined since. */
enum err house_look_for_projects(struct house *h) NODISCARD;
/* Checks, writes client.conf, uses them at once. Nothing is changed when anything is wrong. */
enum err house_set(struct house *h, const struct settings_change *changes, size_t count) NODISCARD;
const struct settings *house_settings(const struct house *h);
/* A JSON object: state, sentence, running, projects, ... */
enum err house_status(struct house *h, struct buf *out) NODISCARD;
/* {"hours":[{"at_ms","ok","bad","cpu_ms"}]}, what this computer has given. */
enum err house_history(const struct house *h, struct buf *out) NODISCARD;

/* Where a project of that key belongs: "" for the data folder itself where no project is yet, else
 * projects/ID. ERR_CONFLICT when it was joined, ERR_LIMIT when there are too many. */
enum err house_place(const char *folder, const struct digest *key, char ret[HOUSE_FOLDER_BYTES]) NODISCARD;

#endif
