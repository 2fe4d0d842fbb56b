/* top.c - see top.h */
#include "client/top.h"

#include <ncurses.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "client/control.h"
#include "client/top_text.h"
#include "wire/error_msg.h"

enum { EVERY_MS = 1000, PLAIN_WIDTH = 100, ESCAPE = 27 };

static const char status_wish[] = "{\"command\":\"status\"}";
static const char keys[] = "p pause  h pause for an hour  r go on  f finish  q quit";

/* The answer to a wish as text. */
static enum err ask(const char *path, const char *wish, uint32_t width, struct buf *out)
{
    BUF_AUTO struct buf reply = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = control_ask(path, wish, &reply);
    if (e == ERR_OK)
        e = json_parse(buf_text(&reply), reply.len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    if (json_field(json_root(doc), "error"))
        return error_from_reply(400, buf_text(&reply), reply.len);
    buf_clear(out);
    return top_text(json_root(doc), width, clock_wall_ms(), out);
}

static void draw(const char *text, const char *note)
{
    int row = 0;
    erase();
    for (const char *at = text; *at && row < LINES - 1; row++) {
        size_t n = strcspn(at, "\n");
        bool title = n > 0 && *at != ' ';
        if (title)
            attron(A_BOLD);
        mvaddnstr(row, 0, at, (int)n);
        if (title)
            attroff(A_BOLD);
        at += n + (at[n] == '\n');
    }
    attron(A_REVERSE);
    mvhline(LINES - 1, 0, ' ', COLS);
    mvaddnstr(LINES - 1, 1, *note ? note : keys, COLS - 2);
    attroff(A_REVERSE);
    refresh();
}

static const char *wish_of(int key)
{
    return key == 'p'   ? "{\"command\":\"pause\"}"
           : key == 'h' ? "{\"command\":\"pause\",\"for_ms\":3600000}"
           : key == 'r' ? "{\"command\":\"resume\"}"
           : key == 'f' ? "{\"command\":\"finish\"}"
                        : status_wish;
}

static void live(const char *path)
{
    BUF_AUTO struct buf text = {0};
    char note[ERR_TEXT_BYTES_MAX] = "";
    const char *wish = status_wish;
    timeout(EVERY_MS);
    for (int key = 0; key != 'q' && key != ESCAPE;) {
        uint32_t width = COLS > 2 ? (uint32_t)COLS - 1 : 1;
        enum err e = ask(path, wish, width, &text);
        snprintf(note, sizeof note, "%s", e == ERR_OK ? "" : err_text());
        draw(buf_text(&text), note);
        key = getch();
        wish = wish_of(key);
    }
}

static enum err print_once(const char *path)
{
    BUF_AUTO struct buf text = {0};
    enum err e = ask(path, status_wish, PLAIN_WIDTH, &text);
    if (e == ERR_OK)
        fputs(buf_text(&text), stdout);
    return e;
}

enum err top_run(const char *path)
{
    BUF_AUTO struct buf text = {0};
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return print_once(path);
    enum err e =
        ask(path, status_wish, PLAIN_WIDTH, &text); /* no daemon: said before the screen is cleared */
    if (e != ERR_OK)
        return e;
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return print_once(path);
    set_term(screen);
    cbreak();
    noecho();
    curs_set(0);
    live(path);
    endwin();
    delscreen(screen);
    return ERR_OK;
}
