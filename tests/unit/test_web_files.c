/* test_web_files.c - the console and the public pages, as they are in the program. */
#include "lib/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/str.h"
#include "server/web_files.h"

#define CONSOLE_BYTES_MAX (40 * 1024)

static const struct web_file *find(const char *path)
{
    const struct web_file *f = web_file_find(path);
    if (!f)
        fail_msg("%s is not there", path);
    return f;
}

static size_t packed_bytes(const struct web_file *f)
{
    return f->br ? f->br_len : f->gz ? f->gz_len : f->len;
}

static void each_file_is_what_lies_in_the_folder_and_its_etag_is_the_start_of_its_digest(void **state)
{
    (void)state;
    assert_true(web_file_count > 10);
    for (size_t i = 0; i < web_file_count; i++) {
        const struct web_file *f = &web_files[i];
        struct digest d;
        uint64_t bytes;
        char source[1024], hex[DIGEST_TEXT_BYTES];
        snprintf(source, sizeof source, "%s/..%s", TESTS_FOLDER, f->path);
        assert_ok(hash_file(source, &d, &bytes));
        assert_int_equal(bytes, f->len);
        struct digest own = hash_bytes(f->bytes, f->len);
        assert_true(digest_eq(&d, &own));
        digest_text(&d, hex);
        assert_int_equal(strlen(f->etag), WEB_ETAG_BYTES - 1);
        assert_memory_equal(f->etag, hex, WEB_ETAG_BYTES - 1);
        assert_true(strlen(f->content_type) > 0);
        assert_ptr_equal(web_file_find(f->path), f);
    }
}

static struct digest unpacked(const unsigned char *bytes, size_t len, const char *program)
{
    char path[] = "/tmp/dugnad-web-XXXXXX", command[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    snprintf(command, sizeof command, "%s -dc <%s", program, path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    struct hash *h = hash_new();
    unsigned char some[4096];
    for (size_t n; (n = fread(some, 1, sizeof some, out)) > 0;)
        hash_add(h, some, n);
    assert_int_equal(pclose(out), 0);
    struct digest got = hash_end(h);
    hash_free(h);
    unlink(path);
    return got;
}

static void packed_copies_are_the_same_file(void **state)
{
    (void)state;
    int packed = 0;
    for (size_t i = 0; i < web_file_count; i++) {
        const struct web_file *f = &web_files[i];
        struct digest want = hash_bytes(f->bytes, f->len), got = want;
        packed += f->gz && f->br;
        assert_true(!f->gz || f->gz_len < f->len);
        assert_true(!f->br || f->br_len < f->len);
        if (f->gz)
            got = unpacked(f->gz, f->gz_len, "gzip");
        assert_true(digest_eq(&got, &want));
        if (f->br)
            got = unpacked(f->br, f->br_len, "brotli");
        assert_true(digest_eq(&got, &want));
    }
    assert_true(packed >= 10);
}

static void pages_have_their_addresses_and_nothing_else_is_found(void **state)
{
    (void)state;
    assert_string_equal(find("/")->path, "/web/home.html");
    assert_string_equal(find("/join")->path, "/web/join.html");
    assert_string_equal(find("/admin")->path, "/web/index.html");
    assert_string_equal(find("/admin/")->path, "/web/index.html");
    assert_string_equal(find("/admin/units/7.12")->path, "/web/index.html");
    assert_string_equal(find("/web/screens/people.js")->content_type, "text/javascript; charset=utf-8");
    const char *none[] = {"",
                          "/administrator",
                          "/join/",
                          "/web/",
                          "/web/none",
                          "/v1/project",
                          "/web/README.md",
                          "/web/embed.cmake",
                          "/web/API.md",
                          "/web/../web/app.js",
                          "/web/app.js/",
                          "/WEB/app.js"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(web_file_find(none[i]));
}

/* Every file of the console, but not what only the public pages or no page uses. */
static void the_console_stays_small(void **state)
{
    (void)state;
    size_t sum = 0;
    for (size_t i = 0; i < web_file_count; i++)
        if (!strstr(web_files[i].path, "/home.") && !strstr(web_files[i].path, "/join.") &&
            !strstr(web_files[i].path, "/openapi."))
            sum += packed_bytes(&web_files[i]);
    if (sum > CONSOLE_BYTES_MAX)
        fail_msg("the console has %zu bytes, %d are allowed", sum, CONSOLE_BYTES_MAX);
}

static void text_of(const struct web_file *f, struct buf *ret)
{
    assert_ok(buf_add(ret, f->bytes, f->len));
}

/* What a page names in quotation marks after `before`. */
static void check_links(const char *text, const char *before)
{
    for (const char *at = text; (at = strstr(at, before));) {
        char path[128];
        at += strlen(before);
        size_t len = strcspn(at, "\"");
        assert_true(len < sizeof path);
        memcpy(path, at, len);
        path[len] = 0;
        if (path[0] == '/' && !str_starts(path, "/v1/"))
            find(path);
        else if (path[0] != '/')
            assert_true(path[0] == '#');
    }
}

static void pages_name_only_files_that_are_there_and_hold_no_script_or_style_of_their_own(void **state)
{
    (void)state;
    static const char *const pages[] = {"/", "/join", "/admin/"};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        BUF_AUTO struct buf page = {0};
        text_of(find(pages[i]), &page);
        const char *text = buf_text(&page);
        check_links(text, " src=\"");
        check_links(text, " href=\"");
        assert_null(strstr(text, "<style"));
        assert_null(strstr(text, " style="));
        assert_null(strstr(text, "<script>"));
        assert_null(strstr(text, " onclick="));
    }
}

/* import ... from './NAME': relative to the folder of the module. */
static void modules_import_only_modules_that_are_there(void **state)
{
    (void)state;
    int imports = 0;
    for (size_t i = 0; i < web_file_count; i++) {
        const struct web_file *f = &web_files[i];
        BUF_AUTO struct buf module = {0};
        if (!str_starts(f->content_type, "text/javascript"))
            continue;
        text_of(f, &module);
        for (const char *at = buf_text(&module); (at = strstr(at, "\nimport "));) {
            char name[64], path[160];
            const char *from = strstr(at, " from '");
            assert_non_null(from);
            assert_int_equal(sscanf(from, " from '%63[^']'", name), 1);
            bool up = str_starts(name, "../");
            assert_true(up || str_starts(name, "./"));
            bool below = str_starts(f->path, "/web/screens/");
            assert_true(below || !up);
            snprintf(path, sizeof path, "/web/%s%s", below && !up ? "screens/" : "", name + (up ? 3 : 2));
            find(path);
            imports++;
            at = from;
        }
    }
    assert_true(imports > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_is_what_lies_in_the_folder_and_its_etag_is_the_start_of_its_digest),
        cmocka_unit_test(packed_copies_are_the_same_file),
        cmocka_unit_test(pages_have_their_addresses_and_nothing_else_is_found),
        cmocka_unit_test(the_console_stays_small),
        cmocka_unit_test(pages_name_only_files_that_are_there_and_hold_no_script_or_style_of_their_own),
        cmocka_unit_test(modules_import_only_modules_that_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
