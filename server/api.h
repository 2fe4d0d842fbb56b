/* api.h - the handlers of the routes, one file for each kind of caller. Shapes: wire/PROTOCOL.md. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "base/json.h"
#include "server/route.h"
#include "wire/parts.h"

/* api_public.c */
enum err api_project(struct call *c);
enum err api_healthz(struct call *c);
enum err api_readyz(struct call *c);
enum err api_project_stats(struct call *c);
enum err api_metrics(struct call *c);
enum err api_whoami(struct call *c);

/* api_web.c */
enum err api_web(struct call *c);

/* api_host.c */
enum err api_join(struct call *c);
enum err api_work(struct call *c);
enum err api_order(struct call *c);
enum err api_release(struct call *c);

/* api_file.c */
enum err api_blob_get(struct call *c);
enum err api_blob_head(struct call *c);
enum err api_blob_begin(struct call *c);
enum err api_blob_patch(struct call *c);

/* api_stored.c */
enum err api_files(struct call *c);
enum err api_files_free(struct call *c);

/* api_app.c */
enum err api_release_post(struct call *c);
enum err api_release_retire(struct call *c);
enum err api_apps(struct call *c);
enum err api_app(struct call *c);

/* api_version.c */
enum err api_versions(struct call *c);
enum err api_versions_patch(struct call *c);
enum err api_rollout(struct call *c);

/* api_batch.c, api_batch_read.c */
enum err api_batch_post(struct call *c);
enum err api_price(struct call *c);
enum err api_batch_units_post(struct call *c);
enum err api_batch_do(struct call *c);
enum err api_batch_patch(struct call *c);
enum err api_batches(struct call *c);
enum err api_batch_get(struct call *c);
enum err api_batch_units(struct call *c);
enum err api_batch_failures(struct call *c);
enum err api_batch_explain(struct call *c);
/* A sentence or two more: which hosts match, what keeps the others away, and whether any may still take the
 * unit. */
enum err api_explain_hosts(struct call *c, const struct store_batch *b, const struct wu *wu,
                           struct buf *out) NODISCARD;
enum err api_batch_order(struct call *c);
enum err api_batch_results(struct call *c);

/* Makes the batch that the body asks for, as c->who and with the idempotency key that is in c->request. */
enum err api_batch_make(struct call *c, uint32_t *ret_batch) NODISCARD;

/* api_schedule.c */
enum err api_schedules(struct call *c);
enum err api_schedule_post(struct call *c);
enum err api_schedule_patch(struct call *c);
enum err api_schedule_delete(struct call *c);

/* api_graph.c */
struct stage_request;
struct store_stage;
enum err api_batch_graph(struct call *c);
/* NULL stays when the request says nothing of a stage. */
enum err api_stage_fill(struct call *c, const struct stage_request *q,
                        const struct store_stage **ret) NODISCARD;

/* api_unit.c */
enum err api_unit_get(struct call *c);
enum err api_unit_explain(struct call *c);
enum err api_unit_do(struct call *c);

/* api_proof.c */
enum err api_batch_provenance(struct call *c);
enum err api_host_receipt(struct call *c);

/* api_people.c */
enum err api_users(struct call *c);
enum err api_user_post(struct call *c);
enum err api_user_patch(struct call *c);
enum err api_tokens(struct call *c);
enum err api_token_post(struct call *c);
enum err api_token_delete(struct call *c);
enum err api_token_rotate(struct call *c);
enum err api_invitations(struct call *c);
enum err api_invitation_post(struct call *c);
enum err api_invitation_delete(struct call *c);

/* api_list.c */
enum err api_hosts(struct call *c);
enum err api_volunteers(struct call *c);
struct store_host;
void api_host_write(struct json_out *o, const struct store_host *h);
/* And how far it is believed, app by app. */
enum err api_host_believed(struct call *c, const struct store_host *h, struct json_out *o) NODISCARD;

/* api_find.c */
enum err api_find(struct call *c);

/* api_admin.c */
enum err api_host_get(struct call *c);
enum err api_host_ban(struct call *c);
enum err api_host_unban(struct call *c);
enum err api_stats(struct call *c);
enum err api_stats_history(struct call *c);
enum err api_events(struct call *c);
enum err api_audit(struct call *c);
enum err api_servers(struct call *c);

/* api_console.c */
enum err api_failures(struct call *c);
enum err api_health(struct call *c);

/* api_validation.c */
enum err api_validation(struct call *c);
enum err api_validation_metrics(struct call *c, struct buf *out);
enum err api_disputes(struct call *c);

/* api_session.c */
enum err api_session_get(struct call *c);
enum err api_session_post(struct call *c);
enum err api_session_delete(struct call *c);

enum err api_session_challenge(struct call *c);

/* api_credential.c */
enum err api_sessions(struct call *c);
enum err api_sessions_end(struct call *c);
enum err api_credentials(struct call *c);
enum err api_credential_post(struct call *c);
enum err api_credential_challenge(struct call *c);
enum err api_credential_delete(struct call *c);

/* api_stream.c, api_record.c */
enum err api_streams(struct call *c);
enum err api_stream_get(struct call *c);
enum err api_stream_publish(struct call *c);
enum err api_stream_pause(struct call *c);
enum err api_stream_resume(struct call *c);
enum err api_stream_delete(struct call *c);
enum err api_stream_records(struct call *c);
enum err api_cursor_ack(struct call *c);
enum err api_cursor_rewind(struct call *c);
enum err api_cursor_delete(struct call *c);

/* --- what several of them share --- */

/* The batch of params[0], if the caller may see it: scientists see their own, viewers and operators all. */
/* ERR_STALE with where they are, when the batch's units have left the database. */
enum err api_not_archived(const struct store_batch *b) NODISCARD;
/* A unit as `show` has it, with small outputs in full and what hosts said: a line of an archive. */
enum err api_unit_write_all(struct call *c, const struct store_batch *b, const struct store_unit *u,
                            struct json_out *o) NODISCARD;
enum err api_batch_archive(struct call *c);
enum err api_find_batch(struct call *c, struct store_batch *ret) NODISCARD;
enum err api_may_see(const struct call *c, const struct store_batch *b) NODISCARD;
/* How much the user may store: the user's own quota, or the project's. */
uint64_t api_quota(const struct call *c, const struct store_user *u);
/* "blob_bytes" and "blob_bytes_max": what counts against the quota, and the quota that is in force. */
void api_stored(const struct call *c, const struct store_user *u, struct json_out *o);
/* Query: limit (1..1000, 100) and after. */
enum err api_page_limit(const struct call *c, uint32_t *ret_limit) NODISCARD;
enum err api_page(const struct call *c, uint32_t *ret_limit, uint64_t *ret_after) NODISCARD;
/* Ends {"items":[...  with ],"next":...}; next 0 is null. */
void api_page_end(struct json_out *o, uint64_t next);
void api_id(struct json_out *o, const char *key, uint64_t id); /* numbers as text */
/* Outputs of an answer as PROTOCOL section 7 has them; null when the manifest is gone. data: inline ones too.
 */
enum err api_outputs_write(struct call *c, struct json_out *o, wu_id unit, const struct digest *answer,
                           bool data) NODISCARD;
/* One unit as GET /v1/units/U has it, but for what hosts said of failures. */
enum err api_unit_write(struct call *c, const struct store_batch *b, wu_id id, struct json_out *o) NODISCARD;
/* What a batch's policy costs and lets through: by formula, and what it has cost so far; as "policy". */
void api_policy_write(struct json_out *o, const struct store_batch *b);
void api_batch_write(struct call *c, struct json_out *o, const struct store_batch *b);
/* Every outcome is handed on, and none is to come. */
bool api_batch_is_complete(const struct store_batch *b);
/* The name of a user, nothing where there is none. */
void api_user_name(struct call *c, struct json_out *o, const char *key, uint64_t id);
/* The body as one JSON object, its document freed by the caller. */
enum err api_body(struct call *c, struct json_doc **ret_doc) NODISCARD;
/* A new secret: its text as a token of id, and what is stored of it. */
void api_secret(uint8_t ret_secret[32], struct digest *ret_stored);

#endif
