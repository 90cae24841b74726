#include "object/directory/store_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace weir::object {

Code code_of_store_errno(int saved_errno) {
  switch (saved_errno) {
    case ENOTCONN:
    case ESTALE:
    case ESHUTDOWN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENODEV:
    case ETIMEDOUT: return Code::kUnavailable;
    default: return code_of_errno(saved_errno);
  }
}

Result<FileDescriptor> open_below(int directory, const std::string& path, int flags, unsigned mode) {
  int fd = ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return error(code_of_store_errno(errno), "open {}: {}", path, std::strerror(errno));
  return FileDescriptor(fd);
}

Status sync_below(int directory, const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, open_below(directory, path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) {
    return error(code_of_store_errno(errno), "sync directory {}: {}", path, std::strerror(errno));
  }
  return {};
}

Result<DirectoryStream> open_stream_below(int directory, const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor fd, open_below(directory, path, O_RDONLY | O_DIRECTORY));
  DirectoryStream stream(::fdopendir(fd.get()));
  if (stream == nullptr) return error(Code::kIo, "list {}: {}", path, std::strerror(errno));
  fd.release();
  return stream;
}

Result<const dirent*> next_entry(DIR* stream) {
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr && errno != 0) {
      return error(code_of_store_errno(errno), "read a directory: {}", std::strerror(errno));
    }
    if (entry == nullptr || (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != ".."))
      return entry;
  }
}

std::string parent_of(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(path.substr(0, slash));
}

}  // namespace weir::object
