/* doctor.c - see doctor.h */
#include "client/doctor.h"

#include <stdio.h>

#include "base/json.h"
#include "base/str.h"
#include "run/run.h"

static enum err write_doctor(const struct run_layer *layers, uint32_t count, struct host *h)
{
    BUF_AUTO struct buf out = {0};
    struct json_out o;
    json_out_init(&o, &out);
    json_out_object(&o, NULL);
    json_out_array(&o, "sandbox");
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(&o, NULL);
        json_out_string(&o, "name", layers[i].name);
        json_out_bool(&o, "works", layers[i].works);
        json_out_bool(&o, "needed", layers[i].needed);
        json_out_string(&o, "remedy", layers[i].remedy);
        json_out_close(&o);
    }
    json_out_close(&o);
    struct host_facts facts;
    host_facts_of(h, &facts);
    host_facts_write(&o, "host", &facts);
    json_out_close(&o);
    enum err e = json_out_end(&o);
    if (e == ERR_OK)
        printf("%s\n", buf_text(&out));
    return e;
}

static void print_doctor(const struct run_layer *layers, uint32_t count, const struct host *h)
{
    char memory[32], disk[32];
    str_from_bytes(h->memory_bytes, memory, sizeof memory);
    str_from_bytes(h->disk_bytes, disk, sizeof disk);
    printf("%s: %s\n%u of %u cores, %s of memory and %s of disk may be used; one core does %.2f of the "
           "reference "
           "machine's work\n\nWhat locks programs in:\n",
           h->os, h->cpu, h->cores, h->cores_built_in, memory, disk, h->speed);
    for (uint32_t i = 0; i < count; i++)
        printf("  %-24s %s%s%s\n", layers[i].name,
               layers[i].works    ? "works"
               : layers[i].needed ? "DOES NOT WORK, and nothing runs without it"
                                  : "does not work",
               *layers[i].remedy ? ": " : "", layers[i].remedy);
}

enum err doctor_print(struct host *h, bool json)
{
    struct run_layer layers[RUN_LAYERS_MAX];
    uint32_t count = run_layers(layers);
    if (json)
        return write_doctor(layers, count, h);
    print_doctor(layers, count, h);
    return ERR_OK;
}
