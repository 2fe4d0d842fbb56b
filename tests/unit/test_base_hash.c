/* test_base_hash.c - SHA-256 and the Merkle trees of RFC 6962. */
#include "lib/temp.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/merkle.h"
#include "base/str.h"

#define TREE_MAX 70

static void assert_digest(struct digest d, const char *text)
{
    char got[DIGEST_TEXT_BYTES];
    digest_text(&d, got);
    assert_string_equal(got, text);
}

static void sha256_gives_the_digests_of_fips_180(void **state)
{
    (void)state;
    assert_digest(hash_bytes("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(hash_bytes(NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(hash_bytes("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(hash_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char million[1000];
    memset(million, 'a', sizeof million);
    struct hash *h = hash_new();
    for (int i = 0; i < 1000; i++)
        hash_add(h, million, sizeof million);
    assert_digest(hash_end(h), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    hash_add(h, "abc", 3); /* reused from the start */
    assert_digest(hash_end(h), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(hash_end(h), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_free(h);
    hash_free(NULL);
}

static void a_tagged_digest_is_that_of_the_tag_and_the_bytes(void **state)
{
    (void)state;
    struct digest a = hash_tagged('a', "bc", 2), b = hash_bytes("abc", 3);
    assert_true(digest_eq(&a, &b));
    a = hash_tagged(0, NULL, 0);
    b = hash_bytes("\0", 1);
    assert_true(digest_eq(&a, &b));
}

static void a_digest_has_one_text(void **state)
{
    (void)state;
    static const char good[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct digest d = {{7}};
    assert_err(digest_parse(NULL, &d), ERR_INVALID);
    assert_err(digest_parse("", &d), ERR_INVALID);
    assert_err(digest_parse("BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", &d),
               ERR_INVALID);
    assert_err(digest_parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a", &d),
               ERR_INVALID);
    assert_err(digest_parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0", &d),
               ERR_INVALID);
    assert_int_equal(d.bytes[0], 7);
    assert_ok(digest_parse(good, &d));
    assert_digest(d, good);
    assert_false(digest_is_zero(&d));
    assert_true(digest_is_zero(&(struct digest){{0}}));
    struct digest other = d;
    other.bytes[31] ^= 1;
    assert_false(digest_eq(&d, &other));
    assert_true(hash_same_secret("abc", "abc", 3) && hash_same_secret("", "", 0) &&
                !hash_same_secret("abc", "abd", 3));
}

static void a_file_is_hashed_as_its_bytes(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct digest d, nothing = {{9}};
    uint64_t bytes = 0;
    char vast[200000];
    memset(vast, 'x', sizeof vast - 1);
    vast[sizeof vast - 1] = 0;
    assert_ok(hash_file(temp_file(&t, "vast", vast, 0600), &d, &bytes));
    struct digest wanted = hash_bytes(vast, sizeof vast - 1);
    assert_true(digest_eq(&d, &wanted));
    assert_int_equal(bytes, sizeof vast - 1);
    assert_ok(hash_file(temp_file(&t, "empty", "", 0600), &d, NULL));
    assert_digest(d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_err(hash_file(temp_path(&t, "gone"), &nothing, &bytes), ERR_MISSING);
    assert_non_null(strstr(err_text(), "/gone"));
    assert_err(hash_file(t.folder, &nothing, &bytes), ERR_IO);
    assert_int_equal(nothing.bytes[0], 9);
    temp_done(&t);
}

static void *hash_much(void *ret)
{
    struct digest d = hash_bytes("abc", 3);
    for (int i = 0; i < 500; i++)
        d = hash_bytes(&d, sizeof d);
    *(struct digest *)ret = d;
    return NULL;
}

static void threads_hash_beside_each_other_and_leave_nothing(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct digest d[5];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, hash_much, &d[i]), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        hash_much(&d[4]);
        for (int i = 0; i < 4; i++)
            assert_true(digest_eq(&d[i], &d[4]));
    }
}

/* MTH of RFC 6962 section 2.1, word for word. */
static struct digest root_by_the_book(const struct digest *leaves, size_t n)
{
    if (n == 0)
        return hash_bytes("", 0);
    if (n == 1)
        return leaves[0];
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    uint8_t node[65] = {1};
    struct digest left = root_by_the_book(leaves, k), right = root_by_the_book(leaves + k, n - k);
    memcpy(node + 1, &left, 32);
    memcpy(node + 33, &right, 32);
    return hash_bytes(node, sizeof node);
}

static void make_leaves(struct digest leaves[TREE_MAX])
{
    for (size_t i = 0; i < TREE_MAX; i++)
        leaves[i] = merkle_leaf(&i, i % 9 ? sizeof i : 0);
}

/* The leaves and roots that implementations of certificate transparency test each other with. */
static void merkle_roots_are_those_of_certificate_transparency(void **state)
{
    (void)state;
    static const char *const data[] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct digest leaves[8];
    uint8_t bytes[16];
    for (size_t i = 0; i < 8; i++) {
        assert_ok(str_unhex(data[i], bytes, strlen(data[i]) / 2));
        leaves[i] = merkle_leaf(bytes, strlen(data[i]) / 2);
    }
    for (size_t n = 0; n <= 8; n++)
        assert_digest(merkle_root(leaves, n), roots[n]);
}

static void every_root_is_the_one_by_the_book_and_the_last_of_the_levels(void **state)
{
    (void)state;
    struct digest leaves[TREE_MAX], levels[3 * TREE_MAX];
    make_leaves(leaves);
    for (size_t n = 0; n <= TREE_MAX; n++) {
        struct digest root = merkle_root(leaves, n), wanted = root_by_the_book(leaves, n);
        assert_true(digest_eq(&root, &wanted));
        size_t total = merkle_levels_count(n);
        assert_true(total <= sizeof levels / sizeof *levels);
        merkle_levels(leaves, n, levels);
        assert_true(n == 0 ? total == 0 : digest_eq(&levels[total - 1], &root));
    }
}

static void every_leaf_of_every_tree_has_a_path_that_checks(void **state)
{
    (void)state;
    struct digest leaves[TREE_MAX], levels[3 * TREE_MAX], path[MERKLE_PATH_MAX], copied[MERKLE_PATH_MAX];
    make_leaves(leaves);
    for (size_t n = 1; n <= TREE_MAX; n++) {
        struct digest root = merkle_root(leaves, n);
        merkle_levels(leaves, n, levels);
        for (size_t i = 0; i < n; i++) {
            size_t len = merkle_path(leaves, n, i, path);
            assert_true(merkle_verify(&leaves[i], i, n, path, len, &root));
            assert_int_equal(merkle_levels_path(levels, n, i, copied), len);
            assert_memory_equal(path, copied, len * sizeof *path);
        }
    }
}

static void refuse_tampered(const struct digest *leaf, size_t i, size_t n, struct digest *path, size_t len,
                            const struct digest *root)
{
    struct digest other = *leaf;
    other.bytes[3] ^= 4;
    assert_false(merkle_verify(&other, i, n, path, len, root));
    other = *root;
    other.bytes[31] ^= 0x80;
    assert_false(merkle_verify(leaf, i, n, path, len, &other));
    for (size_t at = 0; at < len; at++) {
        path[at].bytes[at] ^= 1;
        assert_false(merkle_verify(leaf, i, n, path, len, root));
        path[at].bytes[at] ^= 1;
    }
    if (len)
        assert_false(merkle_verify(leaf, i, n, path, len - 1, root));
    path[len] = *leaf;
    assert_false(merkle_verify(leaf, i, n, path, len + 1, root));
    assert_true(merkle_verify(leaf, i, n, path, len, root));
}

static void a_tampered_path_leaf_or_root_is_refused(void **state)
{
    (void)state;
    struct digest leaves[TREE_MAX], path[MERKLE_PATH_MAX];
    make_leaves(leaves);
    for (size_t n = 1; n <= 40; n++) {
        struct digest root = merkle_root(leaves, n);
        for (size_t i = 0; i < n; i++)
            refuse_tampered(&leaves[i], i, n, path, merkle_path(leaves, n, i, path), &root);
    }
}

static void a_path_is_good_for_no_other_place(void **state)
{
    (void)state;
    struct digest leaves[TREE_MAX], path[MERKLE_PATH_MAX];
    for (size_t i = 0; i < TREE_MAX; i++)
        leaves[i] = merkle_leaf(&i, sizeof i);
    for (size_t n = 1; n <= 40; n++) {
        struct digest root = merkle_root(leaves, n);
        for (size_t i = 0; i < n; i++) {
            size_t len = merkle_path(leaves, n, i, path);
            for (size_t j = 0; j < n + 3; j++)
                if (j != i && merkle_verify(&leaves[i], j, n, path, len, &root))
                    fail_msg("the path of %zu of %zu is taken for %zu", i, n, j);
        }
        assert_false(merkle_verify(&leaves[0], n, n, path, 0, &root));
        assert_false(merkle_verify(&leaves[0], SIZE_MAX, n, path, 0, &root));
        assert_false(merkle_verify(&leaves[0], 0, 0, path, 0, &root));
    }
}

/* A node passed off as a leaf, the oldest trick on such trees, fails as leaves and nodes are hashed apart. */
static void two_leaves_joined_are_no_leaf(void **state)
{
    (void)state;
    struct digest leaves[2] = {merkle_leaf("a", 1), merkle_leaf("b", 1)}, root = merkle_root(leaves, 2);
    struct digest forged = merkle_leaf(leaves, sizeof leaves);
    assert_false(merkle_verify(&forged, 0, 1, NULL, 0, &root));
    assert_true(merkle_verify(&root, 0, 1, NULL, 0, &root));
}

static void scrypt_is_that_of_rfc_7914(void **state)
{
    static const struct hash_cost cost = {.log2_n = 14, .r = 8, .p = 1};
    struct digest d;
    char text[DIGEST_TEXT_BYTES];
    (void)state;
    assert_ok(hash_password("pleaseletmein", 13, "SodiumChloride", 14, &cost, &d));
    digest_text(&d, text);
    assert_string_equal(text, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_digests_of_fips_180),
        cmocka_unit_test(a_tagged_digest_is_that_of_the_tag_and_the_bytes),
        cmocka_unit_test(a_digest_has_one_text),
        cmocka_unit_test(a_file_is_hashed_as_its_bytes),
        cmocka_unit_test(scrypt_is_that_of_rfc_7914),
        cmocka_unit_test(threads_hash_beside_each_other_and_leave_nothing),
        cmocka_unit_test(merkle_roots_are_those_of_certificate_transparency),
        cmocka_unit_test(every_root_is_the_one_by_the_book_and_the_last_of_the_levels),
        cmocka_unit_test(every_leaf_of_every_tree_has_a_path_that_checks),
        cmocka_unit_test(a_tampered_path_leaf_or_root_is_refused),
        cmocka_unit_test(a_path_is_good_for_no_other_place),
        cmocka_unit_test(two_leaves_joined_are_no_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
