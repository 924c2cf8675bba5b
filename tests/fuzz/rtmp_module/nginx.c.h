/* nginx's own main module, without its main(). */

#define main  nginx_main
#include "nginx.c"
#undef main
