/* commands.h - every command of the table, one cmd_*.c for each or for a family of small ones. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "client/cli/cli.h"

#define CLI_COMMANDS(X)                                                                                      \
    X(cmd_login)                                                                                             \
    X(cmd_logout)                                                                                            \
    X(cmd_whoami)                                                                                            \
    X(cmd_app_pack)                                                                                          \
    X(cmd_app_run)                                                                                           \
    X(cmd_app_determinism)                                                                                   \
    X(cmd_app_sign)                                                                                          \
    X(cmd_app_publish)                                                                                       \
    X(cmd_app_ls)                                                                                            \
    X(cmd_app_show)                                                                                          \
    X(cmd_app_retire)                                                                                        \
    X(cmd_app_rollout)                                                                                       \
    X(cmd_key_new)                                                                                           \
    X(cmd_key_show)                                                                                          \
    X(cmd_submit)                                                                                            \
    X(cmd_ls)                                                                                                \
    X(cmd_status)                                                                                            \
    X(cmd_watch)                                                                                             \
    X(cmd_wait)                                                                                              \
    X(cmd_results)                                                                                           \
    X(cmd_cat)                                                                                               \
    X(cmd_cancel)                                                                                            \
    X(cmd_pause)                                                                                             \
    X(cmd_resume)                                                                                            \
    X(cmd_close)                                                                                             \
    X(cmd_purge)                                                                                             \
    X(cmd_retry)                                                                                             \
    X(cmd_priority)                                                                                          \
    X(cmd_dead)                                                                                              \
    X(cmd_graph_submit)                                                                                      \
    X(cmd_graph)                                                                                             \
    X(cmd_files_ls)                                                                                          \
    X(cmd_files_free)                                                                                        \
    X(cmd_schedule_new)                                                                                      \
    X(cmd_schedule_ls)                                                                                       \
    X(cmd_schedule_pause)                                                                                    \
    X(cmd_schedule_resume)                                                                                   \
    X(cmd_schedule_rm)                                                                                       \
    X(cmd_failures)                                                                                          \
    X(cmd_explain)                                                                                           \
    X(cmd_show)                                                                                              \
    X(cmd_replay)                                                                                            \
    X(cmd_archive_get)                                                                                       \
    X(cmd_provenance)                                                                                        \
    X(cmd_receipt)                                                                                           \
    X(cmd_verify)                                                                                            \
    X(cmd_streams)                                                                                           \
    X(cmd_publish)                                                                                           \
    X(cmd_tail)                                                                                              \
    X(cmd_consume)                                                                                           \
    X(cmd_stream_pause)                                                                                      \
    X(cmd_stream_resume)                                                                                     \
    X(cmd_stream_rewind)                                                                                     \
    X(cmd_stream_rm)                                                                                         \
    X(cmd_join_link)                                                                                         \
    X(cmd_invitation_new)                                                                                    \
    X(cmd_invitation_ls)                                                                                     \
    X(cmd_invitation_rm)                                                                                     \
    X(cmd_user_new)                                                                                          \
    X(cmd_user_ls)                                                                                           \
    X(cmd_user_set)                                                                                          \
    X(cmd_token_new)                                                                                         \
    X(cmd_token_ls)                                                                                          \
    X(cmd_token_rotate)                                                                                      \
    X(cmd_token_revoke)                                                                                      \
    X(cmd_host_ls)                                                                                           \
    X(cmd_host_show)                                                                                         \
    X(cmd_host_ban)                                                                                          \
    X(cmd_host_unban)                                                                                        \
    X(cmd_stats)                                                                                             \
    X(cmd_versions)                                                                                          \
    X(cmd_audit)                                                                                             \
    X(cmd_completion)                                                                                        \
    X(cmd_help)                                                                                              \
    X(cmd_version)

#define X(name) extern const struct cli_command name;
CLI_COMMANDS(X)
#undef X

/* `dugnad VERB BATCH..`: the verb is the command's own name. */
enum err commands_steer(struct cli *c, const struct args *a) NODISCARD;

#endif
