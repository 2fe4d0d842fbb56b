/* web_files.c - see web_files.h */
#include "server/web_files.h"

#include <string.h>

#include "base/str.h"

/* The console reads the address itself, so that every address in it can be opened and reloaded. */
static const char *page_of(const char *path)
{
    if (str_eq(path, "/"))
        return "/web/home.html";
    if (str_eq(path, "/join"))
        return "/web/join.html";
    if (str_eq(path, "/admin") || str_starts(path, "/admin/"))
        return "/web/index.html";
    return path;
}

const struct web_file *web_file_find(const char *path)
{
    const char *wanted = page_of(path);
    for (size_t i = 0; i < web_file_count; i++)
        if (str_eq(web_files[i].path, wanted))
            return &web_files[i];
    return NULL;
}
