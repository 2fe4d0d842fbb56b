/* house_in.h - between house.c and house_*.c */
#ifndef CLIENT_HOUSE_IN_H
#define CLIENT_HOUSE_IN_H

#include "client/house.h"
#include "client/plan/policy.h"
#include "client/sense.h"
#include "client/tally.h"

struct member {
    struct act *act; /* NULL: the place is free */
    struct project *project;
    char folder[HOUSE_FOLDER_BYTES];
    double weight;
    double used_s;
    int64_t cpu_ms; /* counted in used_s */
};

struct house {
    char folder[HOUSE_FOLDER_BYTES], conf[HOUSE_FOLDER_BYTES + 16];
    struct act_host common;
    struct member members[HOUSE_PROJECTS_MAX];
    uint32_t member_count;
    struct tally *tally;
    int64_t gone_cpu_ms;  /* of projects that were left */
    uint64_t moved_bytes; /* counted in the tally */
    bool halting, trimmed;
    struct sense *sense;
    struct policy_settings policy_settings;
    struct policy policy;
    struct policy_sample sample;
    struct policy_verdict verdict;
    int64_t sense_due_ms;
};

/* --- house_share.c: looks at the PC when that is due, and tells each project what may work */
enum err house_policy_init(struct house *h) NODISCARD;
void house_policy_look(struct house *h);
void house_share(struct house *h);

#endif
