/* items WORD: an answer of 60 items, in items.txt, and WORD in out.txt. items --check WORD: is WORD in
 * answer/out.txt? */
#include <stdio.h>
#include <string.h>

#include "sdk/dugnad.h"

enum { ITEMS = 60 };

static int check(const char *word)
{
    char line[200] = "";
    FILE *f = fopen("answer/out.txt", "r");
    if (!f)
        return 1;
    int read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    line[strcspn(line, "\n")] = 0;
    return !read || strcmp(line, word) != 0;
}

int main(int argc, char **argv)
{
    struct dugnad grid;
    char text[260];
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        return check(argv[2]);
    if (argc != 2 || strlen(argv[1]) > 200)
        return 2;
    FILE *f = fopen("out.txt", "w");
    if (!f || fprintf(f, "%s\n", argv[1]) < 0 || fclose(f) != 0)
        return 1;
    dugnad_init(&grid);
    if (dugnad_items(&grid, "items.txt", ITEMS) != 0)
        return 1;
    for (int i = 0; i < ITEMS; i++) {
        snprintf(text, sizeof text, "%s-%d", argv[1], i * i);
        if (dugnad_item_wanted(&grid, i) && dugnad_item(&grid, i, text) != 0)
            return 1;
    }
    return dugnad_items_end(&grid) != 0;
}
