#include "base/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>

namespace weir::io {

Result<FileDescriptor> open_file(const std::string& path, int flags, unsigned mode) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return errno_error(errno, fmt::format("open {}", path));
  return FileDescriptor(fd);
}

Result<size_t> read_at(int fd, char* buffer, size_t count, uint64_t offset) {
  size_t done = 0;
  while (done < count) {
    ssize_t got = ::pread(fd, buffer + done, count - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, fmt::format("read {} bytes at {}", count, offset));
    done += static_cast<size_t>(got);
  }
  return done;
}

Status write_at(int fd, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, fmt::format("write {} bytes at {}", bytes.size(), offset));
    bytes.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return {};
}

Result<Bytes> read_file(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, open_file(path, O_RDONLY));
  ASSIGN_OR_RETURN(uint64_t size, file_size(fd.get()));
  // Files of /proc say that they are empty.
  constexpr uint64_t kMore = 4096;
  Bytes bytes;
  size_t got = 0;
  do {
    bytes.resize(std::max(size + 1, got + kMore));
    ASSIGN_OR_RETURN(size_t more, read_at(fd.get(), bytes.data() + got, bytes.size() - got, got));
    got += more;
  } while (got == bytes.size());
  bytes.resize(got);
  return bytes;
}

Status write_file_durably(const std::string& path, std::string_view bytes, unsigned mode) {
  static std::atomic<uint64_t> serial{0};
  std::string temporary = fmt::format("{}.{}.{}.tmp", path, ::getpid(), serial++);
  ASSIGN_OR_RETURN(FileDescriptor fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
  Status written = write_at(fd.get(), bytes, 0);
  if (written) written = sync_data(fd.get(), temporary);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = errno_error(errno, fmt::format("rename {} to {}", temporary, path));
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_directory(std::filesystem::path(path).parent_path());
}

Status sync_data(int fd, std::string_view path) {
  if (::fdatasync(fd) != 0) return errno_error(errno, fmt::format("sync {}", path));
  return {};
}

Status sync_directory(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, open_file(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return errno_error(errno, fmt::format("sync directory {}", path));
  return {};
}

Status make_directories(const std::string& path, unsigned mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string prefix = path.substr(0, slash);
    if (::mkdir(prefix.c_str(), mode) != 0 && errno != EEXIST)
      return errno_error(errno, fmt::format("make directory {}", prefix));
    if (slash == std::string::npos) break;
  }
  struct stat attributes {};
  if (::stat(path.c_str(), &attributes) != 0) return errno_error(errno, fmt::format("stat {}", path));
  if (!S_ISDIR(attributes.st_mode)) return error(Code::kNotDirectory, "{} exists and is not a directory", path);
  return {};
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(errno, fmt::format("remove {}", path));
  return {};
}

namespace {

bool lease_is_granted(int fd, int type) {
  if (::fcntl(fd, F_SETLEASE, type) != 0) return false;
  ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return true;
}

}  // namespace

bool has_no_writer(int fd) { return lease_is_granted(fd, F_RDLCK); }

bool is_only_user(int fd) { return lease_is_granted(fd, F_WRLCK); }

Result<uint64_t> file_size(int fd) {
  struct stat attributes {};
  if (::fstat(fd, &attributes) != 0) return errno_error(errno, "fstat");
  return static_cast<uint64_t>(attributes.st_size);
}

}  // namespace weir::io
