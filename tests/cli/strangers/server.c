// Static, as Go's programs are: server HOW. epoll: accepts as long as it can; threads: a thread serves and aborts;
// uring: receives and answers through io_uring, then closes.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listener(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("LAB_PORT")))};
  const int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  inet_pton(AF_INET, getenv("LAB_HOST"), &at.sin_addr);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr*)&at, sizeof at) || listen(fd, 16)) exit(1);
  return fd;
}

static void with_epoll(void) {
  char bytes[100];
  const int ready = epoll_create1(0), in = listener();
  struct epoll_event event = {.events = EPOLLIN, .data.fd = in};
  epoll_ctl(ready, EPOLL_CTL_ADD, in, &event);
  while (epoll_wait(ready, &event, 1, -1) == 1) {
    if (event.data.fd != in) {
      const ssize_t n = read(event.data.fd, bytes, sizeof bytes);
      if (n <= 0 || write(event.data.fd, bytes, n) < 0) close(event.data.fd);
      continue;
    }
    const int fd = accept4(in, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event more = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0)
      usleep(100000);
    else
      epoll_ctl(ready, EPOLL_CTL_ADD, fd, &more);
  }
}

static void* serve(void* connection) {
  char bytes[100];
  if (read((int)(long)connection, bytes, sizeof bytes) > 0) abort();
  return NULL;
}

static void with_threads(void) {
  const int in = listener();
  for (int fd; (fd = accept(in, NULL, NULL)) >= 0;) {
    pthread_t thread;
    pthread_create(&thread, NULL, serve, (void*)(long)fd);
  }
}

// One request at a time, submitted and waited for.
static int ring, *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe* sqes;
static struct io_uring_cqe* cqes;
static int one(int op, int fd, void* bytes, unsigned size) {
  const unsigned at = *sq_tail & *sq_mask;
  memset(&sqes[at], 0, sizeof sqes[at]);
  sqes[at].opcode = op, sqes[at].fd = fd, sqes[at].addr = (unsigned long)bytes, sqes[at].len = size;
  sq_array[at] = at;
  __atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
  syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
  const int result = cqes[*cq_head & *cq_mask].res;
  __atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
  return result;
}

static void with_uring(void) {
  struct io_uring_params p = {0};
  if ((ring = syscall(SYS_io_uring_setup, 4, &p)) < 0) {
    puts("no io_uring here");
    exit(9);
  }
  char* sq =
      mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  char* cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof *cqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
                  IORING_OFF_CQ_RING);
  sqes = mmap(NULL, p.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  sq_tail = (int*)(sq + p.sq_off.tail), sq_mask = (int*)(sq + p.sq_off.ring_mask),
  sq_array = (int*)(sq + p.sq_off.array);
  cq_head = (int*)(cq + p.cq_off.head), cq_tail = (int*)(cq + p.cq_off.tail), cq_mask = (int*)(cq + p.cq_off.ring_mask);
  cqes = (struct io_uring_cqe*)(cq + p.cq_off.cqes);
  char bytes[100];
  const int in = listener(), fd = one(IORING_OP_ACCEPT, in, NULL, 0);
  one(IORING_OP_RECV, fd, bytes, sizeof bytes);
  one(IORING_OP_CLOSE, fd, NULL, 0);
  pause();
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  if (!strcmp(how, "epoll")) with_epoll();
  if (!strcmp(how, "threads")) with_threads();
  if (!strcmp(how, "uring")) with_uring();
  return 2;
}
