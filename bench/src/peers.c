/* Peers that no gateway wants, many at a time, for the soak. Each that is cut comes back. Prints one JSON line at the end.
 *   peers silent   connects and says nothing
 *   peers hello    half a ClientHello
 *   peers head     a whole handshake and half the head of a request
 *   peers body     a request with half its body
 *   peers noread   asks for --path and never reads the reply
 *   peers trickle  asks for --path and takes --bytes a second from the socket: slow, and to be served
 * --port N --sni NAME --path P --conns N --bytes N --secs S */
#include "common.h"

typedef struct { int fd, told; SSL *ssl; uint64_t taken, born; BIO *in; } peer;
static int port, nconn = 500, ep;
static const char *kind, *sni = "localhost", *path = "/bulk";
static double secs = 60, bytes = 300;
static SSL_CTX *ctx;
static uint64_t opened, cut, refused, taken, longest;
static unsigned src;

static void watch(peer *p, uint32_t events, int op) {
  struct epoll_event e = {.events = events, .data.ptr = p};
  epoll_ctl(ep, op, p->fd, &e);
}
static void begin(peer *p) {
  memset(p, 0, sizeof *p);
  p->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (p->fd < 0) die("socket");
  nonblock(p->fd);
  int small = 2304, one = 1;
  if (!strcmp(kind, "noread") || !strcmp(kind, "trickle")) setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  /* As on a slow line: the window opens by small segments, not by the 64 KiB ones of loopback. */
  int segment = 536;
  if (!strcmp(kind, "trickle")) setsockopt(p->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
  setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct sockaddr_in s = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000102u + (src++ & 63))};
  bind(p->fd, (void *)&s, sizeof s);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  p->born = now_us();
  if (connect(p->fd, (void *)&a, sizeof a) && errno != EINPROGRESS) refused++;
  opened++;
  if (strcmp(kind, "silent") && strcmp(kind, "hello")) {
    p->ssl = SSL_new(ctx);
    SSL_set_tlsext_host_name(p->ssl, sni);
    SSL_set_connect_state(p->ssl);
    if (strcmp(kind, "trickle")) SSL_set_fd(p->ssl, p->fd);
    else { p->in = BIO_new(BIO_s_mem()); BIO_set_mem_eof_return(p->in, -1); SSL_set_bio(p->ssl, p->in, BIO_new_socket(p->fd, BIO_NOCLOSE)); }
  }
  watch(p, EPOLLOUT | EPOLLRDHUP, EPOLL_CTL_ADD);
}
static void gone(peer *p) {
  uint64_t lived = now_us() - p->born;
  if (lived > longest) longest = lived;
  cut++;
  if (p->ssl) { SSL_set_shutdown(p->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); SSL_free(p->ssl); }
  ERR_clear_error();
  close(p->fd);
  begin(p);
}
/* Says what this kind says, once the connection or the handshake allows it. */
static void speak(peer *p) {
  static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half a client hello";
  char text[512];
  if (!strcmp(kind, "hello")) { if (write(p->fd, hello, sizeof hello - 1) < 0) return; }
  else if (p->ssl) {
    int r = SSL_do_handshake(p->ssl);
    if (r != 1) return;
    int n = !strcmp(kind, "head") ? snprintf(text, sizeof text, "GET /small HTTP/1.1\r\nHost: %s\r\nX-Half", sni)
      : !strcmp(kind, "body") ? snprintf(text, sizeof text, "PUT /container/half HTTP/1.1\r\nHost: %s\r\nx-ms-blob-type: BlockBlob\r\nContent-Length: 100000\r\n\r\nhalf", sni)
      : snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, sni);
    SSL_write(p->ssl, text, n);
  }
  p->told = 1;
  watch(p, EPOLLRDHUP, EPOLL_CTL_MOD);
}
/* Takes what its rate allows; a handshake is taken whole. 0: the connection has ended. */
static int trickle(peer *p) {
  char buf[16384], plain[16384];
  double due = p->told ? (now_us() - p->born) / 1e6 * bytes - (double)p->taken : sizeof buf;
  if (due < 30) return 1;
  ssize_t n = recv(p->fd, buf, due > (double)sizeof buf ? sizeof buf : (size_t)due, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN)) return 0;
  if (n < 0) return 1;
  BIO_write(p->in, buf, (int)n);
  if (!p->told) { speak(p); if (p->told) p->born = now_us(); return 1; }
  p->taken += n;
  taken += n;
  while (SSL_read(p->ssl, plain, sizeof plain) > 0);
  return 1;
}
int main(int argc, char **argv) {
  if (argc < 2) { fprintf(stderr, "usage: peers silent|hello|head|body|noread|trickle --port N ...\n"); return 2; }
  kind = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *k = argv[i], *v = argv[i + 1];
    if (!strcmp(k, "--port")) port = atoi(v);
    else if (!strcmp(k, "--sni")) sni = v;
    else if (!strcmp(k, "--path")) path = v;
    else if (!strcmp(k, "--conns")) nconn = atoi(v);
    else if (!strcmp(k, "--bytes")) bytes = atof(v);
    else if (!strcmp(k, "--secs")) secs = atof(v);
    else { fprintf(stderr, "unknown option %s\n", k); return 2; }
  }
  signal(SIGPIPE, SIG_IGN);
  ctx = SSL_CTX_new(TLS_client_method());
  ep = epoll_create1(0);
  peer *ps = calloc(nconn, sizeof *ps);
  uint64_t t0 = now_us();
  int n_open = 0, slow = !strcmp(kind, "trickle");
  while (now_us() - t0 < secs * 1e6) {
    for (int i = 0; i < 8 && n_open < nconn; i++) begin(&ps[n_open++]);
    struct epoll_event evs[256];
    int n = epoll_wait(ep, evs, 256, slow ? 20 : 50);
    for (int i = 0; i < n; i++) {
      peer *p = evs[i].data.ptr;
      if (evs[i].events & (EPOLLERR | EPOLLHUP)) { gone(p); continue; }
      if (!p->told && (evs[i].events & (EPOLLIN | EPOLLOUT))) {
        speak(p);
        if (!p->told) watch(p, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_MOD);
      }
      if ((evs[i].events & EPOLLRDHUP) && (!slow || !p->told)) gone(p);
    }
    if (slow) for (int i = 0; i < n_open; i++) if (!trickle(&ps[i])) gone(&ps[i]);
  }
  printf("{\"kind\":\"%s\",\"opened\":%llu,\"cut\":%llu,\"refused\":%llu,\"longest_s\":%.1f,\"taken\":%llu}\n", kind,
         (unsigned long long)opened, (unsigned long long)cut, (unsigned long long)refused, longest / 1e6, (unsigned long long)taken);
  return 0;
}
