/*
 * libFuzzer over whole sessions after the handshake: the chunk reader and every handler of the module behind it.
 *
 * Real: nginx's configuration, pools, timers and posted events; all of the module. Stubbed: the socket (the input is
 * what arrives, in reads whose size its first byte chooses; what is sent is thrown away, or refused for a while where
 * its second byte says so), the event mechanism, and the hooks (everybody may publish). A player on the same stream
 * listens, so that what a publisher sends is passed on.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "nginx.c.h"
#include "ngx_rtmp.h"


static const char  config[] =
    "daemon off; master_process off; error_log /dev/null; pid /dev/null;\n"
    "events { worker_connections 64; }\n"
    "rtmp { server { listen unix:%s; chunk_size 4096; max_message 64k; stranger_max_message 4k; out_queue 128;\n"
    "  stranger_connections 4; access_log off;\n"
    "  application live { live on; idle_streams on; publish_notify on; drop_idle_publisher 10s; } } }\n";

/* connect and play, as short as they may be, each in one chunk */
static const u_char  play[] =
    "\x03\0\0\0\0\0\x23\x14\0\0\0\0"
    "\x02\0\x07" "connect" "\0\0\0\0\0\0\0\0\0" "\x03" "\0\x03" "app" "\x02\0\x04" "live" "\0\0\x09"
    "\x03\0\0\0\0\0\x15\x14\x01\0\0\0"
    "\x02\0\x04" "play" "\0\0\0\0\0\0\0\0\0" "\x05" "\x02\0\x01" "s";


typedef struct {
    ngx_connection_t    c;
    ngx_event_t         read, write;
    ngx_log_t           log;
    struct sockaddr_in  address;
    const u_char       *pos, *last;
    size_t              at_once;
    ngx_uint_t          refusals;
    unsigned            ended:1;
} party_t;


static ssize_t
party_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    party_t  *p = (party_t *) c;

    if (p->pos == p->last) {
        return p->ended ? 0 : NGX_AGAIN;
    }

    size = ngx_min(ngx_min(size, p->at_once), (size_t) (p->last - p->pos));
    ngx_memcpy(buf, p->pos, size);
    p->pos += size;

    return size;
}


static ssize_t
party_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    party_t  *p = (party_t *) c;

    if (p->refusals) {
        p->refusals--;
        return NGX_AGAIN;
    }

    return size;
}


static ngx_int_t
no_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    ev->active = 0;
    return NGX_OK;
}


static void
party_arrives(party_t *p, const u_char *data, size_t size, size_t at_once, ngx_uint_t refusals)
{
    ngx_listening_t     *ls;
    ngx_rtmp_port_t     *port;
    ngx_rtmp_in_addr_t  *addr;
    ngx_rtmp_session_t  *s;

    ngx_memzero(p, sizeof(party_t));
    p->log = *ngx_cycle->log;
    p->at_once = at_once;
    p->refusals = refusals;
    p->pos = data;
    p->last = data + size;
    p->address.sin_family = AF_INET;
    p->address.sin_addr.s_addr = htonl(0xc0000201);

    p->read.data = &p->c;
    p->read.log = &p->log;
    p->read.ready = 1;
    p->write.data = &p->c;
    p->write.log = &p->log;
    p->write.ready = 1;
    p->write.write = 1;

    p->c.read = &p->read;
    p->c.write = &p->write;
    p->c.fd = 1000;
    p->c.shared = 1;  /* nobody closes the descriptor */
    p->c.log = &p->log;
    p->c.recv = party_recv;
    p->c.send = party_send;
    p->c.sockaddr = (struct sockaddr *) &p->address;
    p->c.socklen = sizeof(p->address);
    ngx_str_set(&p->c.addr_text, "192.0.2.1");
    p->c.pool = ngx_create_pool(512, &p->log);

    ls = ngx_cycle->listening.elts;
    port = ls->servers;
    addr = port->addrs;

    s = ngx_rtmp_init_session(&p->c, &addr->conf);
    ngx_rtmp_let_out(s);
    ngx_rtmp_cycle(s);
}


static void
run_posted(void)
{
    ngx_event_process_posted((ngx_cycle_t *) ngx_cycle, &ngx_posted_events);

    while (!ngx_queue_empty(&ngx_posted_next_events)) {
        ngx_event_move_posted_next((ngx_cycle_t *) ngx_cycle);
        ngx_event_process_posted((ngx_cycle_t *) ngx_cycle, &ngx_posted_events);
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char   *arguments[] = { "nginx", NULL };
    char           folder[] = "/tmp/rtmp-fuzz-XXXXXX", file[64], path[64];
    FILE          *f;
    ngx_log_t     *log;
    ngx_cycle_t   *cycle, init_cycle;

    if (mkdtemp(folder) == NULL) {
        abort();
    }

    snprintf(file, sizeof(file), "%s/nginx.conf", folder);
    snprintf(path, sizeof(path), "%s/socket", folder);
    f = fopen(file, "w");
    fprintf(f, config, path);
    fclose(f);

    ngx_strerror_init();
    ngx_conf_file = (u_char *) file;
    ngx_prefix = (u_char *) folder;
    ngx_time_init();
    ngx_pid = ngx_getpid();
    log = ngx_log_init(ngx_prefix, (u_char *) "stderr");

    ngx_memzero(&init_cycle, sizeof(ngx_cycle_t));
    init_cycle.log = log;
    ngx_cycle = &init_cycle;
    init_cycle.pool = ngx_create_pool(1024, log);

    ngx_save_argv(&init_cycle, 1, arguments);
    if (ngx_process_options(&init_cycle) != NGX_OK || ngx_os_init(log) != NGX_OK
        || ngx_crc32_table_init() != NGX_OK)
    {
        abort();
    }
    ngx_slab_sizes_init();
    ngx_preinit_modules();

    cycle = ngx_init_cycle(&init_cycle);
    if (cycle == NULL) {
        abort();
    }
    ngx_cycle = cycle;

    ngx_event_timer_init(cycle->log);
    ngx_queue_init(&ngx_posted_accept_events);
    ngx_queue_init(&ngx_posted_next_events);
    ngx_queue_init(&ngx_posted_events);
    ngx_queue_init(&cycle->reusable_connections_queue);
    ngx_event_actions.add = no_event;
    ngx_event_actions.del = no_event;
    ngx_event_flags = NGX_USE_CLEAR_EVENT;

    unlink(path);
    unlink(file);
    rmdir(folder);

    return 0;
}


static void
party_leaves(party_t *p)
{
    p->ended = 1;

    if (!p->c.destroyed) {
        p->read.handler(&p->read);
    }

    run_posted();
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    party_t  player, party;

    if (size < 2) {
        return 0;
    }

    party_arrives(&player, play, sizeof(play) - 1, 4096, 0);
    run_posted();

    party_arrives(&party, data + 2, size - 2, 1 + data[0] * 16, data[1] >> 1);
    run_posted();

    if (data[1] & 1) {
        ngx_current_msec += 30000;  /* pings, idle publishers, strangers */
        ngx_event_expire_timers();
        run_posted();
    }

    party_leaves(&party);
    party_leaves(&player);

    return 0;
}
