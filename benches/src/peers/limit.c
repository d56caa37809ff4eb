/* The physical limit of a dump of an unchanged tree: walks, looks at both
 * sides, lists the extended attributes of both, and links; compares nothing,
 * reports nothing, survives nothing. What any tool that does the work could
 * hope for, with as many threads.
 *
 *   limit THREADS SOURCE REFERENCE TARGET
 *
 * TARGET must not exist. One worker takes one directory at a time.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

struct job { char *path; struct job *next; };

static const char *roots[3];
static struct job *stack;
static int busy;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

static void die(const char *what, const char *path) {
  fprintf(stderr, "limit: %s %s: %s\n", what, path, strerror(errno));
  exit(1);
}

static void add(const char *dir, const char *name) {
  struct job *job = malloc(sizeof *job);
  size_t length = strlen(dir) + strlen(name) + 2;
  job->path = malloc(length);
  snprintf(job->path, length, "%s%s%s", dir, *dir ? "/" : "", name);
  pthread_mutex_lock(&lock);
  job->next = stack;
  stack = job;
  pthread_cond_signal(&wake);
  pthread_mutex_unlock(&lock);
}

static int open_side(const char *root, const char *path) {
  char whole[8192];
  snprintf(whole, sizeof whole, "%s/%s", root, path);
  int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) die("open", whole);
  return fd;
}

static void look(int dir, const char *name) {
  struct statx st;
  if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st)) die("statx", name);
}

static void xattrs(int dir, const char *name) {
  char list[512];
  syscall(SYS_listxattrat, dir, name, AT_SYMLINK_NOFOLLOW, list, sizeof list);
}

static void one(const char *path) {
  char whole[8192];
  snprintf(whole, sizeof whole, "%s/%s", roots[2], path);
  if (mkdir(whole, 0700)) die("mkdir", whole);
  int source = open_side(roots[0], path), reference = open_side(roots[1], path),
      target = open_side(roots[2], path);
  DIR *dir = fdopendir(source);
  for (struct dirent *e; (e = readdir(dir));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (e->d_type == DT_DIR) { add(path, e->d_name); continue; }
    look(source, e->d_name);
    look(reference, e->d_name);
    xattrs(source, e->d_name);
    xattrs(reference, e->d_name);
    if (linkat(reference, e->d_name, target, e->d_name, 0)) die("link", e->d_name);
  }
  struct stat st;
  fstat(source, &st);
  struct timespec times[2] = {st.st_atim, st.st_mtim};
  fchmod(target, st.st_mode & 07777);
  futimens(target, times);
  closedir(dir);
  close(reference);
  close(target);
}

static void *work(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  for (;;) {
    while (!stack && busy) pthread_cond_wait(&wake, &lock);
    if (!stack) break;
    struct job *job = stack;
    stack = job->next;
    busy++;
    pthread_mutex_unlock(&lock);
    one(job->path);
    free(job->path);
    free(job);
    pthread_mutex_lock(&lock);
    busy--;
  }
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&lock);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 5) { fprintf(stderr, "usage: limit THREADS SOURCE REFERENCE TARGET\n"); return 2; }
  int threads = atoi(argv[1]);
  if (threads < 1 || threads > 64) return 2;
  for (int i = 0; i < 3; i++) roots[i] = argv[i + 2];
  add("", "");
  pthread_t ids[64];
  for (int i = 1; i < threads; i++) pthread_create(&ids[i], NULL, work, NULL);
  work(NULL);
  for (int i = 1; i < threads; i++) pthread_join(ids[i], NULL);
  return 0;
}
