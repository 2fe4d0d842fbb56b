/* routes.c - the table. More particular paths stand before those with a *. */
#include "base/str.h"
#include "server/api.h"

#define SMALL JSON_BODY_SMALL_BYTES_MAX
#define BIG   JSON_BODY_BYTES_MAX

const struct route routes[] = {
    {"POST", "/v1/work", ACCESS_HOST, 0, BIG, true, api_work, NULL},
    {"POST", "/v1/hosts", ACCESS_PUBLIC, 0, SMALL, false, api_join, NULL},
    {"GET", "/v1/orders/*", ACCESS_TOKEN, 0, 0, false, api_order, NULL},
    {"GET", "/v1/releases/*", ACCESS_TOKEN, 0, 0, false, api_release, NULL},
    {"GET", "/v1/blobs/*", ACCESS_TOKEN, SCOPE_READ | SCOPE_SUBMIT, 0, true, api_blob_get, NULL},
    {"HEAD", "/v1/blobs/*", ACCESS_TOKEN, SCOPE_READ | SCOPE_SUBMIT | SCOPE_RELEASE, 0, true, api_blob_head,
     NULL},
    {"PATCH", "/v1/blobs/*", ACCESS_TOKEN, SCOPE_SUBMIT | SCOPE_RELEASE, BLOB_BYTES_MAX, false,
     api_blob_patch, api_blob_begin},
    {"GET", "/v1/files", ACCESS_SCIENTIST, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_files, NULL},
    {"POST", "/v1/files/free", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_files_free, NULL},

    {"GET", "/v1/project", ACCESS_PUBLIC, 0, 0, true, api_project, NULL},
    {"GET", "/v1/project/stats", ACCESS_PUBLIC, 0, 0, true, api_project_stats, NULL},
    {"GET", "/v1/session", ACCESS_VIEWER, 0, 0, false, api_session_get, NULL},
    {"POST", "/v1/session", ACCESS_PUBLIC, 0, SMALL, false, api_session_post, NULL},
    {"DELETE", "/v1/session", ACCESS_VIEWER, 0, SMALL, false, api_session_delete, NULL},
    {"POST", "/v1/session/challenge", ACCESS_PUBLIC, 0, SMALL, true, api_session_challenge, NULL},
    {"GET", "/v1/sessions", ACCESS_VIEWER, SCOPE_READ | SCOPE_ADMIN, 0, false, api_sessions, NULL},
    {"DELETE", "/v1/sessions", ACCESS_VIEWER, SCOPE_ADMIN, 0, false, api_sessions_end, NULL},
    {"GET", "/v1/credentials", ACCESS_VIEWER, SCOPE_READ | SCOPE_ADMIN, 0, false, api_credentials, NULL},
    {"POST", "/v1/credentials", ACCESS_VIEWER_FRESH, SCOPE_ADMIN, SMALL, false, api_credential_post, NULL},
    {"POST", "/v1/credentials/challenge", ACCESS_VIEWER_FRESH, SCOPE_ADMIN, SMALL, false,
     api_credential_challenge, NULL},
    {"DELETE", "/v1/credentials/*", ACCESS_VIEWER_FRESH, SCOPE_ADMIN, 0, false, api_credential_delete, NULL},
    {"GET", "/healthz", ACCESS_PUBLIC, 0, 0, true, api_healthz, NULL},
    {"GET", "/readyz", ACCESS_PUBLIC, 0, 0, true, api_readyz, NULL},
    {"GET", "/metrics", ACCESS_PUBLIC, 0, 0, false, api_metrics, NULL},
    {"GET", "/v1/whoami", ACCESS_TOKEN, 0, 0, false, api_whoami, NULL},

    {"POST", "/v1/releases", ACCESS_SCIENTIST_FRESH, SCOPE_RELEASE, ENVELOPE_BYTES_MAX, false,
     api_release_post, NULL},
    {"DELETE", "/v1/releases/*", ACCESS_SCIENTIST_FRESH, SCOPE_RELEASE, 0, false, api_release_retire, NULL},
    {"GET", "/v1/apps", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT | SCOPE_RELEASE, 0, false, api_apps, NULL},
    {"GET", "/v1/apps/*", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT | SCOPE_RELEASE, 0, false, api_app, NULL},

    {"POST", "/v1/apps/*/versions/*", ACCESS_OPERATOR_FRESH, SCOPE_ADMIN, SMALL, false, api_rollout, NULL},
    {"GET", "/v1/versions", ACCESS_VIEWER, SCOPE_READ, 0, false, api_versions, NULL},
    {"PATCH", "/v1/versions", ACCESS_OPERATOR_FRESH, SCOPE_ADMIN, SMALL, false, api_versions_patch, NULL},

    {"GET", "/v1/batches", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batches, NULL},
    {"POST", "/v1/batches", ACCESS_SCIENTIST, SCOPE_SUBMIT, BIG, false, api_batch_post, NULL},
    {"POST", "/v1/price", ACCESS_SCIENTIST, SCOPE_SUBMIT, BIG, false, api_price, NULL},
    {"GET", "/v1/batches/*", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_get, NULL},
    {"PATCH", "/v1/batches/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_batch_patch, NULL},
    {"GET", "/v1/batches/*/units", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_units, NULL},
    {"POST", "/v1/batches/*/units", ACCESS_SCIENTIST, SCOPE_SUBMIT, BIG, false, api_batch_units_post, NULL},
    {"GET", "/v1/batches/*/failures", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_failures,
     NULL},
    {"GET", "/v1/batches/*/explain", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_explain,
     NULL},
    {"GET", "/v1/batches/*/provenance", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false,
     api_batch_provenance, NULL},
    {"GET", "/v1/batches/*/archive", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_archive,
     NULL},
    {"GET", "/v1/batches/*/order", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_order, NULL},
    {"GET", "/v1/batches/*/graph", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_graph, NULL},
    {"GET", "/v1/batches/*/results", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_batch_results,
     NULL},
    {"POST", "/v1/batches/*/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_batch_do, NULL},
    {"GET", "/v1/units/*", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_unit_get, NULL},
    {"GET", "/v1/units/*/explain", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_unit_explain,
     NULL},
    {"POST", "/v1/units/*/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_unit_do, NULL},

    {"GET", "/v1/schedules", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_schedules, NULL},
    {"POST", "/v1/schedules", ACCESS_SCIENTIST, SCOPE_SUBMIT, BIG, false, api_schedule_post, NULL},
    {"PATCH", "/v1/schedules/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_schedule_patch, NULL},
    {"DELETE", "/v1/schedules/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, 0, false, api_schedule_delete, NULL},

    {"GET", "/v1/streams", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_streams, NULL},
    {"GET", "/v1/streams/*", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_stream_get, NULL},
    {"POST", "/v1/streams/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, PUBLISH_BYTES_MAX, false, api_stream_publish,
     NULL},
    {"DELETE", "/v1/streams/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, 0, false, api_stream_delete, NULL},
    {"GET", "/v1/streams/*/records", ACCESS_VIEWER, SCOPE_READ | SCOPE_SUBMIT, 0, false, api_stream_records,
     NULL},
    {"POST", "/v1/streams/*/pause", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_stream_pause, NULL},
    {"POST", "/v1/streams/*/resume", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false, api_stream_resume, NULL},
    {"POST", "/v1/streams/*/cursors/*/ack", ACCESS_SCIENTIST, SCOPE_READ | SCOPE_SUBMIT, SMALL, false,
     api_cursor_ack, NULL},
    {"POST", "/v1/streams/*/cursors/*/rewind", ACCESS_SCIENTIST, SCOPE_SUBMIT, SMALL, false,
     api_cursor_rewind, NULL},
    {"DELETE", "/v1/streams/*/cursors/*", ACCESS_SCIENTIST, SCOPE_SUBMIT, 0, false, api_cursor_delete, NULL},

    {"GET", "/v1/users", ACCESS_OPERATOR, SCOPE_READ | SCOPE_ADMIN, 0, false, api_users, NULL},
    {"POST", "/v1/users", ACCESS_OPERATOR_FRESH, SCOPE_ADMIN, SMALL, false, api_user_post, NULL},
    {"PATCH", "/v1/users/*", ACCESS_OPERATOR_FRESH, SCOPE_ADMIN, SMALL, false, api_user_patch, NULL},
    {"GET", "/v1/tokens", ACCESS_VIEWER, SCOPE_READ | SCOPE_ADMIN, 0, false, api_tokens, NULL},
    {"POST", "/v1/tokens", ACCESS_VIEWER_FRESH, SCOPE_ADMIN, SMALL, false, api_token_post, NULL},
    {"DELETE", "/v1/tokens/*", ACCESS_VIEWER, SCOPE_ADMIN, 0, false, api_token_delete, NULL},
    {"POST", "/v1/tokens/*/rotate", ACCESS_VIEWER_FRESH, SCOPE_ADMIN, SMALL, false, api_token_rotate, NULL},
    {"GET", "/v1/invitations", ACCESS_OPERATOR, SCOPE_READ | SCOPE_ADMIN, 0, false, api_invitations, NULL},
    {"POST", "/v1/invitations", ACCESS_OPERATOR, SCOPE_ADMIN, SMALL, false, api_invitation_post, NULL},
    {"DELETE", "/v1/invitations/*", ACCESS_OPERATOR, SCOPE_ADMIN, 0, false, api_invitation_delete, NULL},

    {"GET", "/v1/hosts", ACCESS_VIEWER, SCOPE_READ, 0, false, api_hosts, NULL},
    {"GET", "/v1/hosts/*", ACCESS_VIEWER, SCOPE_READ, 0, false, api_host_get, NULL},
    {"GET", "/v1/hosts/*/receipt", ACCESS_PUBLIC, 0, 0, false, api_host_receipt, NULL},
    {"POST", "/v1/hosts/*/ban", ACCESS_OPERATOR_FRESH, SCOPE_ADMIN, SMALL, false, api_host_ban, NULL},
    {"POST", "/v1/hosts/*/unban", ACCESS_OPERATOR_FRESH, SCOPE_ADMIN, SMALL, false, api_host_unban, NULL},
    {"GET", "/v1/stats", ACCESS_VIEWER, SCOPE_READ, 0, false, api_stats, NULL},
    {"GET", "/v1/stats/history", ACCESS_VIEWER, SCOPE_READ, 0, true, api_stats_history, NULL},
    {"GET", "/v1/events", ACCESS_VIEWER, SCOPE_READ, 0, true, api_events, NULL},
    {"GET", "/v1/failures", ACCESS_VIEWER, SCOPE_READ, 0, false, api_failures, NULL},
    {"GET", "/v1/validation", ACCESS_VIEWER, SCOPE_READ, 0, false, api_validation, NULL},
    {"GET", "/v1/validation/disputes", ACCESS_VIEWER, SCOPE_READ, 0, false, api_disputes, NULL},
    {"GET", "/v1/find", ACCESS_VIEWER, SCOPE_READ, 0, false, api_find, NULL},
    {"GET", "/v1/volunteers", ACCESS_VIEWER, SCOPE_READ, 0, false, api_volunteers, NULL},
    {"GET", "/v1/health", ACCESS_OPERATOR, SCOPE_READ | SCOPE_ADMIN, 0, false, api_health, NULL},
    {"GET", "/v1/servers", ACCESS_OPERATOR, SCOPE_READ | SCOPE_ADMIN, 0, false, api_servers, NULL},
    {"GET", "/", ACCESS_PUBLIC, 0, 0, true, api_web, NULL},
    {"GET", "/join", ACCESS_PUBLIC, 0, 0, true, api_web, NULL},
    {"GET", "/admin", ACCESS_PUBLIC, 0, 0, true, api_web, NULL},
    {"GET", "/admin/**", ACCESS_PUBLIC, 0, 0, true, api_web, NULL},
    {"GET", "/web/**", ACCESS_PUBLIC, 0, 0, true, api_web, NULL},
    {"GET", "/v1/audit", ACCESS_OPERATOR, SCOPE_READ | SCOPE_ADMIN, 0, false, api_audit, NULL},
};
const size_t route_count = sizeof routes / sizeof *routes;

/* Nobody has just changed what these tell, or can tell the difference. */
static const char *const late[] = {
    "/v1/batches/*/units", "/v1/batches/*/failures", "/v1/batches/*/provenance", "/v1/hosts/*/receipt",
    "/v1/stats",           "/v1/failures",           "/v1/validation",           "/v1/validation/disputes",
    "/v1/volunteers"};

bool route_may_be_late(const struct route *route)
{
    if (!str_eq(route->method, "GET"))
        return false;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++)
        if (str_eq(route->path, late[i]))
            return true;
    return false;
}
