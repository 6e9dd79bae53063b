/* Loaded before the C library (LD_PRELOAD), this notes every call that changes a file of one folder.
 *
 * EPHYRUS_CALLS_FOLDER: the folder (absolute); EPHYRUS_CALLS_LOG: where to note, outside of it.
 * A note is a line "KIND OFFSET LENGTH SIZE1 SIZE2" and, right after it, a path of SIZE1 bytes, a
 * second path of SIZE2 bytes (of a renaming), and LENGTH bytes of data where data were written.
 * Calls are noted after they succeeded, one at a time, in the order in which they took place. Two
 * are noted by name because no test expects them: "mapped" (a shared map that can be written) and
 * "linked".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int log_fd = -1;

#define REAL(type, name, ...)                                  \
    static type (*real)(__VA_ARGS__);                          \
    if (!real) {                                               \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);   \
    }

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("EPHYRUS_CALLS_LOG");
    folder = getenv("EPHYRUS_CALLS_FOLDER");
    if (!path || !folder) {
        folder = NULL;
        return;
    }
    folder_length = strlen(folder);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_ours(const char *path)
{
    return log_fd >= 0 && !strncmp(path, folder, folder_length) && path[folder_length] == '/';
}

static void put(const void *data, size_t length)
{
    const char *at = data;
    while (length) {
        ssize_t done = syscall(SYS_write, log_fd, at, length);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            abort();
        }
        at += done;
        length -= (size_t)done;
    }
}

static void note(const char *kind, const char *path, const char *second, long long offset,
                 const void *data, size_t length)
{
    char line[128];
    int saved = errno;
    int size = snprintf(line, sizeof line, "%s %lld %zu %zu %zu\n", kind, offset,
                        data ? length : (size_t)0, strlen(path), strlen(second));
    put(line, (size_t)size);
    put(path, strlen(path));
    put(second, strlen(second));
    if (data)
        put(data, length);
    errno = saved;
}

/* The path of an open file; "" if it is not in the folder. */
static void path_of(int fd, char *path)
{
    char link[64];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = log_fd < 0 || fd == log_fd ? -1 : readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    if (length > 0 && !is_ours(path))
        path[0] = 0;
    errno = saved;
}

static void absolute(int dir, const char *name, char *path)
{
    char base[PATH_MAX] = "";
    int saved = errno;
    if (name[0] != '/' && dir == AT_FDCWD) {
        if (!getcwd(base, sizeof base))
            base[0] = 0;
    } else if (name[0] != '/') {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, base, sizeof base - 1);
        base[length < 0 ? 0 : length] = 0;
    }
    if (snprintf(path, PATH_MAX, "%s%s%s", base, base[0] ? "/" : "", name) >= PATH_MAX)
        path[0] = 0;
    errno = saved;
}

/* --- opening --- */

static void note_opening(int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    absolute(dir, name, path);
    if (!is_ours(path))
        return;
    if (flags & O_CREAT)
        note("create", path, "", 0, NULL, 0);
    if (flags & O_TRUNC)
        note("truncate", path, "", 0, NULL, 0);
}

#define MODE                                   \
    mode_t mode = 0;                           \
    if (flags & (O_CREAT | __O_TMPFILE)) {     \
        va_list rest;                          \
        va_start(rest, flags);                 \
        mode = (mode_t)va_arg(rest, int);      \
        va_end(rest);                          \
    }

#define OPEN(name)                                              \
    int name(const char *path, int flags, ...)                  \
    {                                                           \
        REAL(int, #name, const char *, int, ...)                \
        MODE                                                    \
        pthread_mutex_lock(&one_at_a_time);                     \
        int fd = real(path, flags, mode);                       \
        if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)))           \
            note_opening(AT_FDCWD, path, flags);                \
        pthread_mutex_unlock(&one_at_a_time);                   \
        return fd;                                              \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                            \
    int name(int dir, const char *path, int flags, ...)         \
    {                                                           \
        REAL(int, #name, int, const char *, int, ...)           \
        MODE                                                    \
        pthread_mutex_lock(&one_at_a_time);                     \
        int fd = real(dir, path, flags, mode);                  \
        if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)))           \
            note_opening(dir, path, flags);                     \
        pthread_mutex_unlock(&one_at_a_time);                   \
        return fd;                                              \
    }
OPENAT(openat)
OPENAT(openat64)

/* --- writing --- */

static void note_written(int fd, const void *data, ssize_t done, long long offset)
{
    char path[PATH_MAX];
    path_of(fd, path);
    if (done > 0 && path[0])
        note("write", path, "", offset, data, (size_t)done);
}

/* Notes what was written without passing through memory, by reading it again. */
static void note_copied(int fd, ssize_t done, long long offset)
{
    char path[PATH_MAX], link[64];
    path_of(fd, path);
    if (done <= 0 || !path[0])
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    char *data = malloc((size_t)done);
    if (again < 0 || !data || pread(again, data, (size_t)done, offset) != done)
        abort();
    note("write", path, "", offset, data, (size_t)done);
    free(data);
    close(again);
}

static long long place_of(int fd)
{
    int saved = errno;
    long long place = lseek(fd, 0, SEEK_CUR);
    errno = saved;
    return place;
}

ssize_t write(int fd, const void *data, size_t length)
{
    REAL(ssize_t, "write", int, const void *, size_t)
    pthread_mutex_lock(&one_at_a_time);
    ssize_t done = real(fd, data, length);
    note_written(fd, data, done, place_of(fd) - done); /* right for O_APPEND as well */
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

#define PWRITE(name)                                                    \
    ssize_t name(int fd, const void *data, size_t length, off64_t at)   \
    {                                                                   \
        REAL(ssize_t, #name, int, const void *, size_t, off64_t)        \
        pthread_mutex_lock(&one_at_a_time);                             \
        ssize_t done = real(fd, data, length, at);                      \
        note_written(fd, data, done, at);                               \
        pthread_mutex_unlock(&one_at_a_time);                           \
        return done;                                                    \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int)
    pthread_mutex_lock(&one_at_a_time);
    ssize_t done = real(fd, parts, count);
    note_copied(fd, done, place_of(fd) - done);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

#define PWRITEV(name)                                                           \
    ssize_t name(int fd, const struct iovec *parts, int count, off64_t at)      \
    {                                                                           \
        REAL(ssize_t, #name, int, const struct iovec *, int, off64_t)           \
        pthread_mutex_lock(&one_at_a_time);                                     \
        ssize_t done = real(fd, parts, count, at);                              \
        note_copied(fd, done, at);                                              \
        pthread_mutex_unlock(&one_at_a_time);                                   \
        return done;                                                            \
    }
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define SENDFILE(name)                                                  \
    ssize_t name(int out, int in, off64_t *at, size_t length)           \
    {                                                                   \
        REAL(ssize_t, #name, int, int, off64_t *, size_t)               \
        pthread_mutex_lock(&one_at_a_time);                             \
        ssize_t done = real(out, in, at, length);                       \
        if (done > 0)                                                   \
            note_copied(out, done, place_of(out) - done);               \
        pthread_mutex_unlock(&one_at_a_time);                           \
        return done;                                                    \
    }
SENDFILE(sendfile)
SENDFILE(sendfile64)

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length,
                        unsigned int flags)
{
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned int)
    pthread_mutex_lock(&one_at_a_time);
    ssize_t done = real(in, from, out, to, length, flags);
    if (done > 0)
        note_copied(out, done, (to ? *to : place_of(out)) - done);
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

void *mmap64(void *where, size_t length, int protection, int flags, int fd, off64_t at)
{
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t)
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE)) {
        char path[PATH_MAX];
        path_of(fd, path);
        pthread_mutex_lock(&one_at_a_time);
        if (path[0])
            note("mapped", path, "", at, NULL, 0);
        pthread_mutex_unlock(&one_at_a_time);
    }
    return real(where, length, protection, flags, fd, at);
}

/* --- sizes, names, and what must have reached the disk --- */

#define BY_FD(name, kind, ...)                                  \
    pthread_mutex_lock(&one_at_a_time);                         \
    int failed = real(__VA_ARGS__);                             \
    char path[PATH_MAX];                                        \
    path_of(fd, path);                                          \
    if (!failed && path[0])                                     \
        note(kind, path, "", name, NULL, 0);                    \
    pthread_mutex_unlock(&one_at_a_time);                       \
    return failed;

#define TRUNCATE(name)                                          \
    int name(int fd, off64_t length)                            \
    {                                                           \
        REAL(int, #name, int, off64_t)                          \
        BY_FD(length, "truncate", fd, length)                   \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name)                                              \
    int name(int fd)                                            \
    {                                                           \
        REAL(int, #name, int)                                   \
        BY_FD(0, "sync", fd)                                    \
    }
SYNC(fsync)
SYNC(fdatasync)

static void note_names(const char *kind, int dir, const char *old, int other, const char *new)
{
    char path[PATH_MAX], second[PATH_MAX] = "";
    absolute(dir, old, path);
    if (new)
        absolute(other, new, second);
    if (is_ours(path) || is_ours(second))
        note(kind, path, second, 0, NULL, 0);
}

#define NAMES(kind, dir, old, other, new, ...)                  \
    pthread_mutex_lock(&one_at_a_time);                         \
    int failed = real(__VA_ARGS__);                             \
    if (!failed)                                                \
        note_names(kind, dir, old, other, new);                 \
    pthread_mutex_unlock(&one_at_a_time);                       \
    return failed;

int rename(const char *old, const char *new)
{
    REAL(int, "rename", const char *, const char *)
    NAMES("rename", AT_FDCWD, old, AT_FDCWD, new, old, new)
}

int renameat(int dir, const char *old, int other, const char *new)
{
    REAL(int, "renameat", int, const char *, int, const char *)
    NAMES("rename", dir, old, other, new, dir, old, other, new)
}

int unlink(const char *old)
{
    REAL(int, "unlink", const char *)
    NAMES("unlink", AT_FDCWD, old, 0, NULL, old)
}

int unlinkat(int dir, const char *old, int flags)
{
    REAL(int, "unlinkat", int, const char *, int)
    NAMES("unlink", dir, old, 0, NULL, dir, old, flags)
}

int link(const char *old, const char *new)
{
    REAL(int, "link", const char *, const char *)
    NAMES("linked", AT_FDCWD, old, AT_FDCWD, new, old, new)
}
