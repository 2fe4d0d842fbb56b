/* show_bar.c - the progress bar, see show.h */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/show.h"

enum { LINE_EVERY_MS = 10000, DRAW_EVERY_MS = 100, BAR_WIDTH_MAX = 40, NOT_YET = -1 };

void show_bar_init(struct show_bar *b, struct cli *c)
{
    *b = (struct show_bar){.cli = c, .tty = cli_bar(c), .drawn_ms = NOT_YET};
}

int show_terminal_columns(FILE *out)
{
    struct winsize size;
    if (!isatty(fileno(out)))
        return 0;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

static void draw(FILE *out, double share, const char *text)
{
    if (share < 0) {
        fprintf(out, "\r\033[K%.*s", show_terminal_columns(out) - 1, text);
        fflush(out);
        return;
    }
    char bar[BAR_WIDTH_MAX + 1] = "";
    int columns = show_terminal_columns(out),
        width = columns / 3 < BAR_WIDTH_MAX ? columns / 3 : BAR_WIDTH_MAX;
    int full = (int)(share * width + 0.5);
    for (int i = 0; i < width; i++)
        bar[i] = i < full ? '#' : '.';
    int room = columns - width - 9; /* " 100 % " and the brackets */
    fprintf(out, "\r\033[K[%s] %3d %% %.*s", bar, (int)(share * 100), room > 0 ? room : 0, text);
    fflush(out);
}

void show_bar_draw(struct show_bar *b, double share, const char *text, int64_t now_ms)
{
    if (b->drawn_ms == NOT_YET) /* what is quick leaves no line in a log */
        b->drawn_ms = b->tty ? now_ms - DRAW_EVERY_MS : now_ms;
    if (b->cli->quiet || b->cli->json || now_ms - b->drawn_ms < (b->tty ? DRAW_EVERY_MS : LINE_EVERY_MS))
        return;
    share = share > 1 ? 1 : share;
    if (b->tty)
        draw(b->cli->err, share, text);
    else if (share < 0)
        fprintf(b->cli->err, "%s\n", text);
    else
        fprintf(b->cli->err, "%3d %% %s\n", (int)(share * 100), text);
    b->drawn = b->tty;
    b->drawn_ms = now_ms;
}

void show_bar_end(struct show_bar *b)
{
    if (b->drawn) {
        fputs("\r\033[K", b->cli->err);
        fflush(b->cli->err);
    }
    b->drawn = false;
}
