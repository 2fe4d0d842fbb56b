/* mail.c - see mail.h */
#include "server/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/fetch.h"
#include "server/try.h"

enum {
    LINE_BYTES = 57,
    WORD_BYTES = 42,
    PASSWORD_BYTES_MAX = 512,
    TIMEOUT_MS = 30000,
    MAIL_BYTES_MAX = 1 << 20
};

bool mail_is_set(const struct settings *s)
{
    return s->mail_server[0] != 0;
}

enum err mail_check_address(const char *address)
{
    const char *at = strchr(address, '@');
    bool good = at && at > address && at[1] && !strchr(at + 1, '@') && strlen(address) <= 254;
    for (const char *c = address; good && *c; c++)
        good = *c > ' ' && *c < 0x7f && !strchr("<>(),;:\"\\[]", *c);
    return good ? ERR_OK : err_set(ERR_INVALID, "\"%.80s\" is no mail address", address);
}

/* --- composing --- */

static enum err add_base64(const void *bytes, size_t len, struct buf *out)
{
    for (size_t at = 0; at < len; at += LINE_BYTES) {
        size_t n = len - at < LINE_BYTES ? len - at : LINE_BYTES;
        TRY(str_base64((const char *)bytes + at, n, out));
        TRY(buf_add_text(out, "\r\n"));
    }
    return ERR_OK;
}

/* RFC 2047: words of base64, of at most 75 characters, cut between characters of UTF-8. */
static enum err add_subject(const char *text, struct buf *out)
{
    TRY(buf_add_text(out, "Subject:"));
    while (*text) {
        size_t n = strlen(text) < WORD_BYTES ? strlen(text) : WORD_BYTES;
        while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
        TRY(buf_add_text(out, " =?UTF-8?B?"));
        TRY(str_base64(text, n, out));
        text += n;
        TRY(buf_add_text(out, *text ? "?=\r\n" : "?="));
    }
    return buf_add_text(out, "\r\n");
}

static enum err add_date(int64_t now_ms, struct buf *out)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t = {0};
    time_t s = (time_t)(now_ms / 1000);
    gmtime_r(&s, &t);
    return buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday,
                      months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static enum err add_part(const char *type, const char *file, const void *bytes, size_t len, struct buf *out)
{
    TRY(buf_printf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n", type));
    if (file)
        TRY(buf_printf(out, "Content-Disposition: attachment; filename=\"%s\"\r\n", file));
    TRY(buf_add_text(out, "\r\n"));
    return add_base64(bytes, len, out);
}

enum err mail_compose(const struct settings *s, const struct mail *m, int64_t now_ms, struct buf *out)
{
    const char *host = strchr(s->mail_from, '@');
    uint64_t id = rand_u64();
    TRY(buf_printf(out, "From: %s\r\nTo: %s\r\n", s->mail_from, m->to));
    TRY(add_subject(m->subject, out));
    TRY(add_date(now_ms, out));
    TRY(buf_printf(out,
                   "Message-ID: <%llx.%llx%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
                   (unsigned long long)now_ms, (unsigned long long)id, host ? host : "@localhost"));
    if (!m->picture_name)
        return add_part("text/plain; charset=utf-8", NULL, m->text, strlen(m->text), out);
    TRY(buf_printf(out, "Content-Type: multipart/mixed; boundary=\"=_%llx\"\r\n\r\n--=_%llx\r\n",
                   (unsigned long long)id, (unsigned long long)id));
    TRY(add_part("text/plain; charset=utf-8", NULL, m->text, strlen(m->text), out));
    TRY(buf_printf(out, "--=_%llx\r\n", (unsigned long long)id));
    TRY(add_part("image/svg+xml", m->picture_name, m->picture->data, m->picture->len, out));
    return buf_printf(out, "--=_%llx--\r\n", (unsigned long long)id);
}

/* --- sending --- */

/* Cuts "a@b, c@d" in place. */
static enum err cut_addresses(char *list, const char *ret[MAIL_RECIPIENTS_MAX], size_t *ret_count)
{
    char *rest = NULL;
    *ret_count = 0;
    for (char *one = strtok_r(list, ", ", &rest); one; one = strtok_r(NULL, ", ", &rest)) {
        if (*ret_count == MAIL_RECIPIENTS_MAX)
            return err_set(ERR_LIMIT, "a mail goes to %d addresses at most", MAIL_RECIPIENTS_MAX);
        TRY(mail_check_address(one));
        ret[(*ret_count)++] = one;
    }
    return *ret_count ? ERR_OK : err_set(ERR_INVALID, "the mail is to nobody");
}

static enum err read_password(const struct settings *s, struct buf *out)
{
    if (!s->mail_password_file[0])
        return ERR_OK;
    TRY(file_read(s->mail_password_file, PASSWORD_BYTES_MAX, out));
    while (out->len > 0 && strchr("\r\n", out->data[out->len - 1]))
        out->data[--out->len] = 0;
    return ERR_OK;
}

static enum err send_composed(const struct settings *s, const struct mail *m, const char *password)
{
    BUF_AUTO struct buf message = {0};
    char list[sizeof s->mail_to];
    const char *to[MAIL_RECIPIENTS_MAX];
    struct fetch_mail mail = {.url = s->mail_server,
                              .user = s->mail_user,
                              .password = password,
                              .from = s->mail_from,
                              .to = to,
                              .ca_file = s->mail_ca[0] ? s->mail_ca : NULL,
                              .timeout_ms = TIMEOUT_MS};
    if ((size_t)snprintf(list, sizeof list, "%s", m->to) >= sizeof list)
        return err_set(ERR_LIMIT, "a mail to so many addresses cannot be sent");
    TRY(cut_addresses(list, to, &mail.to_count));
    buf_init(&message, MAIL_BYTES_MAX);
    TRY(mail_compose(s, m, clock_wall_ms(), &message));
    mail.message = message.data;
    mail.message_bytes = message.len;
    return fetch_mail(&mail);
}

enum err mail_send(const struct settings *s, const struct mail *m)
{
    BUF_AUTO struct buf password = {0};
    if (!mail_is_set(s))
        return err_set(ERR_INVALID, "no mail can be sent: mail_server is not set in server.conf");
    enum err e = read_password(s, &password);
    if (e == ERR_OK)
        e = send_composed(s, m, buf_text(&password));
    if (password.data)
        explicit_bzero(password.data, password.len);
    return e;
}
