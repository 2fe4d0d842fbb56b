/* match.h - does this unit suit this host, and if not, why not: the answer a volunteer and `dugnad explain`
 * get. */
#ifndef RULES_MATCH_H
#define RULES_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which they are told: the first one that is true of a pair is the pair's reason, and what
 * the volunteer can change comes after what nobody can. X(name, word on the wire, "units that ...") */
#define MATCH_REASON_LIST(X)                                                                                 \
    X(FITS, "fits", "suit this host")                                                                        \
    X(PLATFORM, "no_app_for_platform", "belong to apps that are not built for this platform")                \
    X(FEATURES, "needs_features", "need a processor feature that this host does not have")                   \
    X(CLASS, "other_class",                                                                                  \
      "are being worked on by another class of machines, whose answers are not the same to the bit")         \
    X(OWNER, "same_owner", "have had an attempt on this host or another of its owner's")                     \
    X(MEMORY, "needs_memory", "need more memory than this host offers")                                      \
    X(DISK, "needs_disk", "need more disk space than this host offers")                                      \
    X(CORES, "needs_cores", "need more cores than this host offers")                                         \
    X(TIME, "needs_time", "would not be done before their deadline on this host")

enum match_reason {
#define X(name, word, text) MATCH_##name,
    MATCH_REASON_LIST(X)
#undef X
        MATCH_REASONS
};

/* Processor features by the names Linux gives them in /proc/cpuinfo, plus those of arm64. The bit's number is
 * its place in the list: new ones go to the end. */
/* (clang-format takes such a list apart, one place further at every run.) */
/* clang-format off */
#define MATCH_FEATURE_LIST(X)                                                                                \
    X("sse3") X("ssse3") X("sse4_1") X("sse4_2") X("popcnt") X("avx") X("f16c") X("fma") X("avx2")           \
    X("bmi1") X("bmi2") X("aes") X("pclmulqdq") X("sha_ni") X("adx") X("avx512f") X("avx512dq")              \
    X("avx512cd") X("avx512bw") X("avx512vl") X("avx512_vnni") X("avx512_bf16") X("amx_tile") X("neon")      \
    X("asimd") X("asimddp") X("sve") X("sve2") X("sha2") X("crc32") X("atomics")
/* clang-format on */

#define MATCH_FEATURE_UNKNOWN (1ull << 63) /* needed by a unit: no host has it; on a host: ignored */

struct match_need {
    uint64_t platforms; /* a bit for each platform of the app version; the caller numbers platforms */
    uint64_t features;  /* MATCH_FEATURE bits */
    uint64_t memory_bytes, disk_bytes;
    uint32_t cores;      /* 0 counts as 1 */
    uint32_t hr_class;   /* 0: any; else the class the unit is bound to */
    double cost_seconds; /* on one core of the reference machine; 0 when not known */
    int64_t lease_ms;
};

struct match_offer {
    uint64_t platforms;
    uint64_t features;
    uint64_t memory_bytes, disk_bytes; /* of one unit: what is free and may be used */
    uint32_t cores;
    uint32_t hr_class;
    double speed;     /* of one core, the reference machine is 1; 0 when not known */
    int64_t queue_ms; /* work the host has and will do first */
};

/* barred: wu_host_may_take() says no. */
enum match_reason match_unit(const struct match_need *need, const struct match_offer *offer, bool barred);

const char *match_reason_word(enum match_reason r);
const char *match_reason_text(enum match_reason r);
/* The bit of a feature's name, MATCH_FEATURE_UNKNOWN for a name that is not in the list. */
uint64_t match_feature(const char *name);
/* The name of a bit number, NULL when there is none. */
const char *match_feature_name(uint32_t bit);

/* How many units of a search failed for which reason. */
struct match_tally {
    uint64_t count[MATCH_REASONS];
    uint64_t memory_bytes_least; /* what one of the units that failed for it needs, 0: none did */
    uint64_t disk_bytes_least;
};

void match_count(struct match_tally *tally, const struct match_need *need, enum match_reason reason);
/* The reason most units failed for (the later in the list when equal: easier to change); MATCH_FITS when none
 * failed. */
enum match_reason match_main_reason(const struct match_tally *tally);
/* One sentence for people, cut at room: "units that need more memory than this host offers (the smallest 2.0
 * GiB): 120; units that ...: 3". "there is no work at the moment" when nothing was tried. */
void match_explain(const struct match_tally *tally, char *ret_text, size_t room);

#endif
