/* agenda.c - what happens next: a binary heap by time, then by order of queueing, so that a seed has one
 * story. */
#include <stdlib.h>

#include "sim.h"

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct event *a, struct event *b)
{
    struct event was = *a;
    *a = *b;
    *b = was;
}

void agenda_add(struct agenda *a, struct event e)
{
    if (a->count == a->room) {
        a->room = a->room ? a->room * 2 : 1024;
        a->heap = realloc(a->heap, a->room * sizeof *a->heap);
        if (!a->heap)
            abort();
    }
    size_t at = a->count++;
    e.order = a->order++;
    a->heap[at] = e;
    for (; at > 0 && before(&a->heap[at], &a->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&a->heap[at], &a->heap[(at - 1) / 2]);
}

bool agenda_next(struct agenda *a, struct event *ret)
{
    if (a->count == 0)
        return false;
    *ret = a->heap[0];
    a->heap[0] = a->heap[--a->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < a->count; child++)
            if (before(&a->heap[child], &a->heap[least]))
                least = child;
        if (least == at)
            return true;
        swap(&a->heap[at], &a->heap[least]);
        at = least;
    }
}

void agenda_done(struct agenda *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->heap[i].message);
    free(a->heap);
    *a = (struct agenda){0};
}
