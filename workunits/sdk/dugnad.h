/* SPDX-License-Identifier: 0BSD
 * dugnad.h - for programs that run as work units of Dugnad: tell how far you are, stop when asked, keep
 * checkpoints, compute only the items that are asked for.
 *
 * Copy dugnad.h and dugnad.c into your program (C99 and POSIX, nothing else), under any licence you like. All
 * of it is optional, and outside Dugnad every call is a cheap no-op that says "go on": the same program runs
 * at your desk and on the grid. Use one struct dugnad from one thread at a time. Nothing here prints or
 * exits.
 *
 *     struct dugnad grid;
 *     dugnad_init(&grid);
 *     for (long i = first; i < count; i++) {
 *         compute(i);
 *         dugnad_progress(&grid, (double)(i + 1) / count);
 *         if (dugnad_checkpoint_wanted(&grid) || dugnad_should_stop(&grid))
 *             dugnad_checkpoint(&grid, "state", &i, sizeof i);
 *         if (dugnad_should_stop(&grid))
 *             return 75;
 *     }
 */
#ifndef DUGNAD_H
#define DUGNAD_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DUGNAD_FOLDER_DEFAULT "/work/.dugnad"
#define DUGNAD_ITEMS_MAX      1000000 /* of one work unit */

struct dugnad {
    char folder[200];        /* "": not inside Dugnad */
    int audit;               /* 0: every item is wanted, 1: a share of them, 2: one */
    unsigned long long seed; /* of the share; the one */
    unsigned long share;     /* in millionths */
    FILE *items;
    long long item_total, item_next;
    long long progressed_ms; /* when the progress was written last */
    long long looked_ms;     /* when the wishes below were looked for last */
    int stop, checkpoint;
    int routed; /* dugnad_route() was called */
};

/* Finds out whether this is a work unit: /work/.dugnad is there, or the environment's DUGNAD_FOLDER names
 * another folder (for trying it by hand). 1 inside Dugnad, 0 outside. */
int dugnad_init(struct dugnad *d);
/* Closes what is open. */
void dugnad_done(struct dugnad *d);

/* How far the work is, 0..1; what is out of range is brought into it. Call it as often as you like: it is
 * written at most four times a second, and always at 1. */
void dugnad_progress(struct dugnad *d, double fraction);

/* 1 when the host wants the program to end soon: keep a checkpoint if you have one, and exit with status 75
 * (EX_TEMPFAIL: not finished). It goes on later, and nothing counts against it. The program is killed when it
 * takes too long. Looks at most ten times a second. */
int dugnad_should_stop(struct dugnad *d);
/* 1 when the host would like a checkpoint now. Looks at most ten times a second. */
int dugnad_checkpoint_wanted(struct dugnad *d);

/* Replaces the file at path (relative to the working directory) with these bytes, so that a crash leaves the
 * old or the new one, and tells the host. 0, or -1 with errno. Outside Dugnad the file is written just the
 * same. */
int dugnad_checkpoint(struct dugnad *d, const char *path, const void *bytes, size_t len);
/* For programs that write their checkpoint themselves: it is complete. */
void dugnad_checkpointed(struct dugnad *d);

/* An answer that is a list of items (points of a grid, candidates, frames) can be audited piece by piece:
 * other hosts recompute a few items instead of the whole unit, so that nearly everything is run only once.
 * Name the file in the app's manifest ("items") and write it with these:
 *
 *     dugnad_items(&grid, "items.txt", count);
 *     for (long i = 0; i < count; i++)
 *         if (dugnad_item_wanted(&grid, i))
 *             dugnad_item(&grid, i, compute(i));
 *     if (dugnad_items_end(&grid) != 0)
 *         return 1;
 *
 * An item depends on the unit and its own number alone, and is the same text wherever it is computed. The
 * file and the rule of what is wanted are in PROTOCOL.md, for programs in other languages. */

/* Begins the list of `total` items (0 to DUGNAD_ITEMS_MAX) in a file. 0, or -1 with errno. */
int dugnad_items(struct dugnad *d, const char *path, long long total);
/* 1 when this item is to be computed: all are, unless the unit is an audit (the environment's DUGNAD_AUDIT).
 */
int dugnad_item_wanted(const struct dugnad *d, long long item);
/* Adds an item, in the order of their numbers; text without line breaks. One that is not wanted is left out.
 * 0, or -1 with errno (EINVAL: out of order, out of range, a line break). */
int dugnad_item(struct dugnad *d, long long item, const char *text);
/* Ends the list. 0, or -1 when not all of it was written. */
int dugnad_items_end(struct dugnad *d);

/* Puts a record into a stream of the project once this work unit's answer is true: the text (one line, 16 KiB
 * at most), or the whole answer where it is NULL. The app must declare an output named `streams`; this writes
 * it. Call it when the result is known: the first call of a run starts the file anew. 0, or -1 with errno. At
 * most 4096 calls and 64 KiB in all. Outside Dugnad the file is written just the same. */
int dugnad_route(struct dugnad *d, const char *stream, const char *text);

#ifdef __cplusplus
}
#endif

#endif
