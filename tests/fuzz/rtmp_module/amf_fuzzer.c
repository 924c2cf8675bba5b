/*
 * libFuzzer over the AMF reader: what each command reads, from a chain of pieces whose sizes the input chooses.
 * Nothing is stubbed but the log, which keeps nothing.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_rtmp_amf.h"
#include "nginx.c.h"


static double  number;
static u_char  text[32], boolean;

static ngx_rtmp_amf_elt_t  variants[] = {
    { NGX_RTMP_AMF_NUMBER, ngx_null_string, &number, 0 },
    { NGX_RTMP_AMF_STRING, ngx_null_string, text, sizeof(text) },
};

static ngx_rtmp_amf_elt_t  members[] = {
    { NGX_RTMP_AMF_STRING, ngx_string("app"), text, sizeof(text) },
    { NGX_RTMP_AMF_NUMBER, ngx_string("width"), &number, 0 },
    { NGX_RTMP_AMF_VARIANT, ngx_string("videocodecid"), variants, sizeof(variants) },
};

static ngx_rtmp_amf_elt_t  elements[] = {
    { NGX_RTMP_AMF_NUMBER, ngx_null_string, &number, 0 },
    { NGX_RTMP_AMF_OBJECT, ngx_null_string, members, sizeof(members) },
    { NGX_RTMP_AMF_STRING, ngx_null_string, text, sizeof(text) },
    { NGX_RTMP_AMF_OPTIONAL | NGX_RTMP_AMF_BOOLEAN, ngx_null_string, &boolean, 0 },
    { NGX_RTMP_AMF_ARRAY, ngx_null_string, variants, sizeof(variants) },
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               piece, n, skip;
    ngx_log_t            log;
    ngx_buf_t           *b;
    ngx_pool_t          *pool;
    ngx_chain_t         *head, **last;
    ngx_rtmp_amf_ctx_t   ctx;

    if (size < 2) {
        return 0;
    }

    piece = 1 + data[0];
    skip = data[1] % 5;
    data += 2;
    size -= 2;

    ngx_memzero(&log, sizeof(log));
    pool = ngx_create_pool(4096, &log);
    head = NULL;
    last = &head;

    do {
        n = ngx_min(piece, size);
        b = ngx_create_temp_buf(pool, n ? n : 1);
        b->last = ngx_cpymem(b->pos, data, n);
        *last = ngx_alloc_chain_link(pool);
        (*last)->buf = b;
        (*last)->next = NULL;
        last = &(*last)->next;
        data += n;
        size -= n;
    } while (size);

    ngx_memzero(&ctx, sizeof(ctx));
    ctx.link = head;
    ctx.log = &log;

    ngx_rtmp_amf_read(&ctx, elements + skip, 5 - skip);

    ngx_destroy_pool(pool);

    return 0;
}
