#include "kv/rocksdb/engine_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/io.h"

namespace weir::kv {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormatPrefix = "weir metadata in rocksdb, format ";
constexpr int kFormat = 1;

std::string format_path(const std::string& path) { return path + "/format"; }

Result<std::vector<std::string>> entries(const std::string& path) {
  std::error_code failure;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(path, failure), end; !failure && entry != end; entry.increment(failure))
    names.push_back(entry->path().filename());
  if (failure) return errno_error(failure.value(), fmt::format("list {}", path));
  return names;
}

/// Names that create() makes before it is finished.
bool of_unfinished_create(const std::string& name) {
  return name == "lock" || name == "db" || (name.starts_with("format.") && name.ends_with(".tmp"));
}

std::string process_name() {
  Result<Bytes> name = io::read_file("/proc/self/comm");
  if (!name) return "unknown";
  while (!name->empty() && name->back() == '\n') name->pop_back();
  return *name;
}

Result<FileDescriptor> lock(const std::string& path) {
  const std::string file = path + "/lock";
  Result<FileDescriptor> fd = io::open_file(file, O_RDWR | O_CREAT);
  if (!fd) return error(fd.error().code, "cannot open the metadata in {} for writing: {}", path, fd.error().what);
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error(errno, fmt::format("lock {}", file));
    Result<Bytes> holder = io::read_file(file);
    return error(Code::kBusy, "the metadata in {} is in use by {}; only one process can have it open", path,
                 holder && !holder->empty() ? *holder : "another process");
  }
  const std::string holder = fmt::format("process {} ({})", ::getpid(), process_name());
  if (::ftruncate(fd->get(), 0) != 0) return errno_error(errno, fmt::format("truncate {}", file));
  Status written = io::write_at(fd->get(), holder, 0);
  if (!written) return error(written.error().code, "write {}: {}", file, written.error().what);
  return fd;
}

Status check_format(const std::string& path) {
  Result<Bytes> line = io::read_file(format_path(path));
  if (!line) return error(line.error().code, "cannot read the metadata in {}: {}", path, line.error().what);
  int format = 0;
  if (line->starts_with(kFormatPrefix))
    std::from_chars(line->data() + kFormatPrefix.size(), line->data() + line->size(), format);
  if (format <= 0) return error(Code::kInvalid, "{} does not say that it is Weir metadata", format_path(path));
  if (format > kFormat)
    return error(Code::kUnsupported, "the metadata in {} has format {}, of a newer Weir; this one knows up to {}", path,
                 format, kFormat);
  return {};
}

}  // namespace

Result<EngineDirectory> EngineDirectory::open(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    if (errno != ENOENT) return errno_error(errno, fmt::format("open the metadata in {}", path));
    return error(Code::kNotFound, "there is no volume at {}; create one with: weir format {} --store URL", path, path);
  }
  if (::access(format_path(path).c_str(), F_OK) != 0) {
    if (errno == ENOTDIR) return error(Code::kNotDirectory, "metadata path {} is not a directory", path);
    ASSIGN_OR_RETURN(std::vector<std::string> names, entries(path));
    if (names.empty())
      return error(Code::kNotFound, "{} is empty; create a volume with: weir format {} --store URL", path, path);
    return error(Code::kInvalid, "{} holds something else than Weir metadata", path);
  }
  ASSIGN_OR_RETURN(FileDescriptor held, lock(path));
  TRY(check_format(path));
  return EngineDirectory(path, std::move(held));
}

Result<EngineDirectory> EngineDirectory::create(const std::string& path) {
  Status made = io::make_directories(path);
  if (!made) return error(made.error().code, "cannot create a volume at {}: {}", path, made.error().what);
  ASSIGN_OR_RETURN(std::vector<std::string> names, entries(path));
  for (const std::string& name : names) {
    if (name == "format") return error(Code::kExists, "there is a volume at {} already", path);
  }
  for (const std::string& name : names) {
    if (!of_unfinished_create(name) || ::access((path + "/lock").c_str(), F_OK) != 0)
      return error(Code::kNotEmpty, "{} is not empty (it has {}); a volume needs a directory of its own", path, name);
  }
  ASSIGN_OR_RETURN(FileDescriptor held, lock(path));
  // Another process may have finished between the look and the lock.
  if (::access(format_path(path).c_str(), F_OK) == 0)
    return error(Code::kExists, "there is a volume at {} already", path);
  EngineDirectory directory(path, std::move(held));
  std::error_code failure;
  fs::remove_all(directory.database_path(), failure);
  if (failure) return errno_error(failure.value(), fmt::format("remove {}", directory.database_path()));
  TRY(io::make_directories(directory.database_path()));
  return directory;
}

Status EngineDirectory::finish_create() const {
  TRY(io::write_file_durably(format_path(path_), fmt::format("{}{}\n", kFormatPrefix, kFormat)));
  return io::sync_directory(fs::path(path_).parent_path());
}

}  // namespace weir::kv
