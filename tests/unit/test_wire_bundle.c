#include "lib/t.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "wire/bundle.h"
#include "wire/ustar.h"

struct place {
    char root[64], in[96], tar[96], out[96];
};

static struct place make_place(void)
{
    struct place p;
    snprintf(p.root, sizeof p.root, "/tmp/test-bundle-XXXXXX");
    assert_non_null(mkdtemp(p.root));
    snprintf(p.in, sizeof p.in, "%s/in", p.root);
    snprintf(p.tar, sizeof p.tar, "%s/b.tar", p.root);
    snprintf(p.out, sizeof p.out, "%s/out", p.root);
    return p;
}

static void put(const struct place *p, const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", p->in, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_ok(file_make_folders(path, 0755));
    *slash = '/';
    assert_ok(file_write_atomic(path, text, strlen(text), mode));
}

static void fill(const struct place *p)
{
    put(p, "bin/prog", "#!/bin/sh\n", 0755);
    put(p, "lib/a-b", "x", 0644);
    put(p, "lib/a/deep", "", 0644);
    put(p, "z", "the last", 0600);
}

static enum err unpack(const struct place *p)
{
    int fd = open(p->tar, O_RDONLY | O_CLOEXEC);
    enum err e = bundle_unpack(fd, p->out);
    close(fd);
    return e;
}

static void what_is_packed_is_unpacked_and_the_same_files_give_the_same_bytes(void **state)
{
    (void)state;
    struct place p = make_place();
    struct digest one, two;
    struct stat st;
    char path[160];
    BUF_AUTO struct buf text = {0};
    fill(&p);
    assert_ok(bundle_pack(p.in, p.tar));
    assert_ok(hash_file(p.tar, &one, NULL));
    assert_ok(unpack(&p));
    snprintf(path, sizeof path, "%s/z", p.out);
    assert_ok(file_read(path, 100, &text));
    assert_string_equal(text.data, "the last");
    snprintf(path, sizeof path, "%s/bin/prog", p.out);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0555);
    assert_ok(bundle_pack(p.out, p.tar));
    assert_ok(hash_file(p.tar, &two, NULL));
    assert_true(digest_eq(&one, &two));
    assert_ok(file_remove_tree(p.root));
}

static void links_are_not_packed(void **state)
{
    (void)state;
    struct place p = make_place();
    char path[160];
    fill(&p);
    snprintf(path, sizeof path, "%s/link", p.in);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_err(bundle_pack(p.in, p.tar), ERR_INVALID);
    assert_false(file_exists(p.tar));
    assert_ok(file_remove_tree(p.root));
}

/* Changes the first header by hand and mends its checksum. */
static void forge(const struct place *p, const char *name, char type)
{
    struct ustar_header h;
    int fd = open(p->tar, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &h, sizeof h, 0), sizeof h);
    if (name) {
        memset(h.name, 0, sizeof h.name);
        memcpy(h.name, name, strlen(name));
    }
    if (type)
        h.type = type;
    snprintf(h.checksum, sizeof h.checksum, "%06o", ustar_checksum(&h));
    h.checksum[7] = ' ';
    assert_int_equal(pwrite(fd, &h, sizeof h, 0), sizeof h);
    close(fd);
}

static void a_forged_bundle_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        char type;
    } forgeries[] = {{"../evil", 0}, {"/evil", 0}, {"a/../../evil", 0}, {"./evil", 0}, {"a//b", 0},
                     {NULL, '2'},    {NULL, '1'},  {NULL, '3'},         {"zzz", 0}};
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        struct place p = make_place();
        fill(&p);
        assert_ok(bundle_pack(p.in, p.tar));
        forge(&p, forgeries[i].name, forgeries[i].type);
        assert_err(unpack(&p), ERR_INVALID);
        assert_false(file_exists(p.out));
        assert_ok(file_remove_tree(p.root));
    }
}

static void a_bundle_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    struct place p = make_place();
    BUF_AUTO struct buf whole = {0};
    fill(&p);
    assert_ok(bundle_pack(p.in, p.tar));
    assert_ok(file_read(p.tar, 1 << 20, &whole));
    for (size_t len = 0; len < whole.len; len += 256) {
        assert_ok(file_write_atomic(p.tar, whole.data, len, 0644));
        assert_err(unpack(&p), ERR_INVALID);
        assert_false(file_exists(p.out));
    }
    assert_ok(file_remove_tree(p.root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_is_unpacked_and_the_same_files_give_the_same_bytes),
        cmocka_unit_test(links_are_not_packed),
        cmocka_unit_test(a_forged_bundle_is_refused_and_leaves_nothing),
        cmocka_unit_test(a_bundle_cut_off_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
