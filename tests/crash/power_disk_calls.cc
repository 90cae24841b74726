// The C library's calls that change files, for this program and every library in it: what is below the directory of a
// PowerDisk goes through it, all else to the kernel.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "power_disk.h"

using weir::testing::absolute_path;
using weir::testing::PowerDisk;

namespace {

// A sanitizer makes such calls before its own memory is there: without a disk nothing but this file, which is compiled
// without sanitizers, takes part in them.
PowerDisk* disk_of(int fd) { return PowerDisk::exists() ? PowerDisk::following(fd) : nullptr; }
PowerDisk* disk_of(int directory, const char* path) {
  return PowerDisk::exists() ? PowerDisk::following(absolute_path(directory, path)) : nullptr;
}

bool changes_names(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0 && (flags & O_TMPFILE) != O_TMPFILE; }

int open_file(int directory, const char* path, int flags, unsigned mode) {
  if (changes_names(flags))
    if (PowerDisk* disk = disk_of(directory, path)) return disk->open(directory, path, flags, mode);
  return static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
}

unsigned mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
}

ssize_t write_file(int fd, const void* bytes, size_t count, off_t offset) {
  if (PowerDisk* disk = disk_of(fd)) return disk->write(fd, bytes, count, offset);
  if (offset >= 0) return ::syscall(SYS_pwrite64, fd, bytes, count, offset);
  return ::syscall(SYS_write, fd, bytes, count);
}

int resize_file(int fd, off_t size) {
  if (PowerDisk* disk = disk_of(fd)) return disk->resize(fd, size);
  return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}

int allocate(int fd, int mode, off_t offset, off_t length) {
  if (PowerDisk* disk = disk_of(fd)) return disk->allocate(fd, mode, offset, length);
  return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, length));
}

int remove_name(int directory, const char* path, int flags) {
  if (PowerDisk* disk = disk_of(directory, path)) return disk->remove(directory, path, flags);
  return static_cast<int>(::syscall(SYS_unlinkat, directory, path, flags));
}

int move(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) {
  if (PowerDisk* disk = disk_of(from_directory, from))
    return disk->rename(from_directory, from, to_directory, to, flags);
  return static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}

int make_link(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  if (PowerDisk* disk = disk_of(to_directory, to)) return disk->link(from_directory, from, to_directory, to, flags);
  return static_cast<int>(::syscall(SYS_linkat, from_directory, from, to_directory, to, flags));
}

int make_directory(int directory, const char* path, unsigned mode) {
  if (PowerDisk* disk = disk_of(directory, path)) return disk->make_directory(directory, path, mode);
  return static_cast<int>(::syscall(SYS_mkdirat, directory, path, mode));
}

}  // namespace

#define OPEN(function)                               \
  int function(const char* path, int flags, ...) {   \
    va_list arguments;                               \
    va_start(arguments, flags);                      \
    const unsigned mode = mode_of(flags, arguments); \
    va_end(arguments);                               \
    return open_file(AT_FDCWD, path, flags, mode);   \
  }
#define OPEN_BELOW(function)                                      \
  int function(int directory, const char* path, int flags, ...) { \
    va_list arguments;                                            \
    va_start(arguments, flags);                                   \
    const unsigned mode = mode_of(flags, arguments);              \
    va_end(arguments);                                            \
    return open_file(directory, path, flags, mode);               \
  }

extern "C" {

OPEN(open)
OPEN(open64)
OPEN_BELOW(openat)
OPEN_BELOW(openat64)
int creat(const char* path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

ssize_t write(int fd, const void* bytes, size_t count) { return write_file(fd, bytes, count, -1); }
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) { return write_file(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void* bytes, size_t count, off_t offset) { return write_file(fd, bytes, count, offset); }
ssize_t writev(int fd, const struct iovec* pieces, int count) {
  if (disk_of(fd) == nullptr) return ::syscall(SYS_writev, fd, pieces, count);
  ssize_t done = 0;
  for (int i = 0; i < count; ++i) {
    ssize_t put = write_file(fd, pieces[i].iov_base, pieces[i].iov_len, -1);
    if (put < 0) return done > 0 ? done : put;
    done += put;
    if (static_cast<size_t>(put) < pieces[i].iov_len) break;
  }
  return done;
}
ssize_t pwritev(int fd, const struct iovec* pieces, int count, off_t offset) {
  if (disk_of(fd) == nullptr) return ::syscall(SYS_pwritev, fd, pieces, count, offset, 0);
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  return write_file(fd, bytes.data(), bytes.size(), offset);
}
ssize_t pwritev64(int fd, const struct iovec* pieces, int count, off_t offset) {
  return pwritev(fd, pieces, count, offset);
}

int ftruncate(int fd, off_t size) noexcept { return resize_file(fd, size); }
int ftruncate64(int fd, off_t size) noexcept { return resize_file(fd, size); }
int truncate(const char* path, off_t size) noexcept {
  int fd = open_file(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return -1;
  int resized = resize_file(fd, size);
  ::close(fd);
  return resized;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return allocate(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off_t offset, off_t length) { return allocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return allocate(fd, 0, offset, length) == 0 ? 0 : errno; }

int fsync(int fd) {
  if (PowerDisk* disk = disk_of(fd)) return disk->sync(fd);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  if (PowerDisk* disk = disk_of(fd)) return disk->sync(fd);
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
int syncfs(int fd) noexcept {
  if (PowerDisk* disk = disk_of(fd)) return disk->sync_all(fd);
  return static_cast<int>(::syscall(SYS_syncfs, fd));
}

int rename(const char* from, const char* to) noexcept { return move(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  return move(from_directory, from, to_directory, to, 0);
}
int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  return move(from_directory, from, to_directory, to, flags);
}
int link(const char* from, const char* to) noexcept { return make_link(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) noexcept {
  return make_link(from_directory, from, to_directory, to, flags);
}
int unlink(const char* path) noexcept { return remove_name(AT_FDCWD, path, 0); }
int unlinkat(int directory, const char* path, int flags) noexcept { return remove_name(directory, path, flags); }
int rmdir(const char* path) noexcept { return remove_name(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) noexcept {
  int removed = remove_name(AT_FDCWD, path, 0);
  return removed != 0 && errno == EISDIR ? remove_name(AT_FDCWD, path, AT_REMOVEDIR) : removed;
}
int mkdir(const char* path, mode_t mode) noexcept { return make_directory(AT_FDCWD, path, mode); }
int mkdirat(int directory, const char* path, mode_t mode) noexcept { return make_directory(directory, path, mode); }

}  // extern "C"
